"""Index search: the part of Elasticsearch's query DSL that Atlan's clients send, over the catalog.

A query is compiled once into a predicate over entities (`queries`, which reads `fields` and compares `values`). Terms
that pick a type, a guid, a qualified name or a connection also narrow the `candidates`. Sorted `results` are kept for the
next page.
"""

from __future__ import annotations

from sandbox.bodies import parse_json
from sandbox.catalog import Catalog
from sandbox.errors import bad_request, query_rejected
from sandbox.messages import JsonObject, SearchResponse
from sandbox.presentation import HitParts, search_hit
from sandbox.requests import as_texts
from sandbox.search.aggregations import aggregate
from sandbox.search.queries import check_dsl, compile_query
from sandbox.search.results import SearchCache

__all__ = ["SearchCache", "compile_query", "index_search"]

# index.max_result_window as tenants have it by what pyatlan allows (`IndexSearch` pages up to 100,000 by offset).
MAX_WINDOW = 100_000


def index_search(catalog: Catalog, request: JsonObject, cache: SearchCache) -> SearchResponse:
    """Answer one page of `POST /api/meta/search/indexsearch`.

    `request` has `dsl` (an object, or its JSON as a text) with `query`, `sort`, `from` (default 0), `size` (default 10),
    `post_filter` and `aggregations`; beside it the `attributes` to show of each hit and the `relationAttributes` to show
    of what it refers to. `entities` is absent where the page is empty, as pyatlan expects (observed with 11.6).

    Raises `AtlasError`: 400 for a request that Elasticsearch refuses, 501 for one that the sandbox cannot answer.
    """
    dsl = request.get("dsl")
    if isinstance(dsl, str):
        dsl = parse_json(dsl, "the dsl")
    if not isinstance(dsl, dict):
        raise bad_request("search needs a dsl object")
    check_dsl(dsl)
    start, size = dsl.get("from", 0), dsl.get("size", 10)
    for number in (start, size):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise query_rejected("[from] and [size] parameters must be whole numbers, and cannot be negative")
    if start + size > MAX_WINDOW:
        raise query_rejected(f"Result window is too large, from + size must be less than or equal to: [{MAX_WINDOW}]")
    matches, hits = cache.find(catalog, dsl)
    page = hits[start : start + size]
    wanted, wanted_of_related = (as_texts(request.get(name), name) for name in ("attributes", "relationAttributes"))
    parts = HitParts.asked_for(request)
    answer: SearchResponse = {"queryType": "INDEX", "searchParameters": request, "approximateCount": len(hits)}
    if page:
        answer["entities"] = [search_hit(catalog, entity, wanted, wanted_of_related, parts) for entity in page]
    aggregations = dsl.get("aggregations") or dsl.get("aggs")
    if aggregations is not None and not isinstance(aggregations, dict):
        raise query_rejected("aggregations are an object")
    if aggregations:
        answer["aggregations"] = {name: aggregate(catalog, spec, matches) for name, spec in aggregations.items()}
    return answer
