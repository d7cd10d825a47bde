"""A TCP proxy that holds back each HTTP request by 50 ms, as a far server would, and a check that it is fast enough.

Run as a process of its own: proxy.py HOST PORT (of the server behind it) prints the port where it listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

DELAY_SECONDS = 0.05
METHODS = (b"PUT /", b"GET /", b"HEAD /", b"POST /", b"DELETE /")
BODY = b"x" * 10_000
REQUEST = b"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Side(asyncio.Protocol):
    """One end of a connection: what arrives here is written to the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()

    # A side that cannot write as fast as the other one reads makes it wait.

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()


class ClientSide(Side):
    """The end towards the client: the first bytes of a request wait, and those behind them with them."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._address = host, port
        self._held: list[bytes] = []
        self._holding = True  # until the server is connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, self.other = await loop.create_connection(Side, *self._address)
        self.other.other = self
        await asyncio.sleep(DELAY_SECONDS)  # a new connection is there for its first request, which waits with it
        self._release()

    def data_received(self, data: bytes) -> None:
        if self._holding:
            self._held.append(data)
        elif data.startswith(METHODS):
            self._held.append(data)
            self._holding = True
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._release)
        else:
            super().data_received(data)

    def _release(self) -> None:
        self._holding = False
        if self._held:
            super().data_received(b"".join(self._held))
            self._held.clear()


class Sink(asyncio.Protocol):
    """A server that answers each of the check's requests at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = 0

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        while self._read >= len(REQUEST):
            self._read -= len(REQUEST)
            self._transport.write(ANSWER)


async def serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    make = (lambda: ClientSide(host, port)) if port else Sink
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running(endpoint: str) -> Iterator[str]:
    """The proxy before an endpoint; without one, a server that only answers. Yields the new endpoint."""
    url = urlsplit(endpoint)
    command = [sys.executable, __file__, url.hostname or "", str(url.port or 0)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


async def _ask(port: int, until: float) -> int:
    """Send the same request again and again; the number of answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = 0
    while time.monotonic() < until:
        writer.write(REQUEST)
        await reader.readexactly(len(ANSWER))
        answers += 1
    writer.close()
    return answers


async def _ask_all(port: int, connections: int, seconds: float) -> float:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_ask(port, until) for _ in range(connections)))) / seconds


def measured_rate(connections: int, seconds: float = 2.0) -> float:
    """Requests of 10 KB a second through the proxy, from a bare client with so many connections."""
    with running("") as sink, running(sink) as endpoint:
        return asyncio.run(_ask_all(urlsplit(endpoint).port or 0, connections, seconds))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
