"""Handing a run to Atlan's storage: every file below a prefix moved, checked, and listed in a manifest; and back.

>>> from metadata_extraction.upload import migrate_from_objectstore_to_atlan
>>> migrate_from_objectstore_to_atlan("artifacts/apps/delta-arc/workflows/nightly/1")
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from metadata_extraction.components import ComponentError, open_store
from metadata_extraction.models import Failure, MigrationSummary
from metadata_extraction.progress import UNHEARD, StepProgress
from metadata_extraction.settings import ExtractionSettings, get_extraction_settings
from metadata_extraction.stores import ENDING, PART_BYTES, PARTS_IN_FLIGHT, Store, StoredFile, StoreError, part_bytes
from runtime.errors import PipelineError
from runtime.parallel import map_unordered
from runtime.terminal import logger

MANIFEST = "_manifest.json"
PENDING = (
    ".upload-pending"  # in the deployment's store, from the beginning of a run with the upload on until all is there
)
TRIES = 8  # for one file: half a minute of waiting in all
LONGEST_PAUSE_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # without any success, before the files that are left are tried only once
MOST_IN_FLIGHT = 128
BYTES_IN_FLIGHT = 96 << 20
MOST_MANIFEST_BYTES = 256 << 20  # that of a million files

T = TypeVar("T")


@dataclass(frozen=True)
class Delivered:
    """A file that is at its destination: what the manifest says of it. Tags tell whether either side changed since."""

    file: str  # below the prefix
    bytes: int
    sha256: str
    source_tag: str
    tag: str


@dataclass(frozen=True)
class Moved:
    """What became of one file: delivered or not, and whether it had to be sent for that."""

    file: StoredFile
    delivered: Delivered | None
    sent: bool = False
    error: str = ""


def migrate_from_objectstore_to_atlan(
    prefix: str, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> MigrationSummary:
    """Move every file below a prefix of the deployment's store to the upstream store, as the settings name them.

    Never raises for what goes wrong with stores or files: the summary tells. Files that are there already, with the
    same size and content, are skipped; so a second call moves only what is missing. Without settings, they are read
    from `.env` and the environment; raises `SettingsError` where these are wrong.
    """
    settings = settings or get_extraction_settings()
    names = MigrationSummary(prefix.strip("/"), settings.deployment_store, settings.upstream_store)
    try:
        source = open_store(settings.deployment_store, settings.components, settings.environment)
    except PipelineError as error:
        return _stopped(names, str(error))
    try:
        destination = open_upstream(settings)
    except PipelineError as error:
        try:
            return _all_failed(names, _files_of_runs(source, names.prefix), str(error))
        except StoreError:
            return _stopped(names, str(error))
    _try_to_note(source, names.prefix)
    summary = migrate(source, destination, prefix, progress)
    if summary.complete:
        try:
            source.delete(f"{names.prefix}/{PENDING}".lstrip("/"))
        except StoreError as error:
            logger.warning("⚠️ %s stays pending: %s", names.prefix, error)
    return replace(summary, source=names.source, destination=names.destination)


def restore_from_atlan(
    prefix: str, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> MigrationSummary:
    """Bring what was uploaded below a prefix back into the deployment's store. Never raises for stores or files.

    What is there already is left as it is, and told where it differs. Every file is checked by the manifest of its
    upload; without one, files may be missing, and the summary's reason says so. Settings are as for
    `migrate_from_objectstore_to_atlan`.
    """
    settings = settings or get_extraction_settings()
    names = MigrationSummary(prefix.strip("/"), settings.upstream_store, settings.deployment_store)
    try:
        source = open_upstream(settings)
        destination = open_store(settings.deployment_store, settings.components, settings.environment)
        summary = _restore(source, destination, names.prefix, progress)
    except PipelineError as error:
        return _stopped(names, str(error))
    return replace(summary, source=names.source, destination=names.destination)


def _restore(source: Store, destination: Store, prefix: str, progress: StepProgress) -> MigrationSummary:
    """Raises `StoreError` where a store cannot be listed."""
    manifest = _try_again(lambda: find_manifest(source, prefix))
    recorded = manifest or {}
    files = list(_files_of_runs(source, prefix))
    present = {file.key: file for file in destination.list(prefix)}
    moved = list(_move_all(_Restorer(source, destination, prefix, present, recorded), files, progress))
    listed = {file.key for file in files}
    gone = [key for key in (f"{prefix}/{name}".lstrip("/") for name in recorded) if key not in listed]
    failures = [Failure(file=item.file.key, error=item.error) for item in moved if not item.delivered]
    failures += [Failure(file=key, error="it is gone from Atlan's storage") for key in gone]
    sent = [item for item in moved if item.sent]
    return MigrationSummary(
        prefix,
        source.address,
        destination.address,
        total_files=len(files) + len(gone),
        migrated_files=len(sent),
        skipped_files=len(files) + len(gone) - len(sent) - len(failures),
        failed_migrations=len(failures),
        migrated_bytes=sum(item.file.size for item in sent),
        failures=sorted(failures, key=lambda failure: failure["file"]),
        reason=""
        if manifest is not None
        else f"{source.address} has no manifest below {prefix}, so files may be missing",
    )


def note_pending(store: Store, prefix: str) -> None:
    """Note in the deployment's store that what is below the prefix is still to be uploaded; raises `StoreError`."""
    store.write(f"{prefix}/{PENDING}".lstrip("/"), [], 0)


def _try_to_note(store: Store, prefix: str) -> None:
    """Where nothing can be written, nothing can be removed either, so that nothing need be noted."""
    try:
        if any(_files_of_runs(store, prefix)):
            note_pending(store, prefix)
    except ENDING:
        raise
    except BaseException:
        logger.debug("%s cannot be noted as pending", prefix, exc_info=True)


def _files_of_runs(store: Store, prefix: str) -> Iterator[StoredFile]:
    """Every file below a prefix but the upload's own, which are the manifest and what is pending; raises `StoreError`."""
    manifest = f"{prefix}/{MANIFEST}".lstrip("/")
    return (file for file in store.list(prefix) if file.key != manifest and file.key.rpartition("/")[2] != PENDING)


def open_upstream(settings: ExtractionSettings) -> Store:
    """Atlan's storage, as the settings name it. Raises `ComponentError`, also where it is the deployment's own store."""
    if settings.upstream_store == settings.deployment_store:
        raise ComponentError(
            f"UPSTREAM_OBJECT_STORE_NAME and DEPLOYMENT_OBJECT_STORE_NAME are both {settings.upstream_store}, so nothing "
            "would reach Atlan: set UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore."
        )
    return open_store(settings.upstream_store, settings.components, settings.environment)


def migrate(source: Store, destination: Store, prefix: str, progress: StepProgress = UNHEARD) -> MigrationSummary:
    """Move every file below `prefix` from one store to another; see `migrate_from_objectstore_to_atlan`.

    The summary names the stores by their addresses, as they need not be of components.
    """
    prefix = prefix.strip("/")
    names = MigrationSummary(prefix, source.address, destination.address)
    manifest = f"{prefix}/{MANIFEST}".lstrip("/")
    try:
        files = list(_files_of_runs(source, prefix))
    except StoreError as error:
        return _stopped(names, f"{source.address} cannot be listed: {error}")
    if not files:
        return _stopped(names, f"there are no files below {prefix} in {source.address}")
    try:
        present = {file.key: file for file in destination.list(prefix)}
        old_manifest = present.pop(manifest, None)
        recorded = _try_again(lambda: _read_manifest(destination, old_manifest))
    except StoreError as error:
        return _all_failed(names, files, f"{destination.address} cannot be listed: {error}")
    mover = _Mover(source, destination, prefix, present, recorded)
    unchanged = all(mover.record_of(file) for file in files)
    try:
        if old_manifest and not unchanged:
            # It says that everything is there, which is not so until the end.
            _try_again(lambda: destination.delete(manifest))
    except StoreError as error:
        return _all_failed(names, files, f"the old manifest cannot be deleted: {error}")
    moved = list(_move_all(mover, files, progress))
    # Also where it failed: older versions of obstore (0.11) do not abort what they have begun.
    if any((item.sent or not item.delivered) and item.file.size > part_bytes(item.file.size) for item in moved):
        try:
            destination.clear_leftovers(prefix)
        except StoreError as error:
            logger.warning("⚠️ %s: %s", destination.address, error)
    moved.sort(key=lambda item: item.file.key)
    failures = [Failure(file=item.file.key, error=item.error) for item in moved if not item.delivered]
    delivered = [item.delivered for item in moved if item.delivered]
    reason = ""
    # The manifest that was read stays, where it says the same of the same files.
    if not failures and not (unchanged and {item.file: item for item in delivered} == recorded):
        try:
            _try_again(lambda: _write_manifest(destination, manifest, delivered))
        except StoreError as error:
            reason = f"the manifest cannot be written: {error}"
    sent = [item for item in moved if item.sent]
    return MigrationSummary(
        prefix=prefix,
        source=source.address,
        destination=destination.address,
        total_files=len(files),
        migrated_files=len(sent),
        skipped_files=len(files) - len(sent) - len(failures),
        failed_migrations=len(failures),
        migrated_bytes=sum(item.file.size for item in sent),
        failures=failures,
        reason=reason,
    )


def _stopped(names: MigrationSummary, reason: str) -> MigrationSummary:
    return MigrationSummary(names.prefix, names.source, names.destination, reason=reason)


def _all_failed(names: MigrationSummary, files: Iterable[StoredFile], reason: str) -> MigrationSummary:
    failures = [Failure(file=file.key, error=reason) for file in sorted(files, key=lambda file: file.key)]
    return MigrationSummary(
        names.prefix,
        names.source,
        names.destination,
        total_files=len(failures),
        failed_migrations=len(failures),
        failures=failures,
        reason=reason,
    )


# One file


class _Digest:
    """The checksums of a file that is read part by part."""

    def __init__(self, size: int) -> None:
        self._in_parts = size > part_bytes(size)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._of_parts: list[bytes] = []

    def over(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The same parts, taken into account."""
        for part in parts:
            self._sha256.update(part)
            if self._in_parts:
                self._of_parts.append(hashlib.md5(part, usedforsecurity=False).digest())
            else:
                self._md5.update(part)
            yield part

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def s3_tag(self) -> str:
        """The ETag that S3 gives to what was sent: the content's MD5, or for several parts that of their MD5s.

        "Checking object integrity" in S3's user guide; with some encryptions it is another one, and means nothing.
        """
        if not self._in_parts:
            return self._md5.hexdigest()
        joined = hashlib.md5(b"".join(self._of_parts), usedforsecurity=False).hexdigest()
        return f"{joined}-{len(self._of_parts)}"


class _Mover:
    """Moves single files of one migration, again and again where that can help. Used from many threads."""

    _replaces = True  # what is there, and differs

    def __init__(
        self,
        source: Store,
        destination: Store,
        prefix: str,
        present: Mapping[str, StoredFile],
        recorded: Mapping[str, Delivered],
    ) -> None:
        self._source = source
        self._destination = destination
        self._prefix = prefix
        self._present = present
        self._recorded = recorded
        self._last_success = time.monotonic()

    def record_of(self, file: StoredFile) -> Delivered | None:
        """What the last manifest says of a file, if neither side has changed since."""
        record, there = self._recorded.get(self._name(file)), self._present.get(file.key)
        if record and there and (record.source_tag, record.bytes) == (file.tag, file.size) == (file.tag, there.size):
            return record if record.tag == there.tag else None
        return None

    def move(self, file: StoredFile) -> Moved:
        """Bring one file to the destination, unless it is there. Every try starts at the first byte."""
        for attempt in range(TRIES):
            try:
                moved = self._move_once(file)
                self._last_success = time.monotonic()
                return moved
            except StoreError as error:
                waited = time.monotonic() - self._last_success
                if not error.passing or attempt == TRIES - 1 or waited > PATIENCE_SECONDS:
                    return Moved(file, None, error=str(error))
                time.sleep(min(0.25 * 2**attempt, LONGEST_PAUSE_SECONDS))
                file = self._look_again(file)
        raise AssertionError("the last try returns")

    def _move_once(self, file: StoredFile) -> Moved:
        if not _is_text(file.key):
            raise StoreError("its name is no text in UTF-8, so that no manifest can have it")
        record = self.record_of(file)
        if record:
            return Moved(file, record)
        there = self._present.get(file.key)
        if there and there.size == file.size:
            digest = _Digest(file.size)
            for _ in digest.over(self._source.read(file)):
                pass
            if there.tag == digest.s3_tag or digest.sha256 == self._sha256_of(there):
                return Moved(file, self._delivered(file, digest, there.tag))
        if there and not self._replaces:
            raise StoreError("it is there already, and differs: delete it to have it restored")
        digest = _Digest(file.size)
        tag = self._destination.write(file.key, digest.over(self._source.read(file)), file.size)
        # Only where the answer is no checksum of the content, it is read back.
        if tag != digest.s3_tag and digest.sha256 != self._sha256_of(StoredFile(file.key, file.size, "")):
            raise StoreError("what arrived is not what was sent", passing=True)
        return Moved(file, self._delivered(file, digest, tag), sent=True)

    def _look_again(self, file: StoredFile) -> StoredFile:
        """The file as it is now: it may have been changed, which is no reason to give it up."""
        try:
            folder = file.key.rpartition("/")[0]
            return next((found for found in self._source.list(folder) if found.key == file.key), file)
        except StoreError:
            return file

    def _sha256_of(self, file: StoredFile) -> str:
        digest = hashlib.sha256()
        for part in self._destination.read(file):
            digest.update(part)
        return digest.hexdigest()

    def _delivered(self, file: StoredFile, digest: _Digest, tag: str) -> Delivered:
        return Delivered(self._name(file), file.size, digest.sha256, file.tag, tag)

    def _name(self, file: StoredFile) -> str:
        return file.key.removeprefix(f"{self._prefix}/")


class _Restorer(_Mover):
    """Moves files back, and keeps only those that are what was uploaded."""

    _replaces = False

    def _move_once(self, file: StoredFile) -> Moved:
        moved = super()._move_once(file)
        wanted = self._recorded.get(self._name(file))
        if wanted and moved.delivered and moved.delivered.sha256 != wanted.sha256:
            if moved.sent:
                self._destination.delete(file.key)
            raise StoreError("what Atlan's storage has is not what was uploaded")
        return moved


def _is_text(key: str) -> bool:
    """Whether a key can be written; a file's name may be any bytes, which Python shows as halves of surrogate pairs."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


# All files


class _Budget:
    """How many bytes may be in memory at once."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._left >= size)
            self._left -= size

    def give(self, size: int) -> None:
        with self._changed:
            self._left += size
            self._changed.notify_all()


def _move_all(mover: _Mover, files: Iterable[StoredFile], progress: StepProgress) -> Iterator[Moved]:
    """Move files from many threads; what comes back first, comes first."""
    # Big files first, so that none of them is left alone at the end.
    ordered = sorted(files, key=lambda file: -file.size)
    progress.total = len(ordered)
    budget = _Budget(BYTES_IN_FLIGHT)
    growth = _ThreadGrowth()

    def move(file: StoredFile) -> Moved:
        held = min(file.size, part_bytes(file.size) * (PARTS_IN_FLIGHT + 1), BYTES_IN_FLIGHT)
        budget.take(held)
        try:
            return mover.move(file)
        except ENDING:
            raise
        except BaseException as error:
            logger.debug("moving %s failed", file.key, exc_info=True)
            return Moved(file, None, error=f"{type(error).__name__}: {error}")
        finally:
            budget.give(held)

    for moved in map_unordered(move, ordered, lambda: growth.threads):
        growth.note(moved.file.size)
        progress.advance(1, moved.file.size)
        yield moved


class _ThreadGrowth:
    """How many threads there should be: doubled as long as each doubling makes it clearly faster.

    It depends on what the store answers best to: a far one needs many, a near one is fastest with few.
    """

    WINDOW_SECONDS = 0.1
    CLEARLY = 1.25
    FILE_COST = 64 << 10  # a file costs as much as so many bytes, however small it is

    def __init__(self) -> None:
        self.threads = 8
        self._growing = True
        self._best = 0.0
        self._done = self._files = 0
        self._started = time.monotonic()

    def note(self, size: int) -> None:
        self._done += size + self.FILE_COST
        self._files += 1
        passed = time.monotonic() - self._started
        if not self._growing or passed < self.WINDOW_SECONDS or self._files < self.threads:
            return
        rate = self._done / passed
        if rate > self._best * self.CLEARLY and self.threads < MOST_IN_FLIGHT:
            self._best = rate
            self.threads *= 2
        else:
            self._growing = False
        self._done = self._files = 0
        self._started = time.monotonic()


# The manifest


def _try_again(call: Callable[[], T]) -> T:
    """What a call gives that may be made again and again, as often as a file is tried; raises `StoreError`."""
    for attempt in range(TRIES - 1):
        try:
            return call()
        except StoreError as error:
            if not error.passing:
                raise
            time.sleep(min(0.25 * 2**attempt, LONGEST_PAUSE_SECONDS))
    return call()


def _write_manifest(destination: Store, key: str, delivered: list[Delivered]) -> None:
    """Write the manifest as the last file, and read it back. Where it stands, everything is there."""
    document = {
        "version": 1,
        "count": len(delivered),
        "bytes": sum(item.bytes for item in delivered),
        "files": [vars(item) for item in delivered],
    }
    content = json.dumps(document, indent=1, ensure_ascii=False).encode()
    destination.write(
        key, [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)], len(content)
    )
    if b"".join(destination.read(StoredFile(key, len(content), ""))) != content:
        raise StoreError("it reads differently from what was written")


def find_manifest(upstream: Store, prefix: str) -> dict[str, Delivered] | None:
    """What was delivered below a prefix, by file below it; None where no upload was completed. Raises `StoreError`."""
    key = f"{prefix}/{MANIFEST}".lstrip("/")
    file = next((file for file in upstream.list(prefix) if file.key == key), None)
    return _read_manifest(upstream, file) or None


def _read_manifest(destination: Store, file: StoredFile | None) -> dict[str, Delivered]:
    """What an earlier migration delivered, by file; nothing where there is no manifest that can be used."""
    if file is None or file.size > MOST_MANIFEST_BYTES:
        return {}
    try:
        document = json.loads(b"".join(destination.read(file)))
        return {item["file"]: Delivered(**item) for item in document["files"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
