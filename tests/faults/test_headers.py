"""Files that lie, servers that dawdle: what may stand at the beginning of an object, and what a run makes of it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import http.client
import io
import json
import lzma
import os
import random
import subprocess
import sys
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import PREFIX, ROOT, TABLES, Run, World

from delta_arc import evidence
from delta_arc.evidence import Evidence, Ground, gather_evidence
from delta_arc.files.footers import DEAD, SLOW, FooterReader
from delta_arc.files.heads import LARGEST_READ, find_footer
from sandbox import storage

COLUMNS = ["ID", "NAME", "TOTAL"]
NO_LINE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # what hides, moves or ends text


class Bucket:
    """An S3 client for objects in memory."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
        first, last = Range.removeprefix("bytes=").split("-")
        return {"Body": io.BytesIO(self.contents[Key][int(first) : int(last) + 1])}


def evidence_of(*contents: bytes) -> list[Evidence]:
    """What each content says of a table of its own."""
    names = [f"{number:03}" for number in range(len(contents))]
    objects = {
        name: [{"key": name, "size": len(content), "last_modified": 1}]
        for name, content in zip(names, contents, strict=True)
    }
    bucket = Bucket(dict(zip(names, contents, strict=True)))
    found = gather_evidence(bucket, "bucket", objects, dict.fromkeys(names, COLUMNS))
    return [found[name] for name in names]


def is_one_line(text: str) -> bool:
    return not any(unicodedata.category(character) in NO_LINE for character in text)


def parquet(columns: Mapping[str, list[Any]], **options: Any) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), file, **options)
    return file.getvalue()


def parquet_of_depth(depth: int) -> bytes:
    """A Parquet file whose only column is a group in a group, and so on (Thrift's compact protocol, by hand)."""

    def varint(number: int) -> bytes:
        return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)

    root, leaf = b"\x48\x01r\x15\x02\x00", b"\x15\x02\x25\x02\x18\x01l\x00"
    elements = root + b"\x35\x02\x18\x01g\x15\x02\x00" * depth + leaf
    footer = b"\x15\x02\x19\xfc" + varint(depth + 2) + elements + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


GOOD_PARQUET = parquet({"id": [1], "name": ["x"], "total": [0.5]})
HOSTILE = {
    "a byte order mark and a line break": b"\xef\xbb\xbf\r\n",
    "spaces of other sorts": "\u2028\u2003\x1c\n".encode(),
    "cells without anything": b",,,\n,,,\n",
    "a quote that is never closed": b'id,"name\n' + b"x," * 100_000,
    "a cell longer than csv takes": b"id,name\n" + b"x" * 200_000 + b",1\n",
    "small letters, packed": gzip.compress(b"a_b,c_d\n" + b"a" * 130_000 + b",x\n", mtime=0),
    "digits and a line break, packed": gzip.compress(b'a_b,c_d\n"' + b"1" * 130_000 + b'\nx",x\n', mtime=0),
    "points": b"a,b\n" + b"." * 120_000 + b",x\n",
    "marks that are put in order": ("\u0301\u0316" * 60_000).encode() + b",b\nx,1\n",
    "marks that are put in order, in JSON": b'{"' + ("\u0301\u0316" * 60_000).encode() + b'": 1}',
    "a bomb": gzip.compress(b"\n" * 50_000_000, mtime=0),
    "a bomb of a header": gzip.compress(b"id," * 10_000_000, mtime=0),
    "members of gzip without end": gzip.compress(b"", mtime=0) * 10_000,
    "half a stream": gzip.compress(os.urandom(1000))[:500],
    "columns without end": b",".join(b"c%d" % number for number in range(40_000)) + b"\n" + b"1," * 9_000,
    "deep JSON": b"[" * 200_000,
    "deep JSON in a record": b'{"id":' * 40_000,
    "deep JSON that is closed": b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
    "a long number in JSON": b'{"id": ' + b"9" * 250_000 + b"}",
    "a long fraction in JSON": b'{"id": 0.' + b"9" * 250_000 + b"}",
    "quotes in JSON": b'{"id": "' + b'\\"' * 100_000,
    "keys without end": json.dumps(dict.fromkeys(map(str, range(20_000)), 1)).encode(),
    "half a surrogate pair": b'{"\\ud800id": 1, "x": 2}',
    "escapes": b"\x1b]0;x\x07\x1b[2J_a,\x1b[31m_b\n1,2\n",
    "escapes in JSON": b'{"\\u001b[2J\\n\\u274c forged": 1, "\\u202emoc": 2, "' + b"x" * 9000 + b'": 3}',
    "Parquet with a name that is no UTF-8": parquet({"idXX": [1]}, store_schema=False).replace(b"idXX", b"id\xff\xfe"),
    "Parquet with an escape": parquet({"\x1b[2J\n": [1], "\u202e": [2]}),
    "Parquet of great depth": parquet_of_depth(28_000),
    "Parquet of zeros": b"PAR1" + bytes(1000) + (1000).to_bytes(4, "little") + b"PAR1",
    "Parquet of a length that is none": b"PAR1" + b"\xff" * 1000 + b"PAR1",
    "Parquet that is short": b"PAR1",
    "Parquet with other Arrow types": parquet({"id": [1]}).replace(b"ARROW:schema", b"ARROW:schema", 1)[:-40]
    + b"\xff" * 32
    + parquet({"id": [1]})[-8:],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_can_do_no_more_than_be_told(content: bytes) -> None:
    content = content[:LARGEST_READ]
    begun = time.process_time()
    (found,) = evidence_of(content)
    assert time.process_time() - begun < 2
    assert is_one_line(str(found) + "".join(name for told in found.told for name in told.columns))
    assert len(found.reason) < 4000
    assert found.ground is Ground.CONTRADICTION or found.reason or found.ground is Ground.HEADER


def test_the_file_next_to_it_is_read() -> None:
    good = b"id,name,total\n1,Ann,2\n"
    contents = [content for hostile in HOSTILE.values() for content in (hostile[:LARGEST_READ], good, GOOD_PARQUET)]
    found = evidence_of(*contents)
    assert {one.ground for at, one in enumerate(found) if at % 3} == {Ground.HEADER}


def test_every_format_is_read_from_its_object() -> None:
    import pyarrow
    import pyarrow.orc

    orc, text, archive = io.BytesIO(), b"id,name,total\n1,Ann,2\n" * 9000, io.BytesIO()
    pyarrow.orc.write_table(
        pyarrow.table({"id": list(range(99_000)), "name": ["x"] * 99_000, "total": [1] * 99_000}), orc
    )
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("orders.csv", text)
    fields = [{"name": name, "type": "string"} for name in ("id", "name", "total")]
    schema = json.dumps({"type": "record", "name": "r", "fields": fields}).encode()
    length = len(schema) * 2
    avro = b"Obj\x01\x02\x16avro.schema" + bytes([length & 0x7F | 0x80, length >> 7]) + schema + bytes(17)
    packed = [bz2.compress(text), lzma.compress(text), archive.getvalue(), text.decode().encode("utf-16")]
    for found in evidence_of(orc.getvalue(), avro, *packed):
        assert (found.ground, found.told[0].columns) == (Ground.HEADER, ("id", "name", "total")), found.reason
    assert evidence_of(orc.getvalue()[:-9])[0].reason == "it is no ORC file"


def test_members_of_gzip_are_one_text() -> None:
    for padding in (b"", bytes(100)):
        (found,) = evidence_of(gzip.compress(b"id,na") + gzip.compress(b"me,total\n1,Ann,2") + padding)
        assert (found.ground, found.absent) == (Ground.HEADER, ())
    (found,) = evidence_of(gzip.compress(b"id,name,total\n1,2,3\n") + gzip.compress(b"x" * 99)[:-9])
    assert found.ground == Ground.HEADER


def test_a_head_as_wide_as_a_table_may_be_is_read() -> None:
    for count, ground in ((5000, Ground.HEADER), (5001, Ground.NAMES)):
        names = ["id", "name", "total", *(f"c{number}" for number in range(count - 3))]
        text = ",".join(names) + "\n" + ",".join("1" * count) + "\n"
        records = json.dumps(dict.fromkeys(names, 1))
        for content in (text.encode(), records.encode()):
            assert evidence_of(content)[0].ground == ground
    assert evidence_of(parquet({f"c{number}": [1] for number in range(800)}))[0].ground == Ground.CONTRADICTION


def test_json_of_the_usual_depth_is_read() -> None:
    value: Any = {"text": "}" * 200 + '"[' * 200}
    for _ in range(60):
        value = [value]
    record = json.dumps({"id": 1, "name": 2, "total": value})
    for text in (f"{record}\n" * 20, f"[{','.join([record] * 20)}]"):
        assert evidence_of(text.encode())[0].ground == Ground.HEADER


def test_deep_json_is_not_parsed() -> None:
    for opening in (b'{"x": ', b"["):
        (found,) = evidence_of(opening * 900 + b"1")
        assert found.reason == "its JSON is nested too deeply"
    (found,) = evidence_of(b'{"id": 1, "name": 2, "total": 3}\n{"other": ' + b"[" * 900)
    assert (found.ground, found.told[0].columns) == (Ground.HEADER, ("id", "name", "total"))


def test_an_object_of_another_size_is_not_judged() -> None:
    """A row that was cut off is no row, whatever the listing says."""

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= LARGEST_READ, "a server may go on for ever"
            return super().read(size)

    class Short(Bucket):
        def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
            return {"Body": Body(self.contents[Key])}

    for content, size, ground in (
        (b"id,name,to", 22, Ground.UNREAD),
        (b"id,name,total\n1,2,3\n" * 10, 20, Ground.HEADER),
        (b"id,name,total\n1,2,3\n" * 100_000, 10**7, Ground.HEADER),
    ):
        objects = {"t": [{"key": "k", "size": size, "last_modified": 1}]}
        found = gather_evidence(Short({"k": content}), "bucket", objects, {"t": COLUMNS})["t"]
        assert found.ground == ground
    for size in (-5, None, "9", 2.5):
        objects = {"t": [{"key": "k", "size": size, "last_modified": 1}]}
        assert gather_evidence(Short({"k": b"id\n"}), "bucket", objects, {"t": COLUMNS})["t"].ground == Ground.UNREAD


# =====================================================================================================================
# Any bytes
# =====================================================================================================================

VALID = [
    b"id,name,total\n1,Ann,2\n2,Bob,3\n",
    b'id;name;total\n"1";"A ""B""";2\n',
    b'{"id": 1, "name": {"a": [1, null]}, "total": 1e5}\n{"id": 2}\n',
    gzip.compress(b"id,name,total\n1,Ann,2\n" * 20, mtime=0),
    GOOD_PARQUET,
    parquet({"a": [{"b": [1]}], "c": ["x"]}, store_schema=False),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid file with some bytes changed, cut out, or said twice."""
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(content)))
        match draw(st.integers(0, 3)):
            case 0:
                content[at : at + 1] = draw(st.binary(max_size=4))
            case 1:
                del content[at : at + draw(st.integers(1, 20))]
            case 2:
                content[at:at] = content[at : at + 30] * draw(st.integers(1, 50))
            case 3:
                content[at:at] = draw(st.text(max_size=8)).encode("utf-8", "replace")
    return bytes(content)


PIECES = (
    b"a", b"1", b".", b",", b";", b'"', b"\\", b"\n", b"\r", b" ", b"{", b"}", b"[", b"]", b'{"', b'":', b"_", b"aA",
    b"\xef\xbb\xbf", b"\xcc\x81", b"\xff", b"\0", b"\x1b[", b"\xe2\x80\xae", b"<", b"-", b"#", b"null", b"\\u0000",
)  # fmt: skip


@st.composite
def repeated(draw: st.DrawFn) -> bytes:
    """Few pieces, said very often: what slow searches are slow with; sometimes packed."""
    parts = draw(
        st.lists(
            st.tuples(st.sampled_from(PIECES), st.sampled_from([1, 2, 100, 60_000, 200_000])), min_size=1, max_size=6
        )
    )
    content = b"".join(piece * count for piece, count in parts)[:LARGEST_READ]
    return zlib_packed(content) if draw(st.booleans()) else content


def zlib_packed(content: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packing.compress(content) + packing.flush()


@given(st.lists(st.one_of(st.binary(max_size=300), damaged()), min_size=1, max_size=20))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_bytes_are_one_line(contents: list[bytes]) -> None:
    for found in evidence_of(*contents):
        assert is_one_line(str(found) + "".join(name for told in found.told for name in told.columns))
        assert found.reason or found.ground is Ground.HEADER
        assert not found.reason.startswith(("it cannot be read", "its columns cannot be compared"))


@given(repeated())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_repetition_takes_little_time(content: bytes) -> None:
    begun = time.process_time()
    (found,) = evidence_of(content)
    assert time.process_time() - begun < 2
    assert is_one_line(str(found))


# =====================================================================================================================
# The process that reads footers
# =====================================================================================================================

LIBRARY = """
import os, sys, time
__version__ = "{version}"
BufferReader = bytes
class types:
    is_nested = staticmethod(bool)
"""
BAD_LIBRARY = """
import os, sys, time, json
class Schema(list):
    types = ()
    names = property(list)
class ParquetFile:
    used = 0
    def __init__(self, content, **limits):
        ParquetFile.used += 1
        word = content[4:].split(b" ")[0].decode()
        self.schema_arrow = Schema([word])
        if word == "hang":
            time.sleep(1000)
        if word == "burn":
            while True: pass
        if word == "die":
            os.abort()
        if word == "wound":
            ParquetFile.wounded = True
        elif getattr(ParquetFile, "wounded", False):
            os._exit(1)
        if word == "eat":
            self.eaten = bytearray(3 * 1024**3)
        if word == "noise":
            os.write(1, b"noise" * 1000); print("noise", flush=True)
        if word == "write":
            with open(os.environ.get("HOME", "/tmp") + "/delta-arc-test", "wb") as file: file.write(b"x" * 100_000)
        if word == "environment":
            self.schema_arrow = Schema(os.environ)
        if word == "forge":
            os.write(int(os.environ.get("X", "4")), b"\\0\\0\\0\\2[]")
        if word == "nothing":
            self.schema_arrow = Schema([])
"""


@pytest.fixture
def bad_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A pyarrow that does on demand what a real one does when somebody has found a hole in it."""

    def install(version: str) -> None:
        package = tmp_path / "pyarrow"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text(LIBRARY.format(version=version))
        (package / "parquet.py").write_text(BAD_LIBRARY)
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_a_footer_that_harms_its_reader_harms_nothing_else(
    bad_library: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_library("17.0.0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with FooterReader(footer_seconds=1) as footers:
        assert footers.read(b"good ").columns == ("good",)
        for word, told in ((b"hang ", SLOW), (b"burn ", SLOW), (b"die ", DEAD)):
            assert footers.read(word) == told
            assert footers.read(b"good ").columns == ("good",)
        assert footers.read(b"wound ").columns == ("wound",)
        assert footers.read(b"good ").columns == ("good",), "an honest file has been told dead"
        assert footers.read(b"noise ").columns == ("noise",)
        assert footers.read(b"nothing ").reason == "its footer has no columns"
        seen = footers.read(b"environment ").columns
        assert not {name for name in seen if name.startswith(("AWS", "ATLAN", "PYTEST"))}
        assert "secret" not in seen
        if sys.platform == "linux":
            assert footers.read(b"eat ").reason == "its Parquet footer is damaged"
            assert footers.read(b"write ").reason == "its Parquet footer is damaged"


@pytest.mark.parametrize("version", ["0.17.1", "9.0.0", "14.0.0", "16.1.0", "x"])
def test_an_old_pyarrow_reads_nothing(version: str, bad_library: Callable[[str], None]) -> None:
    bad_library(version)
    found = evidence_of(GOOD_PARQUET, b"id,name,total\n1,Ann,2\n", GOOD_PARQUET)
    assert [one.ground for one in found] == [Ground.NAMES, Ground.HEADER, Ground.NAMES]
    assert found[0].reason == f"Parquet needs pyarrow 17 or later, as older ones are not safe; here is {version}"


def test_without_pyarrow_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert evidence_of(GOOD_PARQUET)[0].reason == "Parquet needs the package pyarrow"


def test_a_process_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("/no/such/python", "", "/bin/true"):
        monkeypatch.setattr(sys, "executable", program)
        assert evidence_of(GOOD_PARQUET)[0].reason.startswith("Parquet and ORC cannot be read here")


def children() -> set[int]:
    told = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return {int(line.split()[0]) for line in told.splitlines() if "parquet_child.py" in line}


PROGRAM = """
import os, signal, sys, time
from delta_arc.files.footers import FooterReader
footers = FooterReader()
footers.read(b"x" * 20)
print(footers._child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize("number", [2, 9, 15])
def test_no_process_is_left_behind(number: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert program.stdout
    child = int(program.stdout.readline())
    assert child in children()
    program.send_signal(number)
    program.wait(10)
    until = time.monotonic() + 10
    while child in children():
        assert time.monotonic() < until
        time.sleep(0.1)
    program.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_a_process_that_is_busy_ends_without_its_parent(bad_library: Callable[[str], None], tmp_path: Path) -> None:
    bad_library("17.0.0")
    program = PROGRAM.replace("FooterReader()", "FooterReader(footer_seconds=1)")
    program = program.replace('b"x" * 20', 'b"good "').replace("time.sleep(60)", 'footers.read(b"burn ")')
    paths = {**os.environ, "PYTHONPATH": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=paths, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait(10)
    until = time.monotonic() + 20
    while child in children():
        assert time.monotonic() < until
        time.sleep(0.1)
    parent.stdout.close()


def test_many_footers_need_one_process() -> None:
    started = time.monotonic()
    with FooterReader() as footers:
        footer = find_footer(GOOD_PARQUET)
        assert isinstance(footer, bytes)
        assert footers.read(footer).columns == ("id", "name", "total")
        child = footers._child
        assert {footers.read(footer).columns for _ in range(200)} == {("id", "name", "total")}
        assert footers._child is child
        assert child
    assert child.poll() is not None
    assert time.monotonic() - started < 30


# =====================================================================================================================
# A server that lies, or never answers
# =====================================================================================================================


class LyingS3(ThreadingHTTPServer):
    """S3, that answers for the listing what the true one does, and for the objects what a test wants."""

    daemon_threads = True

    def __init__(self, true: str, answer: Callable[[Any, bytes], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.true, self.answer, self.over = true, answer, Event()
        self.asked = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up has had enough."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LyingS3

    def do_GET(self) -> None:
        true = http.client.HTTPConnection(urlsplit(self.server.true).netloc)
        wanted = {name: value for name, value in self.headers.items() if name.lower() in ("range", "host")}
        true.request("GET", self.path, headers=wanted)
        answer = true.getresponse()
        content = answer.read()
        if "list-type" in self.path:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            self.server.asked += 1
            self.server.answer(self, content)

    def start(self, length: int, status: int = 206) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def hang(handler: Any, content: bytes) -> None:
    handler.server.over.wait(60)


def drip_content(handler: Any, content: bytes) -> None:
    handler.start(len(content))
    for byte in content:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.server.over.wait(0.3):
            return


def drip_headers(handler: Any, content: bytes) -> None:
    for byte in b"HTTP/1.1 206 Partial Content\r\nx: " + b"y" * 10_000:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.server.over.wait(0.3):
            return


def hang_every_other_time(handler: Any, content: bytes) -> None:
    if handler.server.asked % 2:
        handler.server.over.wait(60)
    handler.start(len(content))
    handler.wfile.write(content)


def send_less(handler: Any, content: bytes) -> None:
    handler.start(20)
    handler.wfile.write(content[:20])


def hang_up(handler: Any, content: bytes) -> None:
    handler.start(len(content))
    handler.wfile.write(content[:20])
    handler.close_connection = True


def send_all(handler: Any, content: bytes) -> None:
    handler.start(len(content) + 1_000_000, status=200)
    handler.wfile.write(content + b"\n1,2,3" * 200_000)


def answer_with_escapes(handler: Any, content: bytes) -> None:
    text = b"<Error><Code>\xc2\x9b2J&#10;\xe2\x80\xae%s</Code><Message>\xc2\x9b</Message></Error>" % (b"x" * 5000)
    handler.start(len(text), status=400)
    handler.wfile.write(text)


def answer_with_html(handler: Any, content: bytes) -> None:
    text = b"<html>\x1b[2J</html>"
    handler.start(len(text), status=502)
    handler.wfile.write(text)


@contextlib.contextmanager
def lying_s3(true: str, answer: Callable[[Any, bytes], None]) -> Iterator[LyingS3]:
    with LyingS3(true, answer) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()


LIES = [hang, drip_content, drip_headers, hang_every_other_time, send_less, hang_up, send_all, answer_with_escapes]
LIES += [answer_with_html]


@pytest.mark.parametrize("answer", LIES, ids=[lie.__name__ for lie in LIES])
def test_whatever_a_server_does_the_run_goes_on(
    answer: Callable[[Any, bytes], None], world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "OBJECT_SECONDS", 2.0)
    # Behind it an S3 server that asks for no key: what it relays is signed for another address.
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with storage.serve_buckets(world.tenant.buckets) as true, lying_s3(true, answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        begun = time.monotonic()
        ended = run("--dry-run")
        assert time.monotonic() - begun < 60
    assert all(is_one_line(line) for line in ended.out.splitlines())
    assert "contradiction" not in ended.out
    # What was not read founds nothing new, and the run says so.
    unread = ended.out.count("has no file that can be read: ")
    assert f"🔍 {len(TABLES) - unread} of {len(TABLES)} tables have a complete chain" in ended.out
    assert ended.code == (4 if unread == len(TABLES) else 0)
    assert (unread > 0) == (answer is not send_all)
    assert server.asked
    if answer in (hang, drip_content, drip_headers):
        assert (
            f"⚠️ {len(TABLES)} file headers were not read, as S3 takes too long: they found no new lineage" in ended.out
        )
        assert server.asked <= len(TABLES), "the rest has been tried, too"


def test_a_budget_holds_whatever_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then an object comes, so that it is never too slow too often in a row."""
    monkeypatch.setattr(evidence, "OBJECT_SECONDS", 0.5)
    monkeypatch.setattr(evidence, "SECONDS", 2.0)
    monkeypatch.setattr(evidence, "SECONDS_AN_OBJECT", 0.0)
    good = b"id,name,total\n1,Ann,2\n"

    class Slow(Bucket):
        def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
            if int(Key) % 3:
                time.sleep(5)
            return super().get_object(Bucket, Key, Range)

    names = [f"{number:03}" for number in range(300)]
    objects = {name: [{"key": name, "size": len(good), "last_modified": 1}] for name in names}
    begun = time.monotonic()
    found = gather_evidence(Slow(dict.fromkeys(names, good)), "b", objects, dict.fromkeys(names, COLUMNS))
    assert time.monotonic() - begun < 4
    assert {one.ground for one in found.values()} == {Ground.HEADER, Ground.UNREAD}
    reasons = [one.reason for one in found.values()]
    assert {*reasons} == {"", evidence.TOO_SLOW.reason, evidence.NOT_TRIED.reason}
    assert reasons.count(evidence.TOO_SLOW.reason) > evidence.SLOW_IN_A_ROW, "they are not in a row"


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "OBJECT_SECONDS", 0.5)
    asked: list[str] = []

    class Silent(Bucket):
        def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
            asked.append(Key)
            time.sleep(5)
            return super().get_object(Bucket, Key, Range)

    names = [f"{number:04}" for number in range(1000)]
    objects = {name: [{"key": name, "size": 9, "last_modified": number} for number in (1, 2)] for name in names}
    begun = time.monotonic()
    found = gather_evidence(Silent({}), "b", objects, dict.fromkeys(names, COLUMNS))
    assert time.monotonic() - begun < 3
    assert len(asked) <= 2 * evidence.READERS
    assert {one.ground for one in found.values()} == {Ground.UNREAD}


def test_the_worst_files_in_one_run(world: World, run: Callable[..., Run]) -> None:
    contents = list(HOSTILE.values())
    random.Random(1).shuffle(contents)
    for at in range(0, len(contents), len(TABLES)):
        for table, content in zip(TABLES, contents[at : at + len(TABLES)], strict=False):
            (world.files / f"{table.lower()}.csv").write_bytes(content)
        ended = run("--dry-run")
        assert ended.code in (0, 4)
        assert all(is_one_line(line) for line in ended.out.splitlines())
        assert f"of {PREFIX}" in ended.out or f"object {PREFIX}" in ended.out
