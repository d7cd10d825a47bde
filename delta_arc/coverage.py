"""How far the lineage reaches: complete chains with their ground, and for all else the reason and the lines of overrides that would decide it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from delta_arc.evidence import Evidence, Ground
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch
from delta_arc.overrides import Overrides
from delta_arc.pairing import TablePair
from delta_arc.report import Coverage, Gap, Unmatched


def explain_tables(
    pairs: Sequence[TablePair],
    matches: Sequence[ObjectMatch],
    targets: Iterable[AssetRow],
    evidence: Mapping[str, Evidence],
    overrides: Overrides,
) -> Coverage:
    """The coverage of the chains; `evidence` is that of the datasets that have tables on both sides."""
    counts: dict[str, int] = {}
    for match in matches:
        if match.table_qualified_name:
            counts[match.table_qualified_name] = counts.get(match.table_qualified_name, 0) + 1
    complete, incomplete, unmatched = {}, {}, []
    for pair in pairs:
        found = evidence.get(pair.source)
        if pair.target and found and found.ground is not Ground.CONTRADICTION:
            number = counts[pair.source]
            complete[pair.source] = (
                f"{number} object{'s' if number > 1 else ''} → {overrides.snowflake.shortest(pair.target)}: {found}"
            )
            continue
        # A line of the file that says so is the reason, and no fault.
        overridden = pair.outcome is MatchOutcome.OVERRIDDEN
        no_target = "" if pair.target else f"Snowflake table ({'override' if overridden else pair.rule})"
        no_object = "" if pair.source in counts else "S3 object"
        gaps = {"target": no_target, "object": no_object}
        if not (no_target or no_object):
            gaps = {"columns": "columns that fit"}
        parts = tuple(part for part, words in gaps.items() if words)
        incomplete[pair.source] = Gap(parts, " and ".join(filter(None, gaps.values())))
        if not (overridden and not pair.target):
            unmatched += _explain_pair(pair, found, counts, overrides)
    unmatched += [_explain_object(match, overrides) for match in matches if _is_open(match)]
    reached = {pair.target for pair in pairs} | {line.value for line in overrides.of("table") if not line.subject}
    unmatched += [
        Unmatched("table", f"Snowflake table {row[0]} has no PostgreSQL table", (overrides.table_line(None, row[0]),))
        for row in targets
        if row[0] not in reached
    ]
    targets_of = {pair.source: pair.target for pair in pairs if pair.target and pair.source in incomplete}
    return Coverage(complete, incomplete, tuple(unmatched), targets_of)


def _explain_pair(
    pair: TablePair, found: Evidence | None, counts: Mapping[str, int], overrides: Overrides
) -> list[Unmatched]:
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
    if pair.source not in counts:
        # Where no table has an object, the prefix is wrong, and no line of the overrides would mend that.
        lines = (overrides.table_line(pair.source, None),) if pair.target and counts else ()
        told.append(Unmatched("table", f"PostgreSQL table {pair.source} has no S3 object", lines))
    if found and pair.target:
        lines = (overrides.object_line(found.key, None), overrides.object_line(found.key, pair.source))
        told.append(
            Unmatched(
                "object", f"S3 object {found.key} contradicts PostgreSQL table {pair.source}: {found.reason}", lines
            )
        )
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
