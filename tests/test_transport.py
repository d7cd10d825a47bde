"""The transport: what it sends again, against a server on this machine that answers what it is told to."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest

from runtime import transport
from runtime.atlan import connect_atlan
from runtime.terminal import configure_logging
from runtime.transport import AtlanRequestError, PatientTransport

Answer = tuple[int, dict[str, str], bytes]  # status 0: the connection ends without an answer
OK: Answer = (200, {}, b"{}")
BLOCK: Answer = (429, {"Retry-After": "1"}, b"{}")
UNREADABLE: Answer = (200, {"Content-Encoding": "gzip"}, b"no gzip")


@dataclass
class Server:
    """Gives its answers in turn, and from then on a 200; counts the requests."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    requests: int = 0


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server("")
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.rfile.read(int(self.headers["Content-Length"])) == b'{"sent":"whole"}'
            with lock:
                told.requests += 1
                status, headers, body = told.answers.pop(0) if told.answers else OK
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        told.url = f"http://127.0.0.1:{running.server_address[1]}"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield told
        running.shutdown()


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which are noted instead of waited for: the clock is put forward."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds > 0.1:  # less is only another look at what somebody else waits for
            pauses.append(seconds)
        else:
            time.sleep(0.001)

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: time.monotonic() + sum(pauses))
    monkeypatch.setattr(transport, "time", clock)
    return pauses


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client whose pool has one connection, so that one that is not given back is missed."""
    inner = httpx.HTTPTransport(limits=httpx.Limits(max_connections=1))
    patient = PatientTransport(inner, httpx.TransportError, transport.TenantPace(600))
    with httpx.Client(transport=patient, timeout=30) as made:  # type: ignore[arg-type]  # one in all but name
        yield made


def post(client: httpx.Client, server: Server) -> httpx.Response:
    return client.post(server.url, json={"sent": "whole"})


def test_clients_of_one_tenant_share_its_limit(server: Server, slept: list[float]) -> None:
    """Of sixty a minute six may leave at once, whoever sends them, and the others one after the other."""
    clients = [connect_atlan(server.url, token, 60)._session for token in ("one", "another")]
    for number in range(12):
        assert post(clients[number % 2], server).status_code == 200
    assert len(slept) >= 4
    assert sum(slept) > 4
    slept.clear()
    post(connect_atlan(server.url.replace("127.0.0.1", "127.0.0.2"), "one", 60)._session, server)
    assert slept == []


@pytest.mark.parametrize(("status", "tries"), PatientTransport.TRIES.items())
def test_what_may_pass_is_tried_again(
    status: int, tries: int, server: Server, client: httpx.Client, slept: list[float]
) -> None:
    body = PatientTransport.SEARCH_TIMEOUT
    server.answers = [(status, {}, body)] * (tries - 1)
    before = transport.requests_sent()
    assert post(client, server).status_code == 200
    assert server.requests == tries == transport.requests_sent() - before
    for number, pause in enumerate(slept):
        assert 0.25 * 2**number <= pause <= 0.5 * 2**number
    server.answers = [(status, {}, body)] * tries
    if status == 503:
        with pytest.raises(AtlanRequestError) as raised:
            post(client, server)
        assert (raised.value.status, str(raised.value)) == (503, "Atlan is not available (503): try again later.")
    else:
        assert post(client, server).status_code == status
    assert server.requests == 2 * tries


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_cannot_pass_is_sent_once(status: int, server: Server, client: httpx.Client, slept: list[float]) -> None:
    server.answers = [(status, {}, b"{}")]
    assert post(client, server).status_code == status
    assert (server.requests, slept) == (1, [])


def test_no_answer_is_tried_four_times(server: Server, client: httpx.Client) -> None:
    server.answers = [(0, {}, b"")] * 3
    assert post(client, server).status_code == 200
    server.answers = [(0, {}, b"")] * 4
    with pytest.raises(httpx.TransportError):
        post(client, server)
    assert server.requests == 8


@pytest.mark.parametrize(
    ("header", "pause"),
    [("7", 7), ("0", 5), ("²", 5), ("-1", 5), ("1e9", 5), ("9" * 5000, 120), ("Wed, 21 Oct 2026 07:28:00 GMT", 5)],
)
def test_a_block_is_waited_for_as_the_answer_says(
    header: str, pause: float, server: Server, client: httpx.Client, slept: list[float]
) -> None:
    server.answers = [(429, {"Retry-After": header}, b"{}")]
    assert post(client, server).status_code == 200
    assert slept == [pytest.approx(pause, abs=0.5)]


def test_a_block_is_told_once_for_all(server: Server, client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    server.answers = [BLOCK, BLOCK]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(client, server), range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert server.requests == 22
    assert capsys.readouterr().out == "⚠️ Atlan's request limit is reached: all requests wait until it lifts\n"


def test_a_block_that_does_not_lift_is_handed_on(server: Server, client: httpx.Client, slept: list[float]) -> None:
    server.answers = [(429, {}, b"{}")] * 100
    assert post(client, server).status_code == 429
    assert 300 <= sum(slept) <= 340
    requests = server.requests
    assert post(client, server).status_code == 429
    assert server.requests == requests + 1


def test_the_seconds_of_an_answer_are_the_servers_alone(server: Server, client: httpx.Client) -> None:
    server.answers = [BLOCK, BLOCK]
    assert 0 < post(client, server).extensions["seconds"] < 1


def test_an_answer_that_cannot_be_read_lets_the_next_one_try(
    server: Server, client: httpx.Client, slept: list[float]
) -> None:
    """Else everybody waits for it, until the block is given up after five minutes."""
    server.answers = [BLOCK, UNREADABLE]
    with pytest.raises(httpx.DecodingError):
        post(client, server)
    started = time.monotonic()
    assert post(client, server).status_code == 200
    assert time.monotonic() - started < 5
    assert server.requests == 3
    assert sum(slept) < 10


def test_which_errors_are_about_what_was_sent() -> None:
    fine = {status for status in range(400, 600) if AtlanRequestError("", status).concerns_items}
    assert fine == {400, 403, 404, 406, 409, 413, 422, 500}
    assert not AtlanRequestError("", None).concerns_items
