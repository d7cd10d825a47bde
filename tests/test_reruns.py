"""Runs that end early, run again, or run dry: the same final state, nothing twice, and no write without need."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from world import BULK, ROOT, Run, World, settings_of, start_world

ALWAYS = 10_000


@pytest.mark.parametrize(("write", "carried_out"), [*((write, True) for write in range(5)), (3, False)])
def test_a_run_that_ends_at_any_write_is_finished_by_the_next(
    write: int, carried_out: bool, world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    world.fail(401, BULK, 1, skip=write, after=carried_out)
    world.fail(401, BULK, ALWAYS, skip=write)
    assert run().code == 1
    world.forget()
    assert run().code == 0
    assert world.state() == undisturbed


def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path, connect: Callable[[World], None], run: Callable[..., Run], undisturbed: dict
) -> None:
    """Two runs at once, each in a tenant of its own, killed at random moments between their 20 or so requests."""
    moments = random.sample(range(2, 20), 2)
    with contextlib.ExitStack() as running:
        worlds = [running.enter_context(start_world(tmp_path / str(moment))) for moment in moments]
        programs = [start_program(world) for world in worlds]
        alive = set(range(2))
        while alive:
            for number in list(alive):
                if worlds[number].requests()["total"] >= moments[number] or programs[number].poll() is not None:
                    programs[number].kill()
                    alive.remove(number)
            time.sleep(0.002)
        for world, program in zip(worlds, programs, strict=True):
            assert program.wait() in (-9, 0), moments
            world.forget()
            connect(world)
            os.chdir(world.tenant.folder)
            assert run().code == 0, moments
            assert world.state() == undisturbed, moments
            world.forget()
            assert run().code == 0
            assert world.requests()["writes"] == 0, moments


def start_program(world: World) -> subprocess.Popen[bytes]:
    """main.py in a process and a folder of its own, slowed down so that there is a moment to kill it at."""
    world.pace(latency_seconds=0.04)
    environment = {**os.environ, **settings_of(world)}
    command = [sys.executable, str(ROOT / "main.py")]
    return subprocess.Popen(command, cwd=world.tenant.folder, env=environment, stdout=subprocess.DEVNULL)


def test_a_rerun_before_the_search_knows_makes_nothing_twice(
    world: World, run: Callable[..., Run], undisturbed: dict
) -> None:
    world.pace(index_delay_seconds=2)
    assert run().code == 0
    assert world.count("Process") == 0
    assert run().code == 0
    until = time.monotonic() + 10
    while world.count("ColumnProcess") < 41 and time.monotonic() < until:
        time.sleep(0.1)
    assert world.state() == undisturbed


# Nothing to write


def test_a_dry_run_writes_nothing(world: World, run: Callable[..., Run], empty_folder: Path) -> None:
    ended = run("--dry-run")
    assert ended.code == 0
    assert ": 67 to create" in ended.out
    assert "   + ColumnProcess: SHIPPERS.PHONE → SHIPPERS.PHONE\n" in ended.out
    assert world.requests()["writes"] == 0
    assert world.state() == {}
    assert world.count("Connection") == 2
    assert [path.name for path in empty_folder.iterdir()] == ["lineage.html"]
    assert run().code == 0
    (world.files / "SHIPPERS.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    before = world.state()
    world.forget()
    ended = run("--dry-run", "--force-refresh")
    assert "1 to update, 65 unchanged" in ended.out
    assert world.requests()["writes"] == 0
    assert world.state() == before


def test_an_unchanged_rerun_writes_nothing(world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    assert world.requests()["unknown"] == {}
    world.forget()
    ended = run("--force-refresh")
    assert ended.code == 0
    assert "0 created, 0 updated, 66 unchanged, 0 failed, 0 unmatched" in ended.out
    assert world.requests()["writes"] == 0
    assert world.requests()["unknown"] == {}
