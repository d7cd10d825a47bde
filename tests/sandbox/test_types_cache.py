"""Where the types are kept, and when what is kept is believed."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

import sandbox
from sandbox import types_cache
from sandbox.types import EntityType, Relationship, TypeSystem, read_types
from sandbox.types_cache import find_folder, load_types

END = Relationship("schema", "Schema", False, "tables", True)
ENTITIES = {
    "Table": EntityType("Table", ("SQL", "Asset"), frozenset({"name", "rowCount"}), {"schema": END}),
    "Schema": EntityType("Schema", (), frozenset({"name"}), {}),
    "SQL": EntityType("SQL", ("Asset",), frozenset(), {}),
    "Asset": EntityType("Asset", (), frozenset(), {}),
}
TYPES = TypeSystem(ENTITIES, {"rowCount": "long"}, {"Size": ["BIG"]}, {"Tag": {"key": "string"}}, {"name": "text"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is to be taken in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "cache" / "atlan-sandbox"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time that the types are read from pyatlan, which are a few here."""
    counted: list[None] = []

    def read() -> TypeSystem:
        counted.append(None)
        return TYPES

    monkeypatch.setattr(types_cache, "read_types", read)
    return counted


def load_anew() -> TypeSystem:
    return load_types.__wrapped__()


def test_the_types_that_are_kept_are_those_of_pyatlan(cache: Path) -> None:
    load_anew()
    assert load_anew() == read_types()
    assert len(list(cache.iterdir())) == 1


def test_they_are_read_once_and_kept_where_only_their_user_can_write(cache: Path, reads: list[None]) -> None:
    for _ in range(3):
        assert load_anew() == TYPES
    assert len(reads) == 1
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [stat.S_IMODE(kept.stat().st_mode) for kept in cache.iterdir()] == [0o600]


def test_nothing_is_kept_in_the_source_tree() -> None:
    folder = find_folder()
    assert folder
    assert not folder.resolve().is_relative_to(Path(sandbox.__file__).resolve().parent.parent)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"rowCount", b"rowcount"),
        lambda content: content.partition(b"\n")[2],
        lambda content: b"0" * 64 + b"\n[]",
        lambda content: types_cache._checksum(b"[1]") + b"\n[1]",
        lambda content: types_cache._checksum(b"[{}]") + b"\n[{}]",
        lambda content: types_cache._checksum(b"[") + b"\n[",
    ],
)
def test_a_broken_file_is_made_anew(cache: Path, reads: list[None], spoil) -> None:
    load_anew()
    (kept,) = cache.iterdir()
    kept.write_bytes(spoil(kept.read_bytes()))
    assert load_anew() == TYPES
    assert load_anew() == TYPES
    assert len(reads) == 2
    assert list(cache.iterdir()) == [kept]


def test_another_pyatlan_or_other_code_has_another_file(
    cache: Path, reads: list[None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load_anew()
    monkeypatch.setattr(types_cache, "version", lambda package: "99.9")
    load_anew()
    other = tmp_path / "types.py"
    other.write_text("# other code")
    monkeypatch.setattr(types_cache.types, "__file__", str(other))
    load_anew()
    assert len(reads) == len(list(cache.iterdir())) == 3


def test_a_folder_that_others_can_write_to_or_that_is_a_link_is_not_taken(
    cache: Path, reads: list[None], tmp_path: Path
) -> None:
    beside = tmp_path / f"atlan-sandbox-{os.getuid()}"
    cache.mkdir(parents=True)
    cache.chmod(0o770)
    assert find_folder() == beside
    beside.chmod(0o707)
    assert find_folder() is None
    assert load_anew() == TYPES
    assert not list(cache.iterdir())
    cache.rmdir()
    beside.rmdir()
    (tmp_path / "target").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "target")
    beside.symlink_to(tmp_path / "target")
    assert find_folder() is None


def test_a_folder_of_another_user_is_not_taken(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_folder() == cache
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert find_folder() is None


def test_where_there_can_be_no_folder_nothing_is_kept(
    tmp_path: Path, reads: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    assert find_folder() is None
    assert load_anew() == load_anew() == TYPES
    assert len(reads) == 2


def test_a_relative_xdg_cache_home_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_folder() == tmp_path / "home" / ".cache" / "atlan-sandbox"
    assert not (tmp_path / "here").exists()


def test_a_full_disk_leaves_no_part_of_a_file(cache: Path, reads: list[None], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert load_anew() == TYPES
    assert not list(cache.iterdir())
