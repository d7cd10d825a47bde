"""Which table lands in which, and which columns are the same: pure functions.

Names compare case-insensitively. What two tables of one name have in common, or not, are their columns, and where they
are. Where nothing tells several apart, there is no pair and all are named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from delta_arc.fit import Fit, compare_columns, keeps_records, pair_names
from delta_arc.keys import fold
from delta_arc.matching import (
    AMBIGUOUS,
    TARGET_TYPES,
    AssetRow,
    MatchOutcome,
    columns_by_parent,
    parent_of,
    places_of,
    tables_in,
)


@dataclass(frozen=True)
class TablePair:
    """A source table and the target table that it lands in, as qualified names; `target` is None where none fits.

    Where several fit (`outcome` is AMBIGUOUS), `candidates` are these targets; or, where other sources claim the same
    target, they are these sources, and `contested_target` is the target. Where none fits, they are what has the name: a
    view, or tables with other columns.
    """

    source: str
    target: str | None
    rule: str
    outcome: MatchOutcome
    candidates: tuple[str, ...] = ()
    contested_target: str | None = None


def match_tables(
    sources: Iterable[AssetRow], targets: Iterable[AssetRow], forbidden: Container[tuple[str, str]] = ()
) -> list[TablePair]:
    """Pair each source table with the target of its name, whose columns do not say otherwise; the schema, the databases
    and the columns decide between several.

    Rows of columns, schemas and databases among both tell these; views are sources only. `forbidden` are pairs that can
    never be.
    """
    source_rows, target_rows = list(sources), list(targets)
    ends = _Ends({**places_of(source_rows), **places_of(target_rows)}, _column_names(source_rows, target_rows))
    by_name: dict[str, list[AssetRow]] = defaultdict(list)
    for row in tables_in(target_rows):
        by_name[fold(row[1])].append(row)
    pairs = []
    for row in tables_in(source_rows):
        named = [target for target in by_name.get(fold(row[1]), []) if (row[0], target[0]) not in forbidden]
        pairs.append(_match_table(row, named, ends))
    claims: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        if pair.target:
            claims[pair.target].append(pair.source)
    return [_resolve_claim(pair, claims, ends) for pair in pairs]


def _column_names(*sides: Iterable[AssetRow]) -> dict[str, list[str]]:
    return {table: [row[1] for row in rows] for side in sides for table, rows in columns_by_parent(side).items()}


@dataclass(frozen=True)
class _Ends:
    """What decides between tables of one name: the database and schema of each table of both sides, and its columns."""

    places: Mapping[str, tuple[str, str]]
    columns: Mapping[str, Sequence[str]]

    def fit(self, source: str, target: str) -> Fit:
        """How their columns fit; those of a table that keeps whole records in one say nothing."""
        others = self.columns.get(target, ())
        if keeps_records(others):
            return Fit.UNKNOWN
        compared = compare_columns(self.columns.get(source, ()), others)
        # A target of the name may have renamed half of its columns; a mart shares a key, or little more.
        return Fit.OTHER if compared.is_other and 3 * compared.share <= 1 else compared.fit

    def has_same_columns(self, source: str, target: str) -> bool:
        """Whether half of their columns are the same; where that cannot be told, it is no reason against."""
        return self.fit(source, target) in (Fit.SAME, Fit.UNKNOWN)

    def is_copy(self, source: str, target: str) -> bool:
        """Whether both have all columns of the other, but for those of the loader."""
        compared = compare_columns(self.columns.get(source, ()), self.columns.get(target, ()))
        return bool(compared.shared) and len(compared.shared) == len(self.columns[source]) and not compared.foreign

    def is_same_schema(self, source: str, target: str) -> bool:
        return fold(self.places[source][1]) == fold(self.places[target][1])

    def is_same_database(self, source: str, target: str) -> bool:
        return fold(self.places[source][0]) == fold(self.places[target][0])

    def is_same_environment(self, source: str, target: str) -> bool:
        return _environment(self.places[source][0]) == _environment(self.places[target][0])

    def prefer(self, pairs: Iterable[tuple[str, str]], *names: str) -> tuple[list[tuple[str, str]], str]:
        """The pairs of a source and a target that pass the tests of these names, one after the other, as long as that
        leaves several, and the rule that this makes; a test that none passes decides nothing."""
        left, rule = list(pairs), "same name"
        for name in names:
            passing = [pair for pair in left if self._TESTS[name](self, *pair)]
            if 0 < len(passing) < len(left):
                left, rule = passing, f"same name and {name}"
        return left, rule

    _TESTS: ClassVar = {
        "columns": has_same_columns,
        "environment": is_same_environment,
        "schema": is_same_schema,
        "database": is_same_database,
        "all columns": is_copy,
    }


# What databases are called that are not the one that people work with; a name without such a word is production's.
_ENVIRONMENTS = {word: words[0] for words in (
    ("dev", "development", "develop"), ("test", "tst", "testing"), ("qa", "quality"), ("uat", "acceptance", "acc"),
    ("sandbox", "sbx", "playground"), ("demo",), ("backup", "bak", "bkp", "archive"), ("clone", "copy", "tmp", "temp"),
) for word in words}  # fmt: skip


def _environment(database: str) -> str:
    """Which environment a database's name tells: `SHOP_DEV` is dev, and `SHOP_PROD` and `SHOP` are production."""
    words = re.split(r"[\W_]+", fold(database))
    return next((_ENVIRONMENTS[word] for word in words if word in _ENVIRONMENTS), "production")


def _match_table(source: AssetRow, named: list[AssetRow], ends: _Ends) -> TablePair:
    """The target of a source, among all tables and views of its name."""
    tables = tables_in(named, TARGET_TYPES)
    if not named:
        return TablePair(source[0], None, "no table of that name", MatchOutcome.NO_TABLE)
    if not tables:
        return TablePair(source[0], None, "only a view has that name", MatchOutcome.NO_TABLE, _names(named))
    fitting = [row for row in tables if ends.fit(source[0], row[0]) is not Fit.OTHER]
    if not fitting:
        return TablePair(
            source[0], None, "the table of that name has other columns", MatchOutcome.NO_TABLE, _names(tables)
        )
    pairs, rule = ends.prefer(
        [(source[0], row[0]) for row in fitting], "columns", "environment", "schema", "database", "all columns"
    )
    left = [row for row in fitting if (source[0], row[0]) in pairs]
    if len(left) > 1 and len({parent_of(row[0], row[1]) for row in left}) == 1:
        left = [row for row in left if row[1] == source[1]] or left
    if len(left) > 1:
        return TablePair(source[0], None, AMBIGUOUS, MatchOutcome.AMBIGUOUS, _names(left))
    rule = "same name and columns" if len(fitting) < len(tables) and rule == "same name" else rule
    return TablePair(source[0], left[0][0], rule, MatchOutcome.MATCHED)


def _names(rows: Iterable[AssetRow]) -> tuple[str, ...]:
    return tuple(sorted(row[0] for row in rows))


def _resolve_claim(pair: TablePair, claims: dict[str, list[str]], ends: _Ends) -> TablePair:
    """A target that several sources claim goes to the one whose place or columns tell that it is the one, else to none."""
    claimants = claims.get(pair.target or "", [])
    if len(claimants) < 2 or not pair.target:
        return pair
    pairs, rule = ends.prefer(
        [(source, pair.target) for source in claimants], "columns", "schema", "database", "all columns"
    )
    if pairs == [(pair.source, pair.target)]:
        return TablePair(pair.source, pair.target, rule, MatchOutcome.MATCHED)
    return TablePair(
        pair.source, None, AMBIGUOUS, MatchOutcome.AMBIGUOUS, tuple(sorted(set(claimants) - {pair.source})), pair.target
    )


def match_columns(sources: Iterable[AssetRow], targets: Iterable[AssetRow]) -> list[tuple[AssetRow, AssetRow]]:
    """Pairs of the columns of two tables, by the rules of `pair_names`; one column is in at most one pair."""
    left, right = {row[1]: row for row in sources}, {row[1]: row for row in targets}
    return sorted(((left[one], right[other]) for one, other in pair_names(left, right)), key=lambda pair: pair[0][0])
