"""The pace of requests: simulated against a limit like Atlan's, in seconds of a clock that only the simulation moves."""

from __future__ import annotations

import heapq
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.transport import Pace
from sandbox import server

LIMIT = 400


class Gateway:
    """Atlan's limit: so many requests in a minute, then a refusal of everything for a minute."""

    def __init__(self, retry_after: int | None = None) -> None:
        self.retry_after = retry_after
        self.refused = 0
        self._recent: deque[float] = deque()
        self._blocked_until = 0.0

    def allows(self, now: float) -> bool:
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if now < self._blocked_until:
            return False
        if len(self._recent) >= LIMIT:
            self._blocked_until = now + 60
            self._recent.clear()
            return False
        self._recent.append(now)
        return True


def simulate(
    requests: int, per_minute: int, latency: float, workers: int, gateway: Gateway, others_per_minute: int = 0
) -> tuple[float, int, list[float]]:
    """Send requests with several workers; the seconds it took, how often a block was told, and when each left."""
    pace = Pace(per_minute)
    left, told, done_at = requests, 0, 0.0
    sent: list[float] = []
    events: list[tuple[float, int, str, float]] = [(0.0, number, "ask", 0.0) for number in range(workers)]
    if others_per_minute:
        events.append((0.0, workers, "other", 0.0))
    while events and (left or any(kind != "other" for *_, kind, _ in events)):
        now, number, kind, left_at = heapq.heappop(events)
        if kind == "other":
            gateway.allows(now)
            heapq.heappush(events, (now + 60 / others_per_minute, number, "other", 0.0))
        elif kind in ("ask", "again"):
            if kind == "ask":
                if not left:
                    continue
                left -= 1
            pause = pace.wait(now)
            if pause:
                heapq.heappush(events, (now + pause, number, "again", 0.0))
            else:
                sent.append(now)
                outcome = "answer" if gateway.allows(now + latency / 2) else "refusal"
                heapq.heappush(events, (now + latency, number, outcome, now))
        elif kind == "answer":
            pace.answered(left_at, now)
            done_at = now
            heapq.heappush(events, (now, number, "ask", 0.0))
        else:
            gateway.refused += 1
            told += pace.refused(left_at, now, gateway.retry_after)
            heapq.heappush(events, (now, number, "again", 0.0))
    return done_at, told, sent


@pytest.mark.parametrize("latency", [0.1, 0.3, 2.0])
def test_alone_it_reaches_the_bound_and_meets_no_refusal(latency: float) -> None:
    gateway = Gateway()
    took, _, _ = simulate(460, 396, latency, 32, gateway)
    assert gateway.refused == 0
    assert took <= 1.05 * 460 / LIMIT * 60 + latency


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 1000), st.integers(1, 40), st.floats(0.01, 5))
def test_in_no_minute_more_leave_than_are_allowed(per_minute: int, workers: int, latency: float) -> None:
    _, _, sent = simulate(
        min(3 * per_minute, 600), per_minute, latency, workers, Gateway() if per_minute <= LIMIT else Free()
    )
    assert sent == sorted(sent)
    window: deque[float] = deque()
    for moment in sent:
        window.append(moment)
        while window[0] <= moment - 60:
            window.popleft()
        assert len(window) <= max(per_minute, 2)


class Free(Gateway):
    def allows(self, now: float) -> bool:
        return True


@pytest.mark.parametrize("retry_after", [None, 1, 60])
@pytest.mark.parametrize("others", [100, 200, 300])
def test_beside_others_everything_ends_with_few_refusals(others: int, retry_after: int | None) -> None:
    gateway = Gateway(retry_after)
    took, told, sent = simulate(460, 396, 0.3, 32, gateway, others)
    assert len(sent) == 460 + gateway.refused
    assert 1 <= told <= 8
    # Every block costs the refusals of what is under way when it begins, and then one for each attempt.
    per_block = 32 + (60 if retry_after == 1 else 6)
    assert gateway.refused <= told * per_block
    assert took <= 900


def test_a_refusal_of_what_left_before_the_block_was_known_changes_nothing() -> None:
    pace = Pace(600)
    assert pace.wait(0.0) == 0.0
    assert pace.refused(0.0, 1.0, 10) is True
    assert pace.refused(0.5, 1.5, 10) is False
    assert pace.wait(2.0) == pytest.approx(9.0)
    assert pace.wait(11.0) == 0.0  # one goes alone
    assert pace.wait(11.0) > 0.0
    pace.answered(0.9, 11.1)  # an old answer does not end the block
    assert pace.wait(11.2) > 0.0
    pace.answered(11.0, 11.3)
    assert pace.wait(12.0) == 0.0


def test_one_that_tries_alone_and_is_lost_is_replaced() -> None:
    pace = Pace(600)
    pace.wait(0.0)
    pace.refused(0.0, 1.0, 5)
    assert pace.wait(6.0) == 0.0
    assert pace.wait(6.1) > 0.0
    pace.lost(6.0)
    assert pace.wait(6.2) == 0.0


def test_a_block_that_does_not_lift_is_given_up_by_all_at_once() -> None:
    pace = Pace(600)
    now, sent = 1.0, 0.0
    pace.wait(sent)
    while not pace.is_given_up(now):
        assert now < 400
        pace.refused(sent, now, None)
        sent = now = now + pace.wait(now)
        assert pace.wait(now) == 0.0
        now += 0.1
    assert now > Pace.PATIENCE_SECONDS
    assert [pace.wait(now) for _ in range(3)] == [0.0, 0.0, 0.0]
    pace.answered(now, now)
    assert not pace.is_given_up(now)
    assert pace.wait(now) > 0.0


def test_the_simulated_limit_is_the_sandboxs() -> None:
    """Both refuse the same requests of a burst."""
    limiter = server.Limiter(server.Pace(requests_per_minute=LIMIT))
    gateway = Gateway()
    assert [not limiter.refuses() for _ in range(LIMIT + 20)] == [gateway.allows(0.0) for _ in range(LIMIT + 20)]
