"""One list of items, shared by threads whose number grows: nothing is lost, and an error ends it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.parallel import map_unordered


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(), max_size=50), st.integers(min_value=1, max_value=60))
def test_each_item_is_done_once(items: list[int], threads: int) -> None:
    found = list(map_unordered(lambda item: (item, item + 1), items, lambda: threads))
    assert sorted(found) == sorted((item, item + 1) for item in items)


def test_items_are_begun_in_their_order() -> None:
    begun: list[int] = []
    assert sorted(map_unordered(lambda item: begun.append(item) or item, [3, 1, 2], lambda: 1)) == [1, 2, 3]  # type: ignore[func-returns-value]
    assert begun == [3, 1, 2]


def test_as_many_work_at_once_as_there_should_be_also_when_that_grows() -> None:
    """Two wait for each other before the first ends; then four do: fewer threads would wait for ever."""
    pairs, fours = threading.Barrier(2), threading.Barrier(4)
    at_once = [2]

    def work(item: int) -> int:
        (pairs if item < 2 else fours).wait(timeout=60)
        return item

    found = []
    for item in map_unordered(work, range(6), lambda: at_once[0]):
        found.append(item)
        at_once[0] = 4
    assert sorted(found) == [0, 1, 2, 3, 4, 5]


def test_no_more_threads_than_items() -> None:
    names: set[str] = set()
    list(map_unordered(lambda _: names.add(threading.current_thread().name), range(3), lambda: 100))
    assert len(names) <= 3


def test_the_first_error_is_raised_and_nothing_is_begun_after_it() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("one")
        return item

    with pytest.raises(ValueError, match="one"):
        list(map_unordered(work, range(100), lambda: 1))
    assert begun == [0, 1]


def test_an_error_that_looks_like_an_empty_queue_is_no_end() -> None:
    import queue

    def work(_: int) -> int:
        raise queue.Empty

    with pytest.raises(queue.Empty):
        list(map_unordered(work, [1], lambda: 1))


def test_who_stops_reading_stops_the_threads() -> None:
    begun: list[int] = []
    may_go_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            may_go_on.wait(timeout=60)
        return item

    results = map_unordered(work, range(100), lambda: 1)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    workers = [thread for thread in threading.enumerate() if thread.name.endswith("(work)")]
    may_go_on.set()
    for thread in workers:
        thread.join(timeout=60)
    assert begun == [0, 1]
