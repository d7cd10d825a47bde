"""What is done side by side within a time, and what is given up."""

from __future__ import annotations

import threading
import time

import pytest

from runtime.parallel import map_in_time

FAR = 60.0


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


def test_everything_comes_with_its_number() -> None:
    assert dict(map_in_time(str, [7, 8, 9], 2, FAR, soon(FAR))) == {0: "7", 1: "8", 2: "9"}
    assert list(map_in_time(str, [], 2, FAR, soon(FAR))) == []
    assert dict(map_in_time(lambda item: None, [1], 2, FAR, soon(FAR))) == {0: None}


def test_no_more_threads_than_wanted() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def work(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return item

    assert len(dict(map_in_time(work, range(20), 3, FAR, soon(FAR)))) == 20
    assert most == 3


def test_what_takes_too_long_is_given_up_and_another_takes_its_place() -> None:
    over = threading.Event()

    def work(item: int) -> int:
        if item < 2:
            over.wait(FAR)
        return item

    found = []
    begun = time.monotonic()
    for number, result in map_in_time(work, range(10), 2, 0.3, soon(FAR)):
        found.append((number, result))
        if result is None and len(found) == 2:
            over.set()  # what was given up returns after all, and is dropped
            time.sleep(0.1)
    assert time.monotonic() - begun < FAR / 2
    assert sorted(found, key=lambda pair: pair[0]) == [(0, None), (1, None), *((item, item) for item in range(2, 10))]


def test_at_the_deadline_all_is_given_up() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item:
            time.sleep(5)
        return item

    started = time.monotonic()
    found = list(map_in_time(work, range(6), 2, FAR, soon(0.4)))
    assert time.monotonic() - started < 2
    assert found[0] == (0, 0)
    assert sorted(found[1:]) == [(number, None) for number in range(1, 6)]
    assert begun == [0, 1, 2]
    assert dict(map_in_time(work, [1, 2], 2, FAR, soon(-1))) == {0: None, 1: None}
    assert begun == [0, 1, 2]


def test_the_first_error_ends_all() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 1:
            raise KeyError(item)

    with pytest.raises(KeyError):
        list(map_in_time(work, range(100), 1, FAR, soon(FAR)))
    assert done == [0, 1]


def test_nothing_is_begun_when_nobody_takes_any_more() -> None:
    done: list[int] = []
    found = map_in_time(done.append, range(100), 1, FAR, soon(FAR))
    next(found)
    found.close()
    time.sleep(0.05)
    assert len(done) == 1
