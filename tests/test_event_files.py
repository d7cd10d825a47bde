"""Files of events: what is read of them, from folders and S3, and that nothing in them costs more than it may."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sandbox
from delta_arc.jobs import event_files
from delta_arc.jobs.event_files import EventsError, read_documents
from delta_arc.jobs.events import make_scope, read_told
from runtime.s3 import connect_keyed_s3


def no_client() -> Any:
    raise AssertionError("no client is needed")


def read(place: Path | str, needles: tuple[bytes, ...] = ()) -> list[Any]:
    """What the documents are, or their faults."""
    return [document.fault or document.value for document in read_documents(str(place), no_client, needles)]


EVENTS = [{"a": 1}, {"b": "é"}, {"c": [None]}]
LINES = b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in EVENTS)


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip(),
        b"\xef\xbb\xbf\n\r\n" + LINES.replace(b"\n", b"\r\n\r\n"),
        json.dumps(EVENTS).encode(),
        json.dumps(EVENTS, indent=2).encode(),
        gzip.compress(LINES),
        gzip.compress(LINES[:9]) + gzip.compress(LINES[9:]) + b"\0" * 20,
        gzip.compress(json.dumps(EVENTS, indent=2).encode()),
    ],
)
def test_lines_and_documents_plain_and_gzipped(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "events").write_bytes(content)
    assert read(tmp_path / "events") == EVENTS


def test_one_event_on_many_lines(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(EVENTS[0], indent=4))
    assert read(tmp_path / "event.json") == EVENTS[:1]


def test_a_folder_is_read_whole_but_for_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "a.jsonl.gz", ".hidden", ".git/x", "empty"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = json.dumps({"name": name}).encode()
        (tmp_path / name).write_bytes(b"" if name == "empty" else gzip.compress(content) if "gz" in name else content)
    assert read(tmp_path) == [{"name": "a.jsonl.gz"}, {"name": "b/2.jsonl"}]
    places = [document.place for document in read_documents(str(tmp_path), no_client)]
    assert places[0] == f"{tmp_path}/a.jsonl.gz line 1"


def test_lines_without_a_needle_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(
        b'{"n": "ours"}\n{"eventTime": "theirs"}\n\r\n {"eventTime": no JSON, and nobody looks} \r\n'
    )
    assert read(tmp_path / "e", (b"ours", b"mine")) == [{"n": "ours"}]


def test_lines_that_are_no_events_at_sight_are_told_where_they_are(tmp_path: Path) -> None:
    lines = [
        b"garbage",
        b"",
        b"[1,2]",
        b'{"a":1}',
        b'{"eventType":"COMPLETE","inputs":5}',
        b"\xff\xfe\0",
        b'{"eventTime"',
        b"}",
    ]
    (tmp_path / "e").write_bytes(b"\n".join(lines))
    found = [(one.place, one.fault, one.count) for one in read_documents(str(tmp_path / "e"), no_client, (b"ours",))]
    assert found == [
        (f"{tmp_path}/e line 1", "it is no JSON object", 5),
        (f"{tmp_path}/e line 4", "it has no eventTime", 2),
    ]


def test_a_file_that_is_something_else_is_one_line_and_not_one_for_each_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("no event\n" * 1000)
    (tmp_path / "b").write_text("\n".join('{"a": 1}' for _ in range(500)))
    told = read_told(read_documents(str(tmp_path), no_client, (b"ours",)), make_scope("landing", [], []))
    assert (told.events, [str(problem) for problem in told.problems]) == (
        0,
        [
            f"no event, as it has no eventTime (500 times, first {tmp_path}/b line 1)",
            f"no event, as it is no JSON object (1000 times, first {tmp_path}/README line 1)",
        ],
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"no JSON", "it is no JSON"),
        (b'{"a": }', "it is no JSON"),
        (b'{"a": "\xff"}', "it is no UTF-8 text"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "it is no JSON"),
    ],
)
def test_a_damaged_line_is_one_fault(tmp_path: Path, line: bytes, fault: str) -> None:
    (tmp_path / "e").write_bytes(b'{"a": 1}\n' + line + b'\n{"c": 3}\n')
    assert read(tmp_path / "e") == [{"a": 1}, fault, {"c": 3}]


def test_a_line_that_is_too_long_is_one_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "MOST_LINE_BYTES", 20)
    monkeypatch.setattr(event_files, "CHUNK_BYTES", 7)
    (tmp_path / "e").write_bytes(b'{"a": 1}\n{"b": "' + b"x" * 13 + b'"}\n{"c": 3}\n' + b" " * 21)
    too_long = "it has more than 20 bytes"
    assert read(tmp_path / "e") == [{"a": 1}, too_long, {"c": 3}, too_long]
    (tmp_path / "e").write_bytes(b'{"b": "' + b"x" * 11 + b'"}\n')
    assert read(tmp_path / "e") == [{"b": "x" * 11}]


def test_a_document_that_is_too_long_is_one_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "MOST_DOCUMENT_BYTES", 20)
    (tmp_path / "e").write_text(json.dumps(EVENTS, indent=2))
    (fault,) = read(tmp_path / "e")
    assert (
        fault == "the file cannot be read to its end: as one JSON document it has more than 20 bytes: write JSON lines"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (gzip.compress(LINES)[:-9], "its gzip ends too early"),
        (gzip.compress(LINES)[:10] + b"\x07" * 20, "its gzip is damaged"),
        (gzip.compress(LINES)[:-8] + b"\0" * 8, "its gzip is damaged"),
    ],
)
def test_a_damaged_gzip_is_one_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "e").write_bytes(content)
    assert read(tmp_path / "e")[-1] == f"the file cannot be read to its end: {fault}"


def test_a_gzip_bomb_ends_where_it_is_seen(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"{%200s}\n" % b"" * (1 << 14)) for _ in range(50)) + packer.flush()
    (tmp_path / "e").write_bytes(bomb)
    before, count, last = time.process_time(), 0, None
    for document in read_documents(str(tmp_path / "e"), no_client, (b"needle",)):
        count, last = count + 1, document.fault
    assert count == 1
    assert "times larger inside" in str(last)
    assert time.process_time() - before < 15


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.integers(1, 50))
def test_random_bytes_are_faults_at_most(content: bytes, packed: bool, size: int) -> None:
    chunks = iter([content[i : i + size] for i in range(0, len(content), size)])
    if packed:
        whole = gzip.compress(content)
        chunks = iter([whole[i : i + size] for i in range(0, len(whole), size)])
        assert b"".join(event_files._inflated(chunks)) == content
        return
    try:
        lines = list(event_files._lines(event_files._inflated(chunks)))
        assert b"\n".join(line or b"" for line in lines) == content.removesuffix(b"\n") or content.startswith(
            b"\x1f\x8b"
        )
    except event_files._FileError:
        assert content.startswith(b"\x1f\x8b")
    for document in event_files._documents("e", iter(content.split(b"\n")), ()):
        assert document.fault or document.value is not None or b"null" in content


def test_a_place_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(
            EventsError, match=r"LINEAGE_EVENTS cannot be read \(.*\): name a file, a folder or an s3://"
        ):
            read(place)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "z.jsonl").write_bytes(LINES)
    faults = "the file cannot be read to its end: "
    assert read(tmp_path) == [f"{faults}it is a link that leads nowhere", f"{faults}it is no regular file", *EVENTS]


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}").write_text("{}")
    with pytest.raises(EventsError, match="LINEAGE_EVENTS has more than 2 files"):
        read(tmp_path)


@pytest.fixture
def client(tenant: sandbox.Tenant) -> Callable[[], Any]:
    return lambda: connect_keyed_s3(tenant.s3_endpoint_url, tenant.s3_key)


def test_a_prefix_of_a_bucket(client: Callable[[], Any]) -> None:
    bucket = "atlan-tech-challenge"
    for name, content in {"1.jsonl": LINES, "2.jsonl.gz": gzip.compress(LINES)}.items():
        client().put_object(Bucket=bucket, Key=f"openlineage/{name}", Body=content)
    found = list(read_documents(f"s3://{bucket}/openlineage/", client))
    assert [document.value for document in found] == EVENTS * 2
    assert found[0].place == f"s3://{bucket}/openlineage/1.jsonl line 1"
    assert list(read_documents(f"s3://{bucket}/openlineage/none", client)) == []


def test_a_bucket_that_is_not_there_is_one_sentence(client: Callable[[], Any]) -> None:
    with pytest.raises(
        EventsError,
        match=r"LINEAGE_EVENTS cannot be read\. There is no bucket named nowhere-at-all: check LINEAGE_EVENTS \(",
    ):
        list(read_documents("s3://nowhere-at-all/x", client))
