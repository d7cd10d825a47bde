"""The matches of objects, the pairs of tables and those of columns, with what lines of overrides force. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from delta_arc.keys import fold
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch, parent_of
from delta_arc.names import Names
from delta_arc.overrides import Line, ObjectRule, Overrides, note_contradiction
from delta_arc.pairing import TablePair
from delta_arc.patterns import Pattern
from runtime.errors import SettingsError
from runtime.terminal import MOST_OF_A_NAME, visible

LONGEST_PART = 32  # characters of a text within a pattern that are looked for


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
                note_contradiction(best[0][0].line, rule.line, told, f" about {visible(match.key, MOST_OF_A_NAME)}")
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
