"""Scope: which schemas and tables of a connection are looked at at all. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from delta_arc.keys import fold
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch, parent_of, places_of
from delta_arc.patterns import NamePattern

OUT_OF_SCOPE = "out of scope"


@dataclass(frozen=True)
class Scope:
    """What is looked at: a table that one of `included` fits, or any where there is none, but none of `excluded`."""

    text: str = ""
    included: tuple[NamePattern, ...] = ()
    excluded: tuple[NamePattern, ...] = ()

    def has(self, path: Sequence[str]) -> bool:
        """Whether a table of this (folded) database, schema and name is looked at."""
        return (not self.included or any(one.fit(path) for one in self.included)) and not any(
            one.fit(path) for one in self.excluded
        )


def parse_scope(text: str) -> Scope:
    """The scope that a text like `public/*, sales/*, !*/tmp_*` says: patterns of `schema/table` or `database/schema/table`,
    of which those behind `!` are left out. Letters in any case are alike.

    Raises `ValueError` where there is none, with a clause that says why.
    """
    included: list[NamePattern] = []
    excluded: list[NamePattern] = []
    for written in filter(None, (part.strip() for part in text.split(","))):
        is_out = written.startswith("!")
        pattern = NamePattern.parse(written[is_out:].strip())
        if not 2 <= len(pattern.parts) <= 3 or any(not part.written for part in pattern.parts):
            raise ValueError(f"{written} is no schema/table or database/schema/table")
        if pattern.captures:
            raise ValueError(f"a name in braces says nothing in {written}: write *")
        (excluded if is_out else included).append(pattern)
    return Scope(text, tuple(included), tuple(excluded))


def in_scope(rows: Sequence[AssetRow], scope: Scope) -> list[AssetRow]:
    """The rows without the tables (and what else is in schemas) that are out of scope, and without their columns.

    Databases and schemas stay, as they tell what the names of the others are.
    """
    if not (scope.included or scope.excluded):
        return list(rows)
    out = {name for name, path in _paths(rows).items() if not scope.has(path)}
    return [row for row in rows if (parent_of(row[0], row[1]) if row[2] == "Column" else row[0]) not in out]


def unused_patterns(rows: Sequence[AssetRow], scope: Scope) -> list[str]:
    """The patterns of a scope that fit no table of these rows, as they are written."""
    paths = list(_paths(rows).values())
    marked = [("", one) for one in scope.included] + [("!", one) for one in scope.excluded]
    return [
        mark + "/".join(part.written for part in pattern.parts)
        for mark, pattern in marked
        if not any(pattern.fit(path) for path in paths)
    ]


def _paths(rows: Sequence[AssetRow]) -> dict[str, tuple[str, str, str]]:
    """The (folded) names of the database, the schema and the table of each table."""
    names = {row[0]: row[1] for row in rows}
    return {
        table: (fold(database), fold(schema), fold(names[table]))
        for table, (database, schema) in places_of(rows).items()
    }


def objects_in_scope(matches: Iterable[ObjectMatch], rows: Iterable[AssetRow]) -> list[ObjectMatch]:
    """The matches of objects with all tables, as they are where only those of `rows` are looked at.

    An object of a table that is out of scope has none: it is not another one's because nobody looks at its own. Where just
    one of several candidates is in scope, it is that one's.
    """
    tables = {row[0] for row in rows}
    return [_object_in_scope(match, tables) for match in matches]


def _object_in_scope(match: ObjectMatch, tables: set[str]) -> ObjectMatch:
    if match.table_qualified_name and match.table_qualified_name not in tables:
        return ObjectMatch(match.key, None, OUT_OF_SCOPE, MatchOutcome.OUT_OF_SCOPE)
    left = tuple(name for name in match.candidates if name in tables)
    if match.candidates and not left:
        return ObjectMatch(match.key, None, OUT_OF_SCOPE, MatchOutcome.OUT_OF_SCOPE)
    if len(left) == 1 and match.outcome is MatchOutcome.AMBIGUOUS:
        return ObjectMatch(match.key, left[0], "the only one in scope", MatchOutcome.MATCHED)
    return replace(match, candidates=left) if left != match.candidates else match
