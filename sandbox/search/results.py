"""The results of the last few queries, kept sorted, so that paging through a result sorts it once."""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from functools import cached_property

import orjson

from sandbox.catalog import Catalog
from sandbox.messages import Query
from sandbox.search.candidates import count_entities, find_entities
from sandbox.search.hits import Hits
from sandbox.search.queries import EntityFields, compile_query
from sandbox.search.sorting import check_sort, sort_documents, sorted_columns

MAX_HITS = 2_000_000  # of all results that are kept


class SearchCache:
    """Answers queries, and keeps the results of the last `size` ones while the catalog stays as it is.

    Pages are asked for by offset, or by a range over the field that the hits are sorted by (the guids after the last
    one seen): such a range is cut out of the sorted hits.
    """

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._results: OrderedDict[bytes, SearchResult] = OrderedDict()

    def find(self, catalog: Catalog, dsl: Query) -> SearchResult:
        """What a query finds: `dsl` has `query`, `post_filter` and `sort`, each optional.

        Raises `AtlasError` (400) for a malformed query.
        """
        query, post_filter, sort = dsl.get("query"), dsl.get("post_filter"), dsl.get("sort")
        if query is None:
            query = {"match_all": {}}
        rest, limits = _split_guid_range(query, sort)
        if limits and post_filter is None:
            return self._find(catalog, rest, None, sort).between(limits)
        return self._find(catalog, query, post_filter, sort)

    def _find(self, catalog: Catalog, query: Query, post_filter: Query | None, sort: object) -> SearchResult:
        key = orjson.dumps([query, post_filter, sort])
        stored = self._results.get(key)
        if stored and stored.version == catalog.version and not catalog.index_is_behind:
            self._results.move_to_end(key)
            return stored
        found = SearchResult(catalog, query, post_filter, sort)
        if catalog.index_is_behind:
            return found
        self._results[key] = found
        self._results.move_to_end(key)
        while len(self._results) > self._size or (len(self._results) > 1 and self._hits() > MAX_HITS):
            self._results.popitem(last=False)
        return found

    def _hits(self) -> int:
        return sum(len(result.hits) for result in self._results.values() if result.is_read)


class SearchResult:
    """The result of a query at some version of the catalog, read when it is asked for.

    Raises `AtlasError` (400) for a query or an order that Elasticsearch refuses.
    """

    def __init__(self, catalog: Catalog, query: Query, post_filter: Query | None, sort: object) -> None:
        compile_query(catalog, query)
        check_sort(EntityFields(catalog), sort)
        self.version = catalog.version
        self._catalog, self._query, self._sort = catalog, query, sort
        self._filtered = query
        if post_filter is not None:
            compile_query(catalog, post_filter)
            self._filtered = {"bool": {"filter": [query, post_filter]}}

    @property
    def is_read(self) -> bool:
        """Whether the hits are in memory."""
        return "hits" in self.__dict__

    @property
    def count(self) -> int:
        """How many hits there are."""
        return len(self.hits) if self.is_read else count_entities(self._catalog, self._filtered)

    @cached_property
    def matches(self) -> Hits:
        """All that the query matches, in no particular order."""
        return self.hits if self._filtered is self._query else find_entities(self._catalog, self._query)

    @cached_property
    def hits(self) -> Hits:
        """Those that the post filter leaves, sorted."""
        columns = None if self._catalog.index_is_behind else sorted_columns(self._sort)
        if columns:
            return find_entities(self._catalog, self._filtered, columns)
        found = find_entities(self._catalog, self._filtered)
        return sort_documents(EntityFields(self._catalog), found, self._sort)

    def between(self, limits: dict[str, str]) -> SearchResult:
        """Of hits that are sorted by guid, those whose guids are within the limits of a range query."""
        guids = self.hits.guids
        start, end = 0, len(guids)
        for name, limit in limits.items():
            if name in ("gt", "gte"):
                start = max(start, (bisect_right if name == "gt" else bisect_left)(guids, limit))
            else:
                end = min(end, (bisect_left if name == "lt" else bisect_right)(guids, limit))
        part = copy.copy(self)
        part.__dict__["hits"] = part.__dict__["matches"] = self.hits[start:end]
        return part


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
