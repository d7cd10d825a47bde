"""How far the lineage reaches: complete chains with their ground, and for all else the reason and the lines of overrides
that would decide it. Pure functions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from delta_arc.entities import last_name
from delta_arc.evidence import Evidence, Ground
from delta_arc.fit import is_loaders_own
from delta_arc.hints import NO_OBJECT, NO_TARGET, NearTargets, OpenTable, explain_objects, explain_tables_without
from delta_arc.hops import Hop
from delta_arc.joining import GROUNDS
from delta_arc.matching import TARGET_TYPES, AssetRow, MatchOutcome, ObjectMatch, parent_of, tables_in
from delta_arc.overrides import Overrides
from delta_arc.pairing import TablePair
from delta_arc.report import Coverage, Gap, Unmatched


def explain_tables(
    pairs: Sequence[TablePair],
    matches: Sequence[ObjectMatch],
    sources: Sequence[AssetRow],
    targets: Sequence[AssetRow],
    evidence: Mapping[str, Evidence],
    hops: Sequence[Hop],
    overrides: Overrides,
) -> Coverage:
    """The coverage of the lineage: its chains, the hops that stand alone, and what is in neither, with the reason.

    `sources` and `targets` are the rows of both sides, of tables, views and all else.
    """
    complete, extracts, loads = _describe_hops(hops, overrides)
    keys: dict[str, list[str]] = defaultdict(list)
    for match in matches:
        if match.table_qualified_name:
            keys[match.table_qualified_name].append(match.key)
    without = [pair for pair in pairs if pair.source not in complete]
    incomplete = {
        pair.source: _find_gap(pair, evidence.get(pair.source), keys.get(pair.source, ())) for pair in without
    }
    unmatched = _explain_sources(without, sources, targets, evidence, overrides)
    unmatched += _explain_evidence(evidence, {pair.source for pair in pairs}, overrides)
    unmatched += explain_objects(matches, sources, overrides)
    reached = {pair.target for pair in pairs} | {line.value for line in overrides.of("table") if not line.subject}
    unmatched += _explain_targets(
        [row for row in tables_in(targets, TARGET_TYPES) if row[0] not in reached and row[0] not in loads], overrides
    )
    return Coverage(
        complete,
        incomplete,
        tuple(unmatched),
        {pair.source: pair.target for pair in without if pair.target},
        extracts,
        loads,
        _count_grounds(hops),
        _deciding_lines(pairs, matches, overrides),
    )


def _describe_hops(hops: Iterable[Hop], overrides: Overrides) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """What complete chains and lone hops stand on: the chains by their source, the extracts by theirs, loads by target."""
    complete: dict[str, str] = {}
    extracts: dict[str, str] = {}
    loads: dict[str, str] = {}
    for hop in hops:
        number = f"{len(hop.objects)} object{'s' if len(hop.objects) > 1 else ''}"
        if hop.source and hop.target:
            words = f"{number} → {overrides.snowflake.shortest(hop.target)}: {hop.words}"
            complete[hop.source] = f"{complete[hop.source]}; {words}" if hop.source in complete else words
        elif hop.source:
            extracts[hop.source] = f"{number}: {hop.words}"
        elif hop.target:
            loads[hop.target] = f"{number}: {hop.words}"
    return complete, extracts, loads


def _count_grounds(hops: Iterable[Hop]) -> Counter[str]:
    """How many complete chains stand on each ground; of one with several targets, the weakest counts."""
    grounds: dict[str | None, str] = {}
    for hop in hops:
        if hop.is_complete:
            grounds[hop.source] = min(grounds.get(hop.source, hop.ground), hop.ground, key=GROUNDS.index)
    return Counter(grounds.values())


def _explain_sources(
    pairs: Iterable[TablePair],
    sources: Sequence[AssetRow],
    targets: Sequence[AssetRow],
    evidence: Mapping[str, Evidence],
    overrides: Overrides,
) -> list[Unmatched]:
    """The source tables without a target table or without an object; `pairs` are those of no complete chain."""
    tables, contested = {row[0]: row for row in sources}, []
    without: list[OpenTable] = []
    for pair in pairs:
        row, is_overridden = tables[pair.source], pair.outcome is MatchOutcome.OVERRIDDEN
        if not pair.target and pair.contested_target:
            contested.append(_explain_contested(pair, overrides))
        elif not pair.target and not is_overridden:
            without.append(OpenTable(row, NO_TARGET, pair.rule, pair.candidates))
        if pair.source not in evidence and (pair.target or not is_overridden):
            without.append(OpenTable(row, NO_OBJECT))
    told = explain_tables_without(without, sources, NearTargets(targets), overrides)
    if not evidence:  # then the prefix is wrong, or the bucket is empty, and no line would mend that
        told = [replace(item, lines=()) if item.reason == f"no {NO_OBJECT}" else item for item in told]
    return [*contested, *told]


def _find_gap(pair: TablePair, found: Evidence | None, keys: Sequence[str]) -> Gap:
    """What a chain is missing. A line of the overrides that says so is the reason, and no fault."""
    overridden = pair.outcome is MatchOutcome.OVERRIDDEN
    gaps = {
        "target": "" if pair.target else f"Snowflake table ({'override' if overridden else pair.rule})",
        "object": "" if found else "S3 object",
    }
    if not any(gaps.values()):
        unread = found and found.ground is Ground.UNREAD
        gaps = {"columns": "files that can be read" if unread else "columns that fit"}
    parts = tuple(part for part, words in gaps.items() if words)
    candidates = () if pair.contested_target else pair.candidates
    return Gap(parts, " and ".join(filter(None, gaps.values())), tuple(keys), candidates)


def _deciding_lines(pairs: Iterable[TablePair], matches: Iterable[ObjectMatch], overrides: Overrides) -> dict[str, str]:
    """The lines of the overrides that decided about a source table or its objects, by that table."""
    texts = {f"override line {line.number}": f"line {line.number}: {line.text}" for line in overrides.written}
    decided = [(pair.source, pair.rule) for pair in pairs if pair.outcome is MatchOutcome.OVERRIDDEN]
    decided += [
        (match.table_qualified_name, match.rule)
        for match in matches
        if match.table_qualified_name and match.outcome is MatchOutcome.OVERRIDDEN
    ]
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for source, rule in decided:
        found[source][texts.get(rule, rule)] = None
    return {source: "; ".join(lines) for source, lines in found.items()}


def _explain_contested(pair: TablePair, overrides: Overrides) -> Unmatched:
    others = ", ".join(pair.candidates)
    sentence = f"PostgreSQL table {pair.source} has no Snowflake table (its one is claimed by {others}, too)"
    line = overrides.table_line(pair.source, pair.contested_target)
    return Unmatched("table", sentence, (pair.source,), (line,), reason="its Snowflake table is claimed by several")


def _explain_evidence(
    evidence: Mapping[str, Evidence], sources: Container[str], overrides: Overrides
) -> list[Unmatched]:
    """The objects whose names say one table and whose columns another, and those that found nothing as they cannot be
    read."""
    told = []
    for table, found in evidence.items():
        by_reason: dict[str, list[str]] = defaultdict(list)
        for key, reason in found.left_out.items():
            by_reason[reason].append(key)
        for reason, keys in by_reason.items():
            like = f"{len(keys)} S3 objects contradict" if len(keys) > 1 else f"S3 object {keys[0]} contradicts"
            like += f" {last_name(table)}{f', like {keys[0]}' if len(keys) > 1 else ''}: {reason}"
            offered = [*_only(found.fitting.get(keys[0], ())), None, table]
            lines = [overrides.object_line(keys[0], one) for one in offered if one is None or one in sources]
            told.append(Unmatched("object", like, (*keys,), (*lines,), reason="other columns than its table"))
        told += _explain_doubts(table, found, sources, overrides)
        if found.ground is Ground.UNREAD and table in sources:
            sentence = f"PostgreSQL table {table} has no file that can be read: {found.key} ({found.reason}). That founds nothing new"
            line = overrides.object_line(found.key, table)
            told.append(Unmatched("object", sentence, (found.key,), (line,), reason="not read"))
        else:
            told += _note_files(table, found)
    return told


def _explain_doubts(table: str, found: Evidence, sources: Container[str], overrides: Overrides) -> Iterator[Unmatched]:
    """The objects that count by their names, while another table has their columns clearly better."""
    for one in found.told:
        if one.fitting and one.key not in found.left_out:
            sentence = f"S3 object {one.key} counts for {last_name(table)} by its name alone: {one.reason}"
            offered = [name for name in (*_only(one.fitting), table) if name in sources]
            lines = tuple(overrides.object_line(one.key, name) for name in offered)
            yield Unmatched("object", sentence, (one.key,), lines, reason="columns of another table")


def _only(tables: Sequence[str]) -> Sequence[str]:
    """The one table that is meant; none where it may be several."""
    return tables if len(tables) == 1 else ()


def _note_files(table: str, found: Evidence) -> list[Unmatched]:
    """What is to be known of a table's files: those that cannot be read, and what the newest one has no more."""
    notes = []
    unread = [one for one in found.told if one.ground is Ground.UNREAD]
    if unread:
        number = f"{len(unread)} S3 objects" if len(unread) > 1 else "An S3 object"
        sentence = f"{number} of {last_name(table)} cannot be read: {unread[0].key} ({unread[0].reason})"
        notes.append(Unmatched("object", sentence, tuple(one.key for one in unread), is_note=True, reason="not read"))
    telling = [one for one in found.told if one.ground is Ground.HEADER and one.key not in found.left_out]
    if len(telling) > 1:
        gone = sorted(frozenset[str]().union(*(one.shared for one in telling)) - telling[0].shared)
        if gone:
            sentence = f"The newest file of {last_name(table)} has no {', '.join(gone)}, which older ones have: {telling[0].key}"
            names = tuple(f"{table}/{name}" for name in gone)
            notes.append(Unmatched("column", sentence, names, is_note=True, reason="not in the newest file"))
    return notes


def _explain_targets(rows: Iterable[AssetRow], overrides: Overrides) -> list[Unmatched]:
    """The target tables that nothing lands in, told once for each schema: a warehouse has many that no file fills."""
    by_schema: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_schema[parent_of(row[0], row[1])].append(row[0])
    told = []
    for schema, names in by_schema.items():
        if len(names) == 1:
            sentence = f"Snowflake table {names[0]} has no PostgreSQL table"
        else:
            sentence = f"{len(names)} Snowflake tables of {schema} have no PostgreSQL table, like {names[0]}"
        line = overrides.table_line(None, names[0])
        told.append(Unmatched("table", sentence, (*names,), (line,), reason="no PostgreSQL table"))
    return told


def explain_columns(
    side: str, rows: Iterable[AssetRow], matched: set[str], absent: Iterable[str], overrides: Overrides
) -> list[Unmatched]:
    """One sentence for each column of one side of a chain that has no partner; `absent` are names not in the file."""
    absent = frozenset(absent)
    told = []
    for row in rows:
        is_own = side == "PostgreSQL" and is_loaders_own(row[1])
        if is_own or row[0] in matched or row[0] in overrides.without_partner:
            continue
        if side == "Snowflake" and row[1] in absent:
            sentence, reason = f"Column {row[0]} is not in the file", "not in the file"
        else:
            sentence, reason = f"Column {row[0]} has no {side} column", f"no {side} column"
        line = overrides.column_line(row[0], None) if side == "Snowflake" else overrides.column_line(None, row[0])
        told.append(Unmatched("column", sentence, (row[0],), (line,), reason=reason))
    return told
