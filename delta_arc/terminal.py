"""What the person at the terminal sees: the log and the progress of long steps."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

logger = logging.getLogger("delta_arc")

PLAIN_MARKS = {"✅": "[ok]", "⚠️": "[!]", "❌": "[error]", "📊": "[i]", "🔍": "[?]", "💾": "[cache]", "🪣": "[s3]",
               "🔗": "[link]", "🏖️": "[sandbox]", "→": "->", "…": "..."}  # fmt: skip


def plain(text: str, stream: Any) -> str:
    """The text as the stream can show it: with words for emoji where its encoding has none."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        for mark, word in PLAIN_MARKS.items():
            text = text.replace(mark, word)
        return text.encode(encoding, "replace").decode(encoding)


def say_error(text: str) -> None:
    print(plain(f"❌ {text}", sys.stderr), file=sys.stderr)


class _Formatter(logging.Formatter):
    """Log lines as the terminal can show them, and never with a secret in them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(message)s")
        # A shorter one would be in every other word.
        self._secrets = [secret for secret in secrets if len(secret) >= 4]

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return plain(text, sys.stdout)


class _StdoutHandler(logging.StreamHandler):
    """Writes to whatever `sys.stdout` is at the time, so that a redirected output is obeyed."""

    @property
    def stream(self) -> Any:
        return sys.stdout

    @stream.setter
    def stream(self, _: Any) -> None:
        pass

    def handleError(self, record: logging.LogRecord) -> None:
        """A reader that has gone, like `| head`, ends the output and not the run."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            super().handleError(record)

    def emit(self, record: logging.LogRecord) -> None:
        held = _held.get()
        if held is None or record.levelno >= logging.WARNING:
            super().emit(record)
        else:
            held.append(record)


# The log of a thread that works in the background, until it is its turn to be shown.
_held: ContextVar[list[logging.LogRecord] | None] = ContextVar("held", default=None)


@contextmanager
def holding_back() -> Iterator[list[logging.LogRecord]]:
    """Keep this thread's log lines, except for warnings; yields the list that they are kept in."""
    records: list[logging.LogRecord] = []
    token = _held.set(records)
    try:
        yield records
    finally:
        _held.reset(token)


def configure_logging(level: str, *secrets: str) -> None:
    """Show this program's log from `level` up, never with a secret in it, and nothing of the libraries' logs."""
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(_StdoutHandler())
        logger.propagate = False
    logger.handlers[0].setFormatter(_Formatter(secrets))
    # pyatlan's debug log has the request headers, token included.
    for name in ("pyatlan", "httpx", "httpcore", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Progress:
    """A bar on a terminal, else a log line for every 500 items; `size` counts bytes, where there are any.

    Of several at the same time, the one that was first has the line of the terminal, until it is finished.
    """

    WIDTH = 30
    LINE_EVERY = 500
    DRAW_SECONDS = 0.1
    _drawing: ClassVar[Progress | None] = None

    def __init__(self, label: str, total: int | None = None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.size = 0
        self._started = time.monotonic()
        self._drawn = 0.0
        self._terminal = sys.stderr.isatty()

    def advance(self, count: int = 1, size: int = 0) -> None:
        before, self.done = self.done, self.done + count
        self.size += size
        if self._terminal:
            self._draw_at_times()
        elif before // self.LINE_EVERY != self.done // self.LINE_EVERY:
            of_total = f" of {self.total}" if self.total else ""
            logger.info("📊 %s: %s%s", self.label, self.done // self.LINE_EVERY * self.LINE_EVERY, of_total)

    def finish(self) -> None:
        if Progress._drawing is self:
            Progress._drawing = None
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _draw_at_times(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= self.DRAW_SECONDS and Progress._drawing in (None, self):
            Progress._drawing, self._drawn = self, now
            self._draw()

    def _draw(self) -> None:
        rate = self.done / max(time.monotonic() - self._started, 0.001)
        if self.total:
            filled = self.WIDTH * self.done // self.total
            left = (self.total - self.done) / rate if rate else 0
            text = f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {self.done}/{self.total}  {rate:.0f}/s  {left:.0f} s left"
        else:
            text = f"{self.done}  {rate:.0f}/s"
        if self.size:
            text += f"  {self.size / 1e6:.1f} MB"
        sys.stderr.write(f"\r{self.label} {text}\033[K")
        sys.stderr.flush()
