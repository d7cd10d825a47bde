"""Nobody who names a table, a column, a file or an error gets further than a report: no forged line, no escape sequence."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from world import POSTGRES, PREFIX, SNOWFLAKE, Run, World, write_inventory

ESCAPE, RISE, TURN = "\x1b[2J\x1b]0;owned\x07", "\n✅ Done: 99 created", "\u202egpj.exe\u2066\u200b"
HOSTILE = [f"T{ESCAPE}", f"T{RISE}", f"T{TURN}", "T\u2028❌ No\x85\r\x9b31m", "T\U000e0041\ufeff", "T" + "x" * 900]
posix = pytest.mark.skipif(os.name == "nt", reason="files cannot have such names")


def assert_is_plain(ended: Run) -> None:
    """Whether every line of a run is one of the program's own, with nothing in it that moves, turns or hides anything."""
    for line in (ended.out + ended.err).splitlines():
        odd = [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert odd == [], ascii(line)
        assert line.startswith(("📊 ", "💾 ", "🪣 ", "🔍 ", "✅ ", "❌ ", "⚠️ ", "🔗 ", "🏖️ ", "   ")), ascii(line)
        assert len(line) < 2200
    for mark in ("✅ Done: 99", "❌ No"):
        assert not [line for line in (ended.out + ended.err).splitlines() if line.startswith(mark)]


@posix
def test_hostile_names_of_tables_columns_and_files(
    tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = ("SHOP", f"SALES{RISE}")
    columns = ["ID", "TOTAL", f"C{ESCAPE}", f"C{RISE}", f"C{TURN}"]
    only = f"ONLY{RISE}{ESCAPE}{TURN}"
    world = fresh_world(
        write_inventory(tmp_path / "p.json", POSTGRES, {(*schema, name): columns for name in [*HOSTILE, only]}),
        write_inventory(tmp_path / "s.json", SNOWFLAKE, {(*schema, name): columns for name in HOSTILE}),
    )
    for path in world.files.iterdir():
        path.unlink()
    for name in HOSTILE:
        (world.files / f"{name[:100]}.csv").write_text("ID,TOTAL,other\n\u202e,✅,1\n")
        (world.files / f"nothing {name[:100]}.csv").write_text(f"{ESCAPE},{TURN}\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    for arguments in (["--dry-run"], [], ["--plan", "plan.json"], ["--apply", "plan.json"], ["--prune"]):
        ended = run(*arguments)
        assert ended.code == 0, ended.err
        assert_is_plain(ended)
        page = Path("lineage.html").read_text(encoding="utf-8")
        assert not [char for char in page if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
    for path in world.files.iterdir():
        path.unlink()
    assert_is_plain(run("--prune", "--dry-run"))
    assert_is_plain(run("--remove-lineage", "--yes"))


@posix
def test_a_hostile_file_of_overrides_is_told_in_plain_lines(world: World, run: Callable[..., Run]) -> None:
    Path("overrides.txt").write_text(f"object x{TURN} is y\x1b[2J\nobject '{ESCAPE}' is nothing\nnever\r✅ Done: 99\n")
    ended = run()
    assert ended.code == 2
    assert_is_plain(ended)
    assert world.requests()["writes"] == 0


@pytest.mark.parametrize("status", [400, 403, 404, 418])
def test_a_hostile_answer_of_the_server_is_told_in_plain_lines(
    status: int, world: World, run: Callable[..., Run], slept: list[float]
) -> None:
    words = f"no{RISE}{ESCAPE}{TURN}" + "x" * 10_000
    world.fail(status, "/api/meta/search/", 1000, body={"errorCode": "X", "errorMessage": words})
    ended = run()
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert_is_plain(ended)


@posix
def test_hostile_settings_are_told_in_plain_lines(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_PREFIX", f"{PREFIX}{RISE}{ESCAPE}{TURN}")
    monkeypatch.setenv("S3_CONNECTION_NAME", f"s3{RISE}{TURN}")
    monkeypatch.setenv("POSTGRES_CACHE_FILE", f"cache{RISE}{ESCAPE}")
    assert_is_plain(run())
    Path(f"cache{RISE}{ESCAPE}").write_text("{")
    assert_is_plain(run("--cache-status"))
    monkeypatch.setenv("POSTGRES_CONNECTION_NAME", f"pg{RISE}{ESCAPE}{TURN}" + "x" * 10_000)
    ended = run("--force-refresh")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert_is_plain(ended)
