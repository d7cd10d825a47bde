"""What the person at the terminal sees: the log and the progress of long steps."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

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
    """A bar on a terminal, else a log line for every 100 items; `size` counts bytes, where there are any."""

    WIDTH = 30

    def __init__(self, label: str, total: int | None = None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.size = 0
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def advance(self, count: int = 1, size: int = 0) -> None:
        before, self.done = self.done, self.done + count
        self.size += size
        if self._terminal:
            self._draw()
        elif before // 100 != self.done // 100:
            of_total = f" of {self.total}" if self.total else ""
            logger.info("📊 %s: %s%s", self.label, self.done // 100 * 100, of_total)

    def finish(self) -> None:
        if self._terminal and self.done:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

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
