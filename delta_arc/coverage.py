"""How far the lineage reaches: complete chains with their ground, and for all else the reason and the lines of overrides that would decide it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from delta_arc.entities import last_name
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import Hop
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch
from delta_arc.overrides import Overrides
from delta_arc.pairing import TablePair
from delta_arc.report import Coverage, Gap, Unmatched


def explain_tables(
    pairs: Sequence[TablePair],
    matches: Sequence[ObjectMatch],
    targets: Iterable[AssetRow],
    evidence: Mapping[str, Evidence],
    hops: Sequence[Hop],
    overrides: Overrides,
) -> Coverage:
    """The coverage of the lineage: its chains, the hops that stand alone, and what is in neither, with the reason."""
    complete: dict[str, str] = {}
    extracts: dict[str, str] = {}
    loads: dict[str, str] = {}
    for hop in hops:
        number = f"{len(hop.objects)} object{'s' if len(hop.objects) > 1 else ''}"
        if hop.source and hop.target:
            words = f"{number} → {overrides.snowflake.shortest(hop.target)}: {hop.evidence}"
            complete[hop.source] = f"{complete[hop.source]}; {words}" if hop.source in complete else words
        elif hop.source:
            extracts[hop.source] = f"{number}: {hop.evidence}"
        elif hop.target:
            loads[hop.target] = f"{number}: {hop.evidence}"
    carried = {match.table_qualified_name for match in matches}
    incomplete, unmatched = {}, []
    for pair in pairs:
        if pair.source in complete:
            continue
        found = evidence.get(pair.source)
        incomplete[pair.source] = _find_gap(pair, found)
        if pair.target or pair.outcome is not MatchOutcome.OVERRIDDEN:
            unmatched += _explain_pair(pair, found, any(carried), overrides)
    unmatched += _explain_left_out(evidence, {pair.source for pair in pairs}, overrides)
    unmatched += [_explain_object(match, overrides) for match in matches if _is_open(match)]
    reached = {pair.target for pair in pairs} | {line.value for line in overrides.of("table") if not line.subject}
    unmatched += [
        Unmatched("table", f"Snowflake table {row[0]} has no PostgreSQL table", (overrides.table_line(None, row[0]),))
        for row in targets
        if row[0] not in reached and row[0] not in loads
    ]
    ends = {pair.source: pair.target for pair in pairs if pair.target and pair.source in incomplete}
    return Coverage(complete, incomplete, tuple(unmatched), ends, extracts, loads)


def _find_gap(pair: TablePair, found: Evidence | None) -> Gap:
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
    return Gap(parts, " and ".join(filter(None, gaps.values())))


def _explain_pair(pair: TablePair, found: Evidence | None, any_object: bool, overrides: Overrides) -> list[Unmatched]:
    told = []
    if not pair.target:
        candidates = f": {', '.join(pair.candidates)}" if pair.candidates else ""
        ends = [pair.contested_target] if pair.contested_target else pair.candidates or [None]
        lines = tuple(overrides.table_line(pair.source, end) for end in ends)
        told.append(
            Unmatched(
                "table", f"PostgreSQL table {pair.source} has no Snowflake table ({pair.rule}{candidates})", lines
            )
        )
    if not found:
        # Where no table has an object, the prefix is wrong, and no line of the overrides would mend that.
        lines = (overrides.table_line(pair.source, None),) if pair.target and any_object else ()
        told.append(Unmatched("table", f"PostgreSQL table {pair.source} has no S3 object", lines))
    elif found.ground is Ground.UNREAD:
        lines = (overrides.object_line(found.key, pair.source),)
        sentence = f"PostgreSQL table {pair.source} has no file that can be read, which founds nothing new: {found}"
        told.append(Unmatched("object", sentence, lines))
    return told


def _explain_left_out(
    evidence: Mapping[str, Evidence], sources: Container[str], overrides: Overrides
) -> list[Unmatched]:
    """The objects whose names say one table and whose columns another."""
    told = []
    for table, found in evidence.items():
        for key, reason in found.left_out.items():
            lines = [overrides.object_line(key, None)]
            lines += [overrides.object_line(key, table)] if table in sources else []
            told.append(Unmatched("object", f"S3 object {key} contradicts {last_name(table)}: {reason}", (*lines,)))
    return told


def _is_open(match: ObjectMatch) -> bool:
    return not match.table_qualified_name and match.outcome is not MatchOutcome.OVERRIDDEN


def _explain_object(match: ObjectMatch, overrides: Overrides) -> Unmatched:
    candidates = f": {', '.join(match.candidates)}" if match.candidates else ""
    lines = tuple(overrides.object_line(match.key, table) for table in match.candidates or [None])
    return Unmatched("object", f"S3 object {match.key} matches no table ({match.rule}{candidates})", lines)


def explain_columns(
    side: str, rows: Iterable[AssetRow], matched: set[str], absent: Iterable[str], overrides: Overrides
) -> list[Unmatched]:
    """One sentence for each column of one side of a chain that has no partner; `absent` are names not in the file."""
    absent = frozenset(absent)
    decided = {
        name
        for line in overrides.of("column")
        if not (line.subject and line.value)
        for name in (line.subject, line.value)
    }
    told = []
    for row in rows:
        if row[0] in matched or row[0] in decided:
            continue
        if side == "Snowflake" and row[1] in absent:
            sentence = f"Column {row[0]} is not in the file"
        else:
            sentence = f"Column {row[0]} has no {side} column"
        line = overrides.column_line(row[0], None) if side == "Snowflake" else overrides.column_line(None, row[0])
        told.append(Unmatched("column", sentence, (line,)))
    return told
