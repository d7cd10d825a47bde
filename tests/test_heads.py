"""Formats and packings, as real writers write them: what the first bytes of a file tell, or its last ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delta_arc.files import unpacking
from delta_arc.files.footers import FooterReader
from delta_arc.files.heads import LARGEST_READ, Head, find_footer, parse_head, tail_format

FIRST_READ = 64 * 1024
TEXT = b"id,name,total\n" + b"".join(b"%d,Ann %d,0.5\n" % (number, number * 7919) for number in range(2000))
COLUMNS = ("id", "name", "total")


def zip_of(files: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def zip_into_a_pipe(files: dict[str, bytes]) -> bytes:
    """What cannot be gone back in has the sizes behind the files (APPNOTE.TXT, 4.4.4, bit 3)."""

    class Pipe(io.RawIOBase):
        content = b""

        def writable(self) -> bool:
            return True

        def write(self, content: Any, /) -> int:
            self.content += bytes(content)
            return len(content)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return pipe.content


def tar_of(files: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pytest.importorskip("pyarrow").compress(content, codec="zstd", asbytes=True)
    return packed


PACKINGS: dict[str, tuple[str, Callable[[bytes], bytes], bool]] = {
    "gzip": ("csv.gz", gzip.compress, False),
    "bzip2": ("csv.bz2", bz2.compress, False),
    "xz": ("csv.xz", lzma.compress, False),
    "xz -9": ("csv.xz", lambda content: lzma.compress(content, preset=9), False),
    "zip": ("zip", lambda content: zip_of({"orders.csv": content}, compression=zipfile.ZIP_DEFLATED), True),
    "zip, stored": ("csv.zip", lambda content: zip_of({"out/orders.csv": content}), True),
    "zip, streamed": ("zip", lambda content: zip_into_a_pipe({"orders.csv": content}), True),
    "zip, behind notes": (
        "zip",
        lambda content: zip_of({"out/": b"", "README.txt": b"x" * 99, ".x": b"1", "__MACOSX/._o": b"2", "o.csv": content}),
        True,
    ),
    "zip, streamed behind notes": ("zip", lambda content: zip_into_a_pipe({"readme": b"x" * 99, "o.csv": content}), True),
    "tar": ("tar", lambda content: tar_of({"orders.csv": content}), True),
    "tar.gz": ("tar.gz", lambda content: tar_of({"README": b"x" * 600, "o.csv": content}, "w:gz"), True),
    "tar.bz2": ("tbz2", lambda content: tar_of({"o.csv": content}, "w:bz2"), True),
    "tar.xz, long names": (
        "txz",
        lambda content: tar_of({"x" * 200 + ".csv": content}, "w:xz", tarfile.GNU_FORMAT),
        True,
    ),
    "old tar": ("tgz", lambda content: tar_of({"orders.csv": content}, "w:gz", tarfile.USTAR_FORMAT), True),
    "gzip in a zip": ("zip", lambda content: zip_of({"orders.csv.gz": gzip.compress(content)}), True),
    "two streams": ("bz2", lambda content: bz2.compress(content[:9]) + bz2.compress(content[9:]), False),
}  # fmt: skip


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_packed_is_read(packing: str) -> None:
    extension, pack, is_archive = PACKINGS[packing]
    for text, found_of in (
        (TEXT, lambda head: head.rows[0]),
        (b'{"id": 1, "name": 2, "total": 3}', lambda head: head.columns),
    ):
        content = pack(text)
        for head in (content, content[: max(FIRST_READ, len(content) // 2)]):
            found = parse_head(head, len(head) == len(content), f"in/orders.{extension}")
            assert found_of(found) == COLUMNS
            assert (found.reason, found.is_archive, found.unread) == ("", is_archive, False)


def test_zstd_is_read_where_its_package_is() -> None:
    pytest.importorskip("zstandard")
    for content in (zstd(TEXT), zstd(TEXT[:9]) + zstd(TEXT[9:]), zip_of({"o.csv.zst": zstd(TEXT)})):
        assert parse_head(content, True).rows[0] == COLUMNS
    assert parse_head(zstd(os.urandom(90_000).hex().encode()), True).reason
    for damaged in (unpacking.ZSTD + b"garbage", zstd(TEXT)[:9]):
        assert parse_head(damaged, True).unread
    assert parse_head(zstd(b"\n" * 90_000_000), True).unread


def test_without_its_package_zstd_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    assert parse_head(unpacking.ZSTD + b"x", True) == Head(reason="zstd needs the package zstandard")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("o.csv", b"", "it is empty"),
        ("o.csv", b" \r\n\t", "it is empty"),
        ("o.csv", b"\xef\xbb\xbf\r\n", "it is empty"),
        ("o.csv", b",,\n,,\n", "it is empty"),
        ("o.json", b"[]", "it has no records"),
        ("o.json", b'{"id": 1, "na', "its first record is no JSON"),
        ("o.csv.gz", gzip.compress(b""), "it is empty"),
        ("o.csv.gz", b"id,name\n", "it is called .gz and is no such file"),
        ("o.gz", b"\x1f\x8bgarbage", "it cannot be unpacked as gzip"),
        ("o.gz", gzip.compress(TEXT)[:9], "it is a gzip file that ends early"),
        ("o.bz2", bz2.compress(TEXT)[:30], "it is a bzip2 file that ends early"),
        ("o.bz2", b"BZh91AY&SY" + bytes(50), "it cannot be unpacked as bzip2"),
        ("o.bz2", b"BZhX,name\n", ""),
        ("o.xz", lzma.compress(TEXT)[:20], "it is a xz file that ends early"),
        ("o.xz", unpacking.XZ + b"garbage" * 9, "it cannot be unpacked as xz"),
        ("o.zip", zip_of({}), "there is no file of data in the zip"),
        ("o.zip", zip_of({"README.md": b"x"}), "there is no file of data in the zip"),
        ("o.tar", tar_of({"README.md": b"x"}), "there is no file of data in the tar"),
        ("o.parquet", b"id,name\n1,Ann\n", "it is called .parquet and is no such file"),
        ("o.orc", b"<Error/>", "it is called .orc and is no such file"),
        ("o.avro", b"{}", "it is called .avro and is no such file"),
        ("o.avro", b"Obj\x01\x02", "it is an Avro file that ends early"),
        ("o.avro", b"Obj\x01\x00", "its Avro schema is damaged"),
        ("o.csv", bytes(range(256)), "it is called .csv and is no text"),
    ],
)
def test_what_is_empty_or_damaged_is_unread(name: str, content: bytes, reason: str) -> None:
    found = parse_head(content, True, name)
    assert (found.reason, found.unread) == (reason, bool(reason))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("o", bytes(range(256)), "it is of a format that is not read"),
        ("o.xml", b"<orders/>", "XML is not read"),
        ("o.json", b"[1, 2]", "its records are no JSON objects"),
        ("o.xlsx", zip_of({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}), "Excel is not read"),
        ("o.parquet.gz", gzip.compress(b"PAR1" + bytes(90)), "Parquet within another file is not read"),
        ("o.parquet", b"PARE" + bytes(90), "its Parquet footer is encrypted"),
        ("o.gz.gz", gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"id")))), "it is packed too often"),
    ],
)
def test_what_is_not_read_is_told_and_not_unread(name: str, content: bytes, reason: str) -> None:
    assert parse_head(content, True, name) == Head(reason=reason)


def test_an_encrypted_zip_is_told() -> None:
    content = bytearray(zip_of({"o.csv": TEXT}))
    content[6] |= 1
    assert parse_head(bytes(content), True).reason == "it is encrypted"


def test_more_is_read_where_that_helps() -> None:
    noise = random.Random(1).randbytes(900_000).hex().encode()
    assert parse_head(bz2.compress(noise)[:FIRST_READ], False).cut_off
    assert parse_head(zip_of({"a.pdf": noise, "o.csv": TEXT})[:FIRST_READ], False).cut_off
    assert parse_head(tar_of({"a.pdf": noise, "o.csv": TEXT})[:FIRST_READ], False).cut_off
    assert parse_head(b"\n" * FIRST_READ, False).cut_off
    assert parse_head(b"x" * FIRST_READ, False).cut_off
    assert not parse_head(b"x" * FIRST_READ, True).cut_off
    assert not parse_head(gzip.compress(b"x" * 300_000), True).cut_off


def test_json_in_a_text_is_nested() -> None:
    assert parse_head(b'{"_airbyte_data": "{\\"id\\": 1}"}', True).nested
    assert not parse_head(b'{"id": "x"}', True).nested


def test_words_at_the_beginning_are_no_format() -> None:
    for text in (b"ORCID,name\n1,2\n", b"PAR1,PAR2,PAR3\n1,2,3\n", b"BZh9,x\n1,2\n", b"PK,name\n1,2\n"):
        assert not tail_format(text)
        assert parse_head(text, True).rows[0] == tuple(text.decode().splitlines()[0].split(","))


# =====================================================================================================================
# Avro, Parquet and ORC
# =====================================================================================================================


def avro(schema: Any, codec: str = "null", **metadata: bytes) -> bytes:
    """A file by hand, as Avro's specification has it."""

    def number(value: int) -> bytes:
        value = (value << 1) ^ (value >> 63)
        return bytes([value & 0x7F | 0x80]) + rest(value >> 7) if value > 0x7F else bytes([value])

    def rest(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80]) + rest(value >> 7) if value > 0x7F else bytes([value])

    entries = {**metadata, "avro.codec": codec.encode(), "avro.schema": json.dumps(schema).encode()}
    pairs = b"".join(number(len(text)) + text for name, value in entries.items() for text in (name.encode(), value))
    return b"Obj\x01" + number(len(entries)) + pairs + b"\0" + bytes(16)


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}


def test_avro_names_its_columns() -> None:
    found = parse_head(
        avro(record(id="long", name=["null", "string"], total={"type": "bytes_", "x": 1})), True, "o.avro"
    )
    assert found == Head(columns=COLUMNS)
    inner = record(x="int")
    for kind in (inner, ["null", inner], {"type": "array", "items": "int"}, {"type": "map", "values": "int"}, "bytes"):
        assert parse_head(avro(record(id="long", after=kind)), True).nested
    assert parse_head(avro(record(_airbyte_data="string")), True).nested
    whole = avro(record(id="long"), padding=b"x" * 2000)
    assert parse_head(whole[:1000], False).cut_off
    assert parse_head(whole[:1000], True).unread
    assert parse_head(gzip.compress(whole), True).columns == ("id",)
    schema = json.dumps(record(id="int")).encode()
    size = 12 + 2 + len(schema)  # a block with a negative count says how long it is
    sized = b"Obj\x01\x01" + bytes([size * 2 & 0x7F | 0x80, size * 2 >> 7]) + b"\x16avro.schema"
    sized += bytes([len(schema) * 2 & 0x7F | 0x80, len(schema) * 2 >> 7]) + schema + bytes(17)
    assert parse_head(sized, True).columns == ("id",)


@pytest.mark.parametrize(
    "schema",
    ["string", [], {}, {"type": "record"}, {"type": "record", "fields": 5}, {"type": "record", "fields": [5]},
     {"type": "record", "fields": [{"name": 5}]}, {"type": "record", "fields": []}, record(**{f"c{n}": "int" for n in range(5001)})],
)  # fmt: skip
def test_a_schema_that_is_none_is_told(schema: Any) -> None:
    found = parse_head(avro(schema), True)
    assert found.reason
    assert not found.columns


def test_a_deep_schema_is_not_parsed() -> None:
    deep: Any = "int"
    for _ in range(200):
        deep = [deep]
    assert parse_head(avro(record(id=deep)), True).reason == "its Avro schema is damaged"


def test_avro_as_fastavro_writes_it() -> None:
    fastavro = pytest.importorskip("fastavro")
    for codec in ("null", "deflate", "bzip2"):
        file = io.BytesIO()
        fastavro.writer(file, record(id="long", name="string"), [{"id": 1, "name": "x"}] * 50, codec=codec)
        assert parse_head(file.getvalue(), True).columns == ("id", "name")


@pytest.fixture(scope="module")
def footers() -> Iterator[FooterReader]:
    with FooterReader() as footers:
        yield footers


def read(footers: FooterReader, content: bytes) -> Head:
    """As evidence reads an object that has its columns at its end."""
    assert tail_format(content[:FIRST_READ])
    footer = find_footer(content[-FIRST_READ:])
    if isinstance(footer, int):
        footer = find_footer(content[-footer:])
    return footers.read(footer) if isinstance(footer, bytes) else Head(reason=f"no footer: {footer}")


def orc(columns: dict[str, list[Any]], **options: Any) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    file = io.BytesIO()
    pytest.importorskip("pyarrow.orc").write_table(pyarrow.table(columns), file, **options)
    return file.getvalue()


def test_orc_is_read_from_its_end(footers: FooterReader) -> None:
    columns = {"id": list(range(9000)), "name": [str(number * 7919) for number in range(9000)], "total": [0.5] * 9000}
    for compression in ("uncompressed", "zlib", "snappy", "lz4", "zstd"):
        whole = orc(columns, compression=compression)
        assert read(footers, whole) == Head(columns=COLUMNS)
        length = find_footer(whole[-30:])
        assert isinstance(length, int)
        footer = find_footer(whole[-length:])
        assert isinstance(footer, bytes)
        assert footers.read(footer) == Head(columns=COLUMNS)
    assert read(footers, orc({"after": [{"id": 1}]})).nested
    assert read(footers, orc({"_airbyte_data": ["{}"]})).nested
    assert read(footers, orc({"x": [b"1"]})).nested
    assert read(footers, orc({})).reason


def test_a_damaged_orc_is_unread(footers: FooterReader) -> None:
    whole = orc({"id": [1], "name": ["x"]})
    assert find_footer(whole[:-1]) is None
    assert find_footer(b"x" * 40 + b"ORC\x03") is None
    for length in range(len(whole) - 1, 0, -7):
        damaged = whole[:length] + b"\xff\x07" + whole[length + 2 :]
        found = read(footers, damaged) if tail_format(damaged) else Head(reason="text")
        assert found.reason or found.columns
    footer = find_footer(whole)
    assert isinstance(footer, bytes)
    found = footers.read(b"\xff" * (len(footer) - 40) + footer[-40:])
    assert (found.reason, found.unread) == ("its ORC footer is damaged", True)


def test_parquet_that_may_hold_whole_records_is_nested(footers: FooterReader) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for columns in ({"id": [1], "Payload": ["x"]}, {"id": [b"x"]}, {"id": [[1]]}, {"id": [1], "name": ["x"]}):
        file = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), file)
        assert read(footers, file.getvalue()) == Head(columns=tuple(columns), nested="name" not in columns)


# =====================================================================================================================
# Any bytes
# =====================================================================================================================

BOMB = b"\n" * 30_000_000
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "bzip2": bz2.compress(BOMB),
    "bzip2 of many streams": bz2.compress(b"") * 10_000,
    "xz": lzma.compress(BOMB),
    "xz of many streams": lzma.compress(b"") * 5_000,
    "zip": zip_of({"o.csv": BOMB}, compression=zipfile.ZIP_DEFLATED),
    "zip, stored": zip_of({"o.csv": b"x" * 300_000}),
    "zip of many files": zip_of({f"{number}.pdf": b"" for number in range(3000)}),
    "tar of many files": tar_of({f"{number}.pdf": b"" for number in range(500)}),
    "tar.gz": tar_of({"o.csv": BOMB}, "w:gz"),
    "gzip in gzip": gzip.compress(gzip.compress(BOMB) * 1000),
    "wrong letters": b"\xff" * LARGEST_READ,
    "columns of text": b"a,b\xff;c|d^e~f\n" * 20_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_not_unpacked(bomb: bytes) -> None:
    import tracemalloc

    assert len(unpacking.unpack(bomb, True).content) <= LARGEST_READ
    head = bomb[:LARGEST_READ]
    begun = time.process_time()
    parse_head(head, len(head) == len(bomb))
    assert time.process_time() - begun < 2
    tracemalloc.start()
    unpacked = unpacking.unpack(head, len(head) == len(bomb))
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
    tracemalloc.stop()
    assert len(unpacked.content) <= LARGEST_READ


def test_a_window_that_is_too_large_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_head(lzma.compress(TEXT), True).rows
    monkeypatch.setattr(unpacking, "LARGEST_WINDOW", 1024**2)
    assert parse_head(lzma.compress(TEXT), True) == Head(reason="it cannot be unpacked as xz", unread=True)


SMALL = b"id,name\n1,Ann\n2,Bob\n"
VALID = [
    SMALL, gzip.compress(SMALL), bz2.compress(SMALL), lzma.compress(SMALL), zip_of({"a": b"", "o.csv": SMALL}),
    zip_into_a_pipe({"readme": b"x", "o.csv": SMALL}), tar_of({"o.csv": SMALL}), tar_of({"o.csv": SMALL}, "w:gz"),
    avro(record(id="long", name=["null", record(x="int")])), SMALL.decode().encode("utf-16"), b"sep=;\nid;name\n1;2\n",
    b'{"id": 1, "name": {"x": [1]}}\n' * 3, b"# x\nid\x01name\n", zlib.compress(SMALL),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 6))):
        at, other = draw(st.integers(0, len(content))), draw(st.binary(max_size=4))
        content[at : at + draw(st.integers(0, 6))] = other
    return bytes(content)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(damaged(), st.binary(max_size=2000)),
    st.booleans(),
    st.sampled_from(["", "o.csv", "o.zip", "o.avro", "o."]),
)
def test_any_bytes_are_told(content: bytes, complete: bool, name: str) -> None:
    found = parse_head(content, complete, name)
    assert sum(map(bool, (found.rows, found.columns, found.reason))) == 1, found
    assert found.reason or not (found.cut_off or found.unread)
    assert not (complete and found.cut_off)
    assert all(len(cell) <= 300 for row in found.rows for cell in row)
    footer = find_footer(content)
    assert footer is None or isinstance(footer, int) or content.endswith(footer)
