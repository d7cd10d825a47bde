"""Which other table has the columns of a file, where the one that its name says has them not. Pure.

Tables of one business share columns, like the addresses of customers and suppliers, so that a file of the one has most
columns of the other. That proves nothing while a third table, or just that other one, has more of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from delta_arc.cores import core_of
from delta_arc.entities import connection_of
from delta_arc.fit import MARKS, is_loaders_own, letters_and_digits
from delta_arc.matching import AssetRow, parent_of, places_of, tables_in
from delta_arc.pairing import TablePair

# Lists of columns that those of a file are compared with, at most; those that share the rarest name come first.
MOST_COMPARED = 100

_Forms = frozenset[str]
"""Names of columns by their letters and digits, but for those that any table has and the loader's own."""


@dataclass(frozen=True)
class Rival:
    """What has the columns of a file clearly better than the table of its name: the names that the file has and the table
    has not (`more`), and those that the table has and the file has not (`lacking`).

    `candidates` are the qualified names of all that fit so well, of those the ones that are nearest to the table.
    """

    candidates: tuple[str, ...]
    more: tuple[str, ...]
    lacking: tuple[str, ...]


class Rivals:
    """All known tables by their columns.

    `columns` are the names by table, `assets` the rows of both sides, and `pairs` which table lands in which: what lands
    in a table, or has its name in another database, is the same data, and no rival of it.
    """

    def __init__(
        self, columns: Mapping[str, Sequence[str]], assets: Iterable[AssetRow], pairs: Iterable[TablePair] = ()
    ) -> None:
        rows = list(assets)
        self._columns = columns
        self._names = {row[0]: row[1] for row in tables_in(rows)}
        self._schemas = {name: parent_of(name, own) for name, own in self._names.items()}
        places = places_of(rows)
        self._databases = {name: parent_of(schema, places[name][1]) for name, schema in self._schemas.items()}
        self._targets: dict[str, set[str]] = defaultdict(set)
        self._sources: dict[str, set[str]] = defaultdict(set)
        for pair in pairs:
            possible = [pair.contested_target] if pair.contested_target else pair.candidates  # which are sources then
            self._targets[pair.source] |= {pair.target or "", *possible}
            self._sources[pair.target or ""].add(pair.source)
        self._found: dict[tuple[str, tuple[str, ...]], Rival | None] = {}

    @cached_property
    def _forms(self) -> dict[str, _Forms]:
        """The columns of each table of which any are known."""
        found = {name: frozenset(_by_form(self._columns.get(name, ()))) for name in self._names}
        return {name: forms for name, forms in found.items() if forms}

    @cached_property
    def _tables(self) -> dict[_Forms, list[str]]:
        """The tables that have the same columns: copies for tests, years or clients."""
        tables: dict[_Forms, list[str]] = defaultdict(list)
        for name, forms in self._forms.items():
            tables[forms].append(name)
        return tables

    @cached_property
    def _by_column(self) -> dict[str, list[_Forms]]:
        found: dict[str, list[_Forms]] = defaultdict(list)
        for forms in self._tables:
            for form in forms:
                found[form].append(forms)
        return found

    @cached_property
    def _by_core(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for qualified_name, name in self._names.items():
            found[core_of(name)].append(qualified_name)
        return found

    def find(self, table: str, names: Sequence[str]) -> Rival | None:
        """What has the columns of a file clearly better than the table, and all that is the same as the table.

        That is a table with all that these share with the file and more, which differs from the file at most half as much.
        """
        asked = table, tuple(names)
        if asked not in self._found:
            self._found[asked] = self._find(*asked)
        return self._found[asked]

    def _find(self, table: str, names: Sequence[str]) -> Rival | None:
        told = {form: name for form, name in _by_form(names).items() if form in self._by_column}
        file = frozenset(told)
        known = [self._forms[name] for name in sorted(self._same_as(table)) if name in self._forms]
        own = min(known, key=lambda forms: len(forms ^ file), default=file)
        if table not in self._names:
            return None
        fitting: dict[int, list[str]] = defaultdict(list)
        for forms in self._near(file - own):
            if 2 * len(forms ^ file) <= len(own ^ file) and forms >= own & file:
                fitting[len(forms ^ file)] += self._tables[forms]
        if not fitting:
            return None
        candidates = self._nearest(table, fitting[min(fitting)])
        more = tuple(name for form, name in told.items() if form not in own)
        lacking = tuple(name for form, name in _by_form(self._columns.get(table, ())).items() if form in own - file)
        return Rival(candidates, more, lacking)

    def _near(self, wanted: Iterable[str]) -> Iterator[_Forms]:
        """The lists of columns with any of these, those with a rare one first."""
        near: dict[_Forms, None] = {}
        for form in sorted(wanted, key=lambda form: (len(self._by_column[form]), form)):
            near.update(dict.fromkeys(self._by_column[form][: MOST_COMPARED - len(near)]))
        return iter(near)

    def _same_as(self, table: str) -> frozenset[str]:
        """The table itself, where it lands or may do so, and what has its name, but for a layer's words, in another database,
        unless a table beside this one lands there."""
        own = self._databases.get(table)
        alike = self._by_core.get(core_of(self._names.get(table, "")), ())
        copies = [name for name in alike if self._databases[name] != own]
        copies = [
            name for name in copies if all(self._databases.get(one) != own for one in self._sources.get(name, ()))
        ]
        return frozenset({table, *self._targets.get(table, ()), *copies})

    def _nearest(self, table: str, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the table's schema where there are any, else those of its database, else of its connection, sorted."""
        for place in (self._schemas[table], self._databases[table], connection_of(table)):
            inside = [name for name in names if name.startswith(f"{place}/")]
            if inside:
                return tuple(sorted(inside))
        return tuple(sorted(names))


def _by_form(names: Iterable[str]) -> dict[str, str]:
    """Names by their letters and digits, but for those that any table has and the loader's own."""
    forms = {letters_and_digits(name): name for name in names if not is_loaders_own(name)}
    return {form: name for form, name in forms.items() if form not in MARKS}
