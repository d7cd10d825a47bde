"""The file of overrides, read and checked: every line that is wrong is told in a sentence, with its number."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from delta_arc.keys import fold
from delta_arc.matching import TARGET_TYPES, AssetRow, tables_in
from delta_arc.names import Names
from delta_arc.overrides import NOTHING, Forbidden, Line, Never, ObjectRule, Overrides, Rank, note_contradiction
from delta_arc.patterns import NamePattern, parse_pattern
from runtime.errors import SettingsError
from runtime.files import read_small_file
from runtime.terminal import MOST_OF_A_NAME, visible

MOST_BYTES = 50_000_000  # of the file
MOST_COMPARED = 20_000_000  # names that all lines with patterns are compared with, some seconds of work
FORMS = {
    "object": (["is"], "object <key pattern> is <PostgreSQL table>"),
    "table": (["goes", "to"], "table <PostgreSQL table> goes to <Snowflake table>"),
    "never": (["to"], "never <PostgreSQL table> to <Snowflake table>"),
    "column": (["is"], "column <PostgreSQL column> is <Snowflake column>"),
}
SOURCE, TARGET = "PostgreSQL table", "Snowflake table"


def load_overrides(path: Path, postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow]) -> Overrides:
    """What the lines of a file say of these assets; see `read_overrides` and `parse_overrides`."""
    return parse_overrides(str(path), read_overrides(path), postgres_assets, snowflake_assets)


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
    views = [row for row in tables_in(snowflake_assets) if row[2] not in TARGET_TYPES]
    overrides = Overrides(
        file,
        text,
        Names(tables_in(postgres_assets)),
        Names(tables_in(snowflake_assets, TARGET_TYPES), views),
        Names(row for row in postgres_assets if row[2] == "Column"),
        Names(row for row in snowflake_assets if row[2] == "Column"),
    )
    reader = _Reader(overrides)
    for number, written in enumerate(text.splitlines(), 1):
        try:
            line = _parse_line(number, written)
            if line:
                reader.read(line)
        except ValueError as error:
            reader.faults.append(f"{file} line {number}: {error}.")
    return reader.finish()


def _parse_line(number: int, written: str) -> Line | None:
    words = shlex.split(written, comments=True)
    if not words:
        return None
    joint, form = FORMS.get(words[0], ([], ""))
    if not form:
        raise ValueError(f"it starts with none of {', '.join(FORMS)}")
    if len(words) != 3 + len(joint) or words[2:-1] != joint:
        raise ValueError(f"write it as {form}, with names that hold spaces in quotes")
    if words[1] == words[-1] == NOTHING:
        raise ValueError("it has no name but nothing")
    return Line(number, words[0], words[1], words[-1], written.strip(), given=fold(words[1]))


class _Reader:
    """Reads line after line: what each says of which names, and what is wrong with it."""

    def __init__(self, overrides: Overrides) -> None:
        self.faults: list[str] = []
        self._overrides = overrides
        self._written: list[Line] = []
        self._said: list[Line] = []
        self._objects: list[ObjectRule] = []
        self._nevers: list[Never] = []
        self._notes: list[str] = []
        self._compared = 0

    def read(self, line: Line) -> None:
        """Raises `ValueError`, with a clause that says what is wrong."""
        self._written.append(line)
        if line.kind == "object":
            self._objects.append(self._read_object(line))
        elif line.kind == "never":
            self._nevers.append(self._read_never(line))
        elif line.kind == "table":
            self._said += self._read_table(line)
        else:
            self._said += self._read_column(line)

    def finish(self) -> Overrides:
        """All lines as one. Raises `SettingsError` with all that is wrong with them."""
        if not self.faults:
            lines, faults = _decide(self._said, Forbidden(self._nevers))
            self.faults = [f"{self._overrides.file} {fault}" for fault in faults]
        if self.faults:
            raise SettingsError(self.faults)
        return replace(
            self._overrides,
            written=self._written,
            lines=lines,
            objects=self._objects,
            nevers=self._nevers,
            notes=self._notes,
        )

    def _read_object(self, line: Line) -> ObjectRule:
        key = parse_pattern(line.subject)
        if line.value == NOTHING:
            if key.captures:
                raise ValueError("a name in braces says nothing here: write *")
            return ObjectRule(replace(line, value=""), key)
        table = NamePattern.parse(line.value)
        table.check_fillable(key)
        if unused := key.captures - table.captures:
            raise ValueError(f"{{{min(unused)}}} is on the left only: write * there, or put it on the right, too")
        if table.captures:
            return ObjectRule(line, key, table)
        return ObjectRule(replace(line, value=self._resolve(table, line.value, self._overrides.postgres, SOURCE)), key)

    def _read_never(self, line: Line) -> Never:
        if NOTHING in (line.subject, line.value):
            raise ValueError("never needs two tables")
        subject, value = NamePattern.parse(line.subject), NamePattern.parse(line.value)
        if subject.captures or value.captures:
            raise ValueError("never takes each table of the left with each of the right: write * for a name in braces")
        sources = self._all_of(subject, line.subject, self._overrides.postgres, SOURCE)
        targets = self._all_of(value, line.value, self._overrides.snowflake, TARGET)
        return Never(replace(line, ranks=(_rank(subject), _rank(value))), sources, targets)

    def _all_of(self, pattern: NamePattern, written: str, names: Names, what: str) -> frozenset[str]:
        if pattern.literal is not None:
            return frozenset([self._resolve(pattern, written, names, what)])
        return frozenset(name for name, _, _ in self._fitting(pattern, names))

    def _fitting(self, pattern: NamePattern, names: Names) -> list[tuple[str, list[str], dict[str, str]]]:
        near = names.near(pattern)
        self._compared += len(near)
        if self._compared > MOST_COMPARED:
            raise ValueError(
                f"up to here, patterns would have to be compared with more than {MOST_COMPARED} names: begin them with "
                "what their tables or schemas begin with"
            )
        return list(names.fitting(pattern, near))

    def _resolve(self, pattern: NamePattern, written: str, names: Names, what: str) -> str:
        """The one name that is meant."""
        if pattern.literal is not None:
            found = names.find(pattern.literal)
        else:
            found = [name for name, _, _ in self._fitting(pattern, names)]
        if not found:
            similar = [names.shortest(other) for other in names.find_in_any_case(pattern.literal or "")[:3]]
            hint = f" (did you mean {' or '.join(similar)}?)" if similar else ""
            raise ValueError(f"there is no {what} {written}{hint}")
        if len(found) > 1:
            raise ValueError(f"{written} may be any of {', '.join(found[:5])}: write more of its qualified name")
        return found[0]

    def _read_table(self, line: Line) -> list[Line]:
        sources, targets = self._overrides.postgres, self._overrides.snowflake
        value = None if line.value == NOTHING else NamePattern.parse(line.value)
        if line.subject == NOTHING:
            assert value is not None
            return self._without_source(line, value, targets, TARGET)
        subject = NamePattern.parse(line.subject)
        line = replace(line, ranks=(_rank(subject), _rank(value)))
        if value:
            value.check_fillable(subject)
        is_told = value is None or not (value.stars or value.captures)
        told = self._resolve(value, line.value, targets, TARGET) if value and is_told else ""
        if subject.literal is not None:
            return [replace(line, subject=self._resolve(subject, line.subject, sources, SOURCE), value=told)]
        fitting = self._fitting(subject, sources)
        said, missing = [], []
        for source, stars, captured in fitting:
            name = told if value is None or is_told else value.fill(stars, captured)
            found = [told] if is_told else targets.find_in_any_case(name)
            if len(found) == 1:
                said.append(replace(line, subject=source, value=found[0]))
            else:
                missing.append((source, name))
        self._note(line, len(fitting), missing)
        return said

    def _note(self, line: Line, count: int, missing: Sequence[tuple[str, str]]) -> None:
        """Note what a line with patterns does not say for all that it seems to be about."""
        if not count:
            self._notes.append(f"{self._overrides.file} line {line.number} fits nothing: {line.text}")
        elif missing:
            source, name = (visible(text, MOST_OF_A_NAME) for text in missing[0])
            self._notes.append(
                f"{self._overrides.file} line {line.number} says nothing of {len(missing)} of the {count} PostgreSQL tables "
                f"that it fits, like {source}: there is not one Snowflake table {name}"
            )

    def _without_source(self, line: Line, value: NamePattern, names: Names, what: str) -> list[Line]:
        """What a line says of names that nothing goes to."""
        if value.captures:
            raise ValueError(f"{{{min(value.captures)}}} is on the right only: write *")
        line = replace(line, subject="", ranks=((True, 0), _rank(value)))
        if value.literal is not None:
            return [replace(line, value=self._resolve(value, line.value, names, what))]
        found = [name for name, _, _ in self._fitting(value, names)]
        if not found and line.kind == "table":
            self._note(line, 0, ())
        return [replace(line, value=name) for name in found]

    def _read_column(self, line: Line) -> list[Line]:
        """What is said of each source column; the table that it goes to tells which column its value is."""
        names = self._overrides.snowflake_columns
        value = None if line.value == NOTHING else NamePattern.parse(line.value)
        if line.subject == NOTHING:
            assert value is not None
            return self._without_source(line, value, names, "Snowflake column")
        subject = NamePattern.parse(line.subject)
        line = replace(line, ranks=(_rank(subject), _rank(value)))
        if value:
            value.check_fillable(subject)
        end = value.literal if value else ""
        if subject.literal is not None:
            source = self._resolve(subject, line.subject, self._overrides.postgres_columns, "PostgreSQL column")
            return [replace(line, subject=source, value=end or "")]
        return [
            replace(line, subject=source, value=value.fill(stars, captured) if value else "")
            for source, stars, captured in self._fitting(subject, self._overrides.postgres_columns)
        ]


def _rank(pattern: NamePattern | None) -> Rank:
    """All names that are written out are alike, however much of them is written."""
    return (True, 0) if pattern is None or pattern.literal is not None else pattern.rank


# =====================================================================================================================
# Which line decides
# =====================================================================================================================


def _decide(said: Iterable[Line], forbidden: Forbidden) -> tuple[list[Line], list[str]]:
    """The lines that decide, one for each name that they decide; and those that contradict each other, as sentences."""
    by_subject: dict[tuple[str, str], list[Line]] = defaultdict(list)
    without: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in said:
        if line.subject:
            by_subject[line.kind, line.subject].append(line)
        else:
            without[line.kind, line.value].append(line)
    told: dict[tuple[int, int], str] = {}
    decided = []
    for lines in by_subject.values():
        best = _most_specific(lines, 0)
        for line in best[1:]:
            if not _can_both_be(best[0], line):
                note_contradiction(best[0], line, told)
        decided += best
    decided = [line for line in decided if _prevails(line, forbidden.of(line.subject), without, told)]
    reached: dict[tuple[str, str], Line] = {}
    for line in decided:
        if line.kind == "table" and line.value:
            reached[line.kind, line.value] = max(line, reached.get((line.kind, line.value), line), key=_value_rank)
    for place, lines in without.items():
        line = _most_specific(lines, 1)[0]
        if place not in reached or _value_rank(line) >= _value_rank(reached[place]):
            decided.append(line)
    return decided, [told[numbers] for numbers in sorted(told)]


def _value_rank(line: Line) -> Rank:
    return line.ranks[1]


def _most_specific(lines: Sequence[Line], side: int) -> list[Line]:
    """The lines whose subject (0) or value (1) is the most specific one, without those that repeat what one says."""
    best = max(line.ranks[side] for line in lines)
    found: dict[str, Line] = {}
    for line in lines:
        if line.ranks[side] == best:
            found.setdefault(line.value, line)
    return list(found.values())


def _can_both_be(one: Line, other: Line) -> bool:
    """Whether two lines of one name and alike specific can both be obeyed: one table to two, not two patterns by chance."""
    if one.value == other.value:
        return True
    if not (one.value and other.value) or (one.given != other.given and not one.ranks[0][0]):
        return False
    return one.kind == "table" or ("/" in one.value and "/" in other.value)


def _prevails(
    line: Line,
    nevers: Iterable[Never],
    without: Mapping[tuple[str, str], Sequence[Line]],
    told: dict[tuple[int, int], str],
) -> bool:
    """Whether no more specific line forbids a pair of tables, or says that nothing goes to its target."""
    if line.kind != "table" or not line.value:
        return True
    prevails = True
    for never in nevers:
        if line.value in never.targets:
            own, other = _both(line.ranks), _both(never.line.ranks)
            if own == other:
                note_contradiction(line, never.line, told)
            prevails = prevails and own >= other
    for nothing in without.get((line.kind, line.value), ()):
        if _value_rank(nothing) == _value_rank(line):
            note_contradiction(line, nothing, told)
        prevails = prevails and _value_rank(line) >= _value_rank(nothing)
    return prevails


def _both(ranks: tuple[Rank, Rank]) -> Rank:
    return ranks[0][0] and ranks[1][0], ranks[0][1] + ranks[1][1]
