"""Atlan over HTTP: one client for each tenant, its requests, its searches, and its errors as one sentence.

pyatlan brings the session, the request paths and the search language. Answers are read as plain JSON: its models cost
milliseconds per asset, and its errors hide the status of some answers.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import json
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeGuard, cast
from urllib.parse import urlsplit

from runtime.clocks import time_of
from runtime.environment import is_local
from runtime.parallel import interleave
from runtime.terminal import logger, mask
from runtime.transport import AtlanRequestError, PatientTransport, TenantPace

if TYPE_CHECKING:
    import httpx
    from pyatlan.client.atlan import AtlanClient

PAGE_SIZE = 1000
MOST_SLICES = 8
MOST_GUIDS = 100  # of a search, says Atlan's page on API limits
PAGES_OF_A_SLICE = 5  # at least, as a slice may end in a page that is hardly filled
RIGHTS_TRIES, RIGHTS_LONGEST_PAUSE_SECONDS = 10, 8.0


class _Unchecked(TypedDict, total=False):
    status: Any  # ACTIVE or DELETED
    createTime: Any  # milliseconds since 1970
    updateTime: Any
    # Of an asset that is kept: the type of what an attribute refers to, by its name, where that is one type only.
    referred: dict[str, str]
    guids: dict[str, str]  # of one that is kept: of what it refers to, by qualified name, where that is not much


class SearchHit(_Unchecked):
    """An asset as Atlan's index search shows it; `attributes` has those that were asked for, and the names.

    What it may have beside these is not checked.
    """

    typeName: str
    guid: str
    attributes: dict[str, Any]


class SearchProgress(Protocol):
    """What hears how far a search is."""

    total: float | None

    def advance(self, count: int) -> None: ...


def connect_atlan(base_url: str, api_token: str, requests_per_minute: int) -> AtlanClient:
    """The pyatlan client of a tenant; made once for each address, token and limit.

    All its requests, from any thread, share the limit of requests a minute; so do those of clients with other tokens.
    """
    with _connecting:
        return _make_atlan_client(base_url, api_token, requests_per_minute)


# Only one thread may import pyatlan, and there is to be one limit only.
_connecting = threading.Lock()


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Without the garbage collector, which takes a quarter of pyatlan's import to find that all of it stays.

    What is there afterwards is not looked at again, so that later collections are short, too.
    """
    if "pyatlan.client.atlan" in sys.modules:  # what has come since may be garbage
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


@functools.cache
def _make_atlan_client(base_url: str, api_token: str, requests_per_minute: int) -> AtlanClient:
    import httpx
    from httpx_retries import Retry

    with _collector_off():
        from pyatlan.client.atlan import AtlanClient

    class Client(AtlanClient):
        """pyatlan's client, which shows its address and not its token where it is shown."""

        def __repr__(self) -> str:
            return f"AtlanClient(base_url={str(self.base_url)!r})"

        __str__ = __repr__

    # pyatlan ignores NO_PROXY, so a proxy must be kept away from this machine's own addresses here.
    local = {"proxy": None} if is_local(base_url) else {}
    client: AtlanClient = cast(Any, Client)(
        base_url=base_url, api_key=api_token, connect_timeout=10, read_timeout=120, retry=Retry(total=0), **local
    )
    pace = _pace_of(base_url, requests_per_minute)
    transport = PatientTransport(client._session._transport, httpx.TransportError, pace)
    client._session._transport = transport  # type: ignore[assignment]
    return client


@functools.cache
def _pace_of(base_url: str, requests_per_minute: int) -> TenantPace:
    return TenantPace(requests_per_minute)


# =====================================================================================================================
# One request
# =====================================================================================================================


def call_atlan(client: AtlanClient, api: Any, body: Any = None, query: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request with pyatlan's session and headers, and plain JSON in and out; `api` is one of pyatlan's constants.

    Raises `AtlanRequestError` where Atlan refuses it, does not answer, or answers with something that is no JSON object.
    """
    return call_atlan_timed(client, api, body, query)[0]


def call_atlan_timed(
    client: AtlanClient, api: Any, body: Any = None, query: dict[str, Any] | None = None
) -> tuple[dict[str, Any], float]:
    """Like `call_atlan`, and how many seconds the server took, without those spent waiting for a turn."""
    answer, response = _request(client, api, body, query)
    return answer, response.extensions["seconds"]


def _request(
    client: AtlanClient, api: Any, body: Any = None, query: dict[str, Any] | None = None
) -> tuple[dict[str, Any], httpx.Response]:
    """What `call_atlan` gives, and the answer that it was in."""
    response = _send(client, api, body, query)
    answer = _json_of(response)
    if not isinstance(answer, dict):
        raise not_atlan(client)
    return answer, response


def _send(client: AtlanClient, api: Any, body: Any = None, query: dict[str, Any] | None = None) -> httpx.Response:
    """The answer to one request that Atlan does not refuse; raises `AtlanRequestError`."""
    import httpx

    parameters = client._create_params(api, query, body)
    try:
        response = client._session.request(api.method.value, client._create_path(api), **parameters, timeout=120)
    except httpx.HTTPError as error:
        raise AtlanRequestError(
            f"Atlan does not answer at {_address(client)} ({type(error).__name__}): check ATLAN_BASE_URL and the network.",
            None,
        ) from None
    if response.status_code != api.expected_status:
        message = _message_in(response)
        if PatientTransport.SEARCH_TIMEOUT in response.content:
            raise AtlanRequestError(f"Atlan's search took too long ({message}): try again later.", response.status_code)
        raise AtlanRequestError(_explain_refusal(response.status_code, message), response.status_code)
    return response


def not_atlan(client: AtlanClient) -> AtlanRequestError:
    """The error for an answer of another shape than Atlan's."""
    return AtlanRequestError(
        f"{_address(client)} answered with something that is not Atlan's JSON: check ATLAN_BASE_URL.", None
    )


def _address(client: AtlanClient) -> str:
    return urlsplit(str(client.base_url)).netloc


def _json_of(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _message_in(response: Any) -> str:
    """The server's own words in an error answer: Atlas' errorMessage, a gateway's message, or the start of the text."""
    body = _json_of(response)
    if isinstance(body, dict):
        causes = body.get("causes")
        told = (
            [cause.get("errorMessage") for cause in causes if isinstance(cause, dict)]
            if isinstance(causes, list)
            else []
        )
        words = body.get("errorMessage") or body.get("message")
        if words:
            return " ".join(mask(" ".join(map(str, [words, *told]))).split())[:500]
    return " ".join(mask(response.text).split())[:200] or "no message"


def _explain_refusal(status: int, message: str) -> str:
    if status == 401:
        return "Atlan refused the token (401): check ATLAN_API_TOKEN, it may have expired or be of another tenant."
    if status == 403:
        return f"Atlan does not allow this (403): {message} — give the token a persona with write access."
    if status == 429:
        return "Atlan's request limit did not lift within five minutes (429): try again later."
    return f"Atlan answered {status}: {message}"


# =====================================================================================================================
# Searching
# =====================================================================================================================


def search_assets(client: AtlanClient, search: Any, progress: SearchProgress | None = None) -> Iterator[SearchHit]:
    """Every hit of a FluentSearch, page by page, in no certain order. Raises `AtlanRequestError`."""
    return iter(AssetSearch(client, _body_of(search), progress))


def _body_of(search: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(search.page_size(PAGE_SIZE).to_request().json(by_alias=True, exclude_none=True))
    return body


class AssetSearch:
    """A search whose first page has been read; its hits can be gone through once.

    `asked_at` is when that was, in milliseconds since 1970 by the server's clock (its Date header), but never later than
    by our own; None where the server does not say. `left_out` counts the hits without a name. Raises `AtlanRequestError`.

    Each page asks for the guids after the last one seen, so that any number of hits can be read (an offset ends at
    10,000) and none is skipped or seen twice while others write. What is left after the first page is read in several
    slices of the guids side by side, if it is much.
    """

    def __init__(self, client: AtlanClient, body: dict[str, Any], progress: SearchProgress | None = None) -> None:
        self._client, self._body, self._progress = client, body, progress
        began = time.time()
        self._first = _read_page(client, body, "", "")
        self.aggregations = self._first.aggregations
        self.asked_at = min(self._first.answered_at, int(began * 1000)) if self._first.answered_at else None
        self.left_out = 0
        if progress:
            progress.total = len(self._first.hits) + self._first.left

    def __iter__(self) -> Iterator[SearchHit]:
        pages = iter([self._first])
        if self._first.left:
            number = max(1, min(MOST_SLICES, self._first.left // (PAGE_SIZE * PAGES_OF_A_SLICE)))
            slices = slice_guids(self._first.hits[-1]["guid"], number)
            following = {name: part for name, part in self._body["dsl"].items() if name != "aggregations"}
            body = {**self._body, "dsl": following}
            pages = itertools.chain(pages, interleave([_read_slice(self._client, body, *ends) for ends in slices]))
        for page in pages:
            yield from page.hits
            self.left_out += page.left_out
            if self._progress:
                self._progress.advance(len(page.hits))


def slice_guids(after: str, number: int) -> list[tuple[str, str]]:
    """The guids after one, cut into ranges that hold about as many each (they are random): from, exclusive, and to."""
    if not re.match("[0-9a-f]{8}", after):
        return [(after, "")]
    start = int(after[:8], 16)
    cuts = [f"{start + (0x100000000 - start) * part // number:08x}" for part in range(1, number)]
    return list(zip([after, *cuts], [*cuts, ""], strict=True))


@dataclass(frozen=True)
class _Page:
    hits: list[SearchHit]
    left: int  # hits after this page
    left_out: int  # hits of this page that have no name
    aggregations: Mapping[str, Any]
    answered_at: int  # milliseconds since 1970 by the server's Date header; 0 without one


def _read_slice(client: AtlanClient, body: dict[str, Any], after: str, to: str) -> Iterator[_Page]:
    left = 1
    while left:
        page = _read_page(client, body, after, to)
        left = page.left
        if page.hits:
            yield page
            after = page.hits[-1]["guid"]


def _read_page(client: AtlanClient, body: dict[str, Any], after: str, to: str) -> _Page:
    """The first hits whose guids are in a range, sorted by guid."""
    from pyatlan.client.constants import INDEX_SEARCH

    limits = {**({"gt": after} if after else {}), **({"lte": to} if to else {})}
    ranges = [{"range": {"__guid": limits}}] if limits else []
    query = {"bool": {**body["dsl"]["query"]["bool"], "filter": [*body["dsl"]["query"]["bool"]["filter"], *ranges]}}
    dsl = {**body["dsl"], "query": query, "sort": [{"__guid": {"order": "asc"}}]}
    answer, response = _request(client, INDEX_SEARCH, {**body, "dsl": dsl})
    found, count, aggregations = (
        answer.get("entities") or [],
        answer.get("approximateCount"),
        answer.get("aggregations"),
    )
    if not isinstance(found, list) or not isinstance(count, int):
        raise not_atlan(client)
    hits = [hit for hit in found if is_search_hit(hit)]
    if found and not hits:
        raise not_atlan(client)  # and there is no guid to go on from
    left_out = len(found) - len(hits)
    if left_out:
        logger.warning("⚠️ %d assets are left out, as Atlan tells no name of theirs", left_out)
    told = aggregations if isinstance(aggregations, dict) else {}
    return _Page(hits, max(0, count - len(found)), left_out, told, _time_of(response))


def _time_of(response: httpx.Response) -> int:
    """When the server answered, by its Date header, in milliseconds; 0 where that says nothing."""
    told = time_of(response.headers.get("Date", ""))
    return int(told.timestamp() * 1000) if told else 0


def is_search_hit(hit: object) -> TypeGuard[SearchHit]:
    """Whether something is an asset with all that a `SearchHit` promises: texts for type, guid, name and qualified name."""
    if not isinstance(hit, dict) or not isinstance(hit.get("attributes"), dict):
        return False
    names = (
        hit.get("typeName"),
        hit.get("guid"),
        hit["attributes"].get("name"),
        hit["attributes"].get("qualifiedName"),
    )
    return all(isinstance(name, str) and name for name in names)


@dataclass(frozen=True)
class AssetQuery:
    """Which assets: the active ones of a type whose qualified names start with one of the prefixes.

    Without a type, all but processes, which are lineage and no inventory. `attributes` are those that the hits have
    beside the names.
    """

    type_name: str
    prefixes: tuple[str, ...]
    attributes: tuple[str, ...] = ()


def read_assets(
    client: AtlanClient, type_name: str, prefixes: Iterable[str], attributes: Sequence[str]
) -> dict[str, SearchHit]:
    """The assets of a query, by qualified name; its parts are those of `AssetQuery`. Raises `AtlanRequestError`."""
    hits = find_assets(client, AssetQuery(type_name, tuple(prefixes), tuple(attributes)))
    return {hit["attributes"]["qualifiedName"]: hit for hit in hits}


def find_assets(client: AtlanClient, query: AssetQuery, progress: SearchProgress | None = None) -> AssetSearch:
    """A search for the assets of a query. Raises `AtlanRequestError`."""
    from pyatlan.model.fluent_search import CompoundQuery

    search = _fluent_search(query, query.attributes).where(CompoundQuery.active_assets())
    return AssetSearch(client, _body_of(search), progress)


def count_assets(client: AtlanClient, query: AssetQuery) -> int:
    """How many assets a query has, in one request. Raises `AtlanRequestError`."""
    from pyatlan.model.fluent_search import CompoundQuery

    body = _body_of(_fluent_search(query, ()).where(CompoundQuery.active_assets()))
    body["dsl"]["size"] = 1
    page = _read_page(client, body, "", "")
    return len(page.hits) + page.left_out + page.left


STATES = "states"  # the name of an aggregation


def find_changes(
    client: AtlanClient, query: AssetQuery, since: int, further: Sequence[str]
) -> tuple[AssetSearch, int | None]:
    """A search for what was modified since a time, whether it is active now or archived, and how many assets of the query
    are active in all; None where Atlan does not tell.

    The time is in milliseconds, by the server's clock; `further` are more attributes of the hits. Both are of one
    moment: in Elasticsearch, aggregations do not see the `post_filter`. Raises `AtlanRequestError`.
    """
    body = _body_of(_fluent_search(query, (*query.attributes, *further)))
    body["dsl"]["post_filter"] = {"range": {"__modificationTimestamp": {"gte": since}}}
    body["dsl"]["aggregations"] = {STATES: {"terms": {"field": "__state"}}}
    search = AssetSearch(client, body)
    return search, _count_active(search.aggregations)


def _count_active(aggregations: Mapping[str, Any]) -> int | None:
    states = aggregations.get(STATES)
    buckets = states.get("buckets") if isinstance(states, dict) else None
    if not isinstance(buckets, list) or not all(isinstance(bucket, dict) for bucket in buckets):
        return None
    count = next((bucket.get("doc_count") for bucket in buckets if bucket.get("key") == "ACTIVE"), 0)
    return count if isinstance(count, int) else None


def find_by_guid(client: AtlanClient, query: AssetQuery, guids: Sequence[str]) -> Iterator[SearchHit]:
    """Those assets of a query that have one of these guids. Raises `AtlanRequestError`."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import CompoundQuery

    for start in range(0, len(guids), MOST_GUIDS):
        search = _fluent_search(query, query.attributes).where(CompoundQuery.active_assets())
        search = search.where(Asset.GUID.within([*guids[start : start + MOST_GUIDS]]))
        yield from AssetSearch(client, _body_of(search))


def _fluent_search(query: AssetQuery, attributes: Sequence[str]) -> Any:
    """A search for the assets of a query, active or not."""
    from pyatlan.model.assets import Asset, Process
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = FluentSearch(_includes_on_results=list(attributes), _includes_on_relations=["qualifiedName"])
    if query.type_name:
        search = search.where(Asset.TYPE_NAME.eq(query.type_name))
    else:
        search = search.where_not(CompoundQuery.super_types([Process])).where_not(CompoundQuery.asset_type(Process))
    if len(query.prefixes) == 1:
        return search.where(Asset.QUALIFIED_NAME.startswith(query.prefixes[0]))
    for prefix in query.prefixes:
        search = search.where_some(Asset.QUALIFIED_NAME.startswith(prefix))
    return search.min_somes(1)


# =====================================================================================================================
# Other questions
# =====================================================================================================================


def read_user_name(client: AtlanClient) -> str:
    """The name of the user that the token stands for. Raises `AtlanRequestError`."""
    from pyatlan.client.constants import GET_CURRENT_USER

    name = call_atlan(client, GET_CURRENT_USER).get("username")
    if not isinstance(name, str):
        raise not_atlan(client)
    return name


def read_server_time(client: AtlanClient) -> datetime | None:
    """What time it is for Atlan, by its answer's Date header (RFC 9110, 6.6.1); None where it has none that can be read.

    Raises `AtlanRequestError`.
    """
    from pyatlan.client.constants import GET_CURRENT_USER

    return time_of(_send(client, GET_CURRENT_USER).headers.get("Date", ""))


@dataclass(frozen=True)
class Permission:
    """Something that one may do or not: an action like ENTITY_CREATE with an asset, which need not be there."""

    action: str
    type_name: str
    qualified_name: str


def read_permissions(client: AtlanClient, asked: Sequence[Permission]) -> list[bool]:
    """Whether Atlan would allow each of these, in their order. Nothing is written.

    The request is the metastore's own (`EntityREST.evaluatePolicies`, `AtlasEntityStoreV2.evaluatePolicies`); pyatlan
    has none for it. Raises `AtlanRequestError`, also where the tenant does not offer it.
    """
    from http import HTTPStatus

    from pyatlan.utils import API, EndPoint, HTTPMethod

    api = API("entity/evaluator", HTTPMethod.POST, HTTPStatus.OK, endpoint=EndPoint.ATLAS)
    body = [{"action": one.action, "typeName": one.type_name, "entityId": one.qualified_name} for one in asked]
    answer = _json_of(_send(client, api, body))
    if not isinstance(answer, list) or len(answer) != len(asked):
        raise not_atlan(client)
    if not all(isinstance(item, dict) and isinstance(item.get("allowed"), bool) for item in answer):
        raise not_atlan(client)
    return [item["allowed"] for item in answer]


def read_role_guid(client: AtlanClient, name: str) -> str:
    """The guid of a role of this name, like `$admin`. Raises `AtlanRequestError`."""
    from pyatlan.client.constants import GET_ROLES

    query = {"filter": json.dumps({"name": {"$ilike": "$%"}}), "limit": "100", "offset": "0", "count": "True"}
    records = call_atlan(client, GET_ROLES, query=query).get("records")
    if not isinstance(records, list):
        raise not_atlan(client)
    guids = [
        str(role["id"]) for role in records if isinstance(role, dict) and role.get("name") == name and "id" in role
    ]
    if not guids:
        raise AtlanRequestError(f"Atlan has no role named {name}: ask an administrator of the tenant.", None)
    return guids[0]


def read_downstream(client: AtlanClient, guid: str) -> Iterator[SearchHit]:
    """Every asset that Atlan's lineage shows downstream of one, nearest first. Raises `AtlanRequestError`."""
    from pyatlan.client.constants import GET_LINEAGE_LIST
    from pyatlan.model.lineage import FluentLineage

    # pyatlan asks for ten at a time, which of a table with a year of files are 37 requests.
    request = FluentLineage(starting_guid=guid, includes_on_results=["name"], size=PAGE_SIZE).request
    body = {"from": 0, **json.loads(request.json(by_alias=True, exclude_none=True))}
    while True:
        answer = call_atlan(client, GET_LINEAGE_LIST, body)
        page = answer.get("entities") or []
        if not isinstance(page, list):
            raise not_atlan(client)
        yield from filter(is_search_hit, page)
        if not page or not answer.get("hasMore"):
            return
        body["from"] += len(page)


def read_entity(client: AtlanClient, type_name: str, qualified_name: str) -> dict[str, Any] | None:
    """An asset as Atlan holds it now, `{"status", "attributes", "relationshipAttributes", …}`; None where there is none.

    Unlike a search, this finds what was written a moment ago. Raises `AtlanRequestError`.
    """
    from pyatlan.client.constants import GET_ENTITY_BY_UNIQUE_ATTRIBUTE

    api = GET_ENTITY_BY_UNIQUE_ATTRIBUTE.format_path_with_params(type_name)  # type: ignore[no-untyped-call]
    try:
        answer = call_atlan(client, api, query={"attr:qualifiedName": qualified_name, "minExtInfo": False})
    except AtlanRequestError as error:
        if error.status == 404:
            return None
        raise
    entity = answer.get("entity")
    if not isinstance(entity, dict):
        raise not_atlan(client)
    return entity


def wait_for_rights(client: AtlanClient, guid: str) -> None:
    """Wait until an asset that was just made may be read: the rights on a new connection take Atlan some seconds.

    Raises `AtlanRequestError` where they do not come within a minute.
    """
    from pyatlan.client.constants import GET_ENTITY_BY_GUID

    api = GET_ENTITY_BY_GUID.format_path_with_params(guid)  # type: ignore[no-untyped-call]
    query = {"minExtInfo": True, "ignoreRelationships": True}
    for attempt in range(RIGHTS_TRIES):
        try:
            call_atlan(client, api, query=query)
            return
        except AtlanRequestError as error:
            if error.status != 403 or attempt == RIGHTS_TRIES - 1:
                raise
            time.sleep(min(2.0**attempt, RIGHTS_LONGEST_PAUSE_SECONDS))
