"""Which hops are founded: from a table into its objects, and from objects on into a table. Pure functions."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from delta_arc.entities import Flow, RegisteredObject, extract_name, load_name
from delta_arc.evidence import Evidence, Ground
from delta_arc.jobs.told import ToldHop, newest
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch, match_s3_objects
from delta_arc.overrides import Overrides
from delta_arc.pairing import TablePair


def match_rest(
    matches: Iterable[ObjectMatch],
    pairs: Iterable[TablePair],
    snowflake_assets: Iterable[AssetRow],
    overrides: Overrides,
    prefix: str = "",
) -> list[ObjectMatch]:
    """The matches, where an object of no source table may be one of a Snowflake table that no source lands in: what is
    set aside as another system's, too, as that may be a schema of the target.
    """
    matches = list(matches)
    taken = {pair.target for pair in pairs} | {line.value for line in overrides.of("table")}
    free = [
        row for row in snowflake_assets if row[2] not in ("View", "MaterialisedView", "Column") and row[0] not in taken
    ]
    keys = [match.key for match in matches if match.outcome in (MatchOutcome.NO_TABLE, MatchOutcome.SET_ASIDE)]
    found = {match.key: match for match in match_s3_objects(keys, free, prefix) if match.table_qualified_name}
    return [found.get(match.key, match) for match in matches]


def is_doubtful(match: ObjectMatch) -> bool:
    """Whether an object may be a table's by its name, and its columns may settle it."""
    return match.outcome is MatchOutcome.DOUBTFUL or (
        match.outcome is MatchOutcome.AMBIGUOUS and len(match.candidates) > 1
    )


def group_datasets(
    matches: Iterable[ObjectMatch], s3_objects: Mapping[str, RegisteredObject], with_doubtful: bool = False
) -> dict[str, list[RegisteredObject]]:
    """The objects of each table that has any, by its qualified name; `s3_objects` are those by key.

    `with_doubtful` adds those that may be one's by their names to each table that they may be of.
    """
    found: dict[str, list[RegisteredObject]] = {}
    for match in matches:
        tables = match.candidates if with_doubtful and is_doubtful(match) else (match.table_qualified_name,)
        for table in filter(None, tables):
            found.setdefault(table, []).append(s3_objects[match.key])
    return found


def settle_doubtful(matches: Iterable[ObjectMatch], evidence: Mapping[str, Evidence]) -> list[ObjectMatch]:
    """The matches, where a doubtful object is of the one table whose columns it has."""
    return [_settle(match, evidence) if is_doubtful(match) else match for match in matches]


def _settle(match: ObjectMatch, evidence: Mapping[str, Evidence]) -> ObjectMatch:
    for table in match.candidates:
        if table in evidence and match.key in evidence[table].proven:
            return ObjectMatch(match.key, table, f"{match.rule}, settled by its columns", MatchOutcome.MATCHED)
    return match


@dataclass(frozen=True)
class Hop:
    """One table's way from PostgreSQL into objects, on into a Snowflake table, or both.

    `source` or `target` is None where that end is not known: the other hop is true for itself.
    """

    source: str | None
    target: str | None
    objects: Sequence[RegisteredObject]
    evidence: Evidence
    # Who tells that the objects come from the source, and that they go to the target.
    extracts: tuple[ToldHop, ...] = ()
    loads: tuple[ToldHop, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether both ends are known."""
        return bool(self.source and self.target)

    @property
    def words(self) -> str:
        """What it stands on, for people: each of its ends by itself, where they differ."""
        told = [
            f"{what} told by {newest(hops).teller}"
            for what, end, hops in (("export", self.source, self.extracts), ("load", self.target, self.loads))
            if end and hops
        ]
        is_all_told = len(told) == bool(self.source) + bool(self.target)
        return ", ".join(told if is_all_told else [*told, str(self.evidence)])

    @property
    def ground(self) -> str:
        """On what the weaker of its ends stands: told, read or named."""
        if all(hops for end, hops in ((self.source, self.extracts), (self.target, self.loads)) if end):
            return "told"
        return "read" if self.evidence.ground is Ground.HEADER else "named"


def find_hops(
    flow: Flow,
    pairs: Iterable[TablePair],
    datasets: Mapping[str, Sequence[RegisteredObject]],
    evidence: Mapping[str, Evidence],
    existing: Container[str],
    told: Container[str] = (),
) -> list[Hop]:
    """The hops that are founded. `existing` are the names of the processes that Atlan has, and `told` the tables whose
    objects a job tells.

    Both ends by name are enough for a chain; one hop for itself needs columns as proof. Files that could not be read
    found nothing new, and what is in Atlan already needs a contradiction to be wanted no more.
    """
    hops: list[Hop] = []
    by_names = {Ground.HEADER, Ground.FEW, Ground.NAMES}
    sources = {}
    for pair in pairs:
        sources[pair.source] = pair
        found = evidence.get(pair.source)
        if found and pair.target:
            load = load_name(flow, pair.source, pair.target)
            if _is_founded(found, by_names, load, existing):
                hops.append(Hop(pair.source, pair.target, _staying(datasets[pair.source], found), found))
            elif pair.outcome is MatchOutcome.TOLD:  # the load is, whatever the objects are
                hops.append(Hop(None, pair.target, list(datasets[pair.source]), found))
    complete = {hop.source for hop in hops if hop.source}
    for table, found in evidence.items():
        objects = _staying(datasets[table], found)
        if table not in sources:
            if table in told or _is_founded(found, {Ground.HEADER}, load_name(flow, "", table), existing):
                hops.append(Hop(None, table, objects, found))
        elif (
            table not in complete
            and not _is_decided_against(sources[table])
            and (table in told or _is_founded(found, {Ground.HEADER}, extract_name(flow, table), existing))
        ):
            hops.append(Hop(table, None, objects, found))
    return hops


def _is_decided_against(pair: TablePair) -> bool:
    """Whether a line of the overrides says that the table goes nowhere."""
    return not pair.target and pair.outcome is MatchOutcome.OVERRIDDEN


def _is_founded(found: Evidence, grounds: Container[Ground], process: str, existing: Container[str]) -> bool:
    if found.ground is Ground.CONTRADICTION:
        return False
    return found.ground in grounds or process in existing


def _staying(objects: Iterable[RegisteredObject], found: Evidence) -> list[RegisteredObject]:
    staying = [item for item in objects if item["key"] not in found.left_out and item["key"] not in found.unproven]
    return sorted(staying, key=lambda item: item["qualified_name"])


def doubted_processes(flow: Flow, pairs: Iterable[TablePair], evidence: Mapping[str, Evidence]) -> frozenset[str]:
    """The qualified names of the processes that one file alone contradicts: they are not wanted, and not removed."""
    doubted = {
        table for table, found in evidence.items() if found.ground is Ground.CONTRADICTION and not found.is_agreed
    }
    names = {extract_name(flow, table) for table in doubted} | {load_name(flow, "", table) for table in doubted}
    return frozenset(
        names | {load_name(flow, pair.source, pair.target) for pair in pairs if pair.target and pair.source in doubted}
    )
