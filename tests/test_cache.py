"""Cache files: what is saved is loaded, what is damaged is read anew, and no state in between is ever seen."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import POSTGRES, SNOWFLAKE, Run, World, python, write_inventory

import main

ROWS = [[f"{POSTGRES}/SHOP", "SHOP", "Database"], [f"{POSTGRES}/SHOP/SALES", "SALES", "Schema"]]
NOW = datetime.now(timezone.utc)
STAMP = NOW.isoformat()
FILE = "postgres_assets_cache.json"


def write_cache(path: str = FILE, **changed: object) -> None:
    """A cache file by hand; a value of None leaves its key out."""
    cache = {"timestamp": STAMP, "data": ROWS, **changed}
    text = json.dumps({name: value for name, value in cache.items() if value is not None})
    Path(path).write_text(text, encoding="utf-8")


def source_of(world: World, name: str = "postgres-ary") -> dict[str, str]:
    return {"tenant": world.tenant.base_url, "name": name}


# Saving and loading


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(st.text(), min_size=3, max_size=3)), source=st.dictionaries(st.text(), st.text()))
def test_what_is_saved_is_loaded(rows: list[list[str]], source: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deeper", "cache.json")
        assert main.save_cache_to_file(rows, path, source)
        loaded = main.load_cache_from_file(path)
        assert loaded is not None
        assert loaded["data"] == rows
        assert (loaded.get("source") or {}) == source
        assert main.is_cache_valid(path, 1, source)
        assert set(json.loads(path.read_text(encoding="utf-8"))) <= {"timestamp", "source", "data"}
        assert [item.name for item in path.parent.iterdir()] == ["cache.json"]


def test_a_heading_row_is_left_out(empty_folder: Path) -> None:
    write_cache(data=[["qualified_name", "asset_name", "asset_type"], *ROWS])
    loaded = main.load_cache_from_file(FILE)
    assert loaded is not None
    assert loaded["data"] == ROWS


def test_a_name_that_is_no_text_does_not_end_the_run(empty_folder: Path) -> None:
    """JSON can carry half a surrogate pair, which no encoding can write."""
    rows = [[f"{POSTGRES}/\ud800", "\ud800", "Database"]]
    if main.save_cache_to_file(rows, FILE):
        assert (main.load_cache_from_file(FILE) or {})["data"] == rows
    assert [path.name for path in empty_folder.iterdir() if path.name != FILE] == []


# Damage

GOOD = json.dumps({"timestamp": STAMP, "data": ROWS})
WRONG_DATA: list[object] = [None, 5, "", "abc", {}, {"abc": 1}, ["abc"], [None], [[]], [["a", "b"]], [["a", "b", 3]],
                            [["a", "b", "c", "d"]], [{"a": 1, "b": 2, "c": 3}]]  # fmt: skip
DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "truncated": GOOD[: len(GOOD) // 2].encode(),
    "cut at the end": GOOD[:-1].encode(),
    "no text": b"\x1f\x8b\x08\x00\xff\xfe",
    "not UTF-8": GOOD.replace("SHOP", "SH\xd6P").encode("latin-1"),
    "UTF-16": GOOD.encode("utf-16"),
    "null": b"null",
    "a number": b"42",
    "a text": b'"data"',
    "a list": json.dumps(ROWS).encode(),
    "too deep": b"[" * 100_000,
    "no data": json.dumps({"timestamp": STAMP}).encode(),
    "no time": json.dumps({"data": ROWS}).encode(),
    **{
        f"time is {value!r}": json.dumps({"timestamp": value, "data": ROWS}).encode()
        for value in (None, 5, "", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")
    },
    **{f"data is {value!r}": json.dumps({"timestamp": STAMP, "data": value}).encode() for value in WRONG_DATA},
    **{
        f"source is {value!r}": json.dumps({"timestamp": STAMP, "source": value, "data": ROWS}).encode()
        for value in ("tenant", 5, ["tenant"])
    },
}


@pytest.fixture(params=[*DAMAGED, "a folder"])
def damaged(request: pytest.FixtureRequest, world: World) -> str:
    if request.param in DAMAGED:
        Path(FILE).write_bytes(DAMAGED[request.param])
    else:
        Path(FILE).mkdir()
    return FILE


def test_a_damaged_file_is_not_valid_and_told(
    damaged: str, run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.load_cache_from_file(damaged) is None
    assert f"⚠️ {damaged} is no usable cache" in capsys.readouterr().out
    assert not main.is_cache_valid(damaged, 24)
    assert main.get_cache_status()[0]["state"] == "unusable"
    # Read anew from Atlan, and replaced by a good one where that is possible.
    assert len(main.find_postgres_assets()) == 51
    assert main.is_cache_valid(damaged, 24) == Path(damaged).is_file()
    if Path(damaged).is_dir():
        assert run("--clear-cache").code in (0, 1)


def test_no_file_is_no_fault(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.load_cache_from_file(FILE) is None
    assert not main.is_cache_valid(FILE, 24)
    assert capsys.readouterr().out == ""


# Validity


@pytest.mark.parametrize(
    ("age", "max_age", "valid"),
    [(0, 24, True), (23.9, 24, True), (24.1, 24, False), (1.1, 1, False), (0, 0, False), (-1, 24, False)],
)
def test_a_cache_expires(age: float, max_age: float, valid: bool, empty_folder: Path) -> None:
    stamp = datetime.now(timezone.utc) - timedelta(hours=age)
    write_cache(timestamp=stamp.isoformat())
    assert main.is_cache_valid(FILE, max_age) is valid
    # The documents' format: local time without a zone.
    write_cache(timestamp=stamp.astimezone().replace(tzinfo=None).isoformat())
    assert main.is_cache_valid(FILE, max_age) is valid
    write_cache(timestamp=stamp.replace(microsecond=0, tzinfo=None).isoformat() + "Z")
    assert main.is_cache_valid(FILE, max_age) is valid


def test_the_setting_decides_how_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cache(timestamp=(NOW - timedelta(hours=3)).isoformat(), source=source_of(world))
    assert main.is_cache_valid(FILE)
    monkeypatch.setenv("CACHE_EXPIRY_HOURS", "2")
    assert not main.is_cache_valid(FILE)
    assert main.get_cache_status()[0]["state"] == "expired"


def test_a_valid_cache_is_used_without_a_request(world: World) -> None:
    write_cache(source=source_of(world))
    assert main.find_postgres_assets() == ROWS
    assert world.requests()["total"] == 0
    assert len(main.find_postgres_assets(force_refresh=True)) == 51
    assert len(main.find_postgres_assets()) == 51
    cache = main.load_cache_from_file(FILE)
    assert cache is not None
    assert cache["source"] == {**source_of(world), "connection": POSTGRES}


@pytest.mark.parametrize(
    "source",
    [None, {}, {"tenant": "https://acme.atlan.com", "name": "postgres-ary"}, {"name": "postgres-ary"}],
    ids=["documents' format", "empty", "another tenant", "no tenant"],
)
def test_a_cache_of_unknown_or_other_source_is_only_displayed(source: dict | None, world: World) -> None:
    write_cache(source=source)
    assert main.get_cache_status()[0]["state"] == "foreign"
    assert not main.is_cache_valid(FILE)
    assert len(main.find_postgres_assets()) == 51
    assert len((main.load_cache_from_file(FILE) or {})["data"]) == 51


def test_a_cache_of_another_connection_is_not_used(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cache(source=source_of(world, "postgres-old"))
    assert len(main.find_postgres_assets()) == 51
    assert "another tenant or connection" in capsys.readouterr().out
    # The same file for both sides by mistake: the Snowflake assets are not taken for PostgreSQL's.
    monkeypatch.setenv("SNOWFLAKE_CACHE_FILE", FILE)
    assert all(row[0].startswith("default/snowflake/") for row in main.find_snowflake_assets())


# Replacing the file


def test_a_killed_process_leaves_the_old_file(empty_folder: Path) -> None:
    write_cache()
    program = f"import os, main; os.fsync = lambda _: os._exit(9); main.save_cache_to_file([['a', 'b', 'c']] * 9999, '{FILE}')"
    assert python(["-c", program]).returncode == 9
    assert main.load_cache_from_file(FILE) == {"timestamp": STAMP, "data": ROWS}


def test_a_full_disk_leaves_the_old_file(empty_folder: Path) -> None:
    write_cache()
    program = f"""
import resource, main
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
print(main.save_cache_to_file([["a", "b", "c"]] * 9999, "{FILE}"))
"""
    ended = python(["-c", program])
    assert ended.stdout.splitlines()[-1] == "False", ended.stderr
    assert main.load_cache_from_file(FILE) == {"timestamp": STAMP, "data": ROWS}
    assert [path.name for path in empty_folder.iterdir()] == [FILE]


def test_a_reader_never_sees_half_a_file(empty_folder: Path) -> None:
    main.save_cache_to_file(ROWS, FILE)
    sizes: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            sizes.add(len((main.load_cache_from_file(FILE) or {"data": []})["data"]))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        main.save_cache_to_file(ROWS * (1 + 500 * (number % 2)), FILE)
    done.set()
    reader.join()
    assert sizes <= {2, 1002}


@pytest.fixture
def read_only_folder(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder that this user may not write into; root first becomes nobody, as it may write anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        write_cache()
        Path(folder).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)
        monkeypatch.chdir(empty_folder)
        Path(folder).chmod(0o755)


def test_a_read_only_folder_is_told(
    read_only_folder: Path,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.save_cache_to_file([["a", "b", "c"]], FILE) is False
    assert f"{FILE} cannot be written" in capsys.readouterr().out
    assert main.load_cache_from_file(FILE) == {"timestamp": STAMP, "data": ROWS}
    monkeypatch.setenv("POSTGRES_CACHE_FILE", FILE)
    ended = run("--clear-cache")
    assert Path(FILE).exists()
    assert ended.code == 1
    assert FILE in ended.out + ended.err


def test_a_place_below_a_file_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main.save_cache_to_file([["a", "b", "c"]], "file/cache.json") is False
    assert "cannot be written" in capsys.readouterr().out


# Status and clearing


def test_status_and_clearing(world: World, run: Callable[..., Run]) -> None:
    main.find_postgres_assets()
    postgres, snowflake = main.get_cache_status()
    assert postgres == {"name": "PostgreSQL", "file": FILE, "state": "valid", "assets": 51, "age_hours": 0.0,
                        "source": {**source_of(world), "connection": POSTGRES}}  # fmt: skip
    assert (snowflake["state"], snowflake["assets"], snowflake["age_hours"]) == ("absent", 0, None)
    asked = world.requests()["total"]
    shown = run("--cache-status")
    assert shown.code == 0
    assert "PostgreSQL cache: valid, 51 assets" in shown.out
    assert "Snowflake cache: absent" in shown.out
    assert run("--clear-cache").code == 0
    assert not Path(FILE).exists()
    assert run("--clear-cache").code == 0
    assert [status["state"] for status in main.get_cache_status()] == ["absent", "absent"]
    assert world.requests()["total"] == asked


def test_discovery_says_when_it_begins_and_how_far_it_is(
    tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run]
) -> None:
    large = {("SHOP", "SALES", "ORDERS"): [f"C{number}" for number in range(197)]}  # 200 assets
    small = {("SHOP", "SALES", "ORDERS"): ["C0"]}
    fresh_world(
        write_inventory(tmp_path / "p.json", POSTGRES, large), write_inventory(tmp_path / "s.json", SNOWFLAKE, small)
    )
    assert run("--dry-run").out.splitlines()[2:7] == [
        "🔍 PostgreSQL: reading the assets of postgres-ary from Atlan",
        "📊 PostgreSQL assets: 100 of 200",
        "📊 PostgreSQL assets: 200 of 200",
        f"📊 PostgreSQL: 200 assets found in {POSTGRES}",
        "🔍 Snowflake: reading the assets of snowflake-ary from Atlan",
    ]
    run()
    assert "🔍 PostgreSQL" not in run().out  # all from the cache
