"""What the person at the terminal sees: the log and the progress of long steps."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

logger = logging.getLogger("delta_arc")

PLAIN_MARKS = {"✅": "[ok]", "⚠️": "[!]", "❌": "[error]", "📊": "[i]", "🔍": "[?]", "💾": "[cache]", "🪣": "[s3]",
               "🔗": "[link]", "🏖️": "[sandbox]", "→": "->", "…": "..."}  # fmt: skip


def printable(text: str, stream: Any) -> str:
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
    print(printable(f"❌ {text}", sys.stderr), file=sys.stderr)


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
        return printable(text, sys.stdout)


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
            with _beside_bars():
                super().emit(record)
        else:
            held.append(record)


@contextmanager
def _beside_bars() -> Iterator[None]:
    """Take the bars that are drawn out of the way of a line, where there can be any."""
    tqdm = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if tqdm is None:
        yield
        return
    with tqdm.external_write_mode(file=sys.stdout):
        yield


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
    """How far a long step is: tqdm's bar on a terminal, else a log line for every 500 items.

    >>> with Progress("Objects", total=2) as progress:
    ...     progress.advance()

    `total` may be set later, when it is known. A size counts bytes, where there are any.
    """

    LINE_EVERY = 500

    def __init__(self, label: str, total: float | None = None) -> None:
        self.label = label
        self.done = self.size = 0
        self._total = total
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(desc=self.label, total=self._total, leave=False, file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def total(self) -> float | None:
        return self._total

    @total.setter
    def total(self, total: float | None) -> None:
        self._total = total
        if self._bar is not None:
            self._bar.total = total

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Note that so many more items are done, of so many bytes."""
        before, self.done = self.done, self.done + count
        self.size += size
        if self._bar is not None:
            if self.size:
                self._bar.set_postfix_str(f"{self.size / 1e6:.1f} MB", refresh=False)
            self._bar.update(count)
        elif before // self.LINE_EVERY != self.done // self.LINE_EVERY:
            of_total = f" of {self._total:.0f}" if self._total else ""
            logger.info("📊 %s: %d%s", self.label, self.done // self.LINE_EVERY * self.LINE_EVERY, of_total)
