"""The pace of requests: simulated against a limit like Atlan's, in seconds of a clock that only the simulation moves."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.pace import RequestPace
from sandbox import server

LIMIT = 400


class Gateway:
    """Atlan's limit: so many requests in a minute, then a refusal of everything for a minute."""

    def __init__(self, retry_after: float | None = None, limit: int = LIMIT) -> None:
        self.retry_after = retry_after
        self.limit = limit
        self.refused = 0
        self._recent: deque[float] = deque()
        self._blocked_until = 0.0

    def allows(self, now: float) -> bool:
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if now < self._blocked_until:
            return False
        if len(self._recent) >= self.limit:
            self._blocked_until = now + 60
            self._recent.clear()
            return False
        self._recent.append(now)
        return True


@dataclass
class Outcome:
    """What a simulation ended with: when the last answer came, how often a block was told, and when each request left."""

    took: float = 0.0
    told: int = 0
    given_up: int = 0
    sent: list[float] = field(default_factory=list)


def simulate(
    requests: int,
    per_minute: int,
    latency: float,
    workers: int,
    gateway: Gateway,
    others_per_minute: int = 0,
    loss: float = 0.0,
    seed: int = 0,
) -> Outcome:
    """Send requests with several workers, of which a share gets no answer and is sent again.

    Checks on the way that nothing leaves while a block is known and one request tries whether it has lifted.
    """
    pace = RequestPace(per_minute)
    dice = random.Random(seed)
    outcome = Outcome()
    left = requests
    refused_at: float | None = None  # the last refusal, while there is a block
    trying: set[int] = set()
    events: list[tuple[float, int, str, float]] = [(0.0, number, "ask", 0.0) for number in range(workers)]
    if others_per_minute:
        events.append((0.0, workers, "other", 0.0))
    while events and (left or any(kind != "other" for *_, kind, _ in events)):
        now, number, kind, left_at = heapq.heappop(events)
        assert now < 1e6, "it does not come to an end"
        if kind == "other":
            gateway.allows(now)
            heapq.heappush(events, (now + 60 / others_per_minute, number, "other", 0.0))
            continue
        if kind in ("ask", "again"):
            if kind == "ask":
                if not left:
                    continue
                left -= 1
            pause = pace.wait(now)
            assert 0 <= pause <= 60 * 60
            if pause:
                heapq.heappush(events, (now + pause, number, "again", 0.0))
                continue
            outcome.sent.append(now)
            if refused_at is not None and not pace.is_given_up(now):
                assert not trying, "two try at once whether the block has lifted"
                trying.add(number)
            ended = "lost" if dice.random() < loss else "answer" if gateway.allows(now + latency / 2) else "refusal"
            heapq.heappush(events, (now + latency, number, ended, now))
            continue
        trying.discard(number)
        if kind == "answer":
            pace.answered(left_at, now)
            if refused_at is not None and left_at > refused_at:
                refused_at = None
            outcome.took = now
            heapq.heappush(events, (now, number, "ask", 0.0))
        elif kind == "lost":
            pace.lost(left_at)
            heapq.heappush(events, (now + 0.5, number, "again", 0.0))
        else:
            gateway.refused += 1
            outcome.told += pace.refused(left_at, now, gateway.retry_after)
            if refused_at is None or left_at > refused_at:
                refused_at = now
            outcome.given_up += pace.is_given_up(now)
            heapq.heappush(events, (now, number, "ask" if pace.is_given_up(now) else "again", 0.0))
    return outcome


def most_in_a_minute(sent: Sequence[float]) -> int:
    """The most requests that left within any minute."""
    assert list(sent) == sorted(sent)
    most = 0
    window: deque[float] = deque()
    for moment in sent:
        window.append(moment)
        while window[0] <= moment - 60 + 1e-6:  # so much is lost by rounding
            window.popleft()
        most = max(most, len(window))
    return most


@pytest.mark.parametrize("latency", [0.1, 0.3, 2.0])
def test_alone_it_reaches_the_bound_and_meets_no_refusal(latency: float) -> None:
    gateway = Gateway()
    assert simulate(460, 396, latency, 32, gateway).took <= 1.05 * 460 / LIMIT * 60 + latency
    assert gateway.refused == 0


@settings(deadline=None, max_examples=60)
@given(
    per_minute=st.integers(1, 1000) | st.integers(1, 20),
    workers=st.integers(1, 40),
    latency=st.floats(0.01, 5),
    limit=st.integers(1, 1000) | st.integers(1, 20),
    retry_after=st.sampled_from([None, 1.0, 2.5, 60.0, 1000.0]),
    others=st.sampled_from([0, 0, 30, 300]),
    loss=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 99),
)
def test_whatever_happens_no_minute_has_more_than_is_allowed_and_everything_ends(
    per_minute: int, workers: int, latency: float, limit: int, retry_after: float | None, others: int, loss: float, seed: int
) -> None:  # fmt: skip
    requests = min(2 * per_minute, 200)
    gateway = Gateway(retry_after, limit)
    outcome = simulate(requests, per_minute, latency, workers, gateway, others, loss, seed)
    assert most_in_a_minute(outcome.sent) <= per_minute
    assert len(outcome.sent) >= requests


@settings(deadline=None, max_examples=60)
@given(
    per_minute=st.integers(1, 1000) | st.integers(1, 20), workers=st.integers(1, 40), latency=st.floats(0.01, 5)
)  # fmt: skip
def test_alone_there_is_always_progress(per_minute: int, workers: int, latency: float) -> None:
    requests = min(3 * per_minute, 600)
    gateway = Gateway(limit=max(per_minute, 2))
    outcome = simulate(requests, per_minute, latency, workers, gateway)
    assert (gateway.refused, len(outcome.sent)) == (0, requests)
    # A tenth at once, the others evenly; and no slower than so many workers are with their answers.
    evenly = (requests - per_minute / 10) / (per_minute * 0.9) * 60 if per_minute >= 10 else 60 * requests
    assert outcome.took <= evenly + latency * (1 + requests / workers) + 1


@pytest.mark.parametrize("retry_after", [None, 1, 60])
@pytest.mark.parametrize("others", [100, 200, 300])
def test_beside_others_everything_ends_with_few_refusals(others: int, retry_after: int | None) -> None:
    gateway = Gateway(retry_after)
    outcome = simulate(460, 396, 0.3, 32, gateway, others)
    assert len(outcome.sent) == 460 + gateway.refused
    assert 1 <= outcome.told <= 8
    # Every block costs the refusals of what is under way when it begins, and then one for each attempt.
    per_block = 32 + (60 if retry_after == 1 else 6)
    assert gateway.refused <= outcome.told * per_block
    assert outcome.took <= 900
    assert not outcome.given_up


# One rule at a time


def seconds_between(pace: RequestPace, now: float) -> float:
    """How far apart requests leave, once those that may leave at once have left."""
    while not pace.wait(now):
        pass
    now += pace.wait(now)
    assert pace.wait(now) == 0.0
    return pace.wait(now)


def meet_a_block(pace: RequestPace, now: float) -> float:
    """A block that lifts with the first request that tries; the time at which it has lifted."""
    now += pace.wait(now)
    assert pace.wait(now) == 0.0
    assert pace.refused(now, now + 0.1, 1) is True
    now += 0.1 + pace.wait(now + 0.1)
    assert pace.wait(now) == 0.0
    pace.answered(now, now + 0.1)
    return now + 0.1


@pytest.mark.parametrize(("per_minute", "at_once"), [(1, 1), (5, 1), (10, 1), (60, 6), (600, 60), (1000, 100)])
def test_after_a_rest_a_tenth_leaves_at_once_and_the_others_evenly(per_minute: int, at_once: int) -> None:
    pace = RequestPace(per_minute)
    for now in (0.0, 1000.0, 5000.0):
        assert sum(not pace.wait(now) for _ in range(per_minute + 1)) == at_once
    apart = 60 / (per_minute - at_once) if per_minute > 1 else 60
    assert seconds_between(RequestPace(per_minute), 0.0) == pytest.approx(apart)


def test_the_rate_is_halved_by_a_block_and_grows_back_in_ten_minutes() -> None:
    pace = RequestPace(600)
    full = seconds_between(pace, 0.0)
    lifted = meet_a_block(pace, 10.0)
    assert pace.wait(lifted) == pytest.approx(2 * full)  # nothing leaves at once
    assert seconds_between(pace, lifted) == pytest.approx(2 * full, rel=0.01)
    assert seconds_between(pace, lifted + 60) == pytest.approx(full / 0.6, rel=0.01)
    assert seconds_between(pace, lifted + 240) == pytest.approx(full / 0.9, rel=0.01)
    assert seconds_between(pace, lifted + 360) == pytest.approx(full)
    assert seconds_between(pace, lifted + 3600) == pytest.approx(full)


def test_block_upon_block_leaves_a_tenth_of_the_rate() -> None:
    pace = RequestPace(600)
    full = seconds_between(pace, 0.0)
    now, apart = 10.0, []
    for _ in range(6):
        now = meet_a_block(pace, now)
        apart.append(pace.wait(now) / full)
    assert apart == pytest.approx([2, 4, 8, 10, 10, 10], rel=0.05)


def test_the_share_of_the_rate_does_not_grow_while_a_block_lasts() -> None:
    pace = RequestPace(600)
    full = seconds_between(pace, 0.0)
    pace.refused(1.0, 1.1, 120)
    assert pace.wait(200.0) == 0.0
    pace.answered(200.0, 200.1)
    assert pace.wait(200.1) == pytest.approx(2 * full)


def test_what_goes_alone_is_counted_at_the_full_rate() -> None:
    pace = RequestPace(2)
    assert pace.wait(0.0) == 0.0
    pace.refused(0.0, 1.0, 5)
    assert pace.wait(6.0) == pytest.approx(54.0)
    assert pace.wait(60.0) == 0.0


@pytest.mark.parametrize(
    ("retry_after", "pauses"),
    [(None, [5, 10, 20, 30, 30, 30]), (1, [1, 1, 1]), (60, [60, 60]), (120, [120]), (3600, [120, 120])],
)
def test_pauses_grow_or_are_what_the_answer_asks_for(retry_after: float | None, pauses: list[float]) -> None:
    pace = RequestPace(600)
    now = 10.0
    assert pace.wait(now) == 0.0
    for pause in pauses:
        pace.refused(now, now + 0.5, retry_after)
        assert pace.wait(now + 0.5) == pytest.approx(pause)
        assert pace.wait(now + 0.4 + pause) == pytest.approx(0.1)
        now += 0.5 + pause
        assert pace.wait(now) == 0.0


def test_only_the_first_refusal_tells_of_a_block() -> None:
    pace = RequestPace(600)
    pace.wait(0.0)
    assert pace.refused(0.0, 1.0, None) is True
    assert pace.wait(6.0) == 0.0
    assert pace.refused(6.0, 6.5, None) is False
    assert pace.wait(16.5) == 0.0
    pace.answered(16.5, 17.0)
    assert pace.refused(17.1, 17.2, None) is True


def test_a_refusal_of_what_left_before_the_block_was_known_changes_nothing() -> None:
    pace = RequestPace(600)
    assert pace.wait(0.0) == 0.0
    assert pace.refused(0.0, 1.0, 10) is True
    assert pace.refused(0.5, 1.5, 10) is False
    assert pace.refused(1.0, 1.5, 10) is False
    assert pace.wait(2.0) == pytest.approx(9.0)


def test_an_answer_to_what_left_before_the_block_was_known_does_not_lift_it() -> None:
    pace = RequestPace(600)
    assert pace.wait(0.0) == 0.0
    pace.refused(0.0, 1.0, 10)
    for sent in (0.5, 1.0):
        pace.answered(sent, 2.0)
        assert pace.wait(2.0) == pytest.approx(9.0)  # still the block's pause
    assert pace.wait(11.0) == 0.0  # one goes alone
    for sent in (0.9, 1.0):
        pace.answered(sent, 11.1)
        assert pace.wait(11.2) == RequestPace.LOOK_AGAIN_SECONDS
    pace.answered(11.0, 11.3)
    assert pace.wait(12.0) == 0.0
    assert pace.wait(12.0) == 0.0


def test_one_that_tries_alone_and_is_lost_is_replaced() -> None:
    pace = RequestPace(600)
    pace.wait(0.0)
    pace.refused(0.0, 1.0, 5)
    assert pace.wait(6.0) == 0.0
    for sent in (0.5, 1.0):
        pace.lost(sent)  # not the one that tries
        assert pace.wait(6.1) == RequestPace.LOOK_AGAIN_SECONDS
    pace.lost(6.0)
    assert pace.wait(6.2) == 0.0
    assert pace.wait(6.2) == RequestPace.LOOK_AGAIN_SECONDS


def test_one_that_tries_alone_and_is_refused_is_followed_by_one() -> None:
    pace = RequestPace(600)
    pace.wait(0.0)
    pace.refused(0.0, 1.0, 5)
    assert pace.wait(6.0) == 0.0
    pace.refused(6.0, 6.1, 5)
    assert pace.wait(11.1) == 0.0
    assert pace.wait(11.1) == RequestPace.LOOK_AGAIN_SECONDS


def test_what_is_lost_without_a_block_changes_nothing() -> None:
    pace = RequestPace(600)
    assert pace.wait(0.0) == 0.0
    pace.lost(0.0)
    assert [pace.wait(1.0) for _ in range(60)] == [0.0] * 60


def test_a_block_that_does_not_lift_is_given_up_by_all_at_once() -> None:
    pace = RequestPace(600)
    now, sent = 1.0, 0.0
    pace.wait(sent)
    while not pace.is_given_up(now):
        assert now < 400
        pace.refused(sent, now, None)
        sent = now = now + pace.wait(now)
        assert pace.wait(now) == 0.0
        now += 0.1
    assert now > RequestPace.PATIENCE_SECONDS
    assert [pace.wait(now) for _ in range(3)] == [0.0, 0.0, 0.0]
    pace.answered(now, now)
    assert not pace.is_given_up(now)
    assert pace.wait(now) > 0.0


def test_patience_is_counted_from_when_the_block_was_known() -> None:
    pace = RequestPace(600)
    pace.wait(900.0)
    assert not pace.is_given_up(1000.0)
    pace.refused(900.0, 1000.0, None)
    assert not pace.is_given_up(1000.0 + RequestPace.PATIENCE_SECONDS)
    assert pace.is_given_up(1000.1 + RequestPace.PATIENCE_SECONDS)


def test_refusals_after_giving_up_may_go_on_for_ever() -> None:
    pace = RequestPace(600)
    for now in range(1, 3000):
        pace.refused(float(now), now + 0.5, None)
    assert pace.is_given_up(3000.0)


def test_the_simulated_limit_is_the_sandboxs() -> None:
    """Both refuse the same requests of a burst."""
    limiter = server.Limiter(server.TenantPace(requests_per_minute=LIMIT))
    gateway = Gateway()
    assert [not limiter.refuses() for _ in range(LIMIT + 20)] == [gateway.allows(0.0) for _ in range(LIMIT + 20)]
