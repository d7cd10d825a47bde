"""What the lineage has to be: the processes that Atlan should have for tables, objects and columns that match. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from delta_arc.coverage import explain_columns
from delta_arc.entities import (
    Entity,
    Flow,
    Load,
    column_name,
    make_column_process,
    make_extract,
    make_load,
)
from delta_arc.hops import Hop
from delta_arc.jobs.told import newest, newest_columns, told_columns
from delta_arc.matching import AssetRow, columns_by_parent, places_of
from delta_arc.overrides import Overrides
from delta_arc.overriding import override_columns
from delta_arc.pairing import match_columns
from delta_arc.report import Unmatched


def table_processes(
    flow: Flow, hops: Iterable[Hop], assets: Sequence[AssetRow]
) -> tuple[list[Entity], list[Entity], dict[str, Load]]:
    """The wanted extract processes (table → objects) and load processes (objects → table), and the tables at both ends
    of the load processes that complete a chain, by their qualified names. `assets` are the rows of both sides.
    """
    tables, places = {row[0]: row for row in assets}, places_of(assets)
    exported: dict[str, list[Hop]] = {}
    loads: list[Entity] = []
    ends: dict[str, Load] = {}
    for hop in hops:
        if hop.source:
            exported.setdefault(hop.source, []).append(hop)
        if hop.target:
            told = newest(hop.loads) if hop.loads else None
            ground = hop.evidence.on_process_told(told)
            target = tables[hop.target], places[hop.target]
            load = make_load(flow, hop.source or "", hop.objects, *target, ground, told)
            loads.append(load)
            if hop.source:
                absent = frozenset(hop.evidence.absent)
                doubted = absent - {*hop.evidence.agreed_absent}
                columns = newest_columns(hop.extracts), newest_columns(hop.loads), hop.evidence.header
                ends[load["attributes"]["qualifiedName"]] = Load(hop.source, hop.target, absent, doubted, *columns)
    return [_extract(flow, tables[source], places[source], found) for source, found in exported.items()], loads, ends


def _extract(flow: Flow, source: AssetRow, place: Sequence[str], hops: Sequence[Hop]) -> Entity:
    """The extract process of a table, which its ways to several targets have in common."""
    objects = {item["qualified_name"]: item for hop in hops for item in hop.objects}
    extracts = [one for hop in hops for one in hop.extracts]
    told = newest(extracts) if extracts else None
    ground = hops[-1].evidence.on_process_told(told)
    return make_extract(flow, source, place, [objects[name] for name in sorted(objects)], ground, told)


def column_processes(
    loads: Mapping[str, Load],
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    overrides: Overrides,
) -> tuple[list[Entity], list[Unmatched], frozenset[int], frozenset[str]]:
    """The wanted column processes below each load process; what is told of the columns that get none; the numbers of the
    lines of overrides that are about these columns; and the names of the processes that one file alone leaves out.

    A column needs its partner in the target, and its place in the file, unless an override says that it is there.
    """
    source_columns, target_columns = columns_by_parent(postgres_assets), columns_by_parent(snowflake_assets)
    tables = {row[0]: row for row in [*postgres_assets, *snowflake_assets]}
    wanted: list[Entity] = []
    unmatched: list[Unmatched] = []
    used: set[int] = set()
    doubted: set[str] = set()
    for process, load in loads.items():
        sources, targets = source_columns.get(load.source, []), target_columns.get(load.target, [])
        by_name = match_columns(sources, targets)
        told = told_columns(sources, targets, load.extracted, load.loaded, load.header)
        present = [pair for pair in by_name if pair[0][1] not in load.absent] if told is None else told
        pairs, used_here = override_columns(overrides, present, sources, targets)
        used |= used_here
        made = [
            make_column_process(process, tables[load.source], left, tables[load.target], right) for left, right in pairs
        ]
        wanted += _with_all_inputs(made)
        if told is None:
            doubted |= {column_name(process, right[1]) for left, right in by_name if left[1] in load.doubted}
        matched = {row[0] for pair in pairs for row in pair}
        absent = load.absent if told is None else ()
        unmatched += explain_columns("Snowflake", sources, matched, absent, overrides)
        in_target = matched | {right[0] for _, right in by_name if told is None}
        unmatched += explain_columns("PostgreSQL", targets, in_target, (), overrides)
    return wanted, unmatched, frozenset(used), frozenset(doubted)


def _with_all_inputs(processes: Iterable[Entity]) -> list[Entity]:
    """The column processes, one for each column that is filled, with all that it is made of."""
    found: dict[str, Entity] = {}
    for process in processes:
        first = found.setdefault(process["attributes"]["qualifiedName"], process)
        if first is not process:
            first["attributes"]["inputs"] += process["attributes"]["inputs"]
    return list(found.values())
