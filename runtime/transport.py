"""How requests to a tenant leave: paced together, and sent again where that makes sense."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, ClassVar

from runtime.errors import PipelineError
from runtime.terminal import logger


class AtlanRequestError(PipelineError):
    """Atlan refused a request, or did not answer; `status` is None where there was no HTTP answer at all."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def concerns_items(self) -> bool:
        """Whether what was sent is at fault, so that a smaller request may pass; else the service or token is."""
        return self.status in (400, 403, 404, 406, 409, 413, 422, 500)


class Pace:
    """When the next request may leave. It is told the time, in seconds of a clock that never goes back.

    In no minute more than `per_minute` requests leave: a tenth of them at once, if there was a rest before, and the
    others evenly, so that the tenant's other users find room between them.

    After a refusal for going too fast (429) none leaves until a pause is over. Then one goes alone; the others follow
    when it is answered. As the limit is the whole tenant's, such a refusal means that others use it as well: the rate
    is halved, and grows back within minutes. A block that does not lift is given up by all at the same time.
    """

    FIRST_PAUSE_SECONDS = 5.0
    LONGEST_PAUSE_SECONDS = 30.0
    LONGEST_RETRY_AFTER_SECONDS = 120.0
    PATIENCE_SECONDS = 300.0
    LEAST_SHARE = 0.1
    RECOVERY_SECONDS = 600.0  # from nothing to the full rate

    def __init__(self, per_minute: int) -> None:
        self._burst = max(1.0, per_minute / 10)
        self._full_rate = (per_minute - self._burst) / 60 if per_minute > 1 else 1 / 60
        self._share = 1.0
        self._tokens = self._burst
        self._told = 0.0
        self._blocked_at = 0.0
        self._refused_at = float("-inf")
        self._resume_at = 0.0
        self._refusals = 0  # since the last answer
        self._one_is_trying = False

    def wait(self, now: float) -> float:
        """How many seconds until a request may ask again; 0.0 lets it leave, and counts it."""
        if self._refusals:
            if self.is_given_up(now):
                return 0.0  # to be told so
            if now < self._resume_at:
                return self._resume_at - now
            if self._one_is_trying:
                return 0.05
            self._one_is_trying = True
            return 0.0
        passed, self._told = now - self._told, now
        self._share = min(1.0, self._share + passed / self.RECOVERY_SECONDS)
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        if self._tokens < 1 - 1e-9:  # less is missing only by rounding
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0

    @property
    def _rate(self) -> float:
        return self._full_rate * self._share

    def refused(self, sent: float, now: float, retry_after: float | None) -> bool:
        """Note that a request that left at `sent` met the limit; True if it is the first to tell of this block."""
        if sent <= self._refused_at:
            return False  # it left before the block was known
        first = not self._refusals
        pause = min(self.FIRST_PAUSE_SECONDS * 2**self._refusals, self.LONGEST_PAUSE_SECONDS)
        if retry_after:
            pause = min(retry_after, self.LONGEST_RETRY_AFTER_SECONDS)
        if first:
            self._blocked_at = now
            self._share = max(self.LEAST_SHARE, self._share / 2)
        self._refusals += 1
        self._one_is_trying = False
        self._refused_at, self._resume_at = now, now + pause
        return first

    def is_given_up(self, now: float) -> bool:
        """Whether there has been no answer for so long that waiting makes no sense."""
        return self._refusals > 0 and now - self._blocked_at > self.PATIENCE_SECONDS

    def answered(self, sent: float, now: float) -> None:
        """Note that a request that left at `sent` has been let through."""
        if self._refusals and sent > self._refused_at:
            self._refusals = 0
            self._one_is_trying = False
            self._tokens, self._told = 0.0, now

    def lost(self, sent: float) -> None:
        """Note that a request that left at `sent` got no answer at all."""
        if sent > self._refused_at:
            self._one_is_trying = False


class PatientTransport:
    """Sends every request of a client, from any thread, and again where that makes sense: the one place that retries.

    pyatlan's own policy is too short for Atlan's one-minute block, retries refusals (403) for most of a minute, and
    would multiply with a second one above it, so it is switched off.
    """

    TRIES: ClassVar = {429: 4, 500: 2, 502: 5, 503: 5, 504: 5}
    SEARCH_TIMEOUT = b"ATLAS-400-00-502"  # a 429 as well, but of one search and not of the limit
    TRIES_WITHOUT_ANSWER = 4

    def __init__(self, inner: Any, no_answer: type[Exception], requests_per_minute: int) -> None:
        self._inner = inner
        self._no_answer = no_answer
        self._pace = Pace(requests_per_minute)
        self._turn = threading.Lock()
        self._state = threading.Lock()

    def handle_request(self, request: Any) -> Any:
        """The answer; its extension `seconds` tells how long the server took for it."""
        tries = 0
        while True:
            sent = self._wait_for_turn()
            try:
                response = self._inner.handle_request(request)
                response.read()
            except self._no_answer:
                tries += 1
                with self._state:
                    self._pace.lost(sent)
                if tries >= self.TRIES_WITHOUT_ANSWER:
                    raise
                time.sleep(_backoff(tries))
                continue
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

    def _is_given_up(self, response: Any, sent: float, now: float) -> bool:
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
    return random.uniform(0.5, 1.0) * 0.5 * 2 ** (tries - 1)


def _retry_after(response: Any) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() and int(text) else None
