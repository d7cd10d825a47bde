"""Object stores: a local folder, or a remote store through obstore. Both list, read, write and delete by key.

Only obstore's synchronous calls are used, from threads: after asynchronous ones the process can abort at its exit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import PipelineError

PART_BYTES = 8 << 20  # what is read and sent at a time; a bigger file goes up in parts of this size
PARTS_IN_FLIGHT = 2  # of one file; more of them did not make it faster, near or far
MAX_PARTS = 10_000  # of a multipart upload, says "Amazon S3 multipart upload limits" in S3's user guide
LEFTOVER_SECONDS = 24 * 3600
ENDING = (KeyboardInterrupt, SystemExit, GeneratorExit)  # what ends more than a store; everything else is told


class StoreError(PipelineError):
    """A store refused something or did not answer; `passing` tells whether trying again can help."""

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class StoredFile:
    """A file as its store lists it: its key, its size in bytes, and a tag that is another one after every change.

    `modified` is when it was written, in seconds since 1970, where the store tells; it is no part of what a file is.
    The tag is the ETag of a remote store; S3's is the content's MD5 in some cases ("Checking object integrity" in its
    user guide).
    """

    key: str
    size: int
    tag: str
    modified: float | None = field(default=None, compare=False)


class Store(Protocol):
    """Where files are. Keys are paths with `/`; a prefix is a folder, so `a/run-1` does not contain `a/run-10/x`.

    Every method raises `StoreError`.
    """

    address: str  # for people

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """Every file below a prefix, in no certain order; an empty prefix is the whole store."""
        ...

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """The content in parts of `part_bytes`; raises `StoreError` where it is no longer the file that was listed.

        Without a tag, it is whatever file is there.
        """
        ...

    def write(self, key: str, parts: Iterable[bytes], size: int) -> str:
        """Write a file, whole or not at all; the parts are as `read` gives them. Returns the tag of what arrived."""
        ...

    def delete(self, key: str) -> None:
        """Delete a file; one that is not there need not be deleted."""
        ...

    def clear_leftovers(self, prefix: str) -> None:
        """Remove what writers that were killed have left unfinished below a prefix, while nobody writes there."""
        ...


def part_bytes(size: int) -> int:
    """The size of the parts in which a file of `size` bytes is sent."""
    return max(PART_BYTES, -(-size // MAX_PARTS))


def split(chunks: Iterable[bytes], part: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `part`, but for the last one."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= part:
            yield bytes(held[:part])
            del held[:part]
    if held:
        yield bytes(held)


class LocalFolder:
    """A folder as a store. Files are written beside it and moved in when they are whole; links are not followed."""

    # Not obstore's LocalStore: it lists and reads 5,000 files of 10 KB in 0.6 s (this: 0.2 s), follows links (one that
    # leads to a folder above it ends the listing), refuses names with a line break, and writes without fsync.

    STAGING = ".staging"

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.address = f"local folder {root}"
        self._top = os.path.join(self.root, "")
        self._inside: set[str] = set()  # folders that are known to be below the root

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """Every file below a folder; links among them, as what `read` refuses."""
        place = self._place(prefix) if prefix.strip("/") else str(self.root)
        above = os.path.relpath(place, self.root).replace(os.sep, "/")
        folders = [(place, "" if above == "." else f"{above}/")]
        while folders:
            folder, above = folders.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StoreError(f"{self.address} cannot be listed: {error.strerror}") from None
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != self.STAGING:
                        folders.append((entry.path, f"{above}{entry.name}/"))
                else:
                    with contextlib.suppress(FileNotFoundError):  # gone since the folder was read
                        yield _listed(entry, f"{above}{entry.name}")

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """The content in parts; a link and what is no regular file is refused."""
        part = part_bytes(file.size)
        try:
            # Without O_NONBLOCK, a named pipe would make this wait for somebody who writes into it.
            opened = os.open(self._place(file.key), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(opened).st_mode):
                    raise StoreError("it is no regular file")
                left = file.size
                while left:
                    chunk = _read_up_to(opened, min(part, left))
                    if not chunk:
                        break
                    left -= len(chunk)
                    if not left:
                        break
                    yield chunk
                # Looked at before the last part is given away, so that a file in change never becomes a whole copy.
                if left or (file.tag and _tag(os.fstat(opened)) != file.tag):
                    raise StoreError("it changed while it was read", passing=True)
                if file.size:
                    yield chunk
            finally:
                os.close(opened)
        except FileNotFoundError:
            raise StoreError("it is gone") from None
        except OSError as error:
            reason = "it is a link, and links are not followed" if error.errno == errno.ELOOP else error.strerror
            raise StoreError(f"it cannot be read: {reason}") from None

    def write(self, key: str, parts: Iterable[bytes], size: int) -> str:
        """Write beside the store's files, flush to the disk, and rename. The tag has the time of change."""
        path = Path(self._place(key))
        # Its name cannot be foretold, so that nobody can plant a link there.
        staging = self.root / self.STAGING / secrets.token_hex(16)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            staging.parent.mkdir(parents=True, exist_ok=True)
            with staging.open("xb") as stream:
                for part in parts:
                    stream.write(part)
                stream.flush()
                os.fsync(stream.fileno())
            staging.replace(path)
            return _tag(path.stat())
        except OSError as error:
            raise StoreError(f"it cannot be written to {self.address}: {error.strerror}") from None
        finally:
            with contextlib.suppress(OSError):
                staging.unlink()

    def delete(self, key: str) -> None:
        """Delete the file, if it is there."""
        try:
            Path(self._place(key)).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"it cannot be deleted from {self.address}: {error.strerror}") from None

    def clear_leftovers(self, prefix: str) -> None:
        """Delete staged files that are older than a day, and empty folders."""
        # Staged files are of all prefixes, and may be another process's: only what is old is surely left.
        for path in (self.root / self.STAGING).glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                    path.unlink()
        for folder, _, _ in os.walk(self._place(prefix), topdown=False) if prefix else ():
            with contextlib.suppress(OSError):  # it is not empty
                os.rmdir(folder)

    def _place(self, key: str) -> str:
        """Where a key is; refused where it would lead out of the root, also through a linked folder."""
        folder, _, name = key.rpartition("/")
        if name in ("..", ".") or "\0" in key:
            raise StoreError("its key leads out of the store's folder")
        if folder not in self._inside:
            root, parent = os.path.realpath(self.root), os.path.realpath(self.root / folder)
            if key.startswith("/") or os.path.commonpath([root, parent]) != root:
                raise StoreError("its key leads out of the store's folder")
            self._inside.add(folder)
        return f"{self._top}{key}"


def _listed(entry: os.DirEntry[str], key: str) -> StoredFile:
    try:
        found = entry.stat(follow_symlinks=False)
    except PermissionError:
        return StoredFile(key, 0, "")  # `read` tells why
    return StoredFile(key, found.st_size, _tag(found), found.st_mtime)


def _read_up_to(opened: int, size: int) -> bytes:
    """So many bytes of an open file, or fewer where it ends; one call may give fewer of a file on a network."""
    content = os.read(opened, size)
    while len(content) < size:
        more = os.read(opened, size - len(content))
        if not more:
            break
        content += more
    return content


def _tag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


class RemoteStore:
    """A store behind obstore: S3, Azure Blob Storage or Google Cloud Storage."""

    def __init__(self, store: Any, address: str, abort_uploads: Callable[[str], None] | None = None) -> None:
        self._store = store
        self.address = address
        self._abort_uploads = abort_uploads  # what obstore has no call for

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """Every object below a prefix, read page by page."""
        import obstore

        with _telling_errors():
            for page in obstore.list(self._store, prefix or None):
                for item in page:
                    tag = (item["e_tag"] or "").strip('"')
                    yield StoredFile(item["path"], item["size"], tag, item["last_modified"].timestamp())

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """The content in parts of one GET; raises where its ETag or size is not the listed one."""
        import obstore

        with _telling_errors():
            answer = obstore.get(self._store, file.key)
            if file.tag and (answer.meta["e_tag"] or "").strip('"') != file.tag:
                raise StoreError("it changed while it was read", passing=True)
            read = 0
            for part in split((bytes(chunk) for chunk in answer.stream(PART_BYTES)), part_bytes(file.size)):
                read += len(part)
                if read >= file.size:
                    break
                yield part
            if read != file.size:
                raise StoreError("it changed while it was read", passing=True)
            if file.size:
                yield part

    def write(self, key: str, parts: Iterable[bytes], size: int) -> str:
        """One PUT, or from 8 MiB up a multipart upload, which a failure aborts. Returns the ETag."""
        import obstore

        part = part_bytes(size)
        with _telling_errors():
            if size <= part:
                result = obstore.put(self._store, key, b"".join(parts), use_multipart=False)
            else:
                # `clear_leftovers` needs it in the end, and importing it takes a while.
                threading.Thread(target=import_module, args=("boto3",), daemon=True).start()
                result = obstore.put(
                    self._store, key, iter(parts), use_multipart=True, chunk_size=part, max_concurrency=PARTS_IN_FLIGHT
                )
        return (result["e_tag"] or "").strip('"')

    def delete(self, key: str) -> None:
        """Delete the object, if it is there."""
        import obstore

        with _telling_errors(), contextlib.suppress(FileNotFoundError):  # what is not there need not be deleted
            obstore.delete(self._store, key)

    def clear_leftovers(self, prefix: str) -> None:
        """Abort multipart uploads below the prefix, where the store has them and says so (S3)."""
        if self._abort_uploads:
            self._abort_uploads(prefix)


@contextlib.contextmanager
def _telling_errors() -> Iterator[None]:
    """Turn obstore's errors, which span many lines, into one sentence. Some of them are Python's own, like ValueError.

    A panic of its Rust code is no `Exception` ("PanicException" in PyO3's documentation).
    """
    from obstore import exceptions

    try:
        yield
    except (*ENDING, StoreError):
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, (exceptions.BaseError, *PYTHONS_OWN)):
            raise
        refusal = _read_refusal(error)
        if not isinstance(error, Exception):
            raise StoreError(f"the store's library broke off ({refusal.text})") from None
        if refusal.code in KEY_REFUSED:
            raise StoreError(f"the store refuses the access key or its secret ({refusal.code})") from None
        if refusal.status == 403 or isinstance(
            error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError
        ):
            raise StoreError(f"the store does not allow it ({refusal.code or refusal.text})") from None
        if refusal.code == "NoSuchBucket":
            raise StoreError("the bucket does not exist: check the component's bucket") from None
        if isinstance(error, FileNotFoundError | exceptions.NotFoundError):
            raise StoreError("it is gone") from None
        if isinstance(error, ValueError | TypeError | OverflowError | exceptions.InvalidPathError):
            raise StoreError(f"its key cannot be used ({refusal.text})") from None
        raise StoreError(refusal.text, passing=True) from None


# Of what Rust hands over, and of a value that it does not take.
PYTHONS_OWN = (OSError, ValueError, TypeError, OverflowError, RuntimeError)


@dataclass(frozen=True)
class _Refusal:
    """What a store said: its HTTP status and S3 error code, where it answered with them, and all of it on one line."""

    status: int | None
    code: str
    text: str


# "List of error codes" in S3's API reference.
KEY_REFUSED = ("SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken")


def _read_refusal(error: BaseException) -> _Refusal:
    """The one place that reads obstore's wording: its errors have no fields, the answer is in their text only.

    It is that of object_store's `RequestError::Status`, `… - Server returned non-2xx status code: 403 Forbidden: ` and
    the body, S3's being `<Error><Code>AccessDenied</Code>…`; behind an empty line all is told again for developers.
    """
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    answer = re.search(r" - Server returned non-2xx status code: (\d{3})\b(.*)", text)
    code = re.search(r"<Code>(\w+)</Code>", answer[2]) if answer else None
    return _Refusal(int(answer[1]) if answer else None, code[1] if code else "", text)
