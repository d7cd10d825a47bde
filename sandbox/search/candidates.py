"""Finding the entities that match, without a look at the whole catalog where a clause tells where they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.catalog import Catalog, Entity, name_root
from sandbox.messages import Query
from sandbox.search.queries import clauses_of, compile_query, single_field, values_of_terms


def find_entities(catalog: Catalog, query: Query) -> list[Entity]:
    """Every entity that matches, in no particular order. While the index is behind, as the index has them.

    Raises `AtlasError` (400) for a query that cannot be compiled.
    """
    predicate = compile_query(catalog, query)
    if not catalog.index_is_behind:
        candidates = _candidates(catalog, query)
        return [entity for guid in candidates if predicate(entity := catalog.entities[guid])]
    views = [view for entity in catalog.entities.values() if (view := catalog.search_view(entity))]
    return [view for view in [*views, *catalog.unindexed_changes()] if predicate(view)]


def _candidates(catalog: Catalog, query: Query) -> Iterable[str]:
    """Guids among which all matches are: the smallest set that one required clause allows, else all. Each once."""
    best: Iterable[str] = catalog.entities
    size = len(catalog.entities)
    for clause in _required_clauses(query):
        found = _narrow(catalog, clause)
        if found is not None and len(found) < size:
            best, size = found, len(found)
    return list(dict.fromkeys(best))


def _required_clauses(query: Query) -> list[Query]:
    if "bool" not in query:
        return [query]
    return [
        required
        for name in ("filter", "must")
        for clause in clauses_of(query["bool"], name)
        for required in _required_clauses(clause)
    ]


def _narrow(catalog: Catalog, clause: Query) -> list[str] | dict[str, None] | None:
    """The guids of all entities that a clause can match, or None where no index knows them."""
    ((kind, body),) = clause.items()
    if kind == "prefix":
        field, value, options = single_field(kind, body, ("value",), {"case_insensitive", "rewrite"})
        whole_root = isinstance(value, str) and value.count("/") >= 3
        if field in ("qualifiedName", "connectionQualifiedName") and whole_root and not options.get("case_insensitive"):
            return catalog.by_root.get(name_root(value), {})
        return None
    field, values = _exact_values(kind, body)
    if not values or not all(isinstance(value, str) for value in values):
        return None
    if field == "__guid":
        return [guid for guid in values if guid in catalog.entities]
    if field == "qualifiedName":
        return [guid for value in values for guid in catalog.by_name.get(value, {})]
    if field == "connectionQualifiedName" and all(value.count("/") == 2 for value in values):
        return [guid for value in values for guid in catalog.by_root.get(value, {})]
    if field == "__typeName.keyword":
        folded = {value.lower() for value in values}
        return [guid for name, guids in catalog.by_type.items() if name.lower() in folded for guid in guids]
    return None


def _exact_values(kind: str, body: Query) -> tuple[str, list[Any]]:
    """The field of a term or terms query and the values that it has to have exactly; no values for any other query."""
    if kind == "term":
        field, value, options = single_field(kind, body, ("value",), {"case_insensitive"})
        return field, [] if options.get("case_insensitive") else [value]
    if kind == "terms":
        return values_of_terms(body)
    return "", []
