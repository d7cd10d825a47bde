"""SIGTERM ends what is being done once, and disturbs nothing that is told then."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from runtime.stopping import Terminated, stopped_by_sigterm


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.05)


def test_the_first_one_stops_and_later_ones_do_nothing() -> None:
    with stopped_by_sigterm():
        with pytest.raises(KeyboardInterrupt) as raised:
            terminate()
        assert type(raised.value) is Terminated
        terminate()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_none_disturbs_what_is_told_at_the_end() -> None:
    with stopped_by_sigterm() as shield:
        shield()
        terminate()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "handled"])
def test_who_does_something_else_at_it_goes_on_doing_so(own: signal.Handlers) -> None:
    before = signal.signal(signal.SIGTERM, own)
    try:
        with stopped_by_sigterm() as shield:
            terminate()
            shield()
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_changes_nothing() -> None:
    seen = []

    def work() -> None:
        with stopped_by_sigterm() as shield:
            shield()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
