"""Queries compiled into predicates: the kinds of Elasticsearch's query DSL that Atlan's clients send.

The rules are those of Elasticsearch's reference ("Query DSL"), the page of the same name for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.catalog import Catalog, Entity
from sandbox.errors import query_rejected
from sandbox.messages import Query
from sandbox.search.fields import field_reader, ignores_case, is_analysed
from sandbox.search.values import comparable, indexed_value, wanted_values, wildcard_pattern, words_of

Predicate = Callable[[Entity], bool]
Test = Callable[[str], bool]

# pyatlan sends up to 100 guids; ten times as many is surely a mistake. (A limit of the sandbox.)
MAX_GUIDS = 1000


def compile_query(catalog: Catalog, query: object) -> Predicate:
    """A predicate that says whether an entity matches a query, `{kind: body}`.

    Raises `AtlasError` (400, as Elasticsearch's refusals come through the metastore) for an unknown kind or a malformed
    body. What the predicate reads of the catalog is read when it is asked.
    """
    if not isinstance(query, dict) or len(query) != 1:
        raise query_rejected("a query is an object with one key, its kind")
    ((kind, body),) = query.items()
    compiler = COMPILERS.get(kind)
    if not compiler:
        raise query_rejected(f"unknown query [{kind}]")
    if not isinstance(body, dict):
        raise query_rejected(f"[{kind}] query malformed, no start_object after query name")
    try:
        return compiler(catalog, body)
    except (AttributeError, KeyError, ValueError, TypeError, re.error) as error:
        raise query_rejected(f"[{kind}] query malformed: {type(error).__name__}: {error}") from error


def single_field(body: Query, *options: str) -> tuple[str, Any, Query]:
    """The field, the value and the options of a query such as `{"field": {"value": …}}` or `{"field": …}`.

    `options` are the names under which the value may stand. Raises ValueError or KeyError if the body is neither.
    """
    fields = {name: value for name, value in body.items() if name not in ("boost", "case_insensitive")}
    ((field, value),) = fields.items()
    if isinstance(value, dict):
        return field, value[next((name for name in options if name in value), options[0])], {**body, **value}
    return field, value, body


def clauses_of(body: Query, name: str) -> list[Any]:
    """The queries under `filter`, `must`, `must_not` or `should` of a bool query, which may be one or a list."""
    queries = body.get(name) or []
    return queries if isinstance(queries, list) else [queries]


def values_of_terms(body: Query) -> tuple[str, Any]:
    """The field and the values of a terms query."""
    ((field, values),) = ((name, value) for name, value in body.items() if name != "boost")
    return field, values


def _bool(catalog: Catalog, body: Query) -> Predicate:
    def compiled(name: str) -> list[Predicate]:
        return [compile_query(catalog, query) for query in clauses_of(body, name)]

    required, excluded, optional = compiled("filter") + compiled("must"), compiled("must_not"), compiled("should")
    minimum = body.get("minimum_should_match")
    if minimum is None:
        # Where nothing else is required, one of the optional clauses is ("Boolean query", minimum_should_match).
        minimum = 1 if optional and not required else 0
    minimum = int(minimum)

    def matches(entity: Entity) -> bool:
        if not all(predicate(entity) for predicate in required):
            return False
        if any(predicate(entity) for predicate in excluded):
            return False
        return minimum <= 0 or sum(predicate(entity) for predicate in optional) >= minimum

    return matches


def _term(catalog: Catalog, body: Query) -> Predicate:
    field, value, options = single_field(body, "value")
    return _membership(catalog, field, [value], bool(options.get("case_insensitive")))


def _terms(catalog: Catalog, body: Query) -> Predicate:
    field, values = values_of_terms(body)
    if not isinstance(values, list):
        raise query_rejected(f"[terms] query requires a list of values for [{field}]")
    if field == "__guid" and len(values) > MAX_GUIDS:
        raise query_rejected(f"too many guids in one search: {len(values)}")
    return _membership(catalog, field, values, False)


def _membership(catalog: Catalog, field: str, values: list[Any], ignore_case: bool) -> Predicate:
    read = field_reader(catalog, field)
    if is_analysed(field):
        words = {str(value).lower() for value in values}
        return lambda entity: any(not words.isdisjoint(words_of(str(value))) for value in read(entity))
    fold = ignore_case or ignores_case(field)
    wanted = {form for value in values for form in wanted_values(value, fold)}
    return lambda entity: any(indexed_value(value, fold) in wanted for value in read(entity))


def _prefix(catalog: Catalog, body: Query) -> Predicate:
    def make(value: str, fold: bool) -> Test:
        if fold:
            folded = value.lower()
            return lambda text: text.lower().startswith(folded)
        return lambda text: text.startswith(value)

    return _text_predicate(catalog, body, ("value",), make)


def _wildcard(catalog: Catalog, body: Query) -> Predicate:
    def make(value: str, fold: bool) -> Test:
        return _full_match(wildcard_pattern(value), fold)

    return _text_predicate(catalog, body, ("value", "wildcard"), make)


def _regexp(catalog: Catalog, body: Query) -> Predicate:
    return _text_predicate(catalog, body, ("value",), _full_match)


def _full_match(pattern: str, fold: bool) -> Test:
    compiled = re.compile(pattern, re.IGNORECASE if fold else 0)
    return lambda text: bool(compiled.fullmatch(text))


def _text_predicate(
    catalog: Catalog, body: Query, options: tuple[str, ...], make: Callable[[str, bool], Test]
) -> Predicate:
    field, value, given = single_field(body, *options)
    read = field_reader(catalog, field)
    test = make(str(value), bool(given.get("case_insensitive")) or ignores_case(field))
    return lambda entity: any(test(str(item)) for item in read(entity))


def _exists(catalog: Catalog, body: Query) -> Predicate:
    read = field_reader(catalog, body["field"])
    return lambda entity: bool(read(entity))


LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, limit: bool(value > limit),
    "gte": lambda value, limit: bool(value >= limit),
    "lt": lambda value, limit: bool(value < limit),
    "lte": lambda value, limit: bool(value <= limit),
}


def _range(catalog: Catalog, body: Query) -> Predicate:
    field, limits = values_of_terms(body)
    read = field_reader(catalog, field)
    tests = [
        (LIMITS[name], comparable(limit)) for name, limit in limits.items() if name in LIMITS and limit is not None
    ]

    def within(value: Any) -> bool:
        value = comparable(value)
        try:
            return all(test(value, limit) for test, limit in tests)
        except TypeError:
            return False  # a number against a text

    return lambda entity: any(within(value) for value in read(entity))


def _match(catalog: Catalog, body: Query) -> Predicate:
    field, text, options = single_field(body, "query")
    return _text_match(catalog, [field], str(text), options)


def _multi_match(catalog: Catalog, body: Query) -> Predicate:
    fields = [field.split("^")[0] for field in body["fields"]]
    return _text_match(catalog, fields, str(body["query"]), body)


def _text_match(catalog: Catalog, fields: list[str], text: str, options: Query) -> Predicate:
    readers = [field_reader(catalog, field) for field in fields]
    wanted = set(words_of(text))
    need_all = str(options.get("operator", "or")).lower() == "and"

    def matches(entity: Entity) -> bool:
        found = {word for read in readers for value in read(entity) for word in words_of(str(value))}
        return wanted <= found if need_all else not wanted.isdisjoint(found)

    return matches


def _match_phrase(catalog: Catalog, body: Query) -> Predicate:
    field, text, _ = single_field(body, "query")
    read = field_reader(catalog, field)
    phrase = f" {' '.join(words_of(str(text)))} "
    return lambda entity: any(phrase in f" {' '.join(words_of(str(value)))} " for value in read(entity))


def _constant_score(catalog: Catalog, body: Query) -> Predicate:
    return compile_query(catalog, body["filter"])


def _function_score(catalog: Catalog, body: Query) -> Predicate:
    return compile_query(catalog, body.get("query") or {"match_all": {}})


COMPILERS: dict[str, Callable[[Catalog, Query], Predicate]] = {
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "prefix": _prefix,
    "wildcard": _wildcard,
    "regexp": _regexp,
    "exists": _exists,
    "range": _range,
    "match": _match,
    "multi_match": _multi_match,
    "match_phrase": _match_phrase,
    "match_all": lambda catalog, body: lambda entity: True,
    "match_none": lambda catalog, body: lambda entity: False,
    "constant_score": _constant_score,
    "function_score": _function_score,
}
