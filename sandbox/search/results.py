"""The results of the last few queries, kept sorted, so that paging through a result sorts it once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import orjson

from sandbox.catalog import Catalog, Entity
from sandbox.messages import Query
from sandbox.search.candidates import find_entities
from sandbox.search.queries import EntityFields, compile_query
from sandbox.search.sorting import sort_documents


class SearchCache:
    """Answers queries, and keeps the results of the last `size` ones while the catalog stays as it is.

    Pages are asked for by offset, or by a range over the field that the hits are sorted by (the guids after the last
    one seen): such a range is cut out of the sorted hits.
    """

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._results: OrderedDict[bytes, _SearchResult] = OrderedDict()

    def find(self, catalog: Catalog, dsl: Query) -> tuple[list[Entity], list[Entity]]:
        """The entities that the query matches, and of those, sorted, the ones that the post filter leaves.

        `dsl` has `query`, `post_filter` and `sort`, each optional. Raises `AtlasError` (400) for a malformed query.
        """
        query, post_filter, sort = dsl.get("query"), dsl.get("post_filter"), dsl.get("sort")
        if query is None:
            query = {"match_all": {}}
        rest, limits = _split_guid_range(query, sort)
        if limits and post_filter is None:
            hits = self._find_sorted(catalog, rest, None, sort).between(limits)
            return hits, hits
        found = self._find_sorted(catalog, query, post_filter, sort)
        return found.matches, found.hits

    def _find_sorted(self, catalog: Catalog, query: Query, post_filter: object, sort: object) -> _SearchResult:
        key = orjson.dumps([query, post_filter, sort])
        stored = self._results.get(key)
        if stored and stored.version == catalog.version and not catalog.index_is_behind:
            self._results.move_to_end(key)
            return stored
        matches = find_entities(catalog, query)
        hits = matches
        if post_filter is not None:
            keep = compile_query(catalog, post_filter)
            hits = [entity for entity in matches if keep(entity)]
        found = _SearchResult(catalog.version, matches, sort_documents(EntityFields(catalog), hits, sort))
        self._results[key] = found
        while len(self._results) > self._size:
            self._results.popitem(last=False)
        return found


@dataclass
class _SearchResult:
    """The result of a query at some version of the catalog."""

    version: int
    matches: list[Entity]
    hits: list[Entity]

    @cached_property
    def guids(self) -> list[str]:
        return [entity.guid for entity in self.hits]

    def between(self, limits: dict[str, str]) -> list[Entity]:
        """The hits, sorted by guid, whose guids are within the limits of a range query."""
        start, end = 0, len(self.hits)
        for name, limit in limits.items():
            if name in ("gt", "gte"):
                start = max(start, (bisect_right if name == "gt" else bisect_left)(self.guids, limit))
            else:
                end = min(end, (bisect_left if name == "lt" else bisect_right)(self.guids, limit))
        return self.hits[start:end]


def _split_guid_range(query: Query, sort: object) -> tuple[Query, dict[str, str]]:
    """A query without its range over the guids that the hits are sorted by, and the limits of that; none if it has none."""
    if (
        sort not in ([{"__guid": {"order": "asc"}}], [{"__guid": "asc"}])
        or not isinstance(query, dict)
        or list(query) != ["bool"]
    ):
        return query, {}
    filters = query["bool"].get("filter") if isinstance(query["bool"], dict) else None
    if not isinstance(filters, list) or len(filters) < 2:  # without any filter left, a query has another meaning
        return query, {}
    ranges = [item for item in filters if _is_guid_range(item)]
    if len(ranges) != 1:
        return query, {}
    rest = [item for item in filters if item is not ranges[0]]
    return {"bool": {**query["bool"], "filter": rest}}, ranges[0]["range"]["__guid"]


def _is_guid_range(query: object) -> bool:
    body = query.get("range") if isinstance(query, dict) and len(query) == 1 else None
    limits = body.get("__guid") if isinstance(body, dict) and len(body) == 1 else None
    return isinstance(limits, dict) and all(
        name in ("gt", "gte", "lt", "lte") and isinstance(limit, str) for name, limit in limits.items()
    )
