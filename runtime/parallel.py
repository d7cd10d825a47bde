"""Doing things side by side, in threads that never keep the program from ending."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from logging import LogRecord
from typing import Any, TypeVar

from runtime.terminal import holding_back, logger

T = TypeVar("T")
R = TypeVar("R")

TICK_SECONDS = 0.01

# Python may miss a Ctrl-C that comes just before the main thread begins to wait, and on Windows any that comes later;
# so nobody waits for longer at a time.
LOOK_UP_SECONDS = 0.5


class _Ended:
    """What a thread says last, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def interleave(iterables: Sequence[Iterable[T]]) -> Iterator[T]:
    """What several iterables give, in the order in which it comes; each is read in a thread of its own.

    The first error is raised, and ends all; so does the caller who stops taking. Readers wait while nobody takes what
    they have read, and end with the next item that they have after the end.
    """
    found: queue.Queue[Any] = queue.Queue(maxsize=len(iterables) or 1)
    abandoned = threading.Event()

    def read(iterable: Iterable[T]) -> None:
        try:
            for item in iterable:
                found.put(item)
                if abandoned.is_set():
                    return
            found.put(_Ended())
        except BaseException as error:
            found.put(_Ended(error))

    for iterable in iterables:
        _run_in_background(functools.partial(read, iterable))
    left = len(iterables)
    try:
        while left:
            try:
                item = found.get(timeout=LOOK_UP_SECONDS)
            except queue.Empty:
                continue
            if not isinstance(item, _Ended):
                yield item
            elif item.error:
                raise item.error
            else:
                left -= 1
    finally:
        abandoned.set()
        with contextlib.suppress(queue.Empty):
            while True:  # nobody has to wait for room any more
                found.get_nowait()


def map_unordered(function: Callable[[T], R], items: Sequence[T], threads: Callable[[], int]) -> Iterator[R]:
    """What a function returns for each item, in the order in which it comes, from as many threads as there should be.

    `threads` is asked again and again, so that they can become more with what has been learnt; the items are begun in
    their order. The first error is raised, and no item is begun after it.
    """
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[R] | BaseException] = queue.SimpleQueue()
    abandoned = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not abandoned.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((function(item),))
            except BaseException as error:
                abandoned.set()
                done.put(error)

    running, left = 0, len(items)
    try:
        while left:
            while running < min(threads(), len(items)):
                _run_in_background(work)
                running += 1
            time.sleep(TICK_SECONDS)  # waking up for each result would take the interpreter from those who work
            for _ in range(done.qsize()):
                result = done.get()
                if isinstance(result, BaseException):
                    raise result
                left -= 1
                yield result[0]
    finally:
        abandoned.set()


def map_in_time(
    function: Callable[[T], R], items: Sequence[T], threads: int, seconds: float, deadline: float
) -> Generator[tuple[int, R | None], None, None]:
    """The number of each item with what a function returns for it, in the order in which it comes.

    None stands for an item that takes more than `seconds`, and for all that are not done at `deadline`, a time of
    `time.monotonic`; none is begun after it, nor when the caller stops taking. No thread can be stopped from outside: one
    that is too late is left to itself, another takes its place, and what it returns one day is dropped. The first error
    is raised, and ends all.
    """
    done: queue.SimpleQueue[tuple[int, tuple[R] | BaseException]] = queue.SimpleQueue()
    numbers = iter(range(len(items)))
    begun: dict[int, float] = {}  # when, for those that are still waited for

    def work(number: int) -> None:
        try:
            done.put((number, (function(items[number]),)))
        except BaseException as error:
            done.put((number, error))

    while True:
        now = time.monotonic()
        if now < deadline:
            for number in itertools.islice(numbers, threads - len(begun)):
                begun[number] = now
                _run_in_background(functools.partial(work, number))
        if not begun:
            break
        next_late = min(min(begun.values()) + seconds, deadline)
        try:
            number, result = done.get(timeout=min(max(0.0, next_late - now), LOOK_UP_SECONDS))
        except queue.Empty:
            now = time.monotonic()
            for number in [number for number, since in begun.items() if now >= min(since + seconds, deadline)]:
                del begun[number]
                yield number, None
            continue
        if begun.pop(number, None) is None:
            continue  # it was given up
        if isinstance(result, BaseException):
            raise result
        yield number, result[0]
    for number in numbers:
        yield number, None


def side_by_side(*functions: Callable[[], Any]) -> list[Any]:
    """The results of functions that run at the same time, each begun after the one before it has begun.

    What they log is shown as if they ran one after the other: that of the first at once, and of the others when the one
    before has ended without an error; only warnings never wait. Errors are raised in the same order, when all have
    ended, so that nothing goes on behind the caller's back.
    """
    tasks = [_begin(function, is_shown=number == 0) for number, function in enumerate(functions)]
    while wait([task.result for task in tasks], timeout=LOOK_UP_SECONDS).not_done:
        pass
    results = []
    for task in tasks:
        for record in task.log:
            logger.handle(record)
        results.append(task.result.result())
    return results


@dataclass(frozen=True)
class _Task:
    """A function that runs in the background, and what it has logged that is not shown yet."""

    result: Future[Any] = field(default_factory=Future)
    log: list[LogRecord] = field(default_factory=list)


def _begin(function: Callable[[], Any], is_shown: bool) -> _Task:
    """Run a function in the background; returns when it has begun."""
    task = _Task()
    begun = threading.Event()

    def run() -> None:
        try:
            with contextlib.nullcontext() if is_shown else holding_back(task.log):
                begun.set()
                result = function()
        except BaseException as error:
            task.result.set_exception(error)
        else:
            task.result.set_result(result)

    _run_in_background(run)
    begun.wait()
    return task


def _run_in_background(function: Callable[[], None]) -> None:
    """Run a function in a thread that never keeps the program from ending; its log is shown or held as the caller's."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(function,), daemon=True).start()
