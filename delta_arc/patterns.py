"""Patterns of keys and names, as lines of overrides and scopes are written with. Pure functions.

`*` is any text, `?` one character, `[ab]` or `[a-z]` one of these, `[!ab]` any other; `{table}`, `{schema}` and
`{database}` stand for the names of these. In brackets, each of these characters stands for itself: `[*]`, `[?]`, `[[]`,
`[{]`.

Work is bounded, whatever the pattern and the text are: nothing is tried again but where a capture may end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from delta_arc.keys import LONGEST_NAME, fold
from runtime.terminal import HIDDEN

CAPTURES = ("database", "schema", "table")
LONGEST_PATTERN = 4096  # characters; S3's keys have 1,024 bytes at most
MOST_GAPS = 20  # in a pattern with a capture
MOST_STEPS = 500  # that are taken to cut one text up

_TOKEN = re.compile(
    r"(?P<star>\*+)|(?P<one>\?)|\[(?P<not>!)?(?P<set>(?(not)|(?!!))(?:\][^\]]*|[^\]]+))\]|\{(?P<name>[^{}/]*)\}|.",
    re.DOTALL,
)
_MAGIC = re.compile(r"[*?\[{]")


def escape(text: str) -> str:
    """The pattern that fits just this text."""
    return _MAGIC.sub(r"[\g<0>]", text)


def visible_pattern(text: str) -> str:
    """The pattern that fits a text, as it can be shown: what cannot be seen of the text is `?`."""
    return HIDDEN.sub("?", escape(text))


@dataclass(frozen=True)
class Piece:
    """A part of a pattern with a fixed number of characters: a text, or where some of them vary, an expression.

    `beginning` and `ending` are the texts that it has before and behind what varies.
    """

    text: str
    length: int
    varied: re.Pattern[str] | None = None
    beginning: str = ""
    ending: str = ""

    def find(self, text: str, start: int) -> int:
        """Where it is next, or -1."""
        if self.varied is None:
            return text.find(self.text, start)
        found = self.varied.search(text, start)
        return found.start() if found else -1

    def is_at(self, text: str, position: int) -> bool:
        """Whether it is just there."""
        if self.varied is None:
            return position >= 0 and text.startswith(self.text, position)
        return position >= 0 and bool(self.varied.match(text, position))


Spans = tuple[tuple[int, int], ...]
"""Where the gaps of a pattern are in a text that it fits."""


@dataclass(frozen=True)
class Pattern:
    """Pieces, and the gaps between them: an empty text for `*`, or the name of a capture."""

    written: str
    pieces: tuple[Piece, ...]
    gaps: tuple[str, ...]

    @cached_property
    def literal(self) -> str | None:
        """The one text that it fits, if it is no pattern."""
        return self.pieces[0].text if not self.gaps and self.pieces[0].varied is None else None

    @cached_property
    def rank(self) -> tuple[bool, int]:
        """How specific it is: a text before a pattern, and then the one with more characters that stand for themselves."""
        return self.literal is not None, sum(len(piece.text) for piece in self.pieces)

    @cached_property
    def beginning(self) -> str:
        """What every text that it fits begins with."""
        return self.pieces[0].beginning

    @property
    def texts(self) -> list[str]:
        """The texts that are in every text that it fits."""
        return [text for piece in self.pieces for text in (piece.beginning, piece.ending)]

    @cached_property
    def captures(self) -> frozenset[str]:
        """The names that it captures."""
        return frozenset(gap for gap in self.gaps if gap)

    def fit(self, text: str) -> Spans | None:
        """The gaps in a text that it fits, each as short as it can be but for the last; None where it does not fit.

        Of a capture, only that it is not empty is asked.
        """
        if not self._has_ends(text):
            return None
        return self._place(text, 0, self.pieces[0].length)

    def readings(self, text: str) -> Iterator[Spans]:
        """Every way to cut a text up so that captures are names without a slash; nothing beyond `MOST_STEPS` is tried.

        What is behind the last capture is read in one way only.
        """
        if self._has_ends(text):
            last = max((number for number, gap in enumerate(self.gaps) if gap), default=-1)
            yield from self._read(text, (), self.pieces[0].length, last, [MOST_STEPS])

    def fill(self, stars: Sequence[str], captured: Mapping[str, str]) -> str:
        """The text of a pattern of texts, `*` and captures, with others in their place."""
        left = list(stars)
        filled = self.pieces[0].text
        for gap, piece in zip(self.gaps, self.pieces[1:], strict=True):
            filled += (captured[gap] if gap else left.pop(0)) + piece.text
        return filled

    def _has_ends(self, text: str) -> bool:
        first, last = self.pieces[0], self.pieces[-1]
        shortest = sum(piece.length for piece in self.pieces) + sum(1 for gap in self.gaps if gap)
        if len(text) < shortest or (not self.gaps and len(text) > shortest):
            return False
        return first.is_at(text, 0) and last.is_at(text, len(text) - last.length)

    def _place(self, text: str, number: int, start: int) -> Spans | None:
        """The gaps from this one on, whose first character is at `start`."""
        spans: list[tuple[int, int]] = []
        for gap, piece in zip(self.gaps[number:-1], self.pieces[number + 1 : -1], strict=True):
            end = piece.find(text, start + bool(gap))
            if end < 0:
                return None
            spans.append((start, end))
            start = end + piece.length
        if number < len(self.gaps):
            end = len(text) - self.pieces[-1].length
            if end < start + bool(self.gaps[-1]):
                return None
            spans.append((start, end))
        return tuple(spans)

    def _read(self, text: str, spans: Spans, start: int, last: int, steps: list[int]) -> Iterator[Spans]:
        number = len(spans)
        if number > last:
            if (rest := self._place(text, number, start)) is not None:
                yield spans + rest
            return
        gap = self.gaps[number]
        for end in self._ends(text, number, start):
            steps[0] -= 1
            if steps[0] < 0:
                return
            if not gap or self._is_same(text, spans, gap, text[start:end]):
                after = end + self.pieces[number + 1].length
                yield from self._read(text, (*spans, (start, end)), after, last, steps)

    def _ends(self, text: str, number: int, start: int) -> Iterator[int]:
        """Where a gap may end that begins at `start`: where the next piece is."""
        piece, gap = self.pieces[number + 1], self.gaps[number]
        least, most = start, len(text)
        if gap:
            slash = text.find("/", start)
            least, most = start + 1, min(slash if slash >= 0 else most, start + LONGEST_NAME)
        if number + 1 == len(self.gaps):
            end = len(text) - piece.length
            if least <= end <= most:
                yield end
            return
        end = piece.find(text, least)
        while 0 <= end <= most:
            yield end
            end = piece.find(text, end + 1)

    def _is_same(self, text: str, spans: Spans, gap: str, captured: str) -> bool:
        """Whether a name that was captured before is the same."""
        before = [text[slice(*span)] for span, name in zip(spans, self.gaps, strict=False) if name == gap]
        return all(fold(one) == fold(captured) for one in before)


def parse_pattern(written: str) -> Pattern:
    """The pattern that a text is. Raises `ValueError` where it is none, with a clause that says why."""
    if len(written) > LONGEST_PATTERN:
        raise ValueError(f"a pattern of more than {LONGEST_PATTERN} characters fits nothing")
    pieces: list[Piece] = []
    gaps: list[str] = []
    told: list[tuple[str, str]] = []  # the characters of a piece, each with its expression where it varies
    for token in _TOKEN.finditer(written):
        found, name, characters = token.group(), token["name"], token["set"]
        if token["star"] or name is not None:
            if name is not None and name not in CAPTURES:
                known = ", ".join(f"{{{one}}}" for one in CAPTURES)
                raise ValueError(f"{found} is none of {known}; a brace itself is written as [{{]")
            if gaps and not told and (name or gaps[-1]):
                raise ValueError(f"nothing tells where what is before {found} ends: put a character between")
            pieces.append(_make_piece(told))
            gaps.append(name or "")
            told = []
        elif token["one"]:
            told.append(("", "."))
        elif characters and (len(characters) > 1 or token["not"]):
            told.append(("", _one_of(characters, bool(token["not"]))))
        else:
            told += [(character, "") for character in characters or found]
    pieces.append(_make_piece(told))
    if any(gaps) and len(gaps) > MOST_GAPS:
        raise ValueError(f"a pattern with a name in braces has {MOST_GAPS} of * and names at the most")
    return Pattern(written, tuple(pieces), tuple(gaps))


def _make_piece(told: Sequence[tuple[str, str]]) -> Piece:
    text = "".join(character for character, _ in told)
    varying = [at for at, (_, expression) in enumerate(told) if expression]
    if not varying:
        return Piece(text, len(told), None, text, text)
    expression = "".join(expression or re.escape(character) for character, expression in told)
    beginning, ending = told[: varying[0]], told[varying[-1] + 1 :]
    return Piece(
        text,
        len(told),
        re.compile(expression, re.DOTALL),
        "".join(character for character, _ in beginning),
        "".join(character for character, _ in ending),
    )


def _one_of(characters: str, is_not: bool) -> str:
    """The expression for one of these characters; `a-z` among them is a range."""
    told, at = "", 0
    while at < len(characters):
        first, last = characters[at], characters[at + 2 : at + 3]
        if characters[at + 1 : at + 2] == "-" and last:
            if first > last:
                raise ValueError(f"[{characters}] has a range that ends before it begins")
            told += f"{re.escape(first)}-{re.escape(last)}"
            at += 3
        else:
            told += re.escape(first)
            at += 1
    return f"[{'^' if is_not else ''}{told}]"


@dataclass(frozen=True)
class NamePattern:
    """A pattern of the last parts of a qualified name: database, schema, table, column. Letters in any case are alike."""

    parts: tuple[Pattern, ...]

    @classmethod
    def parse(cls, written: str) -> NamePattern:
        """Raises `ValueError` as `parse_pattern` does."""
        return cls(tuple([parse_pattern(part) for part in written.split("/")]))

    @cached_property
    def folded(self) -> tuple[Pattern, ...]:
        """The parts as they are compared."""
        return tuple([parse_pattern(fold(part.written)) for part in self.parts])

    @cached_property
    def literal(self) -> str | None:
        """The one name that it is, if it is no pattern."""
        texts = [part.literal for part in self.parts]
        return None if None in texts else "/".join(text for text in texts if text is not None)

    @cached_property
    def rank(self) -> tuple[bool, int]:
        """How specific it is; see `Pattern.rank`."""
        return self.literal is not None, len(self.parts) - 1 + sum(part.rank[1] for part in self.parts)

    @cached_property
    def captures(self) -> frozenset[str]:
        """The names that it captures."""
        return frozenset().union(*(part.captures for part in self.parts))

    @cached_property
    def stars(self) -> int:
        """How many `*` it has."""
        return sum(gap == "" for part in self.parts for gap in part.gaps)

    def fit(self, folded_path: Sequence[str]) -> tuple[list[str], dict[str, str]] | None:
        """What its `*` and its captures stand for in a name of these (folded) parts; None where it does not fit."""
        if len(folded_path) < len(self.folded):
            return None
        stars: list[str] = []
        captured: dict[str, str] = {}
        for pattern, part in zip(reversed(self.folded), reversed(folded_path), strict=False):
            spans = pattern.fit(part)
            if spans is None:
                return None
            texts = [part[start:end] for start, end in spans]
            for gap, text in zip(pattern.gaps, texts, strict=True):
                if gap and captured.setdefault(gap, text) != text:
                    return None
            stars = [text for gap, text in zip(pattern.gaps, texts, strict=True) if not gap] + stars
        return stars, captured

    def fill(self, stars: Sequence[str], captured: Mapping[str, str]) -> str:
        """The name with texts in the place of its `*`, which are the last ones of these, and of its captures."""
        left = list(stars[len(stars) - self.stars :])
        filled = []
        for part in self.parts:
            count = sum(not gap for gap in part.gaps)
            filled.append(part.fill(left[:count], captured))
            left = left[count:]
        return "/".join(filled)

    def check_fillable(self, by: NamePattern | Pattern) -> None:
        """Raise `ValueError` where something in it would not be told by what the other one stands for."""
        if any(piece.varied for part in self.parts for piece in part.pieces):
            raise ValueError("what is carried over is * or a name in braces, not ? or [ab]")
        stars = by.stars if isinstance(by, NamePattern) else 0
        if self.stars > stars:
            raise ValueError("there are more * on the right than on the left" if stars else _NO_STARS)
        for name in sorted(self.captures - by.captures):
            raise ValueError(f"{{{name}}} is on the right only")


_NO_STARS = "* cannot stand for a name here: write {table} on both sides"
