"""Columns of files that are kept: a run with them concludes what one without concludes, and reads only what is new."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import Run, World

from delta_arc.evidence import Evidence, gather_evidence
from delta_arc.files import kept as module
from delta_arc.files.headers import FileColumns
from delta_arc.files.kept import KeptColumns

COLUMNS = {"t": ["id", "city", "created_at"], "u": ["id", "shade", "weight"]}
CONTENTS = (
    b"id,city,created_at\n1,Ann,2025-09-21\n", b"id,shade,weight\n1,red,12\n", b"Id,City\n1,Ann\n", b"1,Ann,2025-09-21\n",
    b"shade,weight\nred,12\n", b"", b"\x00\x01", b'{"id": 1, "city": "Ann"}', b"PAR1 and no more", b"id;secret-value;9\n",
    gzip.compress(b"id,city,created_at\n1,Ann,2025-09-21\n"), b"only-one-secret-value\n",
)  # fmt: skip
MOMENT = datetime(2025, 9, 21, tzinfo=timezone.utc)


class Bucket:
    """Objects by key: their content, the number of the day on which it was put, and how its ETag is written."""

    def __init__(self, objects: Mapping[str, tuple[bytes, int, str]]) -> None:
        self.objects, self.read = objects, list[str]()

    def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
        self.read.append(Key)
        first, last = Range.removeprefix("bytes=").split("-")
        return {"Body": io.BytesIO(self.objects[Key][0][int(first) : int(last) + 1])}

    def listed(self) -> list[dict[str, Any]]:
        return [
            {"key": key, "size": len(content), "last_modified": MOMENT + timedelta(days=day), "etag": form.format(md5(content).hexdigest())}
            for key, (content, day, form) in self.objects.items()
        ]  # fmt: skip

    def conclude(self, kept: KeptColumns | None = None, doubtful: Sequence[str] = ()) -> dict[str, Evidence]:
        items = self.listed()
        datasets = {"t": items, "u": items[::2]}
        return gather_evidence(self, "b", {name: own for name, own in datasets.items() if own}, COLUMNS, (), doubtful, kept)  # fmt: skip


keys = st.sampled_from(
    [f"t/t_2025-09-{day:02}.{end}" for day in range(1, 9) for end in ("csv", "json", "csv.gz")] + ["t/x", "t/y.csv"]
)
etags = st.sampled_from(["{}", "{}", "{}", "W/{}", ""])
buckets = st.dictionaries(keys, st.tuples(st.sampled_from(CONTENTS), st.integers(0, 9), etags), max_size=14)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(buckets, min_size=2, max_size=4), st.lists(keys, max_size=3))
def test_a_run_concludes_the_same_with_what_is_kept(
    days: list[dict[str, tuple[bytes, int, str]]], doubtful: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "columns.json"
        for objects in days:
            kept = KeptColumns(path, ["tenant", "b"])
            with_kept, without = Bucket(objects), Bucket(objects)
            assert with_kept.conclude(kept, doubtful) == without.conclude(None, doubtful)
            assert set(with_kept.read) <= set(without.read)
            kept.save()
            assert not path.exists() or "secret-value" not in path.read_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "columns.json"


GOOD, OTHER, NO_HEADER, DAMAGED = CONTENTS[0], CONTENTS[1], CONTENTS[3], CONTENTS[8]


def read_in_two_runs(path: Path, first: bytes, second: bytes, etag: str = "{}", **changed: Any) -> list[str]:
    """What the second of two runs reads, of an object whose content was the first."""
    kept = KeptColumns(path, ["tenant", "b"])
    Bucket({"t.csv": (first, 1, etag)}).conclude(kept)
    kept.save()
    bucket = Bucket({"t.csv": (second, 1, etag)})
    bucket.conclude(KeptColumns(path, changed.pop("source", ["tenant", "b"]), **changed))
    return bucket.read


def test_what_has_not_changed_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_in_two_runs(path, GOOD, GOOD) == []
    assert read_in_two_runs(path, NO_HEADER, NO_HEADER) == []  # that it tells none is known, too
    assert read_in_two_runs(path, GOOD, GOOD.replace(b"Ann", b"Bob")) == ["t.csv"] * 2  # for both tables
    assert read_in_two_runs(path, GOOD, GOOD, afresh=True) == ["t.csv"] * 2
    assert read_in_two_runs(path, GOOD, GOOD, source=["tenant", "another"]) == ["t.csv"] * 2
    monkeypatch.setitem(COLUMNS, "t", [*COLUMNS["t"], "added"])
    assert read_in_two_runs(path, GOOD, GOOD) == []


@pytest.mark.parametrize("etag", ["", "W/{}"])
def test_what_may_have_changed_unseen_is_read_again(path: Path, etag: str) -> None:
    assert read_in_two_runs(path, GOOD, GOOD, etag) == ["t.csv"] * 2


def test_what_could_not_be_read_is_tried_again(path: Path) -> None:
    kept = KeptColumns(path, ["tenant", "b"])

    class Refusing(Bucket):
        def get_object(self, **_: str) -> dict[str, Any]:
            raise TimeoutError

    Refusing({"t.csv": (GOOD, 1, "{}")}).conclude(kept)
    Bucket({"e.csv": (b"", 1, "{}"), "d.csv.gz": (DAMAGED, 1, "{}")}).conclude(kept)
    kept.save()
    assert not path.exists()


def test_another_size_table_or_release_is_another_object(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, item = KeptColumns(path, ["b"]), {"key": "k", "size": 1, "etag": "e"}
    kept.keep(item, ["id"], FileColumns(("id",)))
    kept.save()
    assert KeptColumns(path, ["b"]).find(item, ["id"]) == FileColumns(("id",))
    for other, columns in (({"size": 2}, ["id"]), ({"key": "l"}, ["id"]), ({"etag": "f"}, ["id"]), ({}, ["id", "x"])):
        assert KeptColumns(path, ["b"]).find({**item, **other}, columns) is None
    for name, value in (("read_version", lambda: "another"), ("FORMAT", module.FORMAT + 1)):
        with monkeypatch.context() as changed:
            changed.setattr(module, name, value)
            assert KeptColumns(path, ["b"]).find(item, ["id"]) is None


def test_what_is_asked_no_more_is_dropped(path: Path) -> None:
    for keys in ("ab", "bc"):
        kept = KeptColumns(path, ["b"])
        for key in keys:
            item = {"key": key, "size": 1, "etag": "e"}
            if kept.find(item, ["id"]) is None:
                kept.keep(item, ["id"], FileColumns(("id", key)))
        kept.save()
    assert sorted(names[1] for names in json.loads(path.read_text())["columns of files"].values()) == ["b", "c"]


BAD = {
    "no JSON": "{", "a list": "[]", "another document": '{"timestamp": "x", "data": []}', "a number": '{"columns of files": {"a": 1}}',
    "a deep one": "[" * 100_000, "no names": '{"columns of files": {"a": []}}', "a long name": json.dumps({"columns of files": {"a": ["x" * 400]}}),
    "a long reason": json.dumps({"columns of files": {"a": "x" * 400}}), "many": json.dumps({"columns of files": {"a": ["x"] * 6000}}),
    "no names of names": '{"columns of files": {"a": [1]}}', "a word": '{"columns of files": "abc"}', "more": '{"columns of files": {}, "b": 1}',
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_damaged_or_foreign_file_is_one_warning(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert read_in_two_runs(path, GOOD, GOOD) == []  # and it is replaced
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [f"⚠️ {path} is no usable cache"]


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    assert read_in_two_runs(tmp_path / "file" / "columns.json", GOOD, GOOD)
    assert "cannot be written (File exists); files are read again" in caplog.text


def test_a_run_keeps_columns_and_a_dry_run_does_not(world: World, run: Callable[..., Run]) -> None:
    cache = Path("file_columns_of_atlan_state_cache.json")
    assert run("--dry-run").code == 0
    assert not cache.exists()
    assert run().code == 0
    kept = json.loads(cache.read_text())["columns of files"]
    assert len(kept) == 8
    assert ["CATEGORYID", "CATEGORYNAME", "DESCRIPTION"] in kept.values()
    assert run().code == 0
    assert cache.stat().st_mode & 0o077 == 0
    assert run("--clear-cache").code == 0
    assert not cache.exists()
