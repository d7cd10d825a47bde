"""What the lineage has to be: the processes that Atlan should have for tables, objects and columns that match. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from delta_arc.coverage import explain_columns
from delta_arc.entities import (
    Entity,
    Flow,
    Load,
    RegisteredObject,
    column_name,
    extract_name,
    load_name,
    make_column_process,
    make_extract,
    make_load,
)
from delta_arc.evidence import Evidence, Ground
from delta_arc.matching import AssetRow, ObjectMatch, columns_by_parent, places_of
from delta_arc.overrides import Overrides, override_columns
from delta_arc.pairing import TablePair, match_columns
from delta_arc.report import Unmatched


def group_datasets(
    pairs: Iterable[TablePair], matches: Iterable[ObjectMatch], s3_objects: Mapping[str, RegisteredObject]
) -> dict[str, list[RegisteredObject]]:
    """The objects of each source table that has a target and at least one object; `s3_objects` are those by key."""
    found: dict[str, list[RegisteredObject]] = {}
    for match in matches:
        if match.table_qualified_name:
            found.setdefault(match.table_qualified_name, []).append(s3_objects[match.key])
    return {pair.source: found[pair.source] for pair in pairs if pair.target and pair.source in found}


def table_processes(
    flow: Flow,
    pairs: Iterable[TablePair],
    datasets: Mapping[str, Sequence[RegisteredObject]],
    evidence: Mapping[str, Evidence],
    assets: Sequence[AssetRow],
) -> list[tuple[Entity, Entity, Load]]:
    """The wanted extract process (table → objects) and load process (the same objects → table) of each chain.

    `assets` are the rows of both sides. What a file contradicts is no chain.
    """
    tables, places = {row[0]: row for row in assets}, places_of(assets)
    chains = []
    for pair in pairs:
        if pair.target and pair.source in datasets and evidence[pair.source].ground is not Ground.CONTRADICTION:
            objects = sorted(datasets[pair.source], key=lambda item: item["qualified_name"])
            source, target, found = tables[pair.source], tables[pair.target], evidence[pair.source]
            extract = make_extract(flow, source, places[source[0]], objects, found.on_process)
            load = make_load(flow, source, objects, target, places[target[0]], found.on_process)
            absent = frozenset(found.absent)
            chains.append((extract, load, Load(pair.source, pair.target, absent, absent - {*found.agreed_absent})))
    return chains


def doubted_processes(flow: Flow, pairs: Iterable[TablePair], evidence: Mapping[str, Evidence]) -> frozenset[str]:
    """The qualified names of the processes that one file alone contradicts: they are not wanted, and not removed."""
    doubted = [
        (pair.source, pair.target)
        for pair in pairs
        if pair.target
        and pair.source in evidence
        and evidence[pair.source].ground is Ground.CONTRADICTION
        and not evidence[pair.source].is_agreed
    ]
    extracts = {extract_name(flow, source) for source, _ in doubted}
    return frozenset(extracts | {load_name(flow, source, target) for source, target in doubted})


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
