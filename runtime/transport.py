"""How requests to a tenant leave: paced together, and sent again where that makes sense."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, ClassVar

from runtime.errors import PipelineError
from runtime.pace import RequestPace
from runtime.terminal import logger

if TYPE_CHECKING:
    import httpx


class AtlanRequestError(PipelineError):
    """Atlan refused a request, or did not answer; `status` is None where there was no HTTP answer at all."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def concerns_items(self) -> bool:
        """Whether what was sent is at fault, so that a smaller request may pass; else the service or token is."""
        return self.status in (400, 403, 404, 406, 409, 413, 422, 500)


_counting = threading.Lock()
_sent = 0


def requests_sent() -> int:
    """How many requests have left for tenants since the process began, those that were sent again included."""
    return _sent


def _count_request() -> None:
    global _sent
    with _counting:
        _sent += 1


class TenantPace:
    """When requests may leave for a tenant, for all its clients together."""

    def __init__(self, requests_per_minute: int) -> None:
        self.pace = RequestPace(requests_per_minute)
        self.turn = threading.Lock()
        self.state = threading.Lock()


class PatientTransport:
    """Sends every request of a client, from any thread, and again where that makes sense: the one place that retries.

    pyatlan's own policy is too short for Atlan's one-minute block, retries refusals (403) for most of a minute, and
    would multiply with a second one above it, so it is switched off.
    """

    TRIES: ClassVar = {429: 4, 500: 2, 502: 5, 503: 5, 504: 5}
    SEARCH_TIMEOUT = b"ATLAS-400-00-502"  # a 429 as well, but of one search and not of the limit
    TRIES_WITHOUT_ANSWER = 4

    def __init__(self, inner: httpx.BaseTransport, no_answer: type[Exception], tenant: TenantPace) -> None:
        self._inner = inner
        self._no_answer = no_answer
        self._pace, self._turn, self._state = tenant.pace, tenant.turn, tenant.state

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, read to its end; its extension `seconds` tells how long the server took for it.

        Raises `no_answer` where there is none after several tries, and `AtlanRequestError` for a 503 that stays.
        """
        tries = 0
        while True:
            sent = self._wait_for_turn()
            _count_request()
            try:
                with contextlib.closing(self._inner.handle_request(request)) as response:
                    response.read()
            except self._no_answer:
                self._note_lost(sent)
                tries += 1
                if tries >= self.TRIES_WITHOUT_ANSWER:
                    raise
                time.sleep(_backoff(tries))
                continue
            except BaseException:  # an answer that cannot be decoded, or Ctrl-C: nobody may wait for this one
                self._note_lost(sent)
                raise
            now = time.monotonic()
            response.extensions["seconds"] = now - sent
            if response.status_code == 429 and self.SEARCH_TIMEOUT not in response.content:
                if self._is_given_up(response, sent, now):
                    return response
                continue
            tries += 1
            with self._state:
                self._pace.answered(sent, now)
            if tries < self.TRIES.get(response.status_code, 1):
                time.sleep(_backoff(tries))
            elif response.status_code == 503:
                # pyatlan would go on with no answer at all.
                raise AtlanRequestError("Atlan is not available (503): try again later.", 503)
            else:
                return response

    def _wait_for_turn(self) -> float:
        """Wait until a request may leave, one after the other; the time at which it does."""
        with self._turn:
            while True:
                with self._state:
                    now = time.monotonic()
                    pause = self._pace.wait(now)
                if not pause:
                    return now
                time.sleep(pause)

    def _note_lost(self, sent: float) -> None:
        with self._state:
            self._pace.lost(sent)

    def _is_given_up(self, response: httpx.Response, sent: float, now: float) -> bool:
        with self._state:
            first = self._pace.refused(sent, now, _retry_after(response))
            given_up = self._pace.is_given_up(now)
        if first:
            logger.warning("⚠️ Atlan's request limit is reached: all requests wait until it lifts")
        return given_up

    def close(self) -> None:
        self._inner.close()

    def __enter__(self) -> PatientTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _backoff(tries: int) -> float:
    """Seconds to wait after so many tries: doubled with each, and never the same for two requests."""
    return random.uniform(0.5, 1.0) * 0.5 * 2.0 ** (tries - 1)


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3); None without one, and for 0, a date or nonsense."""
    text = response.headers.get("Retry-After", "")
    return float(text) or None if text.isascii() and text.isdigit() else None
