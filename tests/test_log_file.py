"""The log in a file: all of it, each line whole and with its time, and never a secret."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from world import ROOT, Run, World

from metadata_extraction import __main__ as extraction
from runtime import terminal
from runtime.parallel import side_by_side
from runtime.terminal import configure_logging, logger, say_error, show_less


@pytest.fixture(autouse=True)
def _without_a_file_after_it() -> Iterator[None]:
    yield
    configure_logging("INFO")


LINE = re.compile(r"(\S+) (DEBUG|INFO|NOTICE|WARNING|ERROR) \[(\d+)\] (.*)")


def read_log(path: Path) -> list[tuple[str, str]]:
    """The level and the text of each line; all have a time with its zone, and the process."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = LINE.fullmatch(line)
        assert parts, line
        assert datetime.fromisoformat(parts[1]).tzinfo
        assert int(parts[3]) > 0
        found.append((parts[2], parts[4]))
    return found


def test_the_file_has_what_is_not_shown_too(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    monkeypatch.setenv("LOG_FILE", "run.log")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    shown = run("--quiet").out.splitlines()
    told = read_log(Path("run.log"))
    assert [line for level, line in told if level not in ("INFO", "DEBUG")] == shown
    # What steps log that run side by side is there once, in their order.
    infos = [line for level, line in told if level == "INFO"]
    assert len([line for line in infos if line.startswith("🔍 PostgreSQL: reading")]) == 1
    assert [line.split()[1] for line in infos if line.startswith("📊") and "found in" in line] == [
        "PostgreSQL:",
        "Snowflake:",
    ]
    names = {line.partition(": ")[2] for level, line in told if level == "DEBUG" and " created: " in line}
    assert {asset["attributes"]["qualifiedName"] for asset in world.assets("ColumnProcess")} <= names
    assert world.tenant.api_token not in Path("run.log").read_text(encoding="utf-8")
    assert Path("run.log").stat().st_mode & 0o777 == 0o600
    run("--quiet")
    assert read_log(Path("run.log"))[: len(told)] == told, "it is appended"


def test_errors_and_wrong_settings_are_in_the_file(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    monkeypatch.setenv("LOG_FILE", "run.log")
    monkeypatch.setenv("CACHE_EXPIRY_HOURS", "soon")
    ended = run()
    assert ended.code == 2
    assert [f"{line}\n" for _, line in read_log(Path("run.log"))] == ended.err.splitlines(keepends=True)
    assert [level for level, _ in read_log(Path("run.log"))] == ["ERROR"]


def test_those_of_the_extraction_are_too(
    monkeypatch: pytest.MonkeyPatch, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FILE", "run.log")
    monkeypatch.setenv("SOURCE_URL", "postgresql://me:opensesame@127.0.0.1:1/x")
    monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", "opensesame")
    assert extraction.main(["run"]) == 2
    told = read_log(Path("run.log"))
    assert [line for _, line in told] == capsys.readouterr().err.splitlines()
    assert "ATLAN_CONNECTION_QUALIFIED_NAME is no qualified name of a connection (***)" in told[0][1]


def test_a_line_is_one_line_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    configure_logging("INFO", "opensesame", file=path)
    logger.info("one\ntwo \x1b[31m \ud800 %s", "opensesame")
    say_error("three\nopensesame")
    logger.debug("below the level")
    assert read_log(path) == [("INFO", r"one\ntwo \x1b[31m \ud800 ***"), ("ERROR", r"❌ three\n***")]
    configure_logging("INFO")
    logger.info("nowhere")
    show_less()
    logger.info("not shown")
    assert len(read_log(path)) == 2
    assert "nowhere" in capsys.readouterr().out


def test_what_waits_for_its_turn_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", file=tmp_path / "log")
    show_less()
    side_by_side(lambda: logger.info("first"), lambda: logger.info("second"), lambda: logger.warning("third"))
    assert sorted(line for _, line in read_log(tmp_path / "log")) == ["first", "second", "third"]
    assert capsys.readouterr().out == "third\n"


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = (
        "import sys; from pathlib import Path; from runtime.terminal import configure_logging, logger, show_less\n"
        "configure_logging('INFO', file=Path(sys.argv[1])); show_less()\n"
        "for number in range(300): logger.info('%s', sys.argv[2] * 1500)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path), letter], env={**os.environ, "PYTHONPATH": str(ROOT)})
        for letter in "abc"
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = [line for _, line in read_log(path)]
    assert sorted(lines) == [letter * 1500 for letter in "abc" for _ in range(300)]


def test_a_file_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    configure_logging("INFO", file=path)
    logger.info("before")
    path.rename(tmp_path / "log.1")
    logger.info("after")
    assert read_log(tmp_path / "log.1") == [("INFO", "before")]
    assert read_log(path) == [("INFO", "after")]


def test_a_file_that_cannot_be_written_any_more_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    configure_logging("INFO", file=folder / "log")
    shutil.rmtree(folder)
    logger.info("one")
    logger.info("two")
    shown = capsys.readouterr()
    assert shown.out == "one\ntwo\n"
    assert shown.err == (
        f"❌ The log cannot be written to {folder / 'log'} any more (No such file or directory); the run goes on.\n"
    )


@pytest.mark.parametrize("kind", ["folder", "pipe", "absent folder", "device"])
def test_what_cannot_be_a_log_is_a_wrong_setting(
    kind: str, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    os.mkdir("folder")
    os.mkfifo("pipe")
    monkeypatch.setenv("LOG_FILE", {"absent folder": "absent/log", "device": "/dev/full"}.get(kind, kind))
    ended = run("--cache-status")
    assert ended.code == 2
    assert re.fullmatch(r"❌ LOG_FILE cannot be written \([^()]+\): name a file [^\n]+\n", ended.err)


def test_the_level_of_the_log_counts_for_the_file(tmp_path: Path) -> None:
    configure_logging("WARNING", file=tmp_path / "log")
    logger.info("less")
    logger.log(terminal.NOTICE, "less, too")
    logger.log(logging.ERROR, "more")
    assert read_log(tmp_path / "log") == [("ERROR", "more")]
