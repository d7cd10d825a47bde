"""The extraction on a real Temporal server: done by whichever worker there is, with the files of an undisturbed run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_world import postgres_server
from upload_world import LOCAL, free_port

ROOT = Path(__file__).resolve().parents[2]
TABLES, COLUMNS = 400, 60


@pytest.fixture(scope="module")
def temporal() -> Iterator[str]:
    """A Temporal development server; yields its address."""
    port = free_port()
    server = subprocess.Popen(
        [Path(sys.executable).with_name("temporal"), "server", "start-dev", "--headless", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(port), "Temporal to answer")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A PostgreSQL with enough columns that reading them takes a while; yields its URL."""
    columns = ", ".join(f"c{number} numeric(10, 2)" for number in range(COLUMNS))
    with postgres_server() as (server, _):
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(
                f"do $$ begin for i in 1..{TABLES} loop execute format('create table t%s ({columns})', i); end loop; end $$"
            )
        yield server.get_uri()


@pytest.fixture
def environment(tmp_path: Path, temporal: str, database: str) -> dict[str, str]:
    """What a worker and a starter have in common."""
    components = tmp_path / "components"
    components.mkdir()
    (components / "objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=tmp_path / "objectstore"))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "COMPONENTS_PATH": str(components),
        "SOURCE_URL": database,
        "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1763700001",
        "TEMPORAL_ADDRESS": temporal,
        "TEMPORAL_TASK_QUEUE": tmp_path.name,
    }


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def start(command: str, tmp_path: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "metadata_extraction", command, *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_that_is_killed_is_replaced_and_the_files_are_the_same(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    workflow = tmp_path / "objectstore/artifacts/apps/delta-arc/workflows/nightly"
    here = start("run", tmp_path, environment, "--workflow-id", "nightly", "--run-id", "in-process")
    said, _ = here.communicate(timeout=60)
    assert here.returncode == 0, said

    first = start("worker", tmp_path, environment)
    starter = start("start", tmp_path, environment, "--workflow-id", "nightly")
    second = None
    try:
        wait_for(lambda: any(workflow.glob("*-*-*/raw/table/*.parquet")), "the tables")
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        assert not any(workflow.glob("*-*-*/transformed/column/*.json"))  # it was in the middle
        second = start("worker", tmp_path, environment)
        said, _ = starter.communicate(timeout=120)
        assert starter.returncode == 0, said
        assert re.search(rf"raw/column +{TABLES * COLUMNS} ", said)
    finally:
        for process in (first, second, starter):
            if process and process.poll() is None:
                process.terminate()
                process.communicate()
    assert second.returncode == 0  # told to stop, it ends in good order
    (run_id,) = (path.name for path in workflow.iterdir() if path.name != "in-process")
    assert files_below(workflow / run_id) == files_below(workflow / "in-process")


def test_a_source_that_cannot_be_read_ends_the_run_with_its_sentence(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["SOURCE_URL"] = "postgresql://someone:pass-word@127.0.0.1:1/db"
    worker = start("worker", tmp_path, environment)
    try:
        starter = start("start", tmp_path, environment)
        said, _ = starter.communicate(timeout=60)
        assert starter.returncode == 1, said
        assert (
            "PostgreSQL 127.0.0.1:1/db cannot be reached: check host and port in SOURCE_URL, and the network." in said
        )
    finally:
        worker.terminate()
        worked, _ = worker.communicate()
    assert "pass-word" not in said + worked
    assert "Traceback" not in said
