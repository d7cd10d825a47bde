"""Span queries: where in a text words stand, and how near to each other.

The rules are those of Elasticsearch's reference ("Span queries"); ordered spans are found as Lucene's `NearSpansOrdered` does,
for each beginning the nearest of each that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.attributes import as_text
from sandbox.errors import not_supported, query_rejected
from sandbox.messages import Query

# From the first word to the one behind the last.
Span = tuple[int, int]
Finder = Callable[[list[str]], list[Span]]
OTHER_KINDS = ("span_containing", "span_first", "span_multi", "span_not", "field_masking_span")


def compile_span(kind: str, body: object) -> tuple[str, Finder]:
    """The field of a span query, and a function that finds its spans in the words of a text, first ones first.

    Raises `AtlasError`: 400 for what is malformed, 501 for kinds and options that are not supported.
    """
    if not isinstance(body, dict):
        raise query_rejected(f"[{kind}] query malformed, no start_object after query name")
    if kind == "span_term":  # in which a boost beside the field is a second field
        return KINDS[kind](body)
    return KINDS[kind]({name: value for name, value in body.items() if name not in ("boost", "_name")})


def _clause(query: object) -> tuple[str, Finder]:
    if not isinstance(query, dict) or len(query) != 1:
        raise query_rejected("a query is an object with one key, its kind")
    ((kind, body),) = query.items()
    if kind in OTHER_KINDS:
        raise not_supported(f"[{kind}] queries")
    if kind not in KINDS:
        raise query_rejected(f"[{kind}] is no span query")
    return compile_span(kind, body)


def _clauses(kind: str, body: Query, known: set[str]) -> tuple[str, list[Finder]]:
    _check(kind, body, known)
    given = body.get("clauses")
    if not isinstance(given, list) or not given:
        raise query_rejected(f"[{kind}] must include [clauses]")
    compiled = [_clause(query) for query in given]
    return _one_field([field for field, _ in compiled]), [finder for _, finder in compiled]


def _check(kind: str, body: Query, known: set[str]) -> None:
    unknown = next((name for name in body if name not in known), None)
    if unknown:
        raise query_rejected(f"[{kind}] query does not support [{unknown}]")


def _one_field(fields: list[str]) -> str:
    if len(set(fields)) != 1:
        raise query_rejected("Clauses must have same field.")
    return fields[0]


def _term(body: Query) -> tuple[str, Finder]:
    if len(body) != 1:
        raise query_rejected(f"[span_term] query needs just one field, found {len(body)}")
    ((field, value),) = body.items()
    if isinstance(value, dict):
        options = {name: option for name, option in value.items() if name != "boost"}
        if len(options) != 1 or not set(options) <= {"value", "term"}:
            raise query_rejected(f"[span_term] query needs a value for [{field}]")
        (value,) = options.values()
    if value is None or isinstance(value, (dict, list)):
        raise query_rejected("[span_term] query takes a single value, and not null, an array or an object")
    word = as_text(value)
    return field, lambda words: [(at, at + 1) for at, found in enumerate(words) if found == word]


def _or(body: Query) -> tuple[str, Finder]:
    field, finders = _clauses("span_or", body, {"clauses"})
    return field, lambda words: sorted({span for finder in finders for span in finder(words)})


def _near(body: Query) -> tuple[str, Finder]:
    field, finders = _clauses("span_near", body, {"clauses", "slop", "in_order"})
    slop = body.get("slop", 0)
    if isinstance(slop, bool) or not isinstance(slop, int):
        raise query_rejected("[slop] of [span_near] must be a whole number")
    if body.get("in_order", True) is not True and len(finders) > 1:
        raise not_supported("[span_near] queries in any order")

    def find(words: list[str]) -> list[Span]:
        first, *rest = [finder(words) for finder in finders]
        found: list[Span] = []
        for start, end in first:
            length = end - start
            for spans in rest:
                following = next((span for span in spans if span[0] >= end), None)
                if following is None:
                    return found
                end = following[1]
                length += end - following[0]
            if end - start - length <= slop:
                found.append((start, end))
        return found

    return field, find


def _within(body: Query) -> tuple[str, Finder]:
    _check("span_within", body, {"big", "little"})
    for name in ("big", "little"):
        if name not in body:
            raise query_rejected(f"[span_within] must include [{name}]")
    (big_field, big), (little_field, little) = _clause(body["big"]), _clause(body["little"])
    field = _one_field([big_field, little_field])

    def find(words: list[str]) -> list[Span]:
        around = big(words)
        return [span for span in little(words) if any(low <= span[0] and span[1] <= high for low, high in around)]

    return field, find


KINDS: dict[str, Callable[[dict[str, Any]], tuple[str, Finder]]] = {
    "span_term": _term,
    "span_or": _or,
    "span_near": _near,
    "span_within": _within,
}
