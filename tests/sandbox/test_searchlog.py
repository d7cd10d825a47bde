"""The log of searches, over HTTP and as pyatlan asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import error_code, new_stack, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Asset
from pyatlan.model.enums import UTMTags
from pyatlan.model.fluent_search import FluentSearch
from pyatlan.model.search import IndexSearchRequest, IndexSearchRequestMetadata
from pyatlan.model.search_log import SearchLogRequest, SearchLogResults, SearchLogViewResults

import sandbox
from sandbox import searchlog

VIEWED = [UTMTags.ACTION_ASSET_VIEWED.value, UTMTags.UI_PROFILE.value]
BY_TIME = [{"timestamp": {"order": "asc"}}]


def look(tenant: sandbox.Tenant, query: Any, **metadata: Any) -> Any:
    """An index search that asks to be logged."""
    body = {
        "dsl": {"from": 0, "size": 10, "query": query},
        "attributes": ["name", "qualifiedName"],
        "requestMetadata": {"saveSearchLog": True, "utmTags": VIEWED, **metadata},
    }
    return raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body)


def search_log(tenant: sandbox.Tenant, query: Any, **dsl: Any) -> Any:
    body = {"dsl": {"from": 0, "size": 10, "sort": BY_TIME, "query": query, **dsl}}
    return raw(tenant).call("POST", "/api/meta/search/searchlog", json=body)


def tagged(tag: str) -> dict[str, Any]:
    return {"term": {"utmTags": tag}}


def test_views_of_an_asset(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    (guid,) = save(atlan, new_stack(atlan).table())
    for _ in range(3):
        request: IndexSearchRequest = FluentSearch().where(Asset.GUID.eq(guid)).to_request()
        request.request_metadata = IndexSearchRequestMetadata(save_search_log=True, utm_tags=VIEWED)
        assert atlan.asset.search(request).count == 1
    atlan.asset.search(FluentSearch().where(Asset.GUID.eq(guid)).to_request())  # does not ask to be logged

    viewers = atlan.search_log.search(SearchLogRequest.most_recent_viewers(guid=guid))
    assert isinstance(viewers, SearchLogViewResults)
    assert viewers.user_views
    assert [(view.username, view.view_count) for view in viewers.user_views] == [("sandbox", 3)]
    nobody = atlan.search_log.search(SearchLogRequest.most_recent_viewers(guid=guid, exclude_users=["sandbox"]))
    assert nobody.count == 0

    assets = atlan.search_log.search(SearchLogRequest.most_viewed_assets(max_assets=100, by_different_user=True))
    assert isinstance(assets, SearchLogViewResults)
    assert assets.asset_views
    assert [view.total_views for view in assets.asset_views if view.guid == guid] == [3]

    views = atlan.search_log.search(SearchLogRequest.views_by_guid(guid=guid, size=2))
    assert isinstance(views, SearchLogResults)
    assert views.count == 3
    entries = list(views)
    assert len(entries) == 3
    entry = entries[0]
    assert entry.entity_guids_all == entry.entity_guids_allowed == [guid]
    assert entry.entity_type_names_all == ["Table"]
    assert (entry.user_name, entry.ip_address, entry.results_count) == ("sandbox", "127.0.0.1", 1)
    assert entry.has_result
    assert not entry.failed
    assert "Atlan-PythonSDK" in entry.user_agent
    assert entry.request_dsl["query"]
    assert entry.timestamp <= entry.created_at


def test_nothing_found_and_failures(tenant: sandbox.Tenant) -> None:
    tag = unique("tag")
    assert look(tenant, {"term": {"__guid": "none"}}, utmTags=[tag]).is_success
    assert look(tenant, {"trem": {"__guid": "none"}}, utmTags=[tag]).status_code == 400
    answer = search_log(tenant, tagged(tag)).json()
    assert answer["approximateCount"] == 2
    empty, failed = answer["logs"]
    assert (empty["hasResult"], empty["failed"], empty["resultsCount"]) == (False, False, 0)
    assert "entityGuidsAll" not in empty
    assert (failed["hasResult"], failed["failed"]) == (False, True)
    assert failed["errorCode"].startswith("ATLAS-400")
    assert "trem" in failed["errorDetails"]


@pytest.mark.parametrize(
    ("metadata", "logged"),
    [
        ({}, 1),
        ({"saveSearchLog": False}, 0),
        ({"saveSearchLog": "yes"}, 0),
        ({"utmTags": ["project_webapp", "action_searched_on_load"]}, 0),
        ({"utmTags": ["project_webapp", "action_bootstrap", "action_fetch_starred_assets"]}, 0),
        ({"utmTags": ["project_webapp", "action_bootstrap"]}, 1),
        ({"utmTags": ["project_webapp", "page_assets", "action_searched"]}, 0),
        ({"utmTags": ["project_webapp", "page_assets", "action_searched"], "searchInput": "orders"}, 1),
    ],
)
def test_what_is_logged(tenant: sandbox.Tenant, metadata: Any, logged: int) -> None:
    tag = unique("tag")
    assert look(tenant, {"match_all": {}}, **{**metadata, "utmTags": [tag, *metadata.get("utmTags", [])]}).is_success
    assert search_log(tenant, tagged(tag)).json()["approximateCount"] == logged


def test_what_was_typed(tenant: sandbox.Tenant) -> None:
    tag = unique("tag")
    look(tenant, {"match_all": {}}, utmTags=[tag], searchInput="sales by day")
    (entry,) = search_log(tenant, {"bool": {"filter": [tagged(tag), {"match": {"searchInput": "sales"}}]}}).json()[
        "logs"
    ]
    assert entry["searchInput"] == "sales by day"


def test_buckets_in_the_order_asked_for(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    tag, stack = unique("tag"), new_stack(atlan)
    one, other = save(atlan, stack.table("one"), stack.table("other"))
    for guid in (one, other, one):
        look(tenant, {"term": {"__guid": guid}}, utmTags=[tag])
    last = {"last": {"max": {"field": "createdAt"}}}

    def keys(**options: Any) -> Any:
        spec = {"terms": {"field": "entityGuidsAll", **options}, "aggs": last}
        answer = search_log(tenant, tagged(tag), size=0, aggs={"it": spec})
        assert answer.is_success, answer.text
        assert answer.json()["logs"] == []
        return [bucket["key"] for bucket in answer.json()["aggregations"]["it"]["buckets"]]

    assert keys() == [one, other]
    assert keys(order={"_count": "asc"}) == [other, one]
    assert keys(order={"_key": "asc"}) == sorted([one, other])
    assert keys(order=[{"_key": "desc"}]) == sorted([one, other], reverse=True)
    assert keys(order=[{"last": "desc"}], size=1) == [one]


@pytest.mark.parametrize(
    ("dsl", "status"),
    [
        ({"query": {"trem": {"userName": "x"}}}, 400),
        ({"query": {"span_first": {}}}, 501),
        ({"sort": [{"nothing": "asc"}]}, 400),
        ({"sort": [{"request.dslText": "asc"}]}, 400),
        ({"size": 10_001}, 400),
        ({"size": -1}, 400),
        ({"order": []}, 400),
        ({"aggs": 3}, 400),
        ({"aggs": {"it": {"top_hits": {}}}}, 501),
        ({"aggs": {"it": {"terms": {"field": "userName", "order": {"other": "asc"}}}}}, 400),
        ({"aggs": {"it": {"terms": {"field": "userName", "order": {"_count": "up"}}}}}, 400),
        ({"aggs": {"it": {"terms": {"field": "userName", "order": ["_count"]}}}}, 400),
        ({"aggs": {"it": {"terms": {"field": "userName", "order": {"a>b": "asc"}}}}}, 501),
        ({"aggs": {"it": {"terms": {"field": "userName", "include": "s.*"}}}}, 501),
        ({"aggs": {"it": {"terms": {"field": "userName", "sise": 3}}}}, 400),
    ],
)
def test_refused(tenant: sandbox.Tenant, dsl: Any, status: int) -> None:
    answer = search_log(tenant, **{"query": {"match_all": {}}, **dsl})
    assert answer.status_code == status
    assert error_code(answer)


@pytest.mark.parametrize("body", [{}, {"dsl": None}, {"dsl": []}, {"dsl": {"query": {"match_all": {}}}}])
def test_a_request_without_dsl_or_order(tenant: sandbox.Tenant, body: Any) -> None:
    """Without an order it sorts by a field that the index does not have (`SearchLogSearchParams`)."""
    assert raw(tenant).call("POST", "/api/meta/search/searchlog", json=body).status_code == 400


def test_tags_of_a_request_are_texts(tenant: sandbox.Tenant) -> None:
    assert look(tenant, {"match_all": {}}, utmTags=[["x"]]).status_code == 400


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"dsl": {"query": {}}, "requestMetadata": {"saveSearchLog": True}}

    def found(count: int) -> Any:
        hits = [{"guid": str(number), "typeName": "Table", "attributes": {}} for number in range(count)]
        return {"entities": hits, "approximateCount": count}

    def counts(log: searchlog.SearchLog) -> list[int]:
        asked = {"dsl": {"query": {"match_all": {}}, "sort": ["createdAt"]}}
        return [entry["resultsCount"] for entry in log.search(asked)["logs"]]

    monkeypatch.setattr(searchlog, "MAX_ENTRIES", 3)
    monkeypatch.setattr(searchlog, "MAX_GUIDS", 10)
    log = searchlog.SearchLog()
    for count in (1, 2, 3, 4):
        log.add(request, found(count), 0.01, "ann", {}, "127.0.0.1")
    assert counts(log) == [2, 3, 4]
    log.add(request, found(5), 0.01, "ann", {}, "127.0.0.1")
    assert counts(log) == [4, 5]
    log.clear()
    assert counts(log) == []
