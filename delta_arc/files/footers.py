"""The columns in the footer of a Parquet or ORC file, read in a child process: strangers' bytes in a large C++ library."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from delta_arc.files.heads import LONGEST_NAME, MOST_COLUMNS, WRAPPING, Head
from runtime.terminal import MOST_OF_A_NAME, visible

if TYPE_CHECKING:
    import subprocess

START_SECONDS = 30  # Python and pyarrow take half a second, where nothing else runs
FOOTER_SECONDS = 3  # the largest footer that is read takes milliseconds
LARGEST_ANSWER = 8 * 1024**2

DEAD = Head(reason="its footer cannot be read: it ends the process that reads it", unread=True)
SLOW = Head(reason="its footer is not read: it takes too long", unread=True)

# A program may not even start without these; nothing else of the environment is handed on.
VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class _ChildError(Exception):
    """The child has died, or what it says is no answer; `too_late`, where it was ended for its time."""

    def __init__(self, too_late: bool) -> None:
        super().__init__()
        self.too_late = too_late


class FooterReader:
    """Reads the footers of Parquet and ORC in one child process, which is started with the first and ends with the `with` block.

    >>> with FooterReader() as footers:
    ...     footers.read(b"...").reason
    'its Parquet footer is damaged'

    For use in one thread. What kills the child, or takes too long, is the reason of that object; the next one has a new
    child.
    """

    def __init__(self, start_seconds: float = START_SECONDS, footer_seconds: int = FOOTER_SECONDS) -> None:
        self.start_seconds, self.footer_seconds = start_seconds, footer_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._unfit = ""  # why no footer can be read here at all

    def __enter__(self) -> FooterReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_child()

    def read(self, footer: bytes) -> Head:
        """The columns in a footer, as `find_footer` cuts it, or why they cannot be told; never raises."""
        is_used = self._child is not None
        try:
            return self._read(footer)
        except _ChildError as error:
            self._end_child()
            if error.too_late:
                return SLOW
        if not is_used:
            return DEAD
        try:  # an earlier footer may have damaged the child
            return self._read(footer)
        except _ChildError as error:
            self._end_child()
            return SLOW if error.too_late else DEAD

    def _read(self, footer: bytes) -> Head:
        if self._child is None and not self._unfit:
            self._start_child()
        if self._unfit or self._child is None:
            return Head(reason=self._unfit)
        return _head_of(self._ask(self._child, len(footer).to_bytes(4, "big") + footer, self.footer_seconds))

    def _start_child(self) -> None:
        settings = {
            "paths": [os.path.abspath(path) for path in sys.path if path],
            "columns": MOST_COLUMNS,
            "name": LONGEST_NAME,
            "seconds": self.footer_seconds,
            "wrapping": sorted(WRAPPING),
        }
        command = [sys.executable, "-I", "-B", str(Path(__file__).with_name("parquet_child.py")), json.dumps(settings)]
        # The system's allocator keeps to the limit of memory; the others set a lot of it aside.
        environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}
        environment |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
        import subprocess  # which `--help` does not need

        pipe = subprocess.PIPE
        try:
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment)
            self._unfit = _head_of(self._ask(self._child, b"", self.start_seconds), is_start=True).reason
        except (OSError, ValueError, _ChildError):
            self._unfit = "Parquet and ORC cannot be read here: the process for them does not start"
        if self._unfit:
            self._end_child()

    def _ask(self, child: subprocess.Popen[bytes], request: bytes, seconds: float) -> bytes:
        """What the child answers; raises `_ChildError`. It is ended when the time is over, and so is the waiting."""
        assert child.stdin
        assert child.stdout
        too_late = threading.Event()

        def end() -> None:
            too_late.set()
            child.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        answer = b""
        try:
            child.stdin.write(request)
            child.stdin.flush()
            length = int.from_bytes(_exactly(child.stdout, 4), "big")
            answer = _exactly(child.stdout, length if length <= LARGEST_ANSWER else -1)
        except (OSError, ValueError):
            pass  # it has died, or is not to be understood
        finally:
            timer.cancel()
            timer.join()  # from here on it does not end the child any more
        if too_late.is_set() or not answer:
            raise _ChildError(too_late.is_set())
        return answer

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass  # what was not sent any more
        child.wait()


def _exactly(source: IO[bytes], length: int) -> bytes:
    """So many bytes; raises `ValueError` where there are fewer, or no such number."""
    content = source.read(length) if length > 0 else b""
    if len(content) != length:
        raise ValueError("the answer ends early")
    return content


def _head_of(answer: bytes, is_start: bool = False) -> Head:
    """The head in an answer; raises `_ChildError` where it is of another shape, as a child that was taken over may do."""
    try:
        told = json.loads(answer)
        reason, columns = told.get("reason", ""), told.get("columns", [])
        nested, unread = told.get("nested", False), told.get("unread", False)
    except (ValueError, AttributeError, RecursionError):
        raise _ChildError(too_late=False) from None
    names_are_good = (
        isinstance(columns, list)
        and len(columns) <= MOST_COLUMNS
        and all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in columns)
    )
    if not isinstance(reason, str) or not names_are_good or not all(isinstance(one, bool) for one in (nested, unread)):
        raise _ChildError(too_late=False)
    if not reason and not columns and not is_start:
        return Head(reason="its footer has no columns", unread=True)
    return Head(columns=tuple(columns), nested=nested, reason=visible(reason, MOST_OF_A_NAME), unread=unread)
