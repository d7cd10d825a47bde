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
from delta_arc.matching import AssetRow, columns_by_parent, places_of
from delta_arc.overrides import Overrides, override_columns
from delta_arc.pairing import match_columns
from delta_arc.report import Unmatched


def table_processes(
    flow: Flow, hops: Iterable[Hop], assets: Sequence[AssetRow]
) -> tuple[list[Entity], list[Entity], dict[str, Load]]:
    """The wanted extract processes (table → objects) and load processes (objects → table), and the tables at both ends
    of the load processes that complete a chain, by their qualified names. `assets` are the rows of both sides.
    """
    tables, places = {row[0]: row for row in assets}, places_of(assets)
    extracts: dict[str, Entity] = {}
    loads: list[Entity] = []
    ends: dict[str, Load] = {}
    for hop in hops:
        ground = hop.evidence.on_process
        if hop.source:  # several targets of one table have its extract process in common
            extracts[hop.source] = make_extract(flow, tables[hop.source], places[hop.source], hop.objects, ground)
        if hop.target:
            load = make_load(flow, hop.source or "", hop.objects, tables[hop.target], places[hop.target], ground)
            loads.append(load)
            if hop.source:
                absent = frozenset(hop.evidence.absent)
                doubted = absent - {*hop.evidence.agreed_absent}
                ends[load["attributes"]["qualifiedName"]] = Load(hop.source, hop.target, absent, doubted)
    return list(extracts.values()), loads, ends


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
        present = [pair for pair in by_name if pair[0][1] not in load.absent]
        pairs, used_here = override_columns(overrides, present, sources, targets)
        used |= used_here
        wanted += [
            make_column_process(process, tables[load.source], left, tables[load.target], right) for left, right in pairs
        ]
        doubted |= {column_name(process, right[1]) for left, right in by_name if left[1] in load.doubted}
        matched = {row[0] for pair in pairs for row in pair}
        unmatched += explain_columns("Snowflake", sources, matched, load.absent, overrides)
        in_target = matched | {right[0] for _, right in by_name}
        unmatched += explain_columns("PostgreSQL", targets, in_target, (), overrides)
    return wanted, unmatched, frozenset(used), frozenset(doubted)
