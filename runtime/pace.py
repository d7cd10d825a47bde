"""When requests to a tenant may leave. Pure: it is told the time."""

from __future__ import annotations


class RequestPace:
    """When the next request may leave. All times are seconds of a clock that never goes back.

    In no minute more than `per_minute` requests leave: a tenth of them at once, if there was a rest before, and the
    others evenly, so that the tenant's other users find room between them.

    After a refusal for going too fast (429) none leaves until a pause is over. Then one goes alone; the others follow
    when it is answered. As the limit is the whole tenant's, such a refusal means that others use it as well: the rate
    is halved, and grows back within minutes. A block that does not lift is given up by all at the same time.

    The rules are those of Atlan's documentation ("API limits"): 400 requests a minute for a tenant, then 429 for a
    minute. Its gateway inside the cluster answers `Retry-After: 1`, so that the pauses may be as short as that.
    """

    FIRST_PAUSE_SECONDS = 5.0
    LONGEST_PAUSE_SECONDS = 30.0
    LONGEST_RETRY_AFTER_SECONDS = 120.0
    LOOK_AGAIN_SECONDS = 0.05  # while one goes alone
    PATIENCE_SECONDS = 300.0
    LEAST_SHARE = 0.1
    RECOVERY_SECONDS = 600.0  # from nothing to the full rate

    def __init__(self, per_minute: int) -> None:
        self._burst = max(1.0, per_minute / 10)
        self._full_rate = (per_minute - self._burst) / 60 if per_minute > 1 else 1 / 60
        self._share = 1.0
        self._tokens = self._burst
        self._counted_at = 0.0
        self._blocked_at = 0.0
        self._refused_at = float("-inf")
        self._resume_at = 0.0
        self._refusals = 0  # since the last answer
        self._one_is_trying = False

    def wait(self, now: float) -> float:
        """How many seconds until a request may ask again; 0.0 lets it leave, and counts it.

        After a block is given up, requests leave as if there were none, so that each is told so.
        """
        is_blocked = self._refusals > 0 and not self.is_given_up(now)
        if is_blocked and now < self._resume_at:
            return self._resume_at - now
        if is_blocked and self._one_is_trying:
            return self.LOOK_AGAIN_SECONDS
        # What goes alone is counted like any other, or a short Retry-After would send more than the limit.
        rate = self._refill(now)
        if self._tokens < 1 - 1e-9:  # less is missing only by rounding
            return (1 - self._tokens) / rate
        self._tokens -= 1
        self._one_is_trying = is_blocked
        return 0.0

    def _refill(self, now: float) -> float:
        """Count the time that has passed; the rate, in requests a second, at which it counts from here."""
        passed, self._counted_at = now - self._counted_at, now
        if self._refusals:  # the smaller share is for what follows the block
            rate = self._full_rate
        else:
            self._share = min(1.0, self._share + passed / self.RECOVERY_SECONDS)
            rate = self._full_rate * self._share
        self._tokens = min(self._burst, self._tokens + passed * rate)
        return rate

    def refused(self, sent: float, now: float, retry_after: float | None) -> bool:
        """Note that a request that left at `sent` met the limit; True if it is the first to tell of this block.

        `retry_after` are the seconds that the answer asks for, if it does.
        """
        if sent <= self._refused_at:
            return False  # it left before the block was known
        first = not self._refusals
        pause = min(self.FIRST_PAUSE_SECONDS * 2 ** min(self._refusals, 10), self.LONGEST_PAUSE_SECONDS)
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
        if self._refusals and sent > self._refused_at:  # an older answer says nothing about the block
            self._refusals = 0
            self._tokens, self._counted_at = 0.0, now

    def lost(self, sent: float) -> None:
        """Note that a request that left at `sent` got no answer at all."""
        if sent > self._refused_at:
            self._one_is_trying = False
