"""What Atlan holds, kept between runs in one file, so that a run reads only what has changed since the last one.

The file is one SQLite database of one flow, and tells of one moment: all that a run has read is put into it together, or
nothing is. It holds what was read, never what was sent: what a run writes is a change to the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta_arc.plan import LARGE, common_type, compared_value
from delta_arc.settings import Settings
from runtime.atlan import (
    MOST_GUIDS,
    PAGE_SIZE,
    AssetQuery,
    SearchHit,
    SearchProgress,
    find_assets,
    find_by_guid,
    find_changes,
    is_search_hit,
)
from runtime.files import open_regular_file
from runtime.terminal import logger, visible

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

FORMAT = 1
# A change that comes into the index so late is still seen; pyatlan's own tests think 5 to 10 seconds enough.
OVERLAP_SECONDS = 600
# Then all is read anew: what nobody has thought of is not kept for ever.
KEPT_DAYS = 7
LOCKED_SECONDS = 5
# How an asset tells which processes refer to it, and how a process tells what it refers to.
USES = ("inputToProcesses", "outputFromProcesses", "columnProcesses")
REFERENCES = ("inputs", "outputs", "process")

SCHEMA = """
CREATE TABLE state (format INTEGER, source TEXT, generation INTEGER, read_at REAL);
CREATE TABLE reading (key TEXT PRIMARY KEY, since INTEGER, left_out INTEGER) WITHOUT ROWID;
CREATE TABLE asset (key TEXT, guid TEXT, document TEXT, PRIMARY KEY (key, guid)) WITHOUT ROWID;
"""


@dataclass
class Reading:
    """The assets of one query, by guid.

    `since` is the time from which the next run has to ask for changes, in milliseconds; `left_out` the number of assets
    that Atlan counts and tells no name of. `differs` has what is not in the file as it is here (None: not at all).
    """

    hits: dict[str, SearchHit]
    since: int
    left_out: int = 0
    differs: dict[str, SearchHit | None] = field(default_factory=dict)
    is_new: bool = False


def open_state(
    settings: Settings,
    *,
    afresh: bool = False,
    read_only: bool = True,
    shared: dict[tuple[str, str], Reading] | None = None,
) -> AtlanState:
    """The state of the flow that the settings name; see `AtlanState`."""
    source = (
        settings.tenant, settings.postgres_connection, settings.snowflake_connection, settings.s3_connection,
        settings.s3_bucket_arn, settings.s3_prefix,
    )  # fmt: skip
    return AtlanState(settings.state_cache_file, source, afresh=afresh, read_only=read_only, shared=shared)


class AtlanState:
    """What Atlan holds, as far as it has been asked for in this run.

    `source` tells of which tenant and flow; a file of another one is not used, nor one that is older than KEPT_DAYS.
    `afresh` reads everything anew; `read_only` leaves the file as it is. `shared` has the inventories, by tenant and
    query, that other flows of this command have read, so that none is read whole twice.
    """

    def __init__(
        self,
        path: Path,
        source: Sequence[str],
        *,
        afresh: bool = False,
        read_only: bool = False,
        shared: dict[tuple[str, str], Reading] | None = None,
    ) -> None:
        self._path, self._source, self._read_only = path, json.dumps([*source]), read_only
        self._tenant, self._shared = source[0], {} if shared is None else shared
        self._readings: dict[str, Reading] = {}
        # The guids of the processes that Atlan says refer to an asset, for each asset that may have changed in this run.
        self._uses: dict[str, set[str]] = {}
        self._uses_are_known = True
        self._generation, self._read_at = 0, 0.0
        if not afresh:
            self._open()

    @property
    def is_used(self) -> bool:
        """Whether there is a state to go on from, or the next run is to have one."""
        return self.is_kept or not self._read_only

    @property
    def is_kept(self) -> bool:
        """Whether there is a state to go on from."""
        return self._generation > 0

    def read(
        self, client: AtlanClient, query: AssetQuery, related: str = "", progress: SearchProgress | None = None
    ) -> dict[str, SearchHit]:
        """The assets of a query, by qualified name, their attributes as `compared_value` gives them.

        `related` is the guid of what all of them refer to, if there is such. What processes refer to has to be read
        before them, in the same run. Raises `AtlanRequestError`.
        """
        key = json.dumps([query.type_name, query.prefixes, query.attributes, related])
        if key not in self._readings:
            kept = self._load(key) if self.is_kept else None
            updated = self._update(client, query, kept) if kept else None
            if updated is None:
                updated = self._borrow(key) or self._read_all(client, query, progress)
                self._note_difference(kept, updated)
            elif progress:
                progress.total = len(updated.hits)
                progress.advance(len(updated.hits))
            self._readings[key] = updated
            if not query.type_name:
                self._shared[self._tenant, key] = updated
        return {hit["attributes"]["qualifiedName"]: hit for hit in self._readings[key].hits.values()}

    def _borrow(self, key: str) -> Reading | None:
        """What another flow has read, as if it had been read whole here."""
        read = self._shared.get((self._tenant, key))
        return Reading(read.hits, read.since, read.left_out, dict(read.hits), is_new=True) if read else None

    def _read_all(self, client: AtlanClient, query: AssetQuery, progress: SearchProgress | None) -> Reading:
        search = find_assets(client, query, progress)
        newest, hits = 0, {}
        for hit in search:
            newest = max(newest, _update_time(hit))
            hits[hit["guid"]] = keep(hit, query.attributes)
        return Reading(hits, _overlap(search.asked_at or newest), search.left_out, dict(hits), is_new=True)

    def _update(self, client: AtlanClient, query: AssetQuery, kept: Reading) -> Reading | None:
        """What was kept, brought up to date; None where it has to be read anew."""
        search, active = find_changes(client, query, kept.since, USES)
        hits, changed, newest = dict(kept.hits), set(), 0
        for hit in search:
            guid, is_active = hit["guid"], hit.get("status") == "ACTIVE"
            before = hits.pop(guid, None)
            if is_active:
                hits[guid] = keep(hit, query.attributes)
            self._note_uses(before, hit if is_active else None)
            changed.add(guid)
            newest = max(newest, _update_time(hit))
        if search.left_out or active != len(hits) + kept.left_out:
            told = "an unknown number of" if active is None else f"{active:,}"
            logger.info(
                "🔍 Atlan has %s of %s, and %s are known: all are read again",
                told, query.type_name or "the assets", f"{len(hits):,}",
            )  # fmt: skip
            return None
        if not self._read_again(client, query, hits, changed):
            return None
        differs = {guid: hits.get(guid) for guid in changed if hits.get(guid) != kept.hits.get(guid)}
        since = max(kept.since, _overlap(search.asked_at or newest))
        return Reading(hits, since, kept.left_out, differs)

    def _read_again(
        self, client: AtlanClient, query: AssetQuery, hits: dict[str, SearchHit], changed: set[str]
    ) -> bool:
        """Read the processes again that refer to something else than is kept, though they were not modified themselves.

        Archiving, purging or restoring an asset ends or brings back its place in a process and leaves the time of the
        process as it is (`deleteRelationships` of the metastore's `DeleteHandlerV1`, `restoreVertex` of its
        `RestoreHandlerV1`). Whether that was possible.
        """
        if not set(query.attributes) & {*REFERENCES}:
            return True
        if not self._uses_are_known:
            return False
        referring: dict[str, set[str]] = {name: set() for name in self._uses}
        for guid, hit in hits.items():
            for name in _referred(hit):
                if name in referring:
                    referring[name].add(guid)
        other = {guid for name, told in self._uses.items() for guid in told ^ referring[name] if guid in hits}
        again = sorted(other - changed)
        if len(again) * PAGE_SIZE > len(hits) * MOST_GUIDS + PAGE_SIZE * MOST_GUIDS:
            return False  # it takes fewer requests to read all
        for hit in find_by_guid(client, query, again):
            hits[hit["guid"]] = keep(hit, query.attributes)
            other.discard(hit["guid"])
        changed.update(again)
        return not other - changed

    def _note_uses(self, before: SearchHit | None, now: SearchHit | None) -> None:
        """Note which processes refer to an asset now; none to one that is archived, or has another name."""
        names = {hit["attributes"]["qualifiedName"] for hit in (before, now) if hit}
        for name in names:
            self._uses.setdefault(name, set())
        if now:
            told = [now["attributes"].get(use) or [] for use in USES]
            refs = [ref for refs in told if isinstance(refs, list) for ref in refs if isinstance(ref, dict)]
            self._uses[now["attributes"]["qualifiedName"]] |= {str(ref.get("guid")) for ref in refs}

    def _note_difference(self, kept: Reading | None, read: Reading) -> None:
        """Note what is gone, where all was read anew; who refers to what is new, nobody has told."""
        if kept is None or read.hits.keys() - kept.hits.keys():
            self._uses_are_known = False
            return
        for guid in kept.hits.keys() - read.hits.keys():
            self._note_uses(kept.hits[guid], None)

    # The file

    def log_status(self) -> None:
        """Show what a run would make of the file."""
        logger.info("💾 What Atlan holds: %s (%s)", self.status, self._path)

    @property
    def status(self) -> str:
        """What a run would make of the file, in a few words."""
        if not self.is_kept:
            return "not kept, or of no use"
        return f"kept, read whole {(time.time() - self._read_at) / 3600:.1f} hours ago"

    def _open(self) -> None:
        """Look whether the file can be used."""
        try:
            with open_regular_file(self._path):
                pass
            with _connect(self._path) as database:
                [(found, source, generation, read_at)] = database.execute("SELECT * FROM state LIMIT 2")
        except FileNotFoundError:
            return
        except (OSError, sqlite3.Error, ValueError) as error:
            self._warn(error)
            return
        if found != FORMAT or not isinstance(generation, int) or not isinstance(read_at, float):
            self._warn(ValueError("it is of another version"))
        elif source != self._source:
            logger.info("💾 %s is of another tenant or flow and is not used", self._path)
        elif 0 <= time.time() - read_at < KEPT_DAYS * 86400:
            self._generation, self._read_at = generation, read_at

    def _load(self, key: str) -> Reading | None:
        try:
            with _connect(self._path) as database:
                rows = database.execute("SELECT since, left_out FROM reading WHERE key = ?", (key,)).fetchall()
                if not rows:
                    return None
                [(since, left_out)] = rows
                assets = database.execute("SELECT guid, document FROM asset WHERE key = ?", (key,))
                hits = {guid: _parse(guid, document) for guid, document in assets}
            if not isinstance(since, int) or not isinstance(left_out, int):
                raise ValueError("its times are no numbers")
            return Reading(hits, since, left_out)
        except (sqlite3.Error, ValueError, RecursionError) as error:
            self._warn(error)
            return None

    def _warn(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        logger.warning("⚠️ %s is no usable state (%s): Atlan is read anew", self._path, visible(str(reason), 200))

    def save(self) -> None:
        """Put what this run has read into the file; with a warning, and without an error, where that cannot be done.

        What another run has put there meanwhile stays.
        """
        if self._read_only or not self._readings:
            return
        try:
            if not self.is_kept:
                self._make_anew()
            with _connect(self._path, "rw") as database, database:
                database.execute("BEGIN IMMEDIATE")
                [(generation,)] = database.execute("SELECT generation FROM state")
                if generation != self._generation:
                    logger.info("💾 %s was written by another run and stays as it is", self._path)
                    return
                self._write(database)
        except (OSError, sqlite3.Error, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            logger.warning("⚠️ %s cannot be written (%s); the next run reads all of Atlan", self._path, reason)

    def _make_anew(self) -> None:
        """An empty file, for its owner only, as it holds a tenant's inventory."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for path in (self._path, Path(f"{self._path}-journal")):
            path.unlink(missing_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._generation, self._read_at = 1, time.time()
        with _connect(self._path, "rw") as database, database:
            database.executescript(SCHEMA)
            row = (FORMAT, self._source, self._generation, self._read_at)
            database.execute("INSERT INTO state VALUES (?,?,?,?)", row)

    def _write(self, database: sqlite3.Connection) -> None:
        for (key,) in database.execute("SELECT key FROM reading").fetchall():
            # What was not read in this run is of another moment.
            if key not in self._readings or self._readings[key].is_new:
                database.execute("DELETE FROM reading WHERE key = ?", (key,))
                database.execute("DELETE FROM asset WHERE key = ?", (key,))
        for key, reading in self._readings.items():
            row = (key, reading.since, reading.left_out)
            database.execute("INSERT OR REPLACE INTO reading VALUES (?,?,?)", row)
            gone = [(key, guid) for guid, hit in reading.differs.items() if hit is None]
            database.executemany("DELETE FROM asset WHERE key = ? AND guid = ?", gone)
            there = ((key, guid, json.dumps(hit)) for guid, hit in reading.differs.items() if hit)
            database.executemany("INSERT OR REPLACE INTO asset VALUES (?,?,?)", there)
        database.execute("UPDATE state SET generation = generation + 1")


@contextlib.contextmanager
def _connect(path: Path, mode: str = "ro") -> Iterator[sqlite3.Connection]:
    """The database in a file that is there; raises `sqlite3.Error`."""
    address = f"{path.resolve().as_uri()}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=LOCKED_SECONDS)) as database:
        yield database


def _parse(guid: object, document: object) -> SearchHit:
    hit = json.loads(document) if isinstance(document, str) else None
    if not is_search_hit(hit) or hit["guid"] != guid:
        raise ValueError("an asset in it is none")
    if not _is_of_texts(hit.get("referred", {})) or not _is_of_texts(hit.get("guids", {})):
        raise ValueError("an asset in it refers to what is none")
    for value in hit["attributes"].values():
        if isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise ValueError("an attribute in it is none")
    return hit


def _is_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def keep(hit: SearchHit, attributes: Iterable[str]) -> SearchHit:
    """A hit with these attributes and its names only, each as it is compared: references by qualified name."""
    values = {name: hit["attributes"].get(name) for name in ("qualifiedName", "name", *attributes)}
    told = {name: compared_value(value) for name, value in values.items() if value is not None}
    kept: SearchHit = {"typeName": hit["typeName"], "guid": hit["guid"], "attributes": told}
    if isinstance(hit.get("createTime"), int):
        kept["createTime"] = hit["createTime"]
    types = {name: common_type(value) for name, value in values.items() if isinstance(value, list)}
    if referred := {name: type_name for name, type_name in types.items() if type_name}:
        kept["referred"] = referred
    few = [ref for value in values.values() if isinstance(value, list) and len(value) < LARGE for ref in value]
    guids = {str(compared_value(ref)): ref["guid"] for ref in few if isinstance(ref, dict) and "guid" in ref}
    if guids:
        kept["guids"] = guids
    return kept


def _referred(hit: SearchHit) -> list[str]:
    """The qualified names of what a process refers to, as it is kept."""
    values = [hit["attributes"].get(name) or [] for name in REFERENCES]
    return [name for value in values for name in (value if isinstance(value, list) else [value])]


def _update_time(hit: Mapping[str, Any]) -> int:
    told = hit.get("updateTime")
    return told if isinstance(told, int) else 0


def _overlap(moment: int) -> int:
    return max(0, moment - OVERLAP_SECONDS * 1000)
