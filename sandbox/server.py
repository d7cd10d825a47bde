"""The HTTP side of the sandbox behind its gate: pace, faults, counting, and turning errors into Atlan's bodies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox import accounts, oauth, page, people, ports
from sandbox.adminlog import AdminLog
from sandbox.bodies import parse_body, parse_form, parse_json
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request
from sandbox.files import SignedStorage
from sandbox.gate import Gate, bearer_token
from sandbox.publishing import Published, Publisher
from sandbox.routes import FORMS, ROUTES, Call, Handler, Text
from sandbox.search import SearchCache
from sandbox.searchlog import SearchLog

server_logger = logging.getLogger("sandbox")

Endpoint = Callable[[Request], Awaitable[Response]]

PUBLISH_SECONDS = 1.0  # between two looks at the storage


@dataclass
class TenantPace:
    """How fast the tenant answers; set with PUT /_sandbox/pace.

    More than `requests_per_minute` (0: no limit), counted over `window_seconds`, are refused for `block_seconds`, as Atlan's
    page on API limits has it; `retry_after` is the header of the refusal, in seconds. A change is seen by searches after
    `index_delay_seconds`.
    """

    latency_seconds: float = 0.0
    requests_per_minute: int = 0
    window_seconds: float = 60.0
    block_seconds: float = 60.0
    retry_after: int | None = None
    index_delay_seconds: float = 0.0


@dataclass
class Fault:
    """Fail the next `count` requests that fit; set with POST /_sandbox/faults.

    `status` 0 drops the connection. With `after` the request is carried out first, and only its answer is lost. `skip` lets
    so many pass before; `method`, the beginning of the `path` and `body_contains` say which fit, and empty ones fit all.
    """

    status: int = 500
    count: int = 1
    skip: int = 0
    method: str = ""
    path: str = ""
    body_contains: str = ""
    after: bool = False
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def fits(self, method: str, path: str, body: bytes) -> bool:
        """Whether this request is to fail; if it is, the fault is used up by one."""
        if self.count <= 0 or (self.method and self.method != method) or not path.startswith(self.path):
            return False
        if self.body_contains and self.body_contains.encode() not in body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= 1
        return True


class Limiter:
    """Atlan's limit: so many requests in a window, then a refusal of everything while the block lasts (its docs, API limits)."""

    def __init__(self, pace: TenantPace) -> None:
        self.pace = pace
        self._recent: deque[float] = deque()
        self._blocked_until = 0.0

    def refuses(self) -> bool:
        """Whether the request that comes now is refused; one that is not is counted."""
        now = time.monotonic()
        if not self.pace.requests_per_minute:
            return False
        if now < self._blocked_until:
            return True
        while self._recent and self._recent[0] <= now - self.pace.window_seconds:
            self._recent.popleft()
        if len(self._recent) >= self.pace.requests_per_minute * self.pace.window_seconds / 60:
            self._blocked_until = now + self.pace.block_seconds
            self._recent.clear()
            return True
        self._recent.append(now)
        return False


class Application:
    """One tenant behind HTTP. All handlers run on the server's event loop, one at a time, so they need no locks."""

    def __init__(
        self, catalog: Catalog, token: str, reseed: Callable[[], None], publisher: Publisher, files: SignedStorage
    ) -> None:
        self.catalog = catalog
        self.reseed = reseed
        self.publisher = publisher
        self.files = files
        self.publishing = asyncio.Lock()
        self.published = Published()  # by the looks at the storage since somebody asked
        self.search_cache = SearchCache()
        self.search_log = SearchLog()
        self.admin_log = AdminLog()
        self.forget_settings()
        starlette = Starlette(routes=self._routes(), lifespan=self._publish_always)
        self.asgi = Gate(starlette, token, lambda other: _account_of(catalog, other) is not None)

    def forget_settings(self) -> None:
        """Forget pace, faults and counters."""
        self.pace = TenantPace()
        self.limiter = Limiter(self.pace)
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.catalog.index_delay = 0.0

    # Atlan's own endpoints

    def _routes(self) -> list[Route]:
        routes = []
        for method, path, handler in ROUTES:
            for variant in (path, f"{path}/"):
                routes.append(Route(variant, self._endpoint(method, path, handler), methods=[method]))
        routes += [
            Route("/", self._show_tenant, methods=["GET"]),
            Route("/assets/{guid}/overview", self._show_tenant, methods=["GET"]),
            Route("/_sandbox/assets", self._find_assets, methods=["GET"]),
            Route("/_sandbox/lineage/{guid}", self._show_lineage, methods=["GET"]),
            Route("/_sandbox/requests", self._requests, methods=["GET"]),
            Route("/_sandbox/reset", self._reset, methods=["POST"]),
            Route("/_sandbox/pace", self._set_pace, methods=["PUT"]),
            Route("/_sandbox/faults", self._add_fault, methods=["POST"]),
            Route("/_sandbox/publish", self._publish_now, methods=["POST"]),
            Route("/{anything:path}", self._unknown, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]
        return routes

    def _endpoint(self, method: str, path: str, handler: Handler) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            self.counts[f"{method} {path}"] += 1
            if self.pace.latency_seconds:
                await asyncio.sleep(self.pace.latency_seconds)
            if self.limiter.refuses():
                self.refused[f"{method} {path}"] += 1
                return _too_many_requests(self.pace.retry_after)
            fault = next((fault for fault in self.faults if fault.fits(method, request.url.path, body)), None)
            if fault and not fault.after:
                return _failure(fault)
            response = await self._answer(request, path, handler, body)
            return _failure(fault) if fault else response

        return endpoint

    async def _answer(self, request: Request, route: str, handler: Handler, body: bytes) -> Response:
        query: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        try:
            sent = parse_form(body) if route in FORMS else await parse_body(body)
            params = dict(request.path_params)
            token = bearer_token(request.headers.get("authorization", ""))
            user = _account_of(self.catalog, token) or people.USER["username"]
            address = request.client.host if request.client else ""
            call = Call(
                self.catalog,
                self.search_cache,
                self.search_log,
                self.admin_log,
                self.files,
                params,
                query,
                sent,
                user,
                request.headers,
                address,
            )
            answer = handler(call)
            self.admin_log.note(request.method, route, params, sent, user, address)
        except AtlasError as error:
            return _json(error.body(), error.status)
        except Exception as error:
            server_logger.exception("a handler failed")
            return _unexpected(error)
        if isinstance(answer, Text):
            return PlainTextResponse(answer.text, answer.status)
        return Response(status_code=204) if answer is None else _json(answer)

    async def _unknown(self, request: Request) -> Response:
        self.unknown[f"{request.method} {request.url.path}"] += 1
        message = f"The sandbox does not implement {request.method} {request.url.path}"
        return _json({"errorCode": "SANDBOX-501-00-001", "errorMessage": message}, 501)

    # The tenant as a page

    async def _show_tenant(self, request: Request) -> Response:
        return HTMLResponse(page.tenant_page(self.catalog, str(request.base_url).rstrip("/")))

    async def _find_assets(self, request: Request) -> Response:
        return _json(
            page.find_assets(self.catalog, request.query_params.get("name", ""), request.query_params.get("type", ""))
        )

    async def _show_lineage(self, request: Request) -> Response:
        try:
            return _json(page.lineage_of(self.catalog, request.path_params["guid"]))
        except AtlasError as error:
            return _json(error.body(), error.status)

    # Control

    async def _requests(self, request: Request) -> Response:
        """What was asked so far, by endpoint; `writes` are the requests that can change the catalog."""
        reads = ("/search/", "/task/search", "/lineage/", "/auditSearch", "/evaluator")
        writes = sum(
            count
            for name, count in self.counts.items()
            if not name.startswith("GET ") and not any(read in name for read in reads)
        )
        return _json(
            {
                "total": sum(self.counts.values()),
                "writes": writes,
                "by_endpoint": dict(self.counts),
                "refused": dict(self.refused),
                "unknown": dict(self.unknown),
            }
        )

    async def _reset(self, request: Request) -> Response:
        """Forget counters, faults and pace; with `{"catalog": true}` also bring the seeded catalog back."""
        try:
            wanted = _object(await request.body())
        except AtlasError as error:
            return _json(error.body(), error.status)
        self.forget_settings()
        if wanted.get("catalog"):
            self.catalog.reset()
            self.search_log.clear()
            self.admin_log.clear()
            self.reseed()
        return _json({})

    async def _set_pace(self, request: Request) -> Response:
        try:
            sent = _object(await request.body(), TenantPace)
        except AtlasError as error:
            return _json(error.body(), error.status)
        self.pace = TenantPace(**sent)
        self.limiter = Limiter(self.pace)
        self.catalog.index_delay = self.pace.index_delay_seconds
        return _json(sent)

    async def _add_fault(self, request: Request) -> Response:
        try:
            sent = _object(await request.body(), Fault)
        except AtlasError as error:
            return _json(error.body(), error.status)
        self.faults.append(Fault(**sent))
        return _json(sent)

    # Publishing

    @contextlib.asynccontextmanager
    async def _publish_always(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch_storage())
        yield
        task.cancel()

    async def _watch_storage(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            try:
                done = await self._publish(self.publisher.look)
                for refusal in done.refused:
                    server_logger.warning("not published: %s", refusal)
                self.published.add(done)
            except Exception:
                server_logger.exception("publishing failed")

    async def _publish_now(self, request: Request) -> Response:
        """Publish what has arrived and is not published yet; tells all that was published since this was last asked."""
        done = await self._publish(self.publisher.pending)
        done.add(self.published)
        self.published = Published()
        return _json({"files": done.files, "assets": done.assets, "refused": done.refused})

    async def _publish(self, find: Callable[[], dict[str, str]]) -> Published:
        done = Published()
        async with self.publishing:
            for _ in self.publisher.publish(find(), done):
                await asyncio.sleep(0)  # requests are answered between the batches
        return done


def _account_of(catalog: Catalog, token: str) -> str | None:
    """The account that a token opens the tenant for, if it is none of the tenant's own."""
    return accounts.opened_by(catalog, token) or oauth.opened_by(catalog, token)


class _Dropped(Response):
    """Announces a body and closes the connection without it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _object(body: bytes, kind: type[TenantPace | Fault] | None = None) -> dict[str, Any]:
    """What was sent to a control, for a pace or fault with its fields alone; `AtlasError` (400) if it is something else."""
    sent = {} if not body else parse_json(body)
    if not isinstance(sent, dict):
        raise bad_request("the body must be a JSON object")
    known = {one.name: str(one.type) for one in fields(kind)} if kind else {}
    for name, value in sent.items() if kind else ():
        if name not in known:
            raise bad_request(f"unknown setting {name}")
        if not _fits(known[name], value):
            raise bad_request(f"{name} is no {known[name]}")
    if kind is Fault and not (sent.get("status", 500) == 0 or 200 <= sent.get("status", 500) <= 599):
        raise bad_request("status is no status of an answer, and not 0")
    return sent


def _fits(annotation: str, value: Any) -> bool:
    """Whether a value is of a field's type, as the field is annotated. Numbers are not below 0."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value >= 0 and (annotation == "float" or (isinstance(value, int) and annotation.startswith("int")))
    if annotation == "dict[str, str]":
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return annotation == "Any" or type(value).__name__ == annotation or (value is None and annotation.endswith("None"))


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def _too_many_requests(retry_after: int | None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _json({"message": "API rate limit exceeded"}, 429, headers)


def _unexpected(error: Exception) -> Response:
    cause = {"errorType": type(error).__name__, "errorMessage": str(error), "location": "sandbox"}
    body = {
        "errorId": uuid.uuid4().hex[:16],
        "message": "There was an error processing your request.",
        "causes": [cause],
    }
    return _json(body, 500)


def _failure(fault: Fault) -> Response:
    if fault.status == 0:
        return _Dropped()
    if fault.status == 429 and fault.body is None:
        response = _too_many_requests(None)
        response.headers.update(fault.headers)
        return response
    if fault.status == 500 and fault.body is None:
        return _unexpected(RuntimeError("asked for under /_sandbox/faults"))
    body = fault.body
    if body is None:
        code = f"ATLAS-{fault.status}-00-001"
        body = {"errorCode": code, "errorMessage": "asked for under /_sandbox/faults"}
    return _json(body, fault.status, fault.headers)


@contextlib.contextmanager
def serve_tenant(application: Application, port: int = 0, parameter: str = "port") -> Iterator[str]:
    """Serve on the loopback interface from a thread; yields the base URL once requests are answered.

    Raises `PortUnavailable`, which calls the port by the name `parameter`.
    """
    listener = ports.listen(port, parameter)
    # h11, as it is strict and always there; what else is installed does not change what the sandbox takes.
    config = uvicorn.Config(
        application.asgi,
        http="h11",
        ws="none",
        log_level="critical",
        lifespan="on",
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="sandbox")
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
