"""Hints: what is open, told once for each group of objects or tables that are alike, with the lines of overrides that
would settle the group and nothing else. Pure functions.

A group has one outcome, one reason, the same candidates, and names of one shape: `x9.csv` and `x10.csv` are alike. Its line
is proven against all keys: a pattern that would decide about another object as well is not offered.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from delta_arc.cores import core_of, singular, words_of
from delta_arc.keys import fold, is_hash, plain, read_name
from delta_arc.matching import TARGET_TYPES, AssetRow, MatchOutcome, ObjectMatch, tables_in
from delta_arc.overrides import Overrides
from delta_arc.patterns import LONGEST_PATTERN, parse_pattern, visible_pattern
from delta_arc.report import Unmatched

EXAMPLES = 3  # near names that are told of a group
MOST_PROVEN = 3_000_000  # keys that patterns are held against, a few seconds of work
MOST_NEAR = 300  # groups for which near names are looked for
MOST_COMPARED = 200  # names that one is compared with
FEW = 5  # groups of one folder that are told one by one


# =====================================================================================================================
# Objects
# =====================================================================================================================

_NOTES = (MatchOutcome.NOT_DATA, MatchOutcome.SET_ASIDE)
_UNTOLD = (MatchOutcome.MATCHED, MatchOutcome.OVERRIDDEN, MatchOutcome.OUT_OF_SCOPE)
_RUN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]+|[0-9a-fA-F]{7,}(?:-[0-9a-fA-F]{4,})*)(?![0-9A-Za-z])|[0-9]+")


def explain_objects(
    matches: Sequence[ObjectMatch], tables: Iterable[AssetRow], overrides: Overrides
) -> list[Unmatched]:
    """The hints for the objects that no table has, the largest groups first, and what is only to be known last.

    `matches` are those of all objects, after the overrides; `tables` the source tables that an object may carry.
    """
    open_ones = [match for match in matches if not match.table_qualified_name and match.outcome not in _UNTOLD]
    proof = _Proof(match.key for match in matches)
    near = NearNames(tables_in(tables))
    hints = []
    for number, group in enumerate(_groups(open_ones, proof)):
        is_asked = number < MOST_NEAR and group.matches[0].outcome is MatchOutcome.NO_TABLE
        hints.append(_explain_group(group, near.find(_name_in(group.matches[0].key)) if is_asked else [], overrides))
    return sorted(hints, key=lambda hint: hint.is_note)


@dataclass(frozen=True)
class _Group:
    """Objects that are alike, and the pattern that fits all of them and no other object; empty where there is none."""

    matches: Sequence[ObjectMatch]
    pattern: str


def _groups(matches: Iterable[ObjectMatch], proof: _Proof) -> list[_Group]:
    """The groups, the largest first. Marker files are one group each reason, whatever their names are."""
    alike: dict[tuple[object, ...], list[ObjectMatch]] = defaultdict(list)
    for match in matches:
        alike[match.outcome, match.rule, match.candidates].append(match)
    groups = []
    for (outcome, *_), members in alike.items():
        if outcome is MatchOutcome.NOT_DATA:
            groups.append(_Group(members, ""))
        else:
            groups += _fold_folders(_split(members, proof, (_shape, _narrow_shape, visible_pattern)), proof)
    return sorted(groups, key=lambda group: (-len(group.matches), group.matches[0].key))


def _split(members: Iterable[ObjectMatch], proof: _Proof, shapes: Sequence[Callable[[str], str]]) -> list[_Group]:
    """Groups by the first of these shapes whose pattern fits just them."""
    by_shape: dict[str, list[ObjectMatch]] = defaultdict(list)
    for match in members:
        by_shape[shapes[0](match.key)].append(match)
    groups = []
    for pattern, found in by_shape.items():
        if len(shapes) == 1:
            groups.append(_Group(found, pattern if proof.fits_only(pattern, len(found)) else ""))
        elif len(found) > 1 and proof.fits_only(pattern, len(found)):
            groups.append(_Group(found, _keep_common(pattern, [match.key for match in found], shapes[0])))
        else:
            groups += _split(found, proof, shapes[1:])
    return groups


def _fold_folders(groups: Sequence[_Group], proof: _Proof) -> list[_Group]:
    """The groups, with one in the place of many that lie in one folder, where nothing else does."""
    by_folder: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        by_folder[group.matches[0].key.rpartition("/")[0]].append(group)
    folded: list[_Group] = []
    for folder, found in by_folder.items():
        members = [match for group in found for match in group.matches]
        pattern = f"{visible_pattern(folder)}/*" if folder else "*"
        if len(found) > FEW and proof.fits_only(pattern, len(members)):
            folded.append(_Group(members, pattern))
        else:
            folded += found
    return folded


def _keep_common(pattern: str, keys: Sequence[str], shape: Callable[[str], str]) -> str:
    """The pattern with the folders that all of these keys have as they are: `2025/feed_*.csv` says less than `*/feed_*.csv`."""
    folders = {key.rpartition("/")[0] for key in keys}
    if len(folders) > 1:
        return pattern
    folder = folders.pop()
    return f"{visible_pattern(folder)}/{shape(keys[0].rpartition('/')[2])}" if folder else pattern


def _shape(key: str) -> str:
    """The pattern of the keys that differ from this one in their numbers and ids only."""
    return _replaced(key, lambda run: "*")


def _narrow_shape(key: str) -> str:
    """The pattern of those that differ from it in the digits of its numbers and ids only."""
    return _replaced(
        key, lambda run: "".join("[0-9]" if one.isdigit() else "?" if one.isalnum() else one for one in run)
    )


def _replaced(key: str, by: Callable[[str], str]) -> str:
    """The key as a pattern, with something in the place of each number and each id."""
    told, at = [], 0
    for found in _RUN.finditer(key):
        run = found.group()
        if run.isdigit() or any(is_hash(fold(part)) for part in run.split("-")):
            told += [visible_pattern(key[at : found.start()]), by(run)]
            at = found.end()
    return "".join([*told, visible_pattern(key[at:])])


class _Proof:
    """Tells whether a pattern fits just as many keys as it should, as long as that does not take too long."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(keys)
        self._left = MOST_PROVEN

    def fits_only(self, written: str, count: int) -> bool:
        """Whether a pattern that fits `count` keys fits no other one; False where that is too much to look through."""
        if len(written) > LONGEST_PATTERN:
            return False
        pattern = parse_pattern(written)
        if pattern.literal is not None:
            at = bisect_left(self._keys, pattern.literal)
            return self._keys[at : at + 2].count(pattern.literal) == count
        start = pattern.beginning
        first = bisect_left(self._keys, start)
        last = bisect_left(self._keys, f"{start}\U0010ffff", first) if start else len(self._keys)
        self._left -= last - first
        if self._left < 0:
            return False
        return sum(pattern.fit(key) is not None for key in self._keys[first:last]) == count


def _explain_group(group: _Group, near: Sequence[str], overrides: Overrides) -> Unmatched:
    first, count = group.matches[0], len(group.matches)
    keys = sorted(match.key for match in group.matches)
    candidates = f": {', '.join(first.candidates)}" if first.candidates else ""
    is_note = first.outcome in _NOTES
    if first.outcome is MatchOutcome.NOT_DATA:
        sentence = f"{count} S3 object{'s are' if count > 1 else ' is'} no data, like {keys[0]}"
    elif count == 1:
        sentence = f"S3 object {keys[0]} matches no table ({first.rule}{candidates})"
    else:
        sentence = f"{count} S3 objects match no table ({first.rule}{candidates}), like {keys[0]}"
    lines: tuple[str, ...] = ()
    if group.pattern:
        offered: list[str | None] = [*(first.candidates or near)]
        if not first.candidates:
            offered.append(None)
        lines = tuple(overrides.pattern_line(group.pattern, table) for table in offered)
    return Unmatched("object", sentence, (*keys,), lines, is_note, f"no table ({first.rule})")


def _name_in(key: str) -> str:
    """What a key may call its table: its file's name without extensions and marks, or the folder's where that says nothing."""
    folder, _, file_name = key.rpartition("/")
    stem = fold(file_name).partition(".")[0]
    reading = read_name(stem)
    if reading.anonymous and folder:
        return _name_in(folder)
    return min(reading.rests, key=len, default=stem)


# =====================================================================================================================
# Near names
# =====================================================================================================================


class NearNames:
    """Tables by the words and the beginnings of their names, to find those that a name may be meant for."""

    def __init__(self, rows: Iterable[AssetRow]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_clue: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            name = plain(fold(row[1]))
            if name not in self._by_name:
                for clue in _clues(name):
                    self._by_clue[clue].append(name)
            self._by_name[name].append(row[0])

    def find(self, name: str) -> list[str]:
        """The qualified names of the tables whose names are nearest to a (folded) one, three at the most."""
        name = plain(name)
        clues = sorted(_clues(name), key=lambda clue: len(self._by_clue.get(clue, ())))
        close: dict[str, None] = {}
        for clue in clues:
            close.update(dict.fromkeys(self._by_clue.get(clue, ())[:MOST_COMPARED]))
            if len(close) >= MOST_COMPARED:
                break
        words = set(words_of(name))
        ranked = []
        for other in list(close)[:MOST_COMPARED]:
            ratio = difflib.SequenceMatcher(None, name[:63], other[:63]).ratio()
            if ratio >= 0.75 or words.issuperset(words_of(other)):
                ranked.append((-ratio, other))
        return [table for _, other in sorted(ranked) for table in sorted(self._by_name[other])][:EXAMPLES]


def _clues(name: str) -> set[str]:
    """What two near names have in common, as a rule: a word, or how they begin or end."""
    return {singular(word) for word in words_of(name) if len(word) > 2} | {f"^{name[:3]}", f"{name[-4:]}$"}


class NearTargets:
    """The target tables and views by what their names are without a layer's words."""

    def __init__(self, assets: Iterable[AssetRow]) -> None:
        self._by_core: dict[str, list[AssetRow]] = defaultdict(list)
        for row in tables_in(assets):
            self._by_core[core_of(row[1])].append(row)

    def find(self, source: AssetRow) -> list[str]:
        """The qualified names of the targets whose names are near a source's: three at the most, tables before views.

        They are offered, and never matched: `STG_X`, `X_STAGING`, `X_RAW`, plural and singular, and a view of the name.
        """
        found = self._by_core.get(core_of(source[1]), ())
        ranked = sorted(found, key=lambda row: (row[2] not in TARGET_TYPES, abs(len(row[1]) - len(source[1])), row[0]))
        return [row[0] for row in ranked][:EXAMPLES]


# =====================================================================================================================
# Tables
# =====================================================================================================================


NO_TARGET, NO_OBJECT = "Snowflake table", "S3 object"


@dataclass(frozen=True)
class OpenTable:
    """A source table that has no target or no objects (what is `missing`: NO_TARGET or NO_OBJECT), for the reason.

    `candidates` are the targets between which nothing decides.
    """

    row: AssetRow
    missing: str
    reason: str = ""
    candidates: tuple[str, ...] = ()


def explain_tables_without(
    open_tables: Iterable[OpenTable], all_tables: Iterable[AssetRow], targets: NearTargets, overrides: Overrides
) -> list[Unmatched]:
    """The hints for source tables: one for each that has candidates or near names, and else one for each schema and reason.

    `all_tables` are all source tables. A view that lacks something is no fault, as few views are exported: it is a note.
    """
    sizes: dict[str, int] = defaultdict(int)
    for row in tables_in(all_tables):
        sizes[row[0].rpartition("/")[0]] += 1
    groups: dict[tuple[str, str, str, bool], list[OpenTable]] = defaultdict(list)
    hints = []
    for table in open_tables:
        is_view = table.row[2] not in TARGET_TYPES
        # Of a table that has a target, another one would settle nothing.
        near = table.candidates or (tuple(targets.find(table.row)) if table.missing == NO_TARGET else ())
        if near and not is_view:
            lines = tuple(overrides.table_line(table.row[0], name) for name in near)
            sentence = f"PostgreSQL table {table.row[0]} has {_why(table, near)}"
            hints.append(Unmatched("table", sentence, (table.row[0],), lines, reason=f"no {table.missing}"))
        else:
            groups[table.row[0].rpartition("/")[0], table.missing, table.reason, is_view].append(table)
    for (schema, *_, is_view), found in groups.items():
        names = sorted(table.row[0] for table in found)
        kind = "view" if is_view else "table"
        if len(names) == 1:
            sentence, line = f"PostgreSQL {kind} {names[0]} has {_why(found[0])}", overrides.table_line(names[0], None)
        else:
            sentence = f"{len(names)} PostgreSQL {kind}s of {schema} have {_why(found[0])}, like {names[0]}"
            line = overrides.schema_line(schema) if len(names) == sizes[schema] else ""
        lines = (line,) if line else ()
        hints.append(Unmatched("table", sentence, (*names,), lines, is_view, f"no {found[0].missing}"))
    return sorted(hints, key=lambda hint: (hint.is_note, -hint.count, hint.names))


def _why(table: OpenTable, near: Sequence[str] = ()) -> str:
    """What a table lacks, and why: `near` are the candidates, or else the targets whose names are near."""
    if not near:
        return f"no {table.missing}" + (f" ({table.reason})" if table.reason else "")
    names = ", ".join(near)
    if table.candidates:
        return f"no {table.missing} ({table.reason}: {names})"
    return f"no {table.missing} ({table.reason + '; ' if table.reason else ''}near {names})"
