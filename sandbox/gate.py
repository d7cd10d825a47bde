"""Who is let in: every request is checked before a byte of its body is read, and no more of a body than is allowed.

A server on the loopback interface is open to every web page in a browser on the same machine: a page can send requests
to it from its own origin, or let its own name lead to 127.0.0.1 (DNS rebinding). So a request must name this machine as
its `Host`, come from no other `Origin`, and carry the tenant's token; a browser carries a key that opens the page alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.bodies import MAX_BYTES

BODY_SECONDS = 60  # for a body as a whole
KEY_PARAMETER = "key"
# Where a client takes its first token, for a secret of its own in the body (pyatlan's `OAuthTokenManager` and `from_token_guid`).
WITHOUT_TOKEN = CLIENT_TOKEN, KEYCLOAK_TOKEN = (
    "/api/service/oauth-clients/token",
    "/auth/realms/default/protocol/openid-connect/token",
)
# No other page may show an answer in a frame, load it as a script or picture, or guess its type; none is kept.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ASK_FOR_THE_KEY = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Atlan sandbox</title>
<p>This page asks for a key: open the address that <code>python -m sandbox</code> has printed.</p></html>
"""
# The browser keeps its cookie back where a page of elsewhere leads here, and sends it when this one leads to itself.
COME_AGAIN = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Atlan sandbox</title>
<meta http-equiv="refresh" content="0"></html>
"""


def derive_key(token: str, purpose: str) -> str:
    """A secret for one purpose, which lasts as long as the tenant's token and does not tell it."""
    return hashlib.sha256(f"{purpose}:{token}".encode()).hexdigest()


def page_url(base_url: str, token: str) -> str:
    """The address that opens the tenant's page in a browser, without the token."""
    return f"{base_url}/?{KEY_PARAMETER}={derive_key(token, 'page')}"


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header; "" if it has none."""
    scheme, _, token = authorization.partition(" ")
    return token if scheme == "Bearer" else ""


class Refused(Exception):
    """A request that gets no further than the gate; `response` is what it is answered."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Gate:
    """The application behind its checks: Host and Origin (403), token or key (401), size (413) and time (408) of the body.

    `is_token` is asked of a token that is not the tenant's own: whether it was made in it.
    """

    def __init__(self, application: ASGIApp, token: str, is_token: Callable[[str], bool]) -> None:
        self._application = application
        self._authorization = f"Bearer {token}"
        self._is_token = is_token
        self._page_key = derive_key(token, "page")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope, receive)
        try:
            _check_host(request)
            _check_origin(request)
            self._check_key(request)
            body = await _read_body(request)
        except Refused as refused:
            await refused.response(scope, receive, send_with_headers)
        except ClientDisconnect:
            pass
        else:
            await self._application(scope, _replay(body, receive), send_with_headers)

    def _check_key(self, request: Request) -> None:
        given = request.headers.getlist("authorization")
        if len(given) == 1 and (_equal(given[0], self._authorization) or self._is_token(bearer_token(given[0]))):
            return
        if request.method == "POST" and request.scope["path"] in WITHOUT_TOKEN:
            return
        if not _is_page(request):
            raise Refused(_unauthorized())
        cookie = f"sandbox_{request.url.port}"  # browsers tell ports of a host apart by nothing else
        if _equal(request.query_params.get(KEY_PARAMETER, ""), self._page_key):
            answer = RedirectResponse(request.scope["path"], HTTPStatus.SEE_OTHER)
            answer.set_cookie(cookie, self._page_key, httponly=True, samesite="strict")
            raise Refused(answer)
        if any(_equal(value, self._page_key) for value in _cookies(request, cookie)):
            return
        if request.scope["path"].startswith("/_sandbox/"):
            raise Refused(_unauthorized())
        from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
        raise Refused(HTMLResponse(COME_AGAIN if from_elsewhere else ASK_FOR_THE_KEY, 401))


def _is_page(request: Request) -> bool:
    """Whether the page's key is enough: for the page and for what it asks, which all only read."""
    path = request.scope["path"]
    data = path == "/_sandbox/assets" or path.startswith("/_sandbox/lineage/")
    return request.method in ("GET", "HEAD") and (path == "/" or path.startswith("/assets/") or data)


def _cookies(request: Request, name: str) -> Iterator[str]:
    for header in request.headers.getlist("cookie"):
        try:
            found = SimpleCookie(header).get(name)
        except CookieError:
            continue
        if found:
            yield found.value


def _equal(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _check_host(request: Request) -> None:
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _is_loopback(f"//{hosts[0]}"):
        raise Refused(_refusal(403, "the Host of a request must be a name or an address of this machine"))


def _check_origin(request: Request) -> None:
    """Refuse requests of pages from elsewhere, of files and of sandboxed frames (whose origin is `null`)."""
    if not all(_is_loopback(origin) for origin in request.headers.getlist("origin")):
        raise Refused(_refusal(403, "requests of web pages from elsewhere are not answered"))


def _is_loopback(address: str) -> bool:
    """Whether a URL without a path leads to this machine, whatever its port."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
        if (
            parts.scheme not in ("", "http", "https")
            or address.partition("//")[2] != parts.netloc
            or "@" in parts.netloc
        ):
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _read_body(request: Request) -> bytes:
    """The body, up to `MAX_BYTES`, in `BODY_SECONDS`. A sender of more is not listened to."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told[:20]) > MAX_BYTES:
        raise Refused(_too_large())
    try:
        return await asyncio.wait_for(_read_stream(request), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise Refused(_closing(_refusal(408, f"the body was not there within {BODY_SECONDS} seconds"))) from None


async def _read_stream(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise Refused(_too_large())
        chunks.append(chunk)
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one piece, and after it what else the connection has to tell."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


def _unauthorized() -> Response:
    """As Atlan's gateway says it."""
    message = "The access token is missing, malformed or expired"
    return _json(401, {"code": 401, "error": "unauthorized", "message": message})


def _too_large() -> Response:
    return _closing(_refusal(413, f"the body has more than {MAX_BYTES} bytes"))


def _closing(response: Response) -> Response:
    response.headers["Connection"] = "close"
    return response


def _refusal(status: int, message: str) -> Response:
    """An error in the shape of Atlan's, with a code that says whose it is."""
    message = f"The sandbox refuses this: {message}"
    return _json(status, {"errorCode": f"SANDBOX-{status}-00-001", "errorMessage": message})


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
