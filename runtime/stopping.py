"""Being stopped from outside: by Ctrl-C, or by whoever started the program."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what is being done as Ctrl-C does."""


@contextlib.contextmanager
def stopped_by_sigterm() -> Iterator[Callable[[], None]]:
    """Let a SIGTERM raise `Terminated` in the main thread. The function that is given ends that: from then on, as after
    the first one, it disturbs nothing, so that what happened can be told.

    Kubernetes, systemd and `timeout` send it, and kill what is still there some seconds later. Where the program does
    something else at SIGTERM already, and in other threads, it stays as it is.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield lambda: None
        return

    def shield() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> None:
        shield()
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield shield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
