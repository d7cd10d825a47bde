"""Queries as conditions of SQL, as far as the tables have what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.catalog import Catalog
from sandbox.database import is_in
from sandbox.messages import Query
from sandbox.search.fields import field_kind
from sandbox.search.queries import LIMITS, clauses_of, minimum_of, single_field, values_of_terms
from sandbox.search.values import comparable
from sandbox.tags import reached_by_tags

# Fields of the search index that are columns: texts that are compared as they are, and moments in milliseconds.
TEXTS = {
    "__guid": "guid",
    "__state": "state",
    "qualifiedName": "qualifiedName",
    "connectionQualifiedName": "connectionQualifiedName",
}
MOMENTS = {"__timestamp": "created", "__modificationTimestamp": "modified"}
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Fields of which it is known which entities have any value in them.
TAGS = ("__traitNames", "__classificationNames")
PROPAGATED_TAGS = ("__propagatedTraitNames", "__propagatedClassificationNames")
MAX_GUIDS = 100_000  # of one condition
MAX_PARTS = 100  # of one condition, far below the 1,000 levels that SQLite takes
SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True)
class Condition:
    """What has to be true of a row of `entity`, with its values; `exact` if all of which it is true match the query."""

    sql: str
    values: tuple[Any, ...] = ()
    exact: bool = True
    parts: int = 1


EVERYTHING = Condition("1")
NOTHING = Condition("0")
# Of a query about which the tables say nothing.
UNKNOWN = Condition("1", exact=False)


def condition_of(catalog: Catalog, query: Query) -> Condition:
    """A condition that is true of every entity that a query matches, where the index is not behind.

    The query is one that `compile_query` takes.
    """
    ((kind, body),) = query.items()
    translate = TRANSLATORS.get(kind)
    found = translate(catalog, body) if translate else UNKNOWN
    return found if found.parts <= MAX_PARTS else UNKNOWN


def _bool(catalog: Catalog, body: Query) -> Condition:
    required = [*clauses_of(body, "filter"), *clauses_of(body, "must")]
    parts = [condition_of(catalog, clause) for clause in required]
    for clause in clauses_of(body, "must_not"):
        excluded = condition_of(catalog, clause)
        parts.append(_not(excluded) if excluded.exact else UNKNOWN)
    optional, given = clauses_of(body, "should"), body.get("minimum_should_match")
    minimum = (1 if optional and not required else 0) if given is None else minimum_of(given, len(optional))
    if minimum > 0:
        parts.append(_any(catalog, optional) if minimum == 1 else UNKNOWN)
    return _join(" AND ", parts) if parts else EVERYTHING


def _not(one: Condition) -> Condition:
    return Condition(f"({one.sql}) IS NOT TRUE", one.values, True, one.parts)


def _any(catalog: Catalog, clauses: Iterable[Query]) -> Condition:
    parts = [condition_of(catalog, clause) for clause in clauses]
    return _join(" OR ", parts) if parts else NOTHING


def _join(word: str, parts: list[Condition]) -> Condition:
    return Condition(
        word.join(f"({part.sql})" for part in parts),
        tuple(value for part in parts for value in part.values),
        all(part.exact for part in parts),
        sum(part.parts for part in parts),
    )


def _term(catalog: Catalog, body: Query) -> Condition:
    field, value, options = single_field("term", body, ("value",), {"case_insensitive"})
    return UNKNOWN if options.get("case_insensitive") else _one_of(catalog, field, [value])


def _terms(catalog: Catalog, body: Query) -> Condition:
    return _one_of(catalog, *values_of_terms(body))


def _one_of(catalog: Catalog, field: str, values: list[Any]) -> Condition:
    if field in (*TAGS, *PROPAGATED_TAGS):
        return _with_tags(catalog, field)
    if field_kind(catalog, field) != "keyword" or not all(isinstance(value, str) for value in values):
        return UNKNOWN
    if field in ("__typeName.keyword", "__superTypeNames.keyword"):
        wanted = {value.lower() for value in values}
        families = [family for name, family in catalog.types.families.items() if name.lower() in wanted]
        own = field == "__typeName.keyword"
        names = {name for family in families for name in (family[:1] if own else family[1:])}
        return _is_in("type", [*names])
    return _is_in(TEXTS[field], values) if field in TEXTS else UNKNOWN


def _exists(catalog: Catalog, body: Query) -> Condition:
    field = str(body.get("field"))
    return _with_tags(catalog, field) if field in (*TAGS, *PROPAGATED_TAGS) else UNKNOWN


def _with_tags(catalog: Catalog, field: str) -> Condition:
    """A condition that only entities with tags meet, or with such as reach them from others."""
    guids = catalog.tagged if field in TAGS else reached_by_tags(catalog)
    if len(guids) > MAX_GUIDS:
        return Condition("tagged", exact=False) if field in TAGS else UNKNOWN
    return replace(_is_in("guid", list(guids)), exact=False)


def _is_in(column: str, values: list[str]) -> Condition:
    if len(values) == 1:
        return Condition(f"{column} = ?", (values[0],))
    sql, value = is_in(column, values)
    return Condition(sql, (value,))


def _prefix(catalog: Catalog, body: Query) -> Condition:
    field, value, options = single_field("prefix", body, ("value",), {"case_insensitive", "rewrite"})
    if field not in TEXTS or field_kind(catalog, field) != "keyword" or not isinstance(value, str):
        return UNKNOWN
    end = _behind(value)
    if options.get("case_insensitive") or end is None:
        return UNKNOWN
    return Condition(f"{TEXTS[field]} >= ? AND {TEXTS[field]} < ?", (value, end))


def _behind(start: str) -> str | None:
    """The first text behind all that begin so, in the order of Unicode, which is SQLite's; None if there is none."""
    if not start or ord(start[-1]) == 0x10FFFF:
        return None
    following = ord(start[-1]) + 1
    return start[:-1] + chr(SURROGATES.stop if following in SURROGATES else following)


def _range(catalog: Catalog, body: Query) -> Condition:
    ((field, limits),) = ((name, limits) for name, limits in body.items() if isinstance(limits, dict))
    kind = field_kind(catalog, field)
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given.keys() <= LIMITS.keys():
        return UNKNOWN
    if field in MOMENTS and kind == "long":
        column, values = MOMENTS[field], [comparable(limit) for limit in given.values()]
        fit = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    elif field in TEXTS and kind == "keyword":
        column, values = TEXTS[field], [*given.values()]
        fit = all(isinstance(value, str) for value in values)
    else:
        return UNKNOWN
    if not fit:
        return UNKNOWN
    sql = " AND ".join(f"{column} {OPERATORS[name]} ?" for name in given)
    return Condition(sql, tuple(values)) if sql else Condition(f"{column} IS NOT NULL")


TRANSLATORS: dict[str, Callable[[Catalog, Query], Condition]] = {
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "prefix": _prefix,
    "range": _range,
    "exists": _exists,
    "match_all": lambda catalog, body: EVERYTHING,
    "match_none": lambda catalog, body: NOTHING,
    "constant_score": lambda catalog, body: condition_of(catalog, body["filter"]),
}
