"""The log of searches: who searched for what, what was found, and the search over it.

It is kept in memory and starts anew with the sandbox; of more than `MAX_ENTRIES` searches, or of so many that found more
than `MAX_GUIDS` entities together, the oldest are forgotten.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

from sandbox.errors import AtlasError
from sandbox.messages import JsonObject, SearchLogResult, SearchResponse
from sandbox.requests import as_object, as_texts, optional_object
from sandbox.search import LogFields, search_log

MAX_ENTRIES = 10_000
MAX_GUIDS = 200_000
FOUND = ("entityGuids", "entityQFNames", "entityTypeNames")
SHOWN = ("All", "Allowed")  # to who may see everything, as anybody may here
# The metastore's addons/elasticsearch/es-search-logs-mappings.json; `failed` is how `SearchRequestLogData` writes it.
FIELDS = LogFields(
    {
        **dict.fromkeys(("request.attributes", "request.relationAttributes", "persona", "purpose"), "keyword"),
        **dict.fromkeys(("userAgent", "host", "ipAddress", "userName", "utmTags", "errorCode"), "keyword"),
        **dict.fromkeys((f"{name}{whose}" for name in FOUND for whose in (*SHOWN, "Denied")), "keyword"),
        **dict.fromkeys(("request.dslText", "searchInput", "errorDetails"), "text"),
        **dict.fromkeys(("hasResult", "failed"), "boolean"),
        **dict.fromkeys(("resultsCount", "timestamp", "createdAt", "responseTime"), "long"),
    }
)
# Searches of the web application that are not logged (`DiscoveryREST.shouldSkipSearchLog`); the last one without an input.
PAGE_LOADS = (
    {"project_webapp", "action_bootstrap", "action_fetch_starred_assets"},
    {"project_webapp", "action_searched_on_load"},
)
EMPTY_SEARCH = {"project_webapp", "page_assets", "action_searched"}


class SearchLog:
    """The newest searches whose requests asked to be logged."""

    def __init__(self) -> None:
        self._entries: deque[JsonObject] = deque()
        self._guids = 0

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()
        self._guids = 0

    def add(
        self,
        request: JsonObject,
        result: SearchResponse | AtlasError,
        seconds: float,
        user: str,
        headers: Mapping[str, str],
        address: str,
    ) -> None:
        """Log an index search, if its `requestMetadata` says `saveSearchLog`; what became of it, after so many seconds.

        The fields are those of `DiscoveryREST.logSearchLog`; what is empty is left out (`SearchRequestLogData`). Raises
        `AtlasError` (400) if `requestMetadata` is no object, or its `utmTags` no list of texts.
        """
        metadata = optional_object(request.get("requestMetadata"), "requestMetadata")
        if metadata.get("saveSearchLog") is not True:
            return
        tags, typed = as_texts(metadata.get("utmTags"), "utmTags"), metadata.get("searchInput")
        if _is_skipped(set(tags), typed):
            return
        now = int(time.time() * 1000)
        entry = {
            "request.dsl": request.get("dsl"),
            "request.dslText": orjson.dumps(request.get("dsl")).decode(),
            "request.attributes": request.get("attributes"),
            "request.relationAttributes": request.get("relationAttributes"),
            "persona": request.get("persona"),
            "purpose": request.get("purpose") if not request.get("persona") else None,
            "searchInput": typed,
            "utmTags": tags,
            "userAgent": headers.get("user-agent"),
            "host": headers.get("host"),
            "ipAddress": address,
            "userName": user,
            **_outcome(result),
        }
        times = {"timestamp": now - math.floor(seconds * 1000), "createdAt": now}
        kept = {name: value for name, value in entry.items() if value not in (None, "", [], {})}
        self._entries.append({**kept, **times, "responseTime": math.ceil(seconds * 1000)})
        self._guids += len(entry.get("entityGuidsAll", ()))
        while len(self._entries) > MAX_ENTRIES or self._guids > MAX_GUIDS:
            self._guids -= len(self._entries.popleft().get("entityGuidsAll", ()))

    def search(self, request: JsonObject) -> SearchLogResult:
        """One page of `POST /api/meta/search/searchlog`.

        `request` has a `dsl` object with `query`, `sort`, `from`, `size` and `aggregations`. Where it says nothing of the
        order, the metastore sorts by `created`, which the index does not have, so that Elasticsearch refuses it
        (`SearchLogSearchParams.getQueryString`). Raises `AtlasError`: 400 and 501 as an index search does.
        """
        dsl = as_object(request.get("dsl"), "dsl")
        found = search_log(FIELDS, {"sort": [{"created": {"order": "desc"}}], **dsl}, list(self._entries))
        return {
            "searchParameters": request,
            "logs": found.entries,
            "aggregations": found.aggregations,
            "approximateCount": found.count,
        }


def _is_skipped(tags: set[Any], typed: object) -> bool:
    return any(load <= tags for load in PAGE_LOADS) or (tags >= EMPTY_SEARCH and not typed)


def _outcome(result: SearchResponse | AtlasError) -> JsonObject:
    if isinstance(result, AtlasError):
        error = result.body()
        return {
            "errorDetails": error["errorMessage"],
            "errorCode": error["errorCode"],
            "failed": True,
            "hasResult": False,
            "resultsCount": 0,
        }
    found = result.get("entities", [])
    guids = [hit["guid"] for hit in found]
    names = [name for hit in found if (name := hit["attributes"].get("qualifiedName"))]
    types = sorted({hit["typeName"] for hit in found})
    return {
        **{
            f"{name}{whose}": values
            for name, values in zip(FOUND, (guids, names, types), strict=True)
            for whose in SHOWN
        },
        "failed": False,
        "hasResult": bool(found),
        "resultsCount": result["approximateCount"] if found else 0,
    }
