"""Index search: the part of Elasticsearch's query DSL that Atlan's clients send, over the catalog.

A query is compiled once into a predicate over entities (`queries`, which reads `fields` and compares `values`). What it
says of types, states, names, connections, guids and moments becomes `conditions` of SQL, too: they find the `candidates`,
and where they say all, these are the `hits`. Sorted `results` are kept for the next page.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.access import scope_of
from sandbox.bodies import parse_json
from sandbox.catalog import Catalog
from sandbox.errors import bad_request, not_supported, query_rejected
from sandbox.messages import Aggregation, JsonObject, Query, SearchResponse
from sandbox.presentation import HitParts, search_hit
from sandbox.requests import as_texts
from sandbox.search.aggregations import aggregate, check_name
from sandbox.search.hits import Documents, Entries
from sandbox.search.queries import EntityFields, Fields, LogFields, check_dsl, compile_over
from sandbox.search.results import SearchCache
from sandbox.search.sorting import sort_documents

__all__ = ["LogFields", "LogPage", "SearchCache", "index_search", "search_log"]

# index.max_result_window as tenants have it by what pyatlan allows (`IndexSearch` pages up to 100,000 by offset).
MAX_WINDOW = 100_000
MAX_LOG_WINDOW = 10_000  # of the other indices, which do not set it


def index_search(catalog: Catalog, request: JsonObject, cache: SearchCache) -> SearchResponse:
    """Answer one page of `POST /api/meta/search/indexsearch`.

    `request` has `dsl` (an object, or its JSON as a text) with `query`, `sort`, `from` (default 0), `size` (default 10),
    `post_filter` and `aggregations`; beside it the `attributes` to show of each hit and the `relationAttributes` to show
    of what it refers to, and the `persona` or `purpose` by which is searched. `entities` is absent where the page is empty, as pyatlan expects (observed with 11.6).

    Raises `AtlasError`: 400 for a request that Elasticsearch refuses, 501 for one that the sandbox cannot answer.
    """
    dsl = request.get("dsl")
    if isinstance(dsl, str):
        dsl = parse_json(dsl, "the dsl")
    if not isinstance(dsl, dict):
        raise bad_request("search needs a dsl object")
    start, size = _window(dsl, MAX_WINDOW)
    scope = scope_of(catalog, request)
    if scope is not None:
        query = dsl.get("query")
        dsl = {**dsl, "query": {"bool": {"filter": [scope, {"match_all": {}} if query is None else query]}}}
    found = cache.find(catalog, dsl)
    page = found.hits[start : start + size] if size else ()
    wanted, wanted_of_related = (as_texts(request.get(name), name) for name in ("attributes", "relationAttributes"))
    parts = HitParts.asked_for(request)
    answer: SearchResponse = {"queryType": "INDEX", "searchParameters": request, "approximateCount": found.count}
    if page:
        answer["entities"] = [search_hit(catalog, entity, wanted, wanted_of_related, parts) for entity in page]
    if _shows_score(request, dsl):
        answer["searchScore"] = {entity.guid: -1.0 for entity in page}
    specs = _aggregations(dsl)
    if specs:
        answer["aggregations"] = _aggregate(EntityFields(catalog), specs, found.matches)
    return answer


def _shows_score(request: JsonObject, dsl: JsonObject) -> bool:
    """Whether a score is shown of each hit: hits that are sorted have none, for which the metastore shows -1
    (`AtlasElasticsearchQuery.getScore`).
    """
    asked = request.get("showSearchScore")
    if asked not in (None, True, False):
        raise bad_request("showSearchScore must be true or false")
    if asked and not dsl.get("sort"):
        raise not_supported("scores of hits that are not sorted")
    return bool(asked)


@dataclass(frozen=True)
class LogPage:
    """A page of a search over a log: its entries, how many match in all, and what was aggregated over these."""

    entries: list[JsonObject]
    count: int
    aggregations: dict[str, Aggregation] | None


def search_log(fields: LogFields, dsl: JsonObject, entries: list[JsonObject]) -> LogPage:
    """A page of those entries of a log that a search finds; `dsl` is as in `index_search`.

    Raises `AtlasError`: 400 for a request that Elasticsearch refuses, 501 for one that the sandbox cannot answer.
    """
    start, size = _window(dsl, MAX_LOG_WINDOW)
    query, post_filter = dsl.get("query"), dsl.get("post_filter")
    matches = Entries(filter(compile_over(fields, {"match_all": {}} if query is None else query), entries))
    hits = matches if post_filter is None else Entries(filter(compile_over(fields, post_filter), matches))
    page = sort_documents(fields, hits, dsl.get("sort"))[start : start + size]
    specs = _aggregations(dsl)
    return LogPage(page, len(hits), _aggregate(fields, specs, matches) if specs else None)


def _window(dsl: JsonObject, most: int) -> tuple[int, int]:
    """From where on hits are asked for, and how many, after a look at the keys of a request."""
    check_dsl(dsl)
    start, size = dsl.get("from", 0), dsl.get("size", 10)
    for number in (start, size):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise query_rejected("[from] and [size] parameters must be whole numbers, and cannot be negative")
    if start + size > most:
        raise query_rejected(f"Result window is too large, from + size must be less than or equal to: [{most}]")
    return start, size


def _aggregations(dsl: JsonObject) -> dict[str, Query]:
    specs = dsl.get("aggregations") or dsl.get("aggs") or {}
    if not isinstance(specs, dict):
        raise query_rejected("aggregations are an object")
    for name in specs:
        check_name(name)
    return specs


def _aggregate(fields: Fields, specs: dict[str, Query], matches: Documents) -> dict[str, Aggregation]:
    return {name: aggregate(fields, spec, matches) for name, spec in specs.items()}
