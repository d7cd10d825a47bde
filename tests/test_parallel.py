"""Side by side: nothing is lost, errors come through, and the log keeps its order."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.atlan import slice_guids
from runtime.parallel import interleave, map_unordered, side_by_side
from runtime.terminal import configure_logging, logger


@pytest.fixture(autouse=True)
def log() -> None:
    configure_logging("INFO")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon, however busy the machine is."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(), max_size=30), max_size=8))
def test_interleaving_loses_nothing_and_keeps_each_order(parts: list[list[int]]) -> None:
    tagged = [[(number, item) for item in part] for number, part in enumerate(parts)]
    found = list(interleave(tagged))
    for number, part in enumerate(tagged):
        assert [item for item in found if item[0] == number] == part
    assert len(found) == sum(map(len, parts))


class Endless:
    """Gives numbers for ever; knows how many were read, in which thread, and when its reading has ended."""

    def __init__(self) -> None:
        self.read = 0
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[int]:
        self.thread = threading.current_thread()
        try:
            for number in itertools.count():
                self.read += 1
                yield number
        finally:
            self.ended.set()

    def has_ended(self) -> bool:
        return self.ended.is_set() and self.thread is not None and not self.thread.is_alive()


def test_the_first_error_ends_all_of_them() -> None:
    endless = [Endless(), Endless()]

    def failing() -> Iterator[int]:
        yield -1
        raise ValueError("broken")

    readers: list[Iterable[int]] = [endless[0], failing(), endless[1]]
    with pytest.raises(ValueError, match="broken"):
        for _ in interleave(readers):
            pass
    until(lambda: all(reader.has_ended() for reader in endless))


def test_an_error_comes_after_what_was_read_before_it() -> None:
    def failing() -> Iterator[int]:
        yield from (1, 2, 3)
        raise SystemExit("even this one")

    found = interleave([failing()])
    assert list(itertools.islice(found, 3)) == [1, 2, 3]
    with pytest.raises(SystemExit):
        next(found)


def test_readers_that_nobody_takes_from_any_more_end() -> None:
    endless = [Endless() for _ in range(5)]
    found = interleave(endless)
    next(found)
    until(lambda: all(reader.read for reader in endless))
    found.close()  # type: ignore[attr-defined]
    until(lambda: all(reader.has_ended() for reader in endless))


def test_readers_wait_for_who_takes_what_they_read() -> None:
    endless = [Endless(), Endless()]
    found = interleave(endless)
    next(found)
    until(lambda: sum(reader.read for reader in endless) == 5)  # one taken, two in the queue, two that wait for room
    time.sleep(0.05)
    assert sum(reader.read for reader in endless) == 5
    taken = list(itertools.islice(found, 1000))
    assert len(taken) == 1000
    found.close()  # type: ignore[attr-defined]
    until(lambda: all(reader.has_ended() for reader in endless))


def test_nothing_is_read_before_somebody_takes() -> None:
    endless = Endless()
    interleave([endless])
    assert endless.read == 0


def test_of_nothing_comes_nothing() -> None:
    assert list(interleave([])) == []
    assert side_by_side() == []


def test_what_runs_side_by_side_logs_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    started = threading.Barrier(3, timeout=30)

    def work(name: str, seconds: float) -> str:
        started.wait()
        time.sleep(seconds)
        logger.info("%s is done", name)
        return name

    results = side_by_side(lambda: work("one", 0.1), lambda: work("two", 0.05), lambda: work("three", 0))
    assert results == ["one", "two", "three"]
    assert capsys.readouterr().out.splitlines() == ["one is done", "two is done", "three is done"]


def test_warnings_do_not_wait(capsys: pytest.CaptureFixture[str]) -> None:
    warned = threading.Event()

    def warn() -> None:
        logger.info("later")
        logger.warning("now")
        warned.set()

    def look() -> str:
        assert warned.wait(30)
        return capsys.readouterr().out

    assert side_by_side(look, warn) == ["now\n", None]
    assert capsys.readouterr().out == "later\n"


def test_each_begins_after_the_one_before() -> None:
    for _ in range(50):
        begun: list[int] = []
        side_by_side(*(partial(begun.append, number) for number in range(8)))
        assert begun == list(range(8))


def test_none_runs_in_the_callers_thread_and_all_run_at_once() -> None:
    together = threading.Barrier(4, timeout=30)

    def work() -> threading.Thread:
        together.wait()
        return threading.current_thread()

    threads = side_by_side(work, work, work, work)
    assert len({threading.current_thread(), *threads}) == 5
    assert all(thread.daemon for thread in threads)


def test_the_log_of_the_first_is_live(capsys: pytest.CaptureFixture[str]) -> None:
    logged = threading.Event()

    def first() -> None:
        logger.info("at once")
        logged.set()

    def second() -> str:
        assert logged.wait(30)
        logger.info("later")
        return capsys.readouterr().out

    assert side_by_side(first, second) == [None, "at once\n"]
    assert capsys.readouterr().out == "later\n"


def test_side_by_side_within_side_by_side_keeps_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    inner_is_done = threading.Event()

    def read(name: str) -> Iterator[None]:
        logger.info("%s reads", name)
        yield None

    def first() -> None:
        assert inner_is_done.wait(30)
        logger.info("first")

    def second() -> None:
        side_by_side(lambda: logger.info("inner one"), lambda: logger.info("inner two"))
        list(interleave([read("inner three")]))
        inner_is_done.set()

    side_by_side(first, second)
    assert capsys.readouterr().out.splitlines() == ["first", "inner one", "inner two", "inner three reads"]


def test_the_first_error_in_order_is_raised_after_the_log_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    two_has_failed = threading.Event()

    def fail(message: str) -> None:
        logger.info("%s fails", message)
        raise ValueError(message)

    def one() -> None:
        assert two_has_failed.wait(30)
        fail("one")

    def two() -> None:
        try:
            fail("two")
        finally:
            two_has_failed.set()

    with pytest.raises(ValueError, match="one"):
        side_by_side(lambda: logger.info("fine"), one, two)
    assert capsys.readouterr().out.splitlines() == ["fine", "one fails"]


def test_nothing_goes_on_after_an_error() -> None:
    ended = []

    def fail() -> None:
        raise ValueError("broken")

    def work() -> None:
        time.sleep(0.1)
        ended.append(True)

    with pytest.raises(ValueError, match="broken"):
        side_by_side(fail, work, work)
    assert ended == [True, True]


@pytest.mark.parametrize("calling", ["side_by_side(wait, wait)", "list(interleave([iter(wait, 0), iter(wait, 0)]))"])
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a single process")
def test_a_stop_ends_the_wait_and_the_program(calling: str) -> None:
    program = f"""
import threading
from runtime.parallel import interleave, map_unordered, side_by_side

begun = threading.Barrier(3)

def tell():
    begun.wait()
    print("waiting", flush=True)

def wait():
    begun.wait()
    threading.Event().wait()

threading.Thread(target=tell, daemon=True).start()
try:
    {calling}
except KeyboardInterrupt:
    print("stopped")
"""
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30)[0] == "stopped\n"
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_map_has_every_result_once_and_logs_as_its_caller(capsys: pytest.CaptureFixture[str]) -> None:
    mapped = threading.Event()

    def square(number: int) -> int:
        logger.info("square")
        return number * number

    def first() -> None:
        assert mapped.wait(30)
        logger.info("first")

    def second() -> list[int]:
        found = sorted(map_unordered(square, range(5), lambda: 3))
        mapped.set()
        return found

    assert side_by_side(first, second) == [None, [0, 1, 4, 9, 16]]
    assert capsys.readouterr().out.splitlines() == ["first", *["square"] * 5]


def test_a_map_may_be_given_more_threads_on_the_way() -> None:
    together = threading.Barrier(3, timeout=30)
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return together.wait() + number

    assert len(list(map_unordered(work, range(3), lambda: len(begun) + 1))) == 3
    assert begun == [0, 1, 2]


def test_an_error_ends_a_map_and_nothing_is_begun_after_it() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(map_unordered(work, range(1000), lambda: 1))
    assert begun == [0]


@settings(deadline=None)
@given(st.uuids(), st.integers(1, 8), st.lists(st.uuids(), max_size=50))
def test_slices_of_guids_have_each_guid_once(after: object, number: int, guids: list[object]) -> None:
    slices = slice_guids(str(after), number)
    for guid in map(str, guids):
        having = [ends for ends in slices if guid > ends[0] and (not ends[1] or guid <= ends[1])]
        assert len(having) == (guid > str(after))


def test_what_is_no_uuid_is_one_slice() -> None:
    assert slice_guids("some-other-id", 8) == [("some-other-id", "")]
