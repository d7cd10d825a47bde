"""Doing things side by side, in threads that never keep the program from ending."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from logging import LogRecord
from typing import Any, TypeVar

from runtime.terminal import holding_back, logger

T = TypeVar("T")
R = TypeVar("R")

TICK_SECONDS = 0.01


class _Ended:
    """What a thread says last, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def interleave(iterables: Sequence[Iterable[T]]) -> Iterator[T]:
    """What several iterables give, in the order in which it comes; each is read in a thread of its own.

    The first error is raised, and ends all. Readers wait while nobody takes what they have read.
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
        threading.Thread(target=read, args=(iterable,), daemon=True).start()
    left = len(iterables)
    try:
        while left:
            item = found.get()
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
                threading.Thread(target=work, daemon=True).start()
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


def side_by_side(*functions: Callable[[], Any]) -> list[Any]:
    """The results of functions that run at the same time, each begun after the one before it has begun.

    What they log is shown as if they ran one after the other. Errors are raised in the same order, when all have ended,
    so that nothing goes on behind the caller's back.
    """
    tasks = [_Task(function, is_shown=number == 0) for number, function in enumerate(functions)]
    for task in tasks:
        task.wait()
    return [task.result() for task in tasks]


class _Task:
    """A function that runs in the background, its log shown at once or kept until its result is asked for."""

    def __init__(self, function: Callable[[], Any], is_shown: bool) -> None:
        self._function = function
        self._is_shown = is_shown
        self._records: list[LogRecord] = []
        self._error: BaseException | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._begun.wait()

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                if not self._is_shown:
                    self._records = stack.enter_context(holding_back())
                self._begun.set()
                self._value = self._function()
        except BaseException as error:
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def result(self) -> Any:
        for record in self._records:
            logger.handle(record)
        if self._error:
            raise self._error
        return self._value
