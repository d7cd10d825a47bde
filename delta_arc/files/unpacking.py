"""From the bytes of an object to those that were packed into it: gzip, bzip2, xz, zstd, zip and tar, also in each other.

Only the beginning is unpacked, and no more of it than is read: `LARGEST_READ` bytes, whatever a file says of itself.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

LARGEST_READ = 256 * 1024  # bytes, as they are stored and also as they come out of a compression
LAYERS = 3  # a tar in a gzip in a zip
MEMBERS = 64  # streams of one file, or files of one archive, that are gone through
LARGEST_WINDOW = 128 * 1024**2  # bytes of memory that a file may ask for; `xz -9` and `zstd --ultra -22` need as much

GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
ZIP, TAR_AT = b"PK\x03\x04", 257
# What lies beside the data in archives: folders, what begins with a dot, what macOS adds, notes.
NO_DATA = re.compile(r"(?i)(?:^|/)(?:\.|_|readme|manifest|license)|/$|\.(?:md5|sha\d+|ok|done|pdf|docx?|sql|xsd|avsc)$")


class Unpacked(NamedTuple):
    """What was packed, and whether that is all of it; or why it cannot be unpacked.

    `is_archive` tells that other files may lie beside it, `cut_off` that more bytes of the object would help, `unread`
    that it is damaged.
    """

    content: bytes = b""
    complete: bool = False
    is_archive: bool = False
    reason: str = ""
    cut_off: bool = False
    unread: bool = False


def unpack(content: bytes, complete: bool) -> Unpacked:
    """What is packed into the first bytes of an object; `complete` says that they are the whole object. Never raises."""
    found = Unpacked(content, complete)
    for _ in range(LAYERS):
        opened = _open(found.content, found.complete)
        if opened is None:
            return found
        found = opened._replace(is_archive=opened.is_archive or found.is_archive)
        if found.reason:
            return found
    return found if _open(found.content, found.complete) is None else Unpacked(reason="it is packed too often")


def _open(content: bytes, complete: bool) -> Unpacked | None:
    if content.startswith(GZIP):
        return _inflate("gzip", GZIP, lambda: zlib.decompressobj(31), content, complete)
    if re.match(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", content):  # bzip2's block and its end
        return _inflate("bzip2", BZIP2, bz2.BZ2Decompressor, content, complete)
    if content.startswith(XZ):
        return _inflate("xz", XZ, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, LARGEST_WINDOW), content, complete)
    if content.startswith(ZSTD):
        return _open_zstd(content, complete)
    if content.startswith((ZIP, b"PK\x05\x06")):
        return _open_zip(content, complete)
    if content.startswith(b"ustar", TAR_AT):
        return _open_tar(content, complete)
    return None


def _inflate(kind: str, magic: bytes, start: Callable[[], Any], content: bytes, complete: bool) -> Unpacked:
    """What is in a file of one or several streams (RFC 1952, and alike for the others)."""
    text = b""
    for _ in range(MEMBERS):
        stream = start()
        try:
            text += stream.decompress(content, LARGEST_READ - len(text))
        except (zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError, ValueError):
            return Unpacked(text) if text else Unpacked(reason=f"it cannot be unpacked as {kind}", unread=True)
        if not stream.eof or len(text) >= LARGEST_READ:
            return _cut(kind, text, complete)
        content = stream.unused_data
        if not content.startswith(magic):  # what stands behind the last stream is padding, as gzip(1) has it
            return Unpacked(text, complete)
    return Unpacked(text)


def _cut(kind: str, text: bytes, complete: bool) -> Unpacked:
    """What came out of a stream before it ended."""
    if text:
        return Unpacked(text)
    if complete:
        return Unpacked(reason=f"it is a {kind} file that ends early", unread=True)
    return Unpacked(reason=f"its first block of {kind} is longer than what is read", cut_off=True)


def _open_zstd(content: bytes, complete: bool) -> Unpacked:
    try:
        import zstandard
    except ImportError:
        return Unpacked(reason="zstd needs the package zstandard")
    reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(
        io.BytesIO(content), read_across_frames=True
    )
    text = b""
    try:
        while len(text) < LARGEST_READ and (more := reader.read(LARGEST_READ - len(text))):
            text += more
    except (zstandard.ZstdError, MemoryError):
        return Unpacked(text) if text else Unpacked(reason="it cannot be unpacked as zstd", unread=True)
    # Where the bytes are all of the object, and all of them gave what they have, only a file that was cut has lost rows.
    return Unpacked(text, complete and len(text) < LARGEST_READ) if text else _cut("zstd", text, complete)


# =====================================================================================================================
# Archives
# =====================================================================================================================


def _open_zip(content: bytes, complete: bool) -> Unpacked:
    """The first file of data in a zip, by the headers in front of its files (PKWARE, APPNOTE.TXT, 4.3.7)."""
    at = 0
    for _ in range(MEMBERS):
        header = content[at : at + 30]
        if len(header) < 30 or not header.startswith(ZIP):
            break
        flags, method = int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
        packed_size = int.from_bytes(header[18:22], "little")
        start = at + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        name = content[at + 30 : at + 30 + int.from_bytes(header[26:28], "little")].decode("utf-8", "replace")
        if name == "[Content_Types].xml" or name.startswith(("xl/", "_rels/")):
            return Unpacked(reason="Excel is not read")
        follows = bool(flags & 8) or packed_size == 0xFFFFFFFF  # the size stands behind the file, or elsewhere
        packed = content[start:] if follows else content[start : start + packed_size]
        is_whole = complete or (not follows and start + packed_size <= len(content))
        if not NO_DATA.search(name):
            return _open_zip_member(flags, method, packed, is_whole)._replace(is_archive=True)
        if follows and method == 8 and not flags & 1:
            found = content.find(b"PK\x03\x04", start)
            at = found if found > 0 else len(content)
        else:
            at = start + (0 if follows else packed_size)
    if not complete and at + 30 > len(content):
        return Unpacked(reason="the files of data in the zip begin behind what is read", cut_off=True)
    return Unpacked(reason="there is no file of data in the zip", unread=True)


def _open_zip_member(flags: int, method: int, packed: bytes, is_whole: bool) -> Unpacked:
    if flags & 1:
        return Unpacked(reason="it is encrypted")
    if method == 0:
        return Unpacked(packed[:LARGEST_READ], is_whole and len(packed) <= LARGEST_READ)
    if method == 8:
        return _inflate("zip", b"\0none", lambda: zlib.decompressobj(-15), packed, is_whole)
    return Unpacked(reason="the zip is packed by a method that is not read")


def _open_tar(content: bytes, complete: bool) -> Unpacked:
    """The first file of data in a tar (POSIX, pax: ustar Interchange Format): blocks of 512 bytes, a header before each."""
    at = 0
    for _ in range(MEMBERS):
        header = content[at : at + 512]
        size_told = header[124:136].strip(b" \0")
        if not header.startswith(b"ustar", TAR_AT) or not re.fullmatch(rb"[0-7]{1,11}", size_told):
            break
        size, start = int(size_told, 8), at + 512
        name = header[:100].partition(b"\0")[0].decode("utf-8", "replace")
        if header[156:157] in (b"0", b"\0") and not NO_DATA.search(name):
            is_whole = start + size <= len(content)
            return Unpacked(content[start : start + size], is_whole, is_archive=True)
        at = start + (size + 511) // 512 * 512
    if not complete and at + 512 > len(content):
        return Unpacked(reason="the files of data in the tar begin behind what is read", cut_off=True)
    return Unpacked(reason="there is no file of data in the tar", unread=True)
