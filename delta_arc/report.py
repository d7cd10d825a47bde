"""What became of every asset: the outcomes of a step or a run, and what was left out."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypedDict

from delta_arc.entities import Flow, Load, RegisteredObject
from delta_arc.evidence import Evidence
from delta_arc.jobs.told import Told
from delta_arc.overrides import Overrides
from runtime.atlan import SearchHit
from runtime.terminal import NOTICE, logger


class Status(str, Enum):
    """What became of an asset; in a dry run: what would."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one asset. `is_absent` says that it was to be created and is not in Atlan after all."""

    type_name: str
    name: str
    qualified_name: str
    status: Status
    detail: str = ""
    guid: str = ""  # where Atlan told it when it was written
    is_absent: bool = False


@dataclass(frozen=True)
class Unmatched:
    """Tables, objects or columns (their `kind`) that are in no complete chain for one reason, and the lines of overrides
    that settle them, to choose one from.

    `names` are their qualified names or keys, and `reason` the sentence without names. What is no question,
    but just to be known, `is_note`: it is counted and not warned of.
    """

    kind: str
    sentence: str
    names: tuple[str, ...]
    lines: tuple[str, ...] = ()
    is_note: bool = False
    reason: str = ""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.names)


@dataclass(frozen=True)
class Gap:
    """What a chain is missing: which of its parts (`target`, `object`, `columns`), and in words.

    `objects` are the keys that it has all the same, and `candidates` the qualified names between which nothing decides.
    """

    parts: tuple[str, ...]
    words: str
    objects: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """How far the lineage reaches: by source table the complete chains with their ground, and what others are missing.

    `targets` are the tables that incomplete chains would end in, as far as there are any. `extracts` are, with their
    ground, the source tables that reach S3 only, and `loads` the target tables whose objects come from no known table.
    """

    complete: Mapping[str, str] = field(default_factory=dict)
    incomplete: Mapping[str, Gap] = field(default_factory=dict)
    unmatched: tuple[Unmatched, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    extracts: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, str] = field(default_factory=dict)
    # How many chains stand on each ground: told, read or named.
    grounds: Mapping[str, int] = field(default_factory=dict)
    # The lines of the overrides that decided about a source table or its objects, as they are written.
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> int:
        """How many source tables there are."""
        return len(self.complete) + len(self.incomplete)

    @property
    def percent(self) -> float:
        """How many in a hundred source tables have a complete chain; 0 where there is no table."""
        return len(self.complete) * 100 / max(1, self.tables)


@dataclass
class Report:
    """What a step or a run did, asset by asset, and what it left out, with the reason."""

    outcomes: list[Outcome] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    # What Atlan had before, by qualified name.
    existing: Mapping[str, SearchHit] = field(default_factory=dict)
    # Processes, by qualified name, that one file alone leaves out: they stay, with what is below them.
    doubted: frozenset[str] = frozenset()
    # Whether there was anything to write.
    changes: bool = False
    # Whether it was a run in which no table has a chain: a wrong prefix, an empty bucket, or names that do not fit.
    without_chains: bool = False
    # By how much fewer tables have a complete chain than were asked for; empty where that is not so.
    shortfall: str = ""

    def count(self, status: Status) -> int:
        """How many assets have this outcome."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """What could not be written or removed."""
        return [outcome for outcome in self.outcomes if outcome.status is Status.FAILED]

    @property
    def absent(self) -> frozenset[str]:
        """The qualified names of what could not be created: nothing can refer to them."""
        return frozenset(outcome.qualified_name for outcome in self.outcomes if outcome.is_absent)

    @property
    def stale(self) -> list[SearchHit]:
        """What Atlan had before and is wanted no more."""
        return find_stale(self.existing, {outcome.qualified_name for outcome in self.outcomes}, self.doubted)


def find_stale(
    existing: Mapping[str, SearchHit], wanted: Container[str], doubted: Container[str] = ()
) -> list[SearchHit]:
    """What was made earlier and is wanted no more; column processes first, as they lean on the others.

    What one file alone leaves out (`doubted`) stays, and so does what is below it.
    """
    hits = [
        hit
        for name, hit in sorted(existing.items())
        if name not in wanted and name not in doubted and name.partition("/column/")[0] not in doubted
    ]
    return sorted(hits, key=lambda hit: hit["typeName"] != "ColumnProcess")


@dataclass
class TableLineage(Report):
    """The report of table lineage, with what column lineage and the plan build on."""

    # The load processes that are in place, by qualified name: the parents of column lineage.
    loads: dict[str, Load] = field(default_factory=dict)
    flow: Flow | None = None
    coverage: Coverage = field(default_factory=Coverage)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
    overrides: Overrides | None = None


class S3Integration(TypedDict):
    """What `integration_with_S3` returns: `object_count` counts the `s3_objects`, and `bucket_object_count` all that the
    bucket has, under any prefix (None where that is not known); `inventory` is the report of S3 Inventory that they are
    from, with its moment, or an empty text where they were listed."""

    connection_qualified_name: str
    bucket_qualified_name: str
    s3_objects: list[RegisteredObject]
    object_count: int
    bucket_object_count: int | None
    inventory: str
    report: Report


DONE_STATUSES = (Status.CREATED, Status.UPDATED, Status.REMOVED)
PLANNED_WORDS = {Status.CREATED: "to create", Status.UPDATED: "to update", Status.REMOVED: "to remove"}


def log_lines(lines: Iterable[str], level: int = logging.INFO) -> None:
    """Show lines as they are; one that begins with ⚠️ is a warning, with those that are indented below it by six."""
    now = level
    for line in lines:
        now = logging.WARNING if line.startswith("⚠️") else now if line.startswith(" " * 6) else level
        logger.log(now, "%s", line)


def count_unmatched(unmatched: Iterable[Unmatched]) -> int:
    """How many tables, objects and columns are open, without what is just to be known."""
    return sum(item.count for item in unmatched if not item.is_note)


def summarise(report: Report, dry_run: bool = False, place: str = "") -> None:
    """Log what failed, and the counts; `place` is where it was. What has changed is told by name at DEBUG."""
    words: Mapping[Status, str] = PLANNED_WORDS if dry_run else {}
    for outcome in report.outcomes:
        if outcome.status in DONE_STATUSES:
            done = words.get(outcome.status, outcome.status.value)
            logger.debug("   %s %s: %s", outcome.type_name, done, outcome.qualified_name)
    for outcome in report.failed:
        logger.error("❌ %s %s failed: %s", outcome.type_name, outcome.qualified_name, outcome.detail)
    counts = {status: report.count(status) for status in Status}
    shown = [status for status in Status if counts[status] or status is not Status.REMOVED]
    told = ", ".join(f"{counts[status]} {words.get(status, status.value)}" for status in shown)
    ended = ("Dry run, nothing was written" if dry_run else "Done") + (f" in {place}" if place else "")
    lack = "no table has a chain" if report.without_chains else report.shortfall
    mark = "❌" if report.failed else "⚠️" if lack else "✅"
    unmatched = count_unmatched(report.unmatched)
    logger.log(NOTICE, "%s %s: %s, %d unmatched%s", mark, ended, told, unmatched, f", {lack}" if lack else "")
