"""Finding the entities that match, without a look at the whole catalog where the tables tell where they are."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from sandbox.catalog import Catalog
from sandbox.messages import Query
from sandbox.search.conditions import condition_of
from sandbox.search.hits import Hits
from sandbox.search.queries import compile_query


def find_entities(catalog: Catalog, query: Query, order: str = "id") -> Hits:
    """Every entity that matches, sorted by columns of the table `entity`. While the index is behind, as the index has them;
    those that it has otherwise than the catalog come last.

    Raises `AtlasError` (400) for a query that cannot be compiled.
    """
    predicate = compile_query(catalog, query)
    condition = condition_of(catalog, query)
    stale = catalog.stale_views()
    views = {guid: view for guid, view in stale.items() if view}

    statement = f"SELECT guid FROM known_entity WHERE {condition.sql} ORDER BY {order}"
    rows = catalog.select(statement, condition.values)

    def found() -> Iterator[str]:
        for (guid,) in rows:
            if guid not in stale and (condition.exact or predicate(catalog.entities[guid])):
                yield guid
        yield from (guid for guid, view in views.items() if predicate(view))

    if condition.exact and not stale:
        return Hits(catalog, map(itemgetter(0), rows))
    return Hits(catalog, found(), views)


def count_entities(catalog: Catalog, query: Query) -> int:
    """How many entities match. Raises `AtlasError` (400) for a query that cannot be compiled."""
    compile_query(catalog, query)
    condition = condition_of(catalog, query)
    if catalog.index_is_behind or not condition.exact:
        return len(find_entities(catalog, query))
    ((count,),) = catalog.select(f"SELECT count(*) FROM known_entity WHERE {condition.sql}", condition.values)
    return int(count)
