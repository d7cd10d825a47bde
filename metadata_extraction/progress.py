"""What hears how far a step is: the terminal's bar, Temporal's heartbeats, or nobody."""

from __future__ import annotations

from typing import Protocol


class StepProgress(Protocol):
    """Hears of the items and bytes that are done, from one thread; `total` is the number of items, where it is known."""

    total: float | None

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Note that so many more items are done, of so many bytes."""
        ...


class Unheard:
    """The progress of a step that nobody watches."""

    total: float | None = None

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Hear it, and forget it."""
        pass


UNHEARD = Unheard()
