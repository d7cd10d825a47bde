"""Side by side: nothing is lost, errors come through, and the log keeps its order."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.atlan import slice_guids
from runtime.parallel import interleave, side_by_side
from runtime.terminal import configure_logging, logger


@pytest.fixture(autouse=True)
def log() -> None:
    configure_logging("INFO")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(), max_size=30), max_size=8))
def test_interleaving_loses_nothing_and_keeps_each_order(parts: list[list[int]]) -> None:
    tagged = [[(number, item) for item in part] for number, part in enumerate(parts)]
    found = list(interleave(tagged))
    for number, part in enumerate(tagged):
        assert [item for item in found if item[0] == number] == part
    assert len(found) == sum(map(len, parts))


def test_an_error_ends_all_of_them() -> None:
    read = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    def failing() -> Iterator[int]:
        yield -1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        for _ in interleave([endless(), failing(), endless()]):
            pass
    time.sleep(0.05)
    before = len(read)
    time.sleep(0.05)
    assert len(read) == before
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(read)")]


def test_readers_wait_for_who_takes_what_they_read() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    found = interleave([numbers(), numbers()])
    next(found)
    time.sleep(0.05)
    assert len(read) <= 6
    assert len(list(found)) == 1999


def test_what_runs_side_by_side_logs_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    started = threading.Barrier(3, timeout=5)

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
        assert warned.wait(5)
        return capsys.readouterr().out

    assert side_by_side(look, warn) == ["now\n", None]
    assert capsys.readouterr().out == "later\n"


def test_the_first_error_in_order_is_raised() -> None:
    def fail(message: str) -> None:
        raise ValueError(message)

    with pytest.raises(ValueError, match="one"):
        side_by_side(lambda: None, lambda: fail("one"), lambda: fail("two"))


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


@given(st.uuids(), st.integers(1, 8), st.lists(st.uuids(), max_size=50))
def test_slices_of_guids_have_each_guid_once(after: object, number: int, guids: list[object]) -> None:
    slices = slice_guids(str(after), number)
    for guid in map(str, guids):
        having = [ends for ends in slices if guid > ends[0] and (not ends[1] or guid <= ends[1])]
        assert len(having) == (guid > str(after))


def test_what_is_no_uuid_is_one_slice() -> None:
    assert slice_guids("some-other-id", 8) == [("some-other-id", "")]
