"""Overrides: a file of one-line sentences that force, forbid or rename what matching says.

    object 'in/2025/*_x9.csv' is public/orders      # a key pattern: * is any text, ? one character, [ab] one of these
    object in/notes.csv is nothing
    table public/orders goes to SALES/ORDERS_FACT
    never public/orders to SALES/ORDERS
    column public/orders/customer_id is CUST_KEY

A name is as much of the end of a qualified name as is needed to tell it apart. Pure functions, but for `read_overrides`.
"""

from __future__ import annotations

import fnmatch
import glob
import re
import shlex
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from delta_arc.keys import fold
from delta_arc.matching import TARGET_TYPES, AssetRow, MatchOutcome, ObjectMatch, tables_in
from delta_arc.pairing import TablePair
from runtime.errors import SettingsError
from runtime.files import read_small_file
from runtime.terminal import HIDDEN

NOTHING = "nothing"
MOST_BYTES = 50_000_000  # of the file
FORMS = {
    "object": (["is"], "object <key pattern> is <PostgreSQL table>"),
    "table": (["goes", "to"], "table <PostgreSQL table> goes to <Snowflake table>"),
    "never": (["to"], "never <PostgreSQL table> to <Snowflake table>"),
    "column": (["is"], "column <PostgreSQL column> is <Snowflake column>"),
}


@dataclass(frozen=True)
class Line:
    """One line: as it is written, or with the qualified names that its names stand for."""

    number: int
    kind: str
    subject: str
    value: str
    text: str


class Names:
    """Qualified names by their ends."""

    def __init__(self, qualified_names: Iterable[str]) -> None:
        self._all = frozenset(qualified_names)

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        """By their last two segments, which nearly tell them apart."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._all):
            found["/".join(name.split("/")[-2:])].append(name)
        return found

    def find(self, end: str) -> list[str]:
        """The names that are this, or else those that end with it."""
        if end in self._all:
            return [end]
        near = self._by_end.get("/".join(end.split("/")[-2:]), []) if "/" in end else sorted(self._all)
        return [name for name in near if name.endswith(f"/{end}")]

    def in_other_case(self, end: str) -> list[str]:
        """The names that end with it but for the case of its letters."""
        return sorted(name for name in self._all if name.lower().endswith(f"/{end.lower()}"))

    def shortest(self, name: str) -> str:
        """The shortest end, of two segments or more, that only this name has."""
        segments = name.split("/")
        ends = ("/".join(segments[-count:]) for count in range(2, len(segments)))
        return next((end for end in ends if self.find(end) == [name]), name)


@dataclass(frozen=True)
class Overrides:
    """The lines of the file, with qualified names; `postgres` and `snowflake` are the names that lines can use.

    `text` is the file as it was read.
    """

    file: str
    text: str
    lines: Sequence[Line]
    postgres: Names
    snowflake: Names
    postgres_columns: Names
    snowflake_columns: Names

    def of(self, *kinds: str) -> list[Line]:
        """The lines of these kinds: object, table, never or column."""
        return [line for line in self.lines if line.kind in kinds]

    def unused(self, used: Container[int], *kinds: str) -> list[str]:
        """A sentence for each line of these kinds that is not among the numbers of the used ones."""
        return [
            f"{self.file} line {line.number} fits nothing: {line.text}"
            for line in self.of(*kinds)
            if line.number not in used
        ]

    @cached_property
    def forbidden(self) -> frozenset[tuple[str, str]]:
        """The pairs of source and target tables that lines forbid."""
        return frozenset((line.subject, line.value) for line in self.of("never"))

    # Lines ready to be put into the file

    def object_line(self, key: str, table: str | None) -> str:
        """The line that says which table an object carries, or none; what cannot be seen of the key matches any one."""
        pattern = HIDDEN.sub("?", glob.escape(key))
        return f"object {shlex.quote(pattern)} is {self._name(self.postgres, table)}"

    def table_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a table goes; None is nothing."""
        return f"table {self._name(self.postgres, source)} goes to {self._name(self.snowflake, target)}"

    def column_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a column goes; None is nothing."""
        return f"column {self._name(self.postgres_columns, source)} is {self._name(self.snowflake_columns, target)}"

    @staticmethod
    def _name(names: Names, name: str | None) -> str:
        return shlex.quote(names.shortest(name)) if name else NOTHING


def read_overrides(path: Path) -> str:
    """The text of the file; a file that is not there has no lines. Raises `SettingsError` where it cannot be read."""
    try:
        return read_small_file(path, MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(
            [f"{path} cannot be read ({error.strerror}): let it be a text file that you may read."]
        ) from None
    except ValueError as error:
        raise SettingsError([f"{path} cannot be read ({type(error).__name__}): save it as UTF-8 text."]) from None


def parse_overrides(
    file: str, text: str, postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow]
) -> Overrides:
    """The lines of the file with qualified names. Raises `SettingsError` with every line that is wrong."""
    faults: list[str] = []
    overrides = Overrides(
        file,
        text,
        [],
        Names(row[0] for row in tables_in(postgres_assets)),
        Names(row[0] for row in tables_in(snowflake_assets, TARGET_TYPES)),
        Names(row[0] for row in postgres_assets if row[2] == "Column"),
        Names(row[0] for row in snowflake_assets if row[2] == "Column"),
    )
    lines = []
    for number, written in enumerate(text.splitlines(), 1):
        try:
            line = _parse_line(number, written)
            if line:
                lines.append(_with_qualified_names(line, overrides))
        except ValueError as error:
            faults.append(f"{file} line {number}: {error}.")
    if not faults:
        faults = [f"{file} {fault}" for fault in _contradictions(lines)]
    if faults:
        raise SettingsError(faults)
    return replace(overrides, lines=lines)


def _parse_line(number: int, written: str) -> Line | None:
    words = shlex.split(written, comments=True)
    if not words:
        return None
    joint, form = FORMS.get(words[0], ([], ""))
    if not form:
        raise ValueError(f"it starts with none of {', '.join(FORMS)}")
    if len(words) != 3 + len(joint) or words[2:-1] != joint:
        raise ValueError(f"write it as {form}, with names that hold spaces in quotes")
    return Line(number, words[0], words[1], words[-1], written.strip())


def _with_qualified_names(line: Line, overrides: Overrides) -> Line:
    """The line with the one name that each of its names stands for, and with an empty text for `nothing`."""
    if line.subject == line.value == NOTHING:
        raise ValueError("it has no name but nothing")
    if line.kind == "object":
        return replace(line, value=_resolve_name(line.value, overrides.postgres, "PostgreSQL table"))
    if line.kind == "column":
        subject = _resolve_name(line.subject, overrides.postgres_columns, "PostgreSQL column")
        if subject and line.value != NOTHING:
            return replace(line, subject=subject)  # the table that it goes to tells which column is meant
        return replace(
            line, subject=subject, value=_resolve_name(line.value, overrides.snowflake_columns, "Snowflake column")
        )
    if line.kind == "never" and NOTHING in (line.subject, line.value):
        raise ValueError("never needs two tables")
    subject = _resolve_name(line.subject, overrides.postgres, "PostgreSQL table")
    return replace(line, subject=subject, value=_resolve_name(line.value, overrides.snowflake, "Snowflake table"))


def _resolve_name(name: str, names: Names, what: str) -> str:
    if name == NOTHING:
        return ""
    found = names.find(name)
    if not found:
        similar = [names.shortest(other) for other in names.in_other_case(name)[:3]]
        hint = f" (did you mean {' or '.join(similar)}?)" if similar else ""
        raise ValueError(f"there is no {what} {name}{hint}")
    if len(found) > 1:
        raise ValueError(f"{name} may be any of {', '.join(found[:5])}: write more of its qualified name")
    return found[0]


def _contradictions(lines: Sequence[Line]) -> list[str]:
    """Lines that say different things of the same table or column; objects are known only when keys are matched."""
    told = []
    for kind in ("table", "column"):
        decided: dict[tuple[str, str], Line] = {}
        for line in lines:
            if line.kind == kind:
                # `nothing goes to X` is about X.
                subject = ("source", line.subject) if line.subject else ("target", line.value)
                first = decided.setdefault(subject, line)
                if first.value != line.value:
                    told.append(_contradict(first, line))
        reached = {line.value: line for (side, _), line in decided.items() if side == "source"}
        told += [
            _contradict(line, reached[name])
            for (side, name), line in decided.items()
            if side == "target" and name in reached
        ]
    forced = {(line.subject, line.value): line for line in lines if line.kind == "table"}
    for line in lines:
        if line.kind == "never" and (line.subject, line.value) in forced:
            told.append(_contradict(forced[line.subject, line.value], line))
    return told


def _contradict(one: Line, other: Line) -> str:
    return f"lines {one.number} and {other.number} contradict each other: {one.text} — {other.text}."


# =====================================================================================================================
# Applying them
# =====================================================================================================================


def override_objects(overrides: Overrides, matches: Iterable[ObjectMatch]) -> tuple[list[ObjectMatch], frozenset[int]]:
    """The matches with those that lines force, and the numbers of the lines that fit an object.

    Raises `SettingsError` where lines say different things of one object.
    """
    exact: dict[str, list[Line]] = defaultdict(list)
    patterns = []
    for line in overrides.of("object"):
        if glob.has_magic(line.subject):
            patterns.append((re.compile(fnmatch.translate(line.subject)), line))
        else:
            exact[line.subject].append(line)
    decided: list[ObjectMatch] = []
    faults: set[str] = set()
    used: set[int] = set()
    for match in matches:
        fitting = [*exact.get(match.key, []), *(line for pattern, line in patterns if pattern.match(match.key))]
        used.update(line.number for line in fitting)
        for line in fitting[1:]:
            if line.value != fitting[0].value:
                faults.add(f"{overrides.file} {_contradict(*sorted((fitting[0], line), key=lambda one: one.number))}")
        if fitting:
            rule = f"override line {fitting[0].number}"
            match = ObjectMatch(match.key, fitting[0].value or None, rule, MatchOutcome.OVERRIDDEN)
        decided.append(match)
    if faults:
        raise SettingsError(sorted(faults))
    return decided, frozenset(used)


def override_tables(overrides: Overrides, pairs: Iterable[TablePair]) -> tuple[list[TablePair], frozenset[int]]:
    """The pairs with those that lines force, and the numbers of the `never` lines that forbid what names would pair."""
    forcing = {line.subject: line for line in overrides.of("table") if line.subject}
    same_name = [line for line in overrides.of("never") if _last_folded(line.subject) == _last_folded(line.value)]
    forbidding = {line.subject: line for line in same_name}
    decided = []
    for pair in pairs:
        if pair.source in forcing:
            line = forcing[pair.source]
            pair = TablePair(pair.source, line.value or None, f"override line {line.number}", MatchOutcome.OVERRIDDEN)
        elif pair.source in forbidding and not pair.target and not pair.candidates:
            # It is the line that leaves it without a table of its name.
            line = forbidding[pair.source]
            pair = TablePair(pair.source, None, f"override line {line.number}", MatchOutcome.OVERRIDDEN)
        decided.append(pair)
    return decided, frozenset(line.number for line in same_name)


def _last_folded(qualified_name: str) -> str:
    return fold(qualified_name.rpartition("/")[2])


def override_columns(
    overrides: Overrides,
    pairs: Iterable[tuple[AssetRow, AssetRow]],
    sources: Sequence[AssetRow],
    targets: Sequence[AssetRow],
) -> tuple[list[tuple[AssetRow, AssetRow]], frozenset[int]]:
    """The pairs of columns of two tables with those that lines force, without those that give way to them; and the
    numbers of the lines that are about these tables.

    Raises `SettingsError` where a line names no column of the target, or two lead to one.
    """
    rows = {row[0]: row for row in sources}
    lines = [line for line in overrides.of("column") if line.subject in rows]
    forced = []
    for line in lines:
        if line.value:
            found = [row for row in targets if row[0].endswith(f"/{line.value}")]
            if len(found) != 1:
                raise SettingsError(
                    [f"{overrides.file} line {line.number}: the table that it goes to has no {line.value}."]
                )
            forced.append((rows[line.subject], found[0]))
    taken = {line.subject for line in lines} | {right[0] for _, right in forced}
    taken |= {line.value for line in overrides.of("column") if not line.subject}
    if len({right[0] for _, right in forced}) < len(forced):
        numbers = ", ".join(str(line.number) for line in lines if line.value)
        raise SettingsError([f"{overrides.file} lines {numbers} lead two columns to one: only one can be there."])
    kept = [pair for pair in pairs if not taken & {pair[0][0], pair[1][0]}]
    return [*kept, *forced], frozenset(line.number for line in lines)
