"""Overrides: a file of one-line sentences that force, forbid or rename what matching says.

    object 'in/2025/*_x9.csv' is public/orders      # a key pattern: * is any text, ? one character, [ab] one of these
    object in/prod_{table}_full_*.csv is public/{table}
    object in/notes.csv is nothing
    table public/orders goes to SALES/ORDERS_FACT
    table public/* goes to RAW/STG_*                # what * stands for is carried over
    never public/orders to SALES/ORDERS
    column public/orders/customer_id is CUST_KEY

A name is as much of the end of a qualified name as is needed to tell it apart. Where several lines fit, the more specific
one decides: one without patterns, and then the one with more characters that stand for themselves. Pure functions, but
for `read_overrides`.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from delta_arc.keys import fold
from delta_arc.matching import TARGET_TYPES, AssetRow, MatchOutcome, ObjectMatch, parent_of, tables_in
from delta_arc.names import Names
from delta_arc.pairing import TablePair
from delta_arc.patterns import NamePattern, Pattern, escape, parse_pattern
from runtime.errors import SettingsError
from runtime.files import read_small_file
from runtime.terminal import HIDDEN, MOST_OF_A_NAME, visible

NOTHING = "nothing"
MOST_BYTES = 50_000_000  # of the file
MOST_COMPARED = 20_000_000  # names that all lines with patterns are compared with, some seconds of work
FORMS = {
    "object": (["is"], "object <key pattern> is <PostgreSQL table>"),
    "table": (["goes", "to"], "table <PostgreSQL table> goes to <Snowflake table>"),
    "never": (["to"], "never <PostgreSQL table> to <Snowflake table>"),
    "column": (["is"], "column <PostgreSQL column> is <Snowflake column>"),
}
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
        return self.pattern_line(_seen(key), table)

    def pattern_line(self, pattern: str, table: str | None) -> str:
        """The line that says which table the objects carry that a pattern fits, or none."""
        pattern = f"[{pattern[0]}]{pattern[1:]}" if pattern == NOTHING else pattern
        return f"object {shlex.quote(pattern)} is {self._name(self.postgres, table)}"

    def table_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a table goes; None is nothing."""
        return f"table {self._name(self.postgres, source)} goes to {self._name(self.snowflake, target)}"

    def schema_line(self, schema: str) -> str:
        """The line that says that all tables of a schema go to nothing."""
        return f"table {shlex.quote(_seen('/'.join(schema.rsplit('/', 2)[-2:])) + '/*')} goes to {NOTHING}"

    def column_line(self, source: str | None, target: str | None) -> str:
        """The line that says where a column goes; None is nothing."""
        return f"column {self._name(self.postgres_columns, source)} is {self._name(self.snowflake_columns, target)}"

    @staticmethod
    def _name(names: Names, name: str | None) -> str:
        return shlex.quote(_seen(names.shortest(name))) if name else NOTHING


def _seen(text: str) -> str:
    """The pattern that fits a text, as it can be shown: what cannot be seen of it is `?`."""
    return HIDDEN.sub("?", escape(text))


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


SOURCE, TARGET = "PostgreSQL table", "Snowflake table"


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
                _contradict(best[0], line, told)
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
                _contradict(line, never.line, told)
            prevails = prevails and own >= other
    for nothing in without.get((line.kind, line.value), ()):
        if _value_rank(nothing) == _value_rank(line):
            _contradict(line, nothing, told)
        prevails = prevails and _value_rank(line) >= _value_rank(nothing)
    return prevails


def _both(ranks: tuple[Rank, Rank]) -> Rank:
    return ranks[0][0] and ranks[1][0], ranks[0][1] + ranks[1][1]


def _contradict(one: Line, other: Line, told: dict[tuple[int, int], str], what: str = "") -> None:
    """Put down once that two lines say different things."""
    first, second = sorted((one, other), key=lambda line: line.number)
    told.setdefault(
        (first.number, second.number),
        f"lines {first.number} and {second.number} contradict each other{what}: {first.text} — {second.text}.",
    )


# =====================================================================================================================
# Applying them
# =====================================================================================================================


class _ObjectRules:
    """The rules about keys, by the text in their patterns that the fewest of them have, so that a key meets few."""

    def __init__(self, rules: Sequence[ObjectRule]) -> None:
        shared = Counter(text for rule in rules for text in _texts(rule.key))
        self._exact: dict[str, list[ObjectRule]] = defaultdict(list)
        # By the length of that text.
        self._by_beginning: dict[int, dict[str, list[ObjectRule]]] = defaultdict(lambda: defaultdict(list))
        self._by_part: dict[int, dict[str, list[ObjectRule]]] = defaultdict(lambda: defaultdict(list))
        for rule in rules:
            text = min(_texts(rule.key), key=lambda text: (shared[text], -len(text)), default="")
            if rule.key.literal is not None:
                self._exact[rule.key.literal].append(rule)
            elif rule.key.beginning.startswith(text):
                self._by_beginning[len(text)][text].append(rule)
            else:
                self._by_part[len(text)][text].append(rule)

    def near(self, key: str) -> Iterator[ObjectRule]:
        """The rules that may fit a key."""
        yield from self._exact.get(key, ())
        for length, beginnings in self._by_beginning.items():
            yield from beginnings.get(key[:length], ())
        for length, parts in self._by_part.items():
            for part in {key[at : at + length] for at in range(len(key) - length + 1)} & parts.keys():
                yield from parts[part]


LONGEST_PART = 32  # characters of a text within a pattern that are looked for


def _texts(pattern: Pattern) -> set[str]:
    """Texts that are in every key that a pattern fits."""
    found = {pattern.beginning, *(text[-LONGEST_PART:] for text in pattern.texts)}
    return found - {""}


def override_objects(overrides: Overrides, matches: Iterable[ObjectMatch]) -> tuple[list[ObjectMatch], frozenset[int]]:
    """The matches with those that lines force, and the numbers of the lines that fit an object.

    A line with names in braces decides where they name one table, and else the next one does. Raises `SettingsError` where
    lines that are alike specific say different things of one object.
    """
    rules = _ObjectRules(overrides.objects)
    decided: list[ObjectMatch] = []
    told: dict[tuple[int, int], str] = {}
    used: set[int] = set()
    for match in matches:
        best: list[tuple[ObjectRule, str]] = []
        for rule in rules.near(match.key):
            table = _decided_table(rule, match.key, overrides.postgres)
            if table is None:
                continue
            used.add(rule.line.number)
            if not best or rule.key.rank > best[0][0].key.rank:
                best = [(rule, table)]
            elif rule.key.rank == best[0][0].key.rank:
                best.append((rule, table))
        for rule, table in best[1:]:
            if table != best[0][1]:
                _contradict(best[0][0].line, rule.line, told, f" about {visible(match.key, MOST_OF_A_NAME)}")
        if best:
            rule, table = min(best, key=lambda one: one[0].line.number)
            match = ObjectMatch(match.key, table or None, f"override line {rule.line.number}", MatchOutcome.OVERRIDDEN)
        decided.append(match)
    if told:
        raise SettingsError([f"{overrides.file} {told[numbers]}" for numbers in sorted(told)])
    return decided, frozenset(used)


def _decided_table(rule: ObjectRule, key: str, names: Names) -> str | None:
    """The table that a rule says a key carries, or an empty text for none; None where it says nothing of it."""
    if rule.table is None:
        return rule.line.value if rule.key.literal is not None or rule.key.fit(key) is not None else None
    found = _captured_tables(rule, key, names)
    return found[0] if len(found) == 1 else None


def _captured_tables(rule: ObjectRule, key: str, names: Names) -> list[str]:
    """The tables that the names in a key may be. Where they can be read in several ways, the longest names count, if all
    others lie within them: `order_items` and not `order`, but nothing of `orders` and `customers` side by side."""
    assert rule.table is not None
    found: list[tuple[int, int, str]] = []
    for spans in rule.key.readings(key):
        captured = {gap: span for gap, span in zip(rule.key.gaps, spans, strict=True) if gap}
        texts = {gap: key[start:end] for gap, (start, end) in captured.items()}
        starts, ends = zip(*captured.values(), strict=True)
        found += [(min(starts), max(ends), table) for table in names.find_in_any_case(rule.table.fill((), texts))]
    if not found:
        return []
    widest = min(start for start, _, _ in found), max(end for _, end, _ in found)
    within = {table for start, end, table in found if (start, end) == widest}
    return sorted(within or {table for _, _, table in found})


def explain_captures(overrides: Overrides, matches: Iterable[ObjectMatch]) -> list[str]:
    """A sentence for each line with names in braces that fits objects and does not find one table for them; `matches` are
    those that `override_objects` returned."""
    capturing = [rule for rule in overrides.objects if rule.table is not None]
    rules = _ObjectRules(capturing)
    missed: dict[int, list[str]] = defaultdict(list)
    several: dict[int, list[str]] = defaultdict(list)
    for match in matches if capturing else ():
        if match.outcome is MatchOutcome.OVERRIDDEN:
            continue
        for rule in rules.near(match.key):
            if next(rule.key.readings(match.key), None) is not None:
                found = _captured_tables(rule, match.key, overrides.postgres)
                example = visible(match.key, MOST_OF_A_NAME)
                if found:
                    names = " or ".join(overrides.postgres.shortest(name) for name in found[:3])
                    several[rule.line.number].append(f"{example} ({names})")
                else:
                    missed[rule.line.number].append(example)
    told = []
    for line in [rule.line for rule in capturing]:
        for keys_of, words in ((missed, "no PostgreSQL table"), (several, "more than one PostgreSQL table")):
            if keys := keys_of.get(line.number):
                told.append(
                    f"{overrides.file} line {line.number} finds {words} for {len(keys)} S3 object"
                    f"{'s' if len(keys) > 1 else ''} that it fits, like {keys[0]}: {line.text}"
                )
    return told


def override_tables(overrides: Overrides, pairs: Iterable[TablePair]) -> tuple[list[TablePair], frozenset[int]]:
    """The pairs with those that lines force, several for a source that lines lead to several targets; and the numbers of
    the `never` lines that forbid what names would pair."""
    forbidding: dict[str, Line] = {}
    used = set()
    for never in overrides.nevers:
        names = {_last_folded(target) for target in never.targets}
        for source in never.sources:
            if _last_folded(source) in names:
                forbidding[source] = never.line
                used.add(never.line.number)
    withheld = {_last_folded(line.value): line for line in overrides.of("table") if not line.subject}
    decided = []
    for pair in pairs:
        if forcing := overrides.targets_of.get(pair.source):
            decided += [
                TablePair(pair.source, one.value or None, f"override line {one.number}", MatchOutcome.OVERRIDDEN)
                for one in forcing
            ]
            continue
        line = forbidding.get(pair.source) or withheld.get(_last_folded(pair.source))
        if line and not pair.target and not pair.candidates:
            # It is the line that leaves it without a table of its name.
            pair = TablePair(pair.source, None, f"override line {line.number}", MatchOutcome.OVERRIDDEN)
        decided.append(pair)
    return decided, frozenset(used)


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

    A line with patterns says nothing of a target that has no such column. Raises `SettingsError` where another one does
    so, or two lead to one.
    """
    forced: dict[str, tuple[AssetRow, Line]] = {}
    taken, used = set(), set()
    for row in sources:
        for line in overrides.columns_of.get(row[0], ()):
            if line.value:
                found = _columns_named(line, targets)
                if len(found) != 1:
                    if _must_be_there(line, row, overrides):
                        raise SettingsError(
                            [f"{overrides.file} line {line.number}: the table that it goes to has no {line.value}."]
                        )
                    continue
                if found[0][0] in forced:
                    numbers = ", ".join(str(number) for number in sorted({forced[found[0][0]][1].number, line.number}))
                    raise SettingsError(
                        [f"{overrides.file} lines {numbers} lead two columns to one: only one can be there."]
                    )
                forced[found[0][0]] = (row, line)
            used.add(line.number)
            taken.add(row[0])
    target_rows = {row[0]: row for row in targets}
    for name in target_rows.keys() & overrides.without_partner:
        taken.add(name)
    taken |= forced.keys()
    kept = [pair for pair in pairs if not taken & {pair[0][0], pair[1][0]}]
    return [*kept, *((row, target_rows[name]) for name, (row, _) in forced.items())], frozenset(used)


def _columns_named(line: Line, targets: Iterable[AssetRow]) -> list[AssetRow]:
    """The columns that a line means; one with patterns does so in any case."""
    targets = list(targets)
    found = [row for row in targets if row[0].endswith(f"/{line.value}")]
    if found or line.ranks[0][0]:
        return found
    return [row for row in targets if fold(row[0]).endswith(f"/{fold(line.value)}")]


def _must_be_there(line: Line, column: AssetRow, overrides: Overrides) -> bool:
    """Whether a line is wrong where the target has no such column: a pattern, or one of several targets, may be without."""
    table = parent_of(column[0], column[1])
    return line.ranks[0][0] and len(overrides.targets_of.get(table, ())) < 2
