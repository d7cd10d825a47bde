"""Overrides: what the one-line sentences of a file force, forbid or rename of what matching says.

    object 'in/2025/*_x9.csv' is public/orders      # a key pattern: * is any text, ? one character, [ab] one of these
    object in/prod_{table}_full_*.csv is public/{table}
    object in/notes.csv is nothing
    table public/orders goes to SALES/ORDERS_FACT
    table public/* goes to RAW/STG_*                # what * stands for is carried over
    never public/orders to SALES/ORDERS
    column public/orders/customer_id is CUST_KEY

A name is as much of the end of a qualified name as is needed to tell it apart. Where several lines fit, the more specific
one decides: one without patterns, and then the one with more characters that stand for themselves.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from delta_arc.names import Names
from delta_arc.patterns import NamePattern, Pattern, visible_pattern

NOTHING = "nothing"
Rank = tuple[bool, int]
"""How specific a side of a line is; see `Pattern.rank`."""


@dataclass(frozen=True)
class Line:
    """One line: as it is written, or with the qualified names that its names stand for.

    `ranks` tell how specific its sides are, and `given` is how its subject is written.
    """

    number: int
    kind: str
    subject: str
    value: str
    text: str
    ranks: tuple[Rank, Rank] = ((True, 0), (True, 0))
    given: str = ""


@dataclass(frozen=True)
class ObjectRule:
    """A line about keys: what it fits, and the name that what is captured makes; None where the line has the name."""

    line: Line
    key: Pattern
    table: NamePattern | None = None


@dataclass(frozen=True)
class Never:
    """A line that forbids each of these sources to go to each of these targets."""

    line: Line
    sources: frozenset[str]
    targets: frozenset[str]


class Forbidden:
    """The pairs of a source and a target that lines forbid, by `never` or as they say that one of both goes elsewhere or has
    no partner: `(source, target) in forbidden`."""

    def __init__(self, nevers: Iterable[Never], lines: Iterable[Line] = ()) -> None:
        self._targets: dict[str, set[str]] = defaultdict(set)
        self._without_source: set[str] = set()
        for line in lines:
            if line.subject:
                self._targets[line.subject].add(line.value)
            else:
                self._without_source.add(line.value)
        self._by_source: dict[str, list[Never]] = defaultdict(list)
        for never in nevers:
            for source in never.sources:
                self._by_source[source].append(never)

    def of(self, source: str) -> Sequence[Never]:
        """The lines that forbid a source something."""
        return self._by_source.get(source, ())

    def __contains__(self, pair: object) -> bool:
        if not isinstance(pair, tuple):
            return False
        source, target = pair
        if source in self._targets:
            return target not in self._targets[source]
        return target in self._without_source or any(
            target in never.targets for never in self._by_source.get(source, ())
        )


@dataclass(frozen=True)
class Overrides:
    """The lines of the file, with qualified names; `postgres` and `snowflake` are the names that lines can use.

    `text` is the file as it was read. `lines` are those about tables and columns that decide something, one for each name
    that a pattern fits, and `written` all of them as they are. `notes` are sentences about lines that do not do all that
    they say.
    """

    file: str
    text: str
    postgres: Names
    snowflake: Names
    postgres_columns: Names
    snowflake_columns: Names
    written: Sequence[Line] = ()
    lines: Sequence[Line] = ()
    objects: Sequence[ObjectRule] = ()
    nevers: Sequence[Never] = ()
    notes: Sequence[str] = ()

    def of(self, *kinds: str) -> list[Line]:
        """The lines of these kinds, table or column, with the names that they decide."""
        return [line for line in self.lines if line.kind in kinds]

    def unused(self, used: Container[int], *kinds: str) -> list[str]:
        """A sentence for each line of these kinds that is not among the numbers of the used ones."""
        return [
            f"{self.file} line {line.number} fits nothing: {line.text}"
            for line in self.written
            if line.kind in kinds and line.number not in used
        ]

    @cached_property
    def forbidden(self) -> Forbidden:
        """The pairs of source and target tables that lines forbid."""
        return Forbidden(self.nevers, self.of("table"))

    @cached_property
    def targets_of(self) -> Mapping[str, Sequence[Line]]:
        """The lines that say where a source table goes."""
        return self._by_subject("table")

    @cached_property
    def columns_of(self) -> Mapping[str, Sequence[Line]]:
        """The lines that say what a source column is."""
        return self._by_subject("column")

    @cached_property
    def without_partner(self) -> frozenset[str]:
        """The tables and columns of both sides of which lines say that they have no partner."""
        return frozenset(line.subject or line.value for line in self.lines if not (line.subject and line.value))

    def _by_subject(self, kind: str) -> Mapping[str, Sequence[Line]]:
        found: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            if line.kind == kind and line.subject:
                found[line.subject].append(line)
        return found

    # Lines ready to be put into the file

    def object_line(self, key: str, table: str | None) -> str:
        """The line that says which table an object carries, or none; what cannot be seen of the key matches any one."""
        return self.pattern_line(visible_pattern(key), table)

    def pattern_line(self, pattern: str, table: str | None) -> str:
        """The line that says which table the objects carry that a pattern fits, or none."""
        pattern = f"[{pattern[0]}]{pattern[1:]}" if pattern == NOTHING else pattern
        return f"object {shlex.quote(pattern)} is {self._name(self.postgres, table)}"

    def table_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a table goes; None is nothing."""
        return f"table {self._name(self.postgres, source)} goes to {self._name(self.snowflake, target)}"

    def schema_line(self, schema: str) -> str:
        """The line that says that all tables of a schema go to nothing."""
        return f"table {shlex.quote(visible_pattern('/'.join(schema.rsplit('/', 2)[-2:])) + '/*')} goes to {NOTHING}"

    def column_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a column goes; None is nothing."""
        return f"column {self._name(self.postgres_columns, source)} is {self._name(self.snowflake_columns, target)}"

    @staticmethod
    def _name(names: Names, name: str | None) -> str:
        return shlex.quote(visible_pattern(names.shortest(name))) if name else NOTHING


def note_contradiction(one: Line, other: Line, told: dict[tuple[int, int], str], what: str = "") -> None:
    """Put down once that two lines say different things."""
    first, second = sorted((one, other), key=lambda line: line.number)
    told.setdefault(
        (first.number, second.number),
        f"lines {first.number} and {second.number} contradict each other{what}: {first.text} — {second.text}.",
    )
