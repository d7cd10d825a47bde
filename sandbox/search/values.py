"""How the index compares what a query says with what an entity has: as texts, as numbers, as dates or word by word."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

from sandbox.search.moments import read_moment

NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?", re.IGNORECASE)


def indexed_value(value: Any, fold: bool) -> tuple[str, Any]:
    """The kind and the form in which a value of an entity is compared; `fold` compares texts without their case."""
    if isinstance(value, bool):
        return "text", str(value).lower()
    if isinstance(value, (int, float)):
        return "number", float(value)
    return "text", str(value).lower() if fold else str(value)


def wanted_values(value: Any, fold: bool) -> set[tuple[str, Any]]:
    """Every `indexed_value` that a value in a query matches.

    A keyword field compares texts and a numeric field numbers, and a query may write either as the other (`"3"` for
    3): Elasticsearch's reference, "Term query" and "Numeric field types". Two texts are never compared as numbers.
    """
    kind, form = indexed_value(value, fold)
    if kind == "number":
        return {(kind, form), ("text", str(value))}
    found = {(kind, form)}
    if NUMBER.fullmatch(form):
        with contextlib.suppress(ValueError):  # 1.2.3
            found.add(("number", float(form)))
    return found


def edits(one: str, other: str, most: int, transpositions: bool) -> int:
    """How many characters have to be changed, added, taken away (or two neighbours exchanged) to make one text of the other;
    `most` + 1 for any more. Elasticsearch's reference, "Fuzzy query".
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if transpositions and i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def comparable(value: Any) -> Any:
    """A value as a range compares it: texts of numbers as numbers, those of moments in milliseconds since 1970, any other as
    it is.
    """
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        moment = read_moment(value)
        return value if moment is None else moment


def wildcard_test(wildcard: str, fold: bool) -> Callable[[str], bool]:
    """A test whether a whole text fits a wildcard: `*` is any text, `?` one character, a backslash takes the next one as it
    is; `fold` compares without case. Each part between two `*` is looked for once, behind the one before it.

    Elasticsearch's reference, "Wildcard query", and Lucene's `WildcardQuery`.
    """
    parts = [""]
    for escaped, character in re.findall(r"\\(.)|(.)", wildcard, re.DOTALL):
        if character == "*":
            parts.append("")
        else:
            parts[-1] += re.escape(escaped) if escaped else "." if character == "?" else re.escape(character)
    flags = re.DOTALL | (re.IGNORECASE if fold else 0)
    first, *rest = [re.compile(part, flags) for part in parts]
    if not rest:
        return lambda text: bool(first.fullmatch(text))
    last = re.compile(f"{parts[-1]}\\Z", flags)
    # The length of the last part, in which each character is one, however it is written.
    length = len(re.sub(r"\\(.)", r"\1", parts[-1], flags=re.DOTALL))

    def matches(text: str) -> bool:
        found = first.match(text)
        for part in rest[:-1]:
            found = part.search(text, found.end()) if found else None
        return bool(found and len(text) - length >= found.end() and last.match(text, len(text) - length))

    return matches
