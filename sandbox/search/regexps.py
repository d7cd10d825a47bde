"""Regular expressions as Lucene understands them, as automata: a match takes one step for each character of the text.

The syntax is that of `org.apache.lucene.util.automaton.RegExp`, and so are the limits: a pattern has at most as many
characters as index.max_regex_length allows, and an automaton that costs too much to make deterministic is refused, as
`Operations.determinize` does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable

from sandbox.errors import AtlasError, not_supported, query_rejected

MAX_LENGTH = 1000  # index.max_regex_length
MAX_DETERMINIZED_STATES = 10_000  # the default of max_determinized_states
EFFORT_PER_STATE = 20  # about what `Operations.determinize` allows, counted as it is done here
MAX_STATES = 100_000  # of the automaton as it is read: repeats are written out
LAST = 0x10FFFF
DIGITS, SPACES = [(48, 57)], [(9, 13), (32, 32)]
WORD = [(48, 57), (65, 90), (95, 95), (97, 122)]

Ranges = list[tuple[int, int]]


class _Automaton:
    """A nondeterministic automaton: for each state the states that it becomes without a character, and with one."""

    def __init__(self) -> None:
        self.free: list[list[int]] = []
        self.moves: list[list[tuple[int, int, int]]] = []

    def state(self) -> int:
        if len(self.free) >= MAX_STATES:
            raise query_rejected("the regular expression is too complex: its repeats make too many states")
        self.free.append([])
        self.moves.append([])
        return len(self.free) - 1


class _Parser:
    """Reads a pattern into an automaton, each part as the pair of its first and its last state."""

    def __init__(self, pattern: str, fold: bool) -> None:
        self.pattern = pattern
        self.fold = fold
        self.at = 0
        self.automaton = _Automaton()

    def parse(self) -> tuple[int, int]:
        part = self.union()
        if self.at < len(self.pattern):
            raise self.fault("end-of-string expected")
        return part

    def fault(self, what: str) -> AtlasError:
        return query_rejected(f"{what} at position {self.at} of the regular expression")

    def peek(self, characters: str) -> bool:
        return self.at < len(self.pattern) and self.pattern[self.at] in characters

    def take(self, character: str) -> bool:
        if self.peek(character):
            self.at += 1
            return True
        return False

    def next(self) -> str:
        if self.at >= len(self.pattern):
            raise self.fault("unexpected end-of-string")
        self.at += 1
        return self.pattern[self.at - 1]

    def union(self) -> tuple[int, int]:
        parts = [self.concatenation()]
        while self.take("|"):
            parts.append(self.concatenation())
        return self.either(parts)

    def either(self, parts: list[tuple[int, int]]) -> tuple[int, int]:
        if len(parts) == 1:
            return parts[0]
        first, last = self.automaton.state(), self.automaton.state()
        for start, end in parts:
            self.automaton.free[first].append(start)
            self.automaton.free[end].append(last)
        return first, last

    def concatenation(self) -> tuple[int, int]:
        first = last = self.automaton.state()
        while self.at < len(self.pattern) and not self.peek("|)"):
            if self.peek("&"):
                raise not_supported("an intersection (&) in a regexp query")
            start, end = self.repeat()
            self.automaton.free[last].append(start)
            last = end
        return first, last

    def repeat(self) -> tuple[int, int]:
        begin = self.at
        part = self.simple()
        end = self.at
        while self.peek("?*+{"):
            least, most = self.bounds()
            part = self.repeated(part, (begin, end), least, most)
            end = self.at
        return part

    def bounds(self) -> tuple[int, int | None]:
        sign = self.next()
        if sign in "?*+":
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        least = self.number()
        most: int | None = least
        if self.take(","):
            most = self.number() if self.peek("0123456789") else None
        if not self.take("}"):
            raise self.fault("expected '}'")
        if most is not None and most < least:
            raise self.fault("the repeats are out of order")
        return least, most

    def number(self) -> int:
        begin = self.at
        while self.peek("0123456789"):
            self.at += 1
        if begin == self.at:
            raise self.fault("integer expected")
        if self.at - begin > 6:
            raise self.fault("the number is too large")
        return int(self.pattern[begin : self.at])

    def repeated(self, part: tuple[int, int], source: tuple[int, int], least: int, most: int | None) -> tuple[int, int]:
        """The part so many times, read anew from its place in the pattern for each copy."""
        first = last = self.automaton.state()
        copies: list[tuple[int, int]] = [part]

        def another() -> tuple[int, int]:
            if copies:
                return copies.pop()
            at, self.at = self.at, source[0]
            copy = self.simple()
            while self.at < source[1]:
                copy = self.repeated(copy, (source[0], self.at), *self.bounds())
            self.at = at
            return copy

        for _ in range(least):
            start, end = another()
            self.automaton.free[last].append(start)
            last = end
        ends = [last]
        if most is None:
            start, end = another()
            loop = self.automaton.state()
            self.automaton.free[last].append(loop)
            self.automaton.free[loop].append(start)
            self.automaton.free[end].append(loop)
            return first, loop
        for _ in range(most - least):
            start, end = another()
            self.automaton.free[last].append(start)
            last = end
            ends.append(last)
        final = self.automaton.state()
        for end in ends:
            self.automaton.free[end].append(final)
        return first, final

    def simple(self) -> tuple[int, int]:
        character = self.next()
        if character == "~":
            raise not_supported("a complement (~) in a regexp query")
        if character == "<":
            raise not_supported("an interval (<>) in a regexp query")
        if character == ".":
            return self.one_of([(0, LAST)])
        if character == "@":
            first, last = self.one_of([(0, LAST)])
            self.automaton.free[last].append(first)
            self.automaton.free[first].append(last)
            return first, last
        if character == "#":
            return self.automaton.state(), self.automaton.state()
        if character == "(":
            if self.take(")"):
                state = self.automaton.state()
                return state, state
            part = self.union()
            if not self.take(")"):
                raise self.fault("expected ')'")
            return part
        if character == "[":
            return self.character_class()
        if character == '"':
            end = self.pattern.find('"', self.at)
            if end < 0:
                raise self.fault("expected '\"'")
            text, self.at = self.pattern[self.at : end], end + 1
            return self.text(text)
        if character == "\\":
            named = self.named_class()
            return self.one_of(named) if named else self.one_of(self.range_of(self.next()))
        if character in ")|?*+{":
            self.at -= 1
            raise self.fault(f"unexpected {character!r}")
        return self.one_of(self.range_of(character))

    def text(self, text: str) -> tuple[int, int]:
        first = last = self.automaton.state()
        for character in text:
            start, end = self.one_of(self.range_of(character))
            self.automaton.free[last].append(start)
            last = end
        return first, last

    def named_class(self) -> Ranges | None:
        """The class of an escaped letter (`\\d`), which is taken; None for any other character."""
        for letter, ranges in (("d", DIGITS), ("s", SPACES), ("w", WORD)):
            if self.take(letter):
                return ranges
            if self.take(letter.upper()):
                return _inverted(ranges)
        return None

    def character_class(self) -> tuple[int, int]:
        inverted = self.take("^")
        ranges: Ranges = []
        while not self.take("]"):
            named = None
            character = self.next()
            if character == "\\":
                named = self.named_class()
                character = "" if named else self.next()
            if named:
                ranges += named
            elif self.peek("-") and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                end = self.next()
                end = self.next() if end == "\\" else end
                if ord(end) < ord(character):
                    raise self.fault("the characters of a range are out of order")
                ranges.append((ord(character), ord(end)))
                if self.fold:
                    ranges += _other_case(ord(character), ord(end))
            else:
                ranges += self.range_of(character)
        if not ranges:
            raise self.fault("expected a character")
        return self.one_of(_inverted(ranges) if inverted else ranges)

    def range_of(self, character: str) -> Ranges:
        forms = {character, character.lower(), character.upper()} if self.fold else {character}
        return [(ord(form), ord(form)) for form in forms if len(form) == 1]

    def one_of(self, ranges: Ranges) -> tuple[int, int]:
        first, last = self.automaton.state(), self.automaton.state()
        self.automaton.moves[first] += [(low, high, last) for low, high in ranges]
        return first, last


def compile_regexp(pattern: str, fold: bool, most_states: int = MAX_DETERMINIZED_STATES) -> Callable[[str], bool]:
    """A test whether a whole text matches; `fold` compares without case.

    Raises `AtlasError`: 400 for a pattern that is malformed, too long, or too complex, 501 for operators that are left out.
    """
    if len(pattern) > MAX_LENGTH:
        raise query_rejected(
            f"The length of regex [{len(pattern)}] used in the Regexp Query request has exceeded the allowed maximum of "
            f"[{MAX_LENGTH}]"
        )
    parser = _Parser(pattern, fold)
    try:
        first, last = parser.parse()
    except RecursionError:
        raise query_rejected("the regular expression is nested too deeply") from None
    return _deterministic(parser.automaton, first, last, most_states * EFFORT_PER_STATE)


def _deterministic(automaton: _Automaton, first: int, last: int, most_effort: int) -> Callable[[str], bool]:
    """The same as a table, built by subsets: for each state where the ranges of characters begin, and what each leads to."""
    begin = _closure(automaton, {first})
    numbers = {begin: 0}
    table: list[tuple[list[int], list[int | None]]] = []
    waiting, effort = deque([begin]), 0
    while waiting:
        states = waiting.popleft()
        moves = [move for state in states for move in automaton.moves[state]]
        changes: dict[int, list[tuple[int, int]]] = {0: []}
        for low, high, target in moves:
            changes.setdefault(low, []).append((target, 1))
            changes.setdefault(high + 1, []).append((target, -1))
        borders = sorted(changes)
        targets: list[int | None] = []
        open_moves: Counter[int] = Counter()
        closures: dict[frozenset[int], frozenset[int]] = {}
        for border in borders:
            for target, change in changes[border]:
                open_moves[target] += change
            reached = frozenset(+open_moves)
            if reached and reached not in closures:
                closures[reached] = _closure(automaton, set(reached))
                effort += len(states) + len(closures[reached])
                if effort > most_effort:
                    raise query_rejected(
                        f"Determinizing the regular expression would require more than {most_effort} effort"
                    )
                if closures[reached] not in numbers:
                    numbers[closures[reached]] = len(numbers)
                    waiting.append(closures[reached])
            targets.append(numbers[closures[reached]] if reached else None)
        table.append((borders, targets))
    final = {number for states, number in numbers.items() if last in states}

    def matches(text: str) -> bool:
        state: int | None = 0
        for character in text:
            if state is None:
                return False
            borders, targets = table[state]
            state = targets[bisect_right(borders, ord(character)) - 1]
        return state in final

    return matches


def _closure(automaton: _Automaton, states: set[int]) -> frozenset[int]:
    found, waiting = set(states), list(states)
    while waiting:
        for state in automaton.free[waiting.pop()]:
            if state not in found:
                found.add(state)
                waiting.append(state)
    return frozenset(found)


def _inverted(ranges: Ranges) -> Ranges:
    found, next_free = [], 0
    for low, high in sorted(ranges):
        if low > next_free:
            found.append((next_free, low - 1))
        next_free = max(next_free, high + 1)
    return [*found, (next_free, LAST)] if next_free <= LAST else found


def _other_case(low: int, high: int) -> Ranges:
    """The ASCII letters of a range in their other case."""
    found = []
    for begin, end, shift in ((65, 90, 32), (97, 122, -32)):
        if max(low, begin) <= min(high, end):
            found.append((max(low, begin) + shift, min(high, end) + shift))
    return found
