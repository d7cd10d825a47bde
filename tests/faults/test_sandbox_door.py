"""The sandbox is no door: what a web page, another program or a hostile body on the same machine gets from it."""

from __future__ import annotations

import html
import http.server
import itertools
import json
import os
import shutil
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World, authorization, start_world

import sandbox
from sandbox import gate
from sandbox.bodies import MAX_BYTES, MAX_DEPTH
from sandbox.routes import ROUTES

CONTROLS = {
    ("GET", "/_sandbox/requests"), ("POST", "/_sandbox/reset"), ("PUT", "/_sandbox/pace"),
    ("POST", "/_sandbox/faults"), ("POST", "/_sandbox/publish"),
}  # fmt: skip
PAGES = ("/", "/assets/some-guid/overview")
PAGE_DATA = ("/_sandbox/assets?name=", "/_sandbox/lineage/some-guid")
API = (("GET", "/api/service/users/current"), ("POST", "/api/meta/entity/bulk"), ("GET", "/api/meta/nothing"))
EVERYTHING = (*sorted(CONTROLS), *(("GET", path) for path in (*PAGES, *PAGE_DATA)), *API)
# What each of them would do, were it let in: the limit makes the next request a 429.
BODY = b'{"catalog": true, "requests_per_minute": 1, "count": 9}'


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_world(tmp_path_factory.mktemp("door")) as world:
        yield world


@pytest.fixture(autouse=True)
def unharmed(own: World) -> Iterator[None]:
    """Whatever a test tries, the tenant has the same assets and files after it, and answers."""
    own.forget()
    before = own.state(), files_of(own.tenant.buckets)
    own.forget()
    yield
    own.forget()
    assert (own.state(), files_of(own.tenant.buckets)) == before


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def send(base_url: str, text: bytes, seconds: float = 10) -> bytes:
    """What a server answers to these bytes until it closes, or is silent for a moment after its answer."""
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port), timeout=seconds) as connection:
        connection.sendall(text)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                connection.settimeout(0.2)
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def head(method: str, path: str, headers: Mapping[str, str] | list[tuple[str, str]], version: str = "1.1") -> bytes:
    """A request's head; header by header, as only a raw socket can send it."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in pairs), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def request(world: World, method: str, path: str, headers: list[tuple[str, str]], version: str = "1.1") -> bytes:
    length = ("Content-Length", str(len(BODY)))
    told = [*headers, length, ("Connection", "close")]
    return send(world.tenant.base_url, head(method, path, told, version) + BODY)


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def told_nothing(answer: bytes, world: World) -> None:
    """A refusal lets no other origin read it, and has nothing of the tenant."""
    lowered = answer.lower()
    assert b"access-control-" not in lowered
    assert world.tenant.api_token.encode() not in answer
    assert b"postgres-ary" not in answer
    assert b"ORDERS" not in answer


# Host: a name that somebody lets lead to 127.0.0.1 is not ours (DNS rebinding)


FOREIGN_HOSTS = (
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "localhost@evil.example",
    "evil.example@localhost", "localhost/evil", "localhost#", "localhost?", "192.168.0.1:{port}", "0.0.0.0:{port}", "[::]",
    "8.8.8.8", "localhost:99999", "localhost:x", "[::1", "", ":{port}", "127.1", "2130706433", "localhost, evil.example",
)  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused_with_the_right_token_too(own: World, host: str) -> None:
    host = host.format(port=urlsplit(own.tenant.base_url).port)
    for method, path in EVERYTHING:
        answer = request(own, method, path, [("Host", host), *authorization(own.tenant).items()])
        assert status_of(answer) in (400, 403), (method, path)  # 400: the HTTP library's
        told_nothing(answer, own)


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "evil.example"], ["evil.example", "127.0.0.1"]])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_no_host_and_two_hosts_are_refused(own: World, hosts: list[str], version: str) -> None:
    headers = [*(("Host", host) for host in hosts), *authorization(own.tenant).items()]
    for method, path in EVERYTHING:
        assert status_of(request(own, method, path, headers, version)) in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "LocalHost", "localhost:{port}", "[::1]:80", "127.8.8.8"])
def test_this_machine_by_any_of_its_names_and_ports_is_let_in(own: World, host: str) -> None:
    host = host.format(port=urlsplit(own.tenant.base_url).port)
    for path in ("/api/service/users/current", "/_sandbox/requests", "/"):
        answer = request(own, "GET", path, [("Host", host), *authorization(own.tenant).items()])
        assert status_of(answer) == 200


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30))
def test_any_host_and_origin_get_an_answer_and_no_more(own: World, text: str) -> None:
    for name in ("Host", "Origin"):
        headers = {"Host": "localhost", **authorization(own.tenant), name: text}
        answer = request(own, "GET", "/_sandbox/requests", [*headers.items()])
        assert status_of(answer) in ((400, 403) if "localhost" not in text and "127." not in text else (200, 400, 403))


# Origin: pages from elsewhere


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "file://", "",
     "http://localhost@evil.example", "chrome-extension://abc", "http://[::]", "http://192.168.0.1", "http://localhost/x"],
)  # fmt: skip
def test_a_page_from_elsewhere_is_refused_with_the_right_token_too(own: World, origin: str) -> None:
    for method, path in EVERYTHING:
        headers = [("Host", "localhost"), ("Origin", origin), *authorization(own.tenant).items()]
        answer = request(own, method, path, headers)
        assert status_of(answer) == 403
        assert set(body_of(answer)) >= {"errorCode", "errorMessage"}
        told_nothing(answer, own)


def test_one_foreign_origin_of_two_is_one_too_many(own: World) -> None:
    origins = [("Origin", "http://localhost"), ("Origin", "http://evil.example")]
    headers = [("Host", "localhost"), *origins, *authorization(own.tenant).items()]
    assert status_of(request(own, "GET", "/_sandbox/requests", headers)) == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:3000", "http://localhost", "https://[::1]:8443"])
def test_a_page_of_this_machine_with_the_token_is_let_in_and_told_so_by_no_header(own: World, origin: str) -> None:
    headers = [("Host", "localhost"), ("Origin", origin), *authorization(own.tenant).items()]
    answer = request(own, "GET", "/api/service/users/current", headers)
    assert status_of(answer) == 200
    assert b"access-control-" not in answer.lower()


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null"])
def test_no_browser_is_told_that_it_may_send_the_token_from_elsewhere(own: World, origin: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for _, path in EVERYTHING:
        answer = request(own, "OPTIONS", path, [("Host", "localhost"), ("Origin", origin), *asked.items()])
        assert status_of(answer) in (401, 403)
        told_nothing(answer, own)


# The token and the page's key


def unauthorised(own: World) -> list[list[tuple[str, str]]]:
    token, key = own.tenant.api_token, gate.derive_key(own.tenant.api_token, "page")
    return [
        [],
        [("Authorization", "Bearer wrong")],
        [("Authorization", f"Basic {token}")],
        [("Authorization", token)],
        [("Authorization", "Bearer ä")],
        [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer wrong")],
        [("Authorization", f"Bearer {key}")],
        [("Cookie", f"sandbox_None={token}")],
        [("Cookie", 'sandbox_None="; \\400; =; ä')],
    ]


@pytest.mark.parametrize("case", range(9))
def test_nothing_is_read_or_done_without_the_token(own: World, case: int) -> None:
    for method, path in EVERYTHING:
        answer = request(own, method, path, [("Host", "localhost"), *unauthorised(own)[case]])
        assert status_of(answer) == 401, (method, path)
        told_nothing(answer, own)
        if path not in PAGES:
            assert body_of(answer)["message"] == "The access token is missing, malformed or expired"
    assert own.requests()["total"] == 0


def test_every_endpoint_of_the_api_asks_for_the_token(own: World) -> None:
    for method, path, _ in ROUTES:
        refused = (400, 401) if path in gate.WITHOUT_TOKEN else (401,)  # a client's secret takes its place
        assert status_of(request(own, method, path, [("Host", "localhost")])) in refused, path


def test_the_pages_address_opens_the_page_and_leaves_no_key_in_it(own: World) -> None:
    with httpx.Client(trust_env=False) as browser:
        moved = browser.get(own.tenant.page_url)
        assert (moved.status_code, moved.headers["location"]) == (303, "/")
        cookie = moved.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        page = browser.get(own.tenant.base_url)
        assert page.status_code == 200
        assert "postgres-ary" in page.text
        assert browser.get(f"{own.tenant.base_url}/_sandbox/assets?name=ORDERS").json()["total"] > 0
        assert browser.get(f"{own.tenant.base_url}/_sandbox/lineage/nobody").status_code == 404
        for secret in (own.tenant.api_token, own.tenant.page_url.partition("=")[2], own.tenant.s3_key[1]):
            assert secret not in page.text
        for name in gate.HEADERS:
            assert page.headers[name] == gate.HEADERS[name]


def test_the_pages_key_opens_the_page_alone(own: World) -> None:
    key = own.tenant.page_url.partition("=")[2]
    cookies = {f"sandbox_{urlsplit(own.tenant.base_url).port}": key}
    with httpx.Client(base_url=own.tenant.base_url, cookies=cookies, trust_env=False) as browser:
        for path in (*PAGES, *PAGE_DATA):
            assert browser.get(path).status_code in (200, 404)
            assert browser.post(path).status_code == 401
        for method, path in (*CONTROLS, *API):
            assert browser.request(method, path).status_code == 401
            assert browser.request(method, path, params={"key": key}).status_code == 401


def test_a_wrong_key_opens_nothing_and_sets_no_cookie(own: World) -> None:
    for key in ("", "wrong", own.tenant.api_token, "ä", "\udc80".encode("utf-8", "surrogatepass").decode("latin-1")):
        answer = httpx.get(own.tenant.base_url, params={"key": key}, trust_env=False)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "python -m sandbox" in answer.text


def test_a_key_leads_nowhere_else(own: World) -> None:
    key = own.tenant.page_url.partition("=")[2]
    for path in ("//evil.example/", "/assets/%0d%0aSet-Cookie:x/overview", "/%2f%2fevil.example", "/assets/%3F//evil"):
        answer = request(own, "GET", f"{path}?key={key}", [("Host", "localhost")])
        assert b"\r\nset-cookie:x" not in answer.lower()
        assert b"location: //" not in answer.lower()


def test_what_a_tenant_is_shown_as_has_no_secret(own: World) -> None:
    tenant = own.tenant
    for secret in (tenant.api_token, tenant.page_url.partition("=")[2], tenant.s3_key[1], tenant.storage_key[1]):
        assert len(secret) > 30
        assert secret not in repr(tenant)
    assert len({tenant.s3_key[1], tenant.storage_key[1], tenant.page_url.partition("=")[2]}) == 3


# A real browser, with a page of somebody else open


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    executable = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if not executable:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1"]
        yield playwright.chromium.launch(executable_path=executable, args=arguments)


@pytest.fixture
def their_page() -> Iterator[str]:
    """The address of an empty page of somebody else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://evil.example:{server.server_address[1]}/"
        server.shutdown()


ATTACK = """async ({tenant, s3}) => {
  const tried = [];
  const all = [[tenant + "/_sandbox/reset", "POST"], [tenant + "/_sandbox/requests", "GET"], [tenant + "/", "GET"],
    [tenant + "/_sandbox/assets?name=", "GET"], [tenant + "/_sandbox/pace", "PUT"], [s3 + "/", "GET"],
    [s3 + "/atlan-tech-challenge", "GET"], [s3 + "/atlan-tech-challenge/theirs.csv", "PUT"],
    [s3 + "/atlan-tech-challenge?delete", "POST"]];
  for (const [url, method] of all) for (const mode of ["cors", "no-cors"]) {
    const body = method === "GET" ? undefined : '{"catalog": true, "requests_per_minute": 1}';
    try {
      const answer = await fetch(url, {method, mode, body, credentials: "include"});
      tried.push([url, answer.type === "opaque" ? "" : await answer.text()]);
    } catch (error) { tried.push([url, ""]); }
  }
  const form = new FormData();
  form.append("key", "theirs.csv");
  form.append("file", new Blob(["A"]), "theirs.csv");
  try { await fetch(s3 + "/atlan-tech-challenge", {method: "POST", mode: "no-cors", body: form}); } catch (error) {}
  return tried;
}"""


def test_a_page_in_the_same_browser_reads_and_writes_nothing(own: World, chromium: Any, their_page: str) -> None:
    """Its visitor has the sandbox's page open, too."""
    context = chromium.new_context()
    try:
        context.new_page().goto(own.tenant.page_url)
        page = context.new_page()
        page.goto(their_page)
        addresses = {"tenant": own.tenant.base_url, "s3": own.tenant.s3_endpoint_url}
        tried = page.evaluate(ATTACK, addresses)
        assert [text for _, text in tried if text] == []
        assert len(tried) > 15
        # And with a name of theirs that leads here.
        port, s3_port = (urlsplit(address).port for address in addresses.values())
        refused = page.goto(f"http://evil.example:{port}/_sandbox/requests")
        assert refused.status == 403
        rebound = {"tenant": f"http://evil.example:{port}", "s3": f"http://evil.example:{s3_port}"}
        told = "".join(text for _, text in page.evaluate(ATTACK, rebound))
        assert "postgres-ary" not in told
        assert "ORDERS" not in told
    finally:
        context.close()


def test_a_link_in_a_file_reaches_the_page_once_the_browser_has_the_key(
    own: World, chromium: Any, tmp_path: Path
) -> None:
    """The page of a run is such a file; it links to assets of the tenant that ran it."""
    link = f"{own.tenant.base_url}/assets/nobody/overview"
    (tmp_path / "run.html").write_text(f'<a href="{html.escape(link)}">asset</a>')
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto((tmp_path / "run.html").as_uri())
        page.click("a")
        page.wait_for_selector("text=python -m sandbox")
        page.goto(own.tenant.page_url)
        assert "key=" not in page.url
        page.goto((tmp_path / "run.html").as_uri())
        page.click("a")
        page.wait_for_selector("#verdict >> text=postgres-ary")
        assert page.url == link
    finally:
        context.close()


# Bodies


def authorised(own: World, **headers: str) -> list[tuple[str, str]]:
    return [("Host", "localhost"), *authorization(own.tenant).items(), *headers.items()]


@pytest.mark.parametrize("path", ["/api/meta/entity/bulk", "/_sandbox/reset", "/api/meta/nothing", "/"])
@pytest.mark.parametrize("length", [MAX_BYTES + 1, 10**15, 10**19])
def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(own: World, path: str, length: int) -> None:
    headers = authorised(own, **{"Content-Length": str(length), "Expect": "100-continue"})
    answer = send(own.tenant.base_url, head("POST", path, headers))
    assert status_of(answer) == 413
    assert b"\r\nconnection: close" in answer.lower()
    assert set(body_of(answer)) == {"errorCode", "errorMessage"}


def test_a_body_that_grows_too_large_is_cut_off(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_BYTES", 200_000)
    headers = authorised(own, **{"Transfer-Encoding": "chunked"})
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    for path in ("/api/meta/entity/bulk", "/_sandbox/reset"):
        fits = send(own.tenant.base_url, head("POST", path, headers) + chunk * 40 + b"2\r\n{}\r\n0\r\n\r\n")
        assert status_of(fits) in (200, 400)
        with pytest.raises(ConnectionError):
            send(own.tenant.base_url, head("POST", path, headers) + chunk * 20_000)  # 80 MB


@pytest.mark.parametrize("who", ["no token", "a foreign host", "a foreign origin"])
def test_nobody_is_asked_for_a_body_who_may_not_send_one(own: World, who: str) -> None:
    """A sender that waits for `100 Continue` is answered at once, and is not told to go on."""
    headers = {"Host": "localhost", **authorization(own.tenant), "Content-Length": "10", "Expect": "100-continue"}
    headers |= {
        "no token": {"Authorization": "Bearer no"},
        "a foreign host": {"Host": "evil.example"},
        "a foreign origin": {"Origin": "http://evil.example"},
    }[who]
    for path in ("/api/meta/entity/bulk", "/_sandbox/reset"):
        assert status_of(send(own.tenant.base_url, head("POST", path, headers))) in (401, 403)
    allowed = authorised(own, **{"Content-Length": "10", "Expect": "100-continue"})
    assert status_of(send(own.tenant.base_url, head("POST", "/_sandbox/reset", allowed))) == 100


def test_slow_bodies_hold_nobody_up_and_come_to_an_end(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 2)
    place = urlsplit(own.tenant.base_url)
    slow = [socket.create_connection((place.hostname, place.port), timeout=20) for _ in range(50)]
    try:
        for connection, path in zip(slow, itertools.cycle(["/_sandbox/reset", "/api/meta/entity/bulk"]), strict=False):
            connection.sendall(head("POST", path, authorised(own, **{"Content-Length": "100"})) + b"{")
        started = time.monotonic()
        for _ in range(3):
            assert own.http.get("/api/service/users/current").status_code == 200
        assert time.monotonic() - started < 1.5
        for connection in slow:
            assert status_of(connection.recv(65536)) == 408
    finally:
        for connection in slow:
            connection.close()


def test_a_sender_that_goes_away_leaves_nothing_behind(own: World) -> None:
    place = urlsplit(own.tenant.base_url)
    for _ in range(20):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(head("POST", "/_sandbox/reset", authorised(own, **{"Content-Length": "100"})) + b"{")
    assert own.requests()["total"] == 0


def test_a_head_without_end_is_cut_off(own: World) -> None:
    answer = send(own.tenant.base_url, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000)
    assert answer == b"" or status_of(answer) == 400


def nested(opening: bytes, closing: bytes, levels: int) -> bytes:
    return opening * levels + b"1" + closing * levels


SHAPES = {
    "lists": (b"[", b"]"),
    "objects": (b'{"a":', b"}"),
    "queries": (b'{"bool":{"must":[', b"]}}"),
    "a body": (b'{"dsl":{"query":{"bool":{"filter":', b"}}}}"),
    "entities": (b'{"entities":[{"attributes":', b"}]}"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 300, 990, 100_000, 500_000])
def test_a_body_that_is_too_deep_is_a_bad_request_everywhere(own: World, shape: str, levels: int) -> None:
    body = nested(*SHAPES[shape], levels)
    controls = [path for method, path in CONTROLS if method != "GET" and "publish" not in path]
    for path in ("/api/meta/entity/bulk", "/api/meta/search/indexsearch", "/api/meta/lineage/list"):
        answer = own.http.post(path, content=body, timeout=60)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "ATLAS-400-00-029")
    for path in controls:
        answer = own.http.request("PUT" if "pace" in path else "POST", path, content=body, timeout=60)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "ATLAS-400-00-029")


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 300, 990, 10_000])
def test_json_within_a_request_is_bounded_like_the_request(own: World, levels: int) -> None:
    for opening, closing in SHAPES.values():
        text = nested(opening, closing, levels).decode()
        answer = own.http.post("/api/meta/search/indexsearch", json={"dsl": text})
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "ATLAS-400-00-029")
        filtered = own.http.get("/api/service/users", params={"filter": text[:15_000]})
        assert (filtered.status_code, filtered.json()["errorCode"]) == (400, "ATLAS-400-00-029")


@pytest.mark.parametrize("guid", [[], ["x"], {"a": 1}, 1, True, None])
@pytest.mark.parametrize("direction", [[], {}, 1, "INPUT"])
def test_lineage_of_what_is_no_guid_is_a_bad_request(own: World, guid: Any, direction: Any) -> None:
    answer = own.http.post("/api/meta/lineage/list", json={"guid": guid, "direction": direction})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ATLAS-400-00-029")


def test_values_as_deep_as_allowed_are_kept_and_shown(own: World) -> None:
    """Deep in a stored value, the answer and the database have more levels than the request."""
    with_value = {
        "typeName": "Table",
        "guid": "-1",
        "attributes": {"qualifiedName": "default/x/1/deep", "name": "deep"},
    }
    for shape in ("lists", "objects"):
        value = json.loads(nested(*SHAPES[shape], MAX_DEPTH - 5))
        entity = {**with_value, "attributes": {**with_value["attributes"], "description": value}}
        saved = own.http.post("/api/meta/entity/bulk", json={"entities": [entity]})
        assert saved.status_code in (200, 400, 404), saved.text
    query = {"term": {"qualifiedName": "default/x/1/deep"}}
    found = own.http.post("/api/meta/search/indexsearch", json={"dsl": {"query": query}, "attributes": ["description"]})
    assert found.status_code == 200
    own.http.post("/_sandbox/reset", json={"catalog": True}).raise_for_status()


def deep_query(levels: int) -> dict[str, Any]:
    query: dict[str, Any] = {"term": {"__state": "ACTIVE"}}
    for _ in range(levels):
        query = {"bool": {"filter": [query]}}
    return query


def test_a_query_as_deep_as_allowed_is_answered(own: World) -> None:
    levels = (MAX_DEPTH - 5) // 3
    body = {"dsl": {"query": deep_query(levels), "size": 1}}
    answer = own.http.post("/api/meta/search/indexsearch", json=body)
    assert answer.status_code == 200
    assert answer.json()["approximateCount"] > 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
control_fields = st.sampled_from(
    ["status", "count", "skip", "method", "path", "body_contains", "after", "body", "headers", "latency_seconds",
     "requests_per_minute", "window_seconds", "block_seconds", "retry_after", "index_delay_seconds"]
)  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=20) | (json_values | st.dictionaries(control_fields, json_values, max_size=2)).map(json.dumps)
)
def test_a_control_takes_what_it_understands_and_refuses_the_rest(own: World, body: bytes | str) -> None:
    for method, path in (("PUT", "/_sandbox/pace"), ("POST", "/_sandbox/faults")):
        answer = own.http.request(method, path, content=body)
        assert answer.status_code in (200, 400)
        if answer.status_code == 400:
            assert answer.json()["errorMessage"]
        assert own.http.post("/_sandbox/reset", json={}).status_code == 200


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("pace", {"latency_seconds": "1"}), ("pace", {"requests_per_minute": 1.5}), ("pace", {"latency_seconds": -1}),
        ("pace", {"retry_after": "soon"}), ("pace", {"other": 1}), ("pace", []), ("pace", {"window_seconds": None}),
        ("faults", {"status": 42}), ("faults", {"status": True}), ("faults", {"headers": {"a": 1}}), ("faults", 1),
        ("faults", {"status": 1000}), ("faults", {"after": 1}), ("faults", {"body_contains": None}), ("reset", []),
    ],
)  # fmt: skip
def test_a_control_that_makes_no_sense_changes_nothing(own: World, path: str, sent: Any) -> None:
    answer = own.http.request("PUT" if path == "pace" else "POST", f"/_sandbox/{path}", json=sent)
    assert answer.status_code == 400
    assert len(answer.json()["errorMessage"]) > 10
    assert own.http.get("/api/service/users/current").status_code == 200


# The S3 server


def unsigned_requests(key: str) -> list[tuple[str, str, dict[str, Any]]]:
    preflight = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    bucket = "/atlan-tech-challenge"
    return [
        ("GET", "/", {}),
        ("GET", bucket, {}),
        ("GET", f"{bucket}/{key}", {}),
        ("HEAD", f"{bucket}/{key}", {}),
        ("OPTIONS", f"{bucket}/{key}", {"headers": preflight}),
        ("PUT", f"{bucket}/theirs.csv", {"content": b"theirs"}),
        ("PUT", "/their-bucket", {}),
        ("DELETE", f"{bucket}/{key}", {}),
        ("DELETE", bucket, {}),
        ("POST", bucket, {"data": {"key": "theirs.csv"}, "files": {"file": ("theirs.csv", b"theirs")}}),
        ("POST", f"{bucket}?delete", {"content": f"<Delete><Object><Key>{key}</Key></Object></Delete>"}),
        ("POST", f"{bucket}/theirs.csv?uploads", {}),
        ("GET", f"{bucket}/{key}?AWSAccessKeyId=sandbox-s3&Signature=x&Expires=9999999999", {}),
        ("GET", f"{bucket}/{key}", {"headers": {"Authorization": "AWS sandbox-s3:x"}}),
        ("GET", f"{bucket}/{key}", {"headers": {"Authorization": "AWS4-HMAC-SHA256"}}),
    ]


@pytest.mark.parametrize("host", ["", "evil.example"])
@pytest.mark.parametrize("endpoint", ["s3_endpoint_url", "storage_endpoint_url"])
def test_the_s3_servers_take_nothing_unsigned_and_let_no_other_origin_read(
    own: World, endpoint: str, host: str
) -> None:
    key = next(iter(files_of(own.tenant.buckets))).partition("/")[2]
    headers = {"Origin": "http://evil.example", **({"Host": host} if host else {})}
    with httpx.Client(base_url=getattr(own.tenant, endpoint), headers=headers, trust_env=False) as http_client:
        for method, path, options in unsigned_requests(key):
            answer = http_client.request(method, path, **options)
            assert answer.status_code in (400, 403), (method, path)
            assert not [name for name in answer.headers if name.startswith("access-control-")], (method, path)
            assert "<Contents>" not in answer.text


def test_the_key_opens_the_buckets_and_another_does_not(own: World) -> None:
    def client(key: tuple[str, str]) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=own.tenant.s3_endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
        )

    assert len(client(own.tenant.s3_key).list_objects_v2(Bucket="atlan-tech-challenge")["Contents"]) == 8
    for key in (
        (own.tenant.s3_key[0], "not-the-secret"),
        own.tenant.storage_key,
        ("nobody-at-all", own.tenant.s3_key[1]),
    ):
        refused = client(key)
        with pytest.raises(refused.exceptions.ClientError, match=r"SignatureDoesNotMatch|InvalidAccessKeyId"):
            refused.list_objects_v2(Bucket="atlan-tech-challenge")


# Child processes and files


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc on this system")
def test_child_processes_get_no_secret_of_the_user_and_no_module_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "ATLAN_API_TOKEN": "hidden-1", "AWS_SECRET_ACCESS_KEY": "hidden-2", "GITHUB_TOKEN": "hidden-3",
        "SOURCE_URL": "postgresql://u:hidden-4@h/d", "RCLONE_CONFIG_PASS": "hidden-5", "RCLONE_READ_ONLY": "true",
        "RCLONE_AUTH_KEY": '"hidden-6,hidden-6"', "PYTHONSTARTUP": "hidden-7", "PYTHONPATH": str(tmp_path),
    }  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "subprocess.py").write_text("open('imported', 'w').close()")
    monkeypatch.chdir(tmp_path)
    with sandbox.start(tmp_path / "state") as tenant:
        children = descendants_of(os.getpid())
        environments = {Path(f"/proc/{child}/environ").read_bytes() for child in children}
        commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
        assert sum(b"rclone" in command.split(b"\0")[0] for command in commands) >= 2
        ours = [text for text in environments if b"RCLONE_AUTH_KEY" in text]
        assert len(ours) >= 2
        assert all(b"hidden" not in text and b"PYTHONPATH" not in text for text in ours)
        for secret in (tenant.s3_key[1], tenant.storage_key[1], tenant.api_token):
            assert not any(secret.encode() in command for command in commands)
    assert not (tmp_path / "imported").exists()


def descendants_of(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has ended
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    own = {int(name.name) for name in Path("/proc").glob("[0-9]*")} & set(found[1:])
    return sorted(own)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_the_file_with_the_token_is_the_users_alone(own: World, tmp_path: Path) -> None:
    def rights(folder: Path) -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("tenant.db*")}

    assert set(rights(own.tenant.folder).values()) == {0o600}
    assert len(rights(own.tenant.folder)) >= 2  # SQLite's log, too
    with sandbox.start(tmp_path):
        pass
    (tmp_path / "tenant.db").chmod(0o644)  # as an earlier version has left it
    with sandbox.start(tmp_path):
        assert set(rights(tmp_path).values()) == {0o600}


def test_a_line_of_a_storages_file_that_is_too_deep_is_refused_and_the_others_are_published(tmp_path: Path) -> None:
    with start_world(tmp_path) as world:
        schema = "default/postgres/1757530687/FOOD_BEVERAGE/SALES_ORDERS"
        good = {"typeName": "Table", "attributes": {"name": "ARRIVED", "qualifiedName": f"{schema}/ARRIVED"}}
        deep: Any = "x"
        for _ in range(400):
            deep = [deep]
        bad = {"typeName": "Table", "attributes": {"name": "D", "qualifiedName": f"{schema}/D", "description": deep}}
        file = tmp_path / "atlan-storage/objectstore/artifacts/1/transformed/table/1.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(bad) + "\n" + json.dumps(good) + "\n")
        told = world.http.post("/_sandbox/publish").json()
        assert (told["assets"], len(told["refused"])) == (1, 1)
        assert "levels" in told["refused"][0]
