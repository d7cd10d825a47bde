"""What the person at the terminal sees: the log, errors, and the progress of long steps; never a secret."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger("delta_arc")

PLAIN_MARKS = {"✅": "[ok]", "⚠️": "[!]", "❌": "[error]", "📊": "[i]", "🔍": "[?]", "💾": "[cache]", "🪣": "[s3]",
               "🔗": "[link]", "🏖️": "[sandbox]", "→": "->", "…": "..."}  # fmt: skip


def printable(text: str, stream: IO[str] | None) -> str:
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
    """Tell an error on stderr, without secrets; where stderr has no reader any more, nothing is told."""
    with contextlib.suppress(OSError):
        print(printable(f"❌ {mask(text)}", sys.stderr), file=sys.stderr, flush=True)


# =====================================================================================================================
# Secrets
# =====================================================================================================================

SHORTEST_SECRET = 4  # a shorter one would be in every other word

_secrets: re.Pattern[str] | None = None  # finds where one begins, and how far it goes


def mask(text: str) -> str:
    """The text with *** for every secret that `configure_logging` was given, also where it is quoted for a URL or JSON.

    To be called before a text is cut, as half a secret is not found any more.
    """
    if _secrets is None:
        return text
    shown, end = "", 0
    for found in _secrets.finditer(text):
        if found.start() >= end:
            shown += text[end : found.start()] + "***"
        end = max(end, found.end(1))  # secrets may overlap
    return shown + text[end:]


def _pattern_of(secrets: Iterable[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms_of(secret)}
    if not forms:
        return None
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    # Looked ahead for, so that one that begins within another is found, too.
    return re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))")


def _forms_of(secret: str) -> Iterator[str]:
    """The ways in which a message may spell a secret: as it is, within a URL, within JSON, and within Python's repr."""
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda escape: escape.group().lower(), quoted)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]


# =====================================================================================================================
# The log
# =====================================================================================================================


class _Formatter(logging.Formatter):
    """Log lines as the terminal can show them, and never with a secret in them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(mask(super().format(record)), sys.stdout)


class _StdoutHandler(logging.Handler):
    """Writes to whatever `sys.stdout` is at the time, so that a redirected output is obeyed."""

    def emit(self, record: logging.LogRecord) -> None:
        held = _held.get()
        if held is not None and record.levelno < logging.WARNING:
            held.append(record)
            return
        try:
            with _beside_bars():
                print(self.format(record), flush=True)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A reader that has gone, like `| head`, ends the output and not the run; a full disk does, too, and is told."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            say_error(f"The output ends here, as it cannot be written ({error.strerror}); the run goes on.")


@contextmanager
def _beside_bars() -> Iterator[None]:
    """Take the bars that are drawn out of the way of a line, where there can be any."""
    drawn = getattr(sys.modules.get("tqdm"), "tqdm", None)
    with drawn.external_write_mode(file=sys.stdout) if drawn else contextlib.nullcontext():
        yield


# The log of a thread that works in the background, until it is its turn to be shown.
_held: ContextVar[list[logging.LogRecord] | None] = ContextVar("held", default=None)


@contextmanager
def holding_back(records: list[logging.LogRecord]) -> Iterator[None]:
    """Keep this thread's log in a list instead of showing it, except for warnings."""
    token = _held.set(records)
    try:
        yield
    finally:
        _held.reset(token)


def configure_logging(level: str, *secrets: str) -> None:
    """Show this program's log from `level` up, and nothing of the libraries' logs; no secret is shown from here on.

    The secrets take the place of those of an earlier call. One of fewer than four characters is not masked.
    """
    global _secrets
    _secrets = _pattern_of(secrets)
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(_StdoutHandler())
        logger.propagate = False
    logger.handlers[0].setFormatter(_Formatter("%(message)s"))
    # pyatlan's debug log has the request headers, token included.
    for name in ("pyatlan", "httpx", "httpcore", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


# =====================================================================================================================
# Progress
# =====================================================================================================================


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
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Progress:
        if sys.stderr and sys.stderr.isatty():  # there is none where it was closed
            from tqdm import tqdm

            self._bar = tqdm(desc=printable(self.label, sys.stderr), total=self._total, leave=False, file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with self._bar.get_lock():  # type: ignore[no-untyped-call]
                self._bar.close()
                # One below another leaves the cursor where its line ended (tqdm.close).
                self._bar.fp.write("\r")
                self._bar.fp.flush()

    @property
    def total(self) -> float | None:
        """How many items there are, where that is known."""
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
