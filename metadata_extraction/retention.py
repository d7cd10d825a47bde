"""Retention: which runs in the deployment's store are old enough to go, and which of them have to stay.

A run whose upload is not complete stays, however old it is: what it has may be nowhere else.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from metadata_extraction.components import open_store
from metadata_extraction.models import prefix_of_runs
from metadata_extraction.settings import ExtractionSettings
from metadata_extraction.stores import Store, StoredFile, StoreError
from metadata_extraction.upload import PENDING, Delivered, find_manifest, open_upstream
from runtime.terminal import logger

SECONDS_PER_DAY = 24 * 3600


@dataclass(frozen=True)
class StoredRun:
    """A run as it lies in a store. `modified` is when the newest of its files was written, where the store tells."""

    prefix: str
    files: list[StoredFile]
    pending: bool  # its upload was asked for, and is not complete

    @property
    def modified(self) -> float | None:
        """In seconds since 1970; None where the store does not tell it of every file."""
        times = [file.modified for file in self.files]
        return max((moment for moment in times if moment is not None), default=None) if None not in times else None

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.size for file in self.files)


@dataclass
class Retention:
    """What became of the runs: gone (or, in a dry run, to go), kept though they are old, and younger than that."""

    removed: list[StoredRun] = field(default_factory=list)
    kept: list[tuple[StoredRun, str]] = field(default_factory=list)  # and why
    failed: list[tuple[StoredRun, str]] = field(default_factory=list)  # and what the store said
    young: int = 0


def clean(settings: ExtractionSettings, older_than_days: int, dry_run: bool = False) -> Retention:
    """Remove every run of this deployment that has not been written to for so many days, unless it has to stay.

    It stays where its upload has begun and not been completed, and, with the upload on, where Atlan's storage has no
    manifest that lists all of its files as they are. Raises `ComponentError` and `StoreError` before anything is removed
    where the stores cannot be asked; a run that cannot be removed is in the result.
    """
    store = open_store(settings.deployment_store, settings.components, settings.environment)
    upstream = open_upstream(settings) if settings.enable_atlan_upload else None
    limit = time.time() - older_than_days * SECONDS_PER_DAY
    found = Retention()
    going = []
    for run in find_runs(store, prefix_of_runs(settings.deployment)):
        if run.modified is not None and run.modified > limit:
            found.young += 1
        elif reason := _reason_to_stay(run, store, upstream):
            found.kept.append((run, reason))
        else:
            going.append(run)
    for run in going:
        try:
            if not dry_run:
                _remove(store, run)
            found.removed.append(run)
        except StoreError as error:
            found.failed.append((run, str(error)))
    return found


def find_runs(store: Store, root: str) -> list[StoredRun]:
    """Every run below the prefix of a deployment's runs, sorted by prefix; raises `StoreError`.

    Where a whole workflow is pending, as an upload of it leaves it, all its runs are.
    """
    files: dict[str, list[StoredFile]] = defaultdict(list)
    pending = []
    for file in store.list(root):
        folder, _, name = file.key.rpartition("/")
        parts = file.key.removeprefix(f"{root}/").split("/")
        if name == PENDING:
            pending.append(folder)
        if len(parts) > 2:  # workflow, run, file
            files[f"{root}/{parts[0]}/{parts[1]}"].append(file)
    return [
        StoredRun(prefix, files[prefix], any(f"{prefix}/".startswith(f"{folder}/") for folder in pending))
        for prefix in sorted(files)
    ]


def _reason_to_stay(run: StoredRun, store: Store, upstream: Store | None) -> str:
    """Empty where nothing speaks for it; raises `StoreError` where Atlan's storage cannot be asked."""
    if run.modified is None:
        return "its store does not tell how old it is"
    if run.pending:
        return "its upload is not complete; the command upload makes up for it"
    if upstream:
        delivered = find_manifest(upstream, run.prefix)
        if delivered is None:
            return f"{upstream.address} has no manifest of it; the command upload makes up for it"
        if not all(_is_delivered(file, run, store, delivered) for file in run.files):
            return f"its files are not those in the manifest of {upstream.address}; the command upload makes up for it"
    return ""


def _is_delivered(file: StoredFile, run: StoredRun, store: Store, delivered: Mapping[str, Delivered]) -> bool:
    record = delivered.get(file.key.removeprefix(f"{run.prefix}/"))
    if record is None or record.bytes != file.size:
        return False
    if record.source_tag == file.tag:
        return True
    digest = hashlib.sha256()  # it was written again since, as by a restore
    for part in store.read(file):
        digest.update(part)
    return digest.hexdigest() == record.sha256


def _remove(store: Store, run: StoredRun) -> None:
    for file in run.files:
        store.delete(file.key)
    try:
        store.clear_leftovers(run.prefix)
    except StoreError as error:  # the files are gone; a role may lack the right to see what broke off
        logger.debug("%s: %s", run.prefix, error)
