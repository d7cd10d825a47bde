"""What the person at the terminal sees: the log, errors, and the progress of long steps; never a secret."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger("delta_arc")

# `extra` of a record that has nothing from outside, which a secret like `wrong` would only make unreadable.
OWN_WORDS = {"own_words": True}

# What has changed, and how it ended: what `--quiet` shows besides warnings.
NOTICE = logging.INFO + 5
logging.addLevelName(NOTICE, "NOTICE")

PLAIN_MARKS = {"✅": "[ok]", "⚠️": "[!]", "❌": "[error]", "📊": "[i]", "🔍": "[?]", "💾": "[cache]", "🪣": "[s3]",
               "🔗": "[link]", "🏖️": "[sandbox]", "➖": "[-]", "→": "->", "…": "..."}  # fmt: skip


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
    """Tell an error on stderr and in the log's file, in one line and without secrets.

    Where stderr cannot be written, nothing is told there.
    """
    own = _own_handler()
    if own:
        own.write_line(logging.ERROR, time.time(), f"❌ {visible(mask(text))}")
    if not _is_open(sys.stderr):
        return
    try:
        print(printable(f"❌ {visible(mask(text))}", sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        _send_nowhere(sys.stderr)


def say_whole(text: str) -> bool:
    """Write a text of many lines to stdout as it is; False, and an error is told, where that cannot be done."""
    try:
        if not _is_open(sys.stdout):
            raise OSError(errno.EBADF, "it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if _is_open(sys.stdout):
            _send_nowhere(sys.stdout)
        say_error(f"The output cannot be written ({error.strerror}).")
        return False
    return True


def _is_open(stream: IO[str] | None) -> bool:
    """Whether a stream can be written to: Python has None in the place of one that was closed before it started."""
    return stream is not None and not getattr(stream, "closed", False)


def _send_nowhere(stream: IO[str]) -> None:
    """Let all that is written from here on vanish, also what the stream still holds.

    Python would try once more at the end, and give the process another exit code (Py_FinalizeEx: 120).
    """
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


# =====================================================================================================================
# What others have written
# =====================================================================================================================

MOST_OF_A_LINE = 2000  # characters of a line that are shown
MOST_OF_A_TRACEBACK = 20_000  # of one with an error's traceback, which only DEBUG shows
MOST_OF_A_NAME = 200  # of a name in a list of many
MOST_OF_A_LABEL = 60  # of the label of a bar

_PICTURE = "[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff]"
# Control characters and line breaks, what turns the direction of writing, and what has no width: general categories Cc,
# Cf, Cs, Zl and Zp of Unicode, with the other characters that are to be shown as nothing (Default_Ignorable_Code_Point),
# but for the selectors of emoji, and the joiners between two of them.
HIDDEN = re.compile(
    rf"(?!(?<={_PICTURE})\u200d{_PICTURE})"
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SHORT_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str, most: int = MOST_OF_A_LINE) -> str:
    """The text on one line, as it may be shown whoever has written it: nothing in it moves, colours, turns or hides
    what stands beside it. What would is an escape like \\x1b or \\u202e; letters and emoji stay.

    A text of more than `most` characters is shortened in the middle, with its length told; secrets are to be masked
    before.
    """
    if len(text) > most:
        told = f" […{len(text)} characters…] "
        text = text[: most // 2] + told + text[len(text) - most // 2 :]
    return HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    long = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT_ESCAPES.get(character, long)


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
    """One line for each record, a traceback included, and never with a secret in it."""

    def format(self, record: logging.LogRecord) -> str:
        most = MOST_OF_A_TRACEBACK if record.exc_info else MOST_OF_A_LINE
        text = super().format(record)
        return visible(text if getattr(record, "own_words", False) else mask(text), most)


class _LogHandler(logging.Handler):
    """Writes to whatever `sys.stdout` is at the time, so that a redirected output is obeyed, and to a file, if there is one.

    Only what is at least of the level `shown_from` goes to stdout; the file has all.
    """

    shown_from = logging.NOTSET
    file: Path | None = None

    def emit(self, record: logging.LogRecord) -> None:
        held = _held.get()
        if held is not None and record.levelno < held.below:
            held.records.append(record)
            return
        try:
            line = self.format(record)
            self.write_line(record.levelno, record.created, line)
            if record.levelno >= self.shown_from and _is_open(sys.stdout):
                with _beside_bars():
                    print(printable(line, sys.stdout), flush=True)
        except Exception:
            self.handleError(record)

    def write_line(self, level: int, seconds: float, line: str) -> None:
        """Append one line to the file, with its time (seconds since 1970), its level and the process."""
        if self.file is None:
            return
        now = datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")
        text = f"{now} {logging.getLevelName(level)} [{os.getpid()}] {line}\n"
        try:
            append_to_log(self.file, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            file, self.file = self.file, None
            say_error(f"The log cannot be written to {file} any more ({error.strerror}); the run goes on.")

    def handleError(self, record: logging.LogRecord) -> None:
        """A reader that has gone, like `| head`, ends the output and not the run; a full disk does, too, and is told."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        _send_nowhere(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            say_error(f"The output ends here, as it cannot be written ({error.strerror}); the run goes on.")


def append_to_log(path: Path, line: bytes) -> None:
    """Append a line to a file, which is made where there is none, for its owner only; raises `OSError`.

    It is opened for each line, so that one that is moved away, as by logrotate, is made anew. One `write` puts it behind
    what is there, whoever else writes, too (O_APPEND in POSIX' `open`): lines of two runs do not mix.
    """
    # Without O_NONBLOCK, a named pipe would have us wait for one who reads.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


@contextmanager
def _beside_bars() -> Iterator[None]:
    """Take the bars that are drawn out of the way of a line, where there can be any."""
    drawn = getattr(sys.modules.get("tqdm"), "tqdm", None)
    with drawn.external_write_mode(file=sys.stdout) if drawn else contextlib.nullcontext():
        yield


class _Held(NamedTuple):
    """Where records go that are not to be shown yet, and below which level they are held."""

    records: list[logging.LogRecord]
    below: int


# The log of a thread that works in the background, until it is its turn to be shown.
_held: ContextVar[_Held | None] = ContextVar("held", default=None)


@contextmanager
def holding_back(records: list[logging.LogRecord], below: int = logging.WARNING) -> Iterator[None]:
    """Keep this thread's log in a list instead of showing it, except for warnings, or for what is not `below` a level."""
    token = _held.set(_Held(records, below))
    try:
        yield
    finally:
        _held.reset(token)


def configure_logging(level: str, *secrets: str, file: Path | None = None) -> None:
    """Show this program's log from `level` up, and nothing of the libraries' logs; no secret is shown from here on.

    With a `file`, all of it is appended there, too. The secrets take the place of those of an earlier call. One of fewer
    than four characters is not masked.
    """
    global _secrets
    _keep_places()
    _secrets = _pattern_of(secrets)
    logger.setLevel(level)
    own = _own_handler()
    if own is None:
        own = _LogHandler()
        logger.addHandler(own)
        logger.propagate = False
    own.shown_from, own.file = logging.NOTSET, file
    own.setFormatter(_Formatter("%(message)s"))
    # pyatlan's debug log has the request headers, token included.
    for name in ("pyatlan", "httpx", "httpcore", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def show_less() -> None:
    """Show only what has changed, warnings, and how it ended; a file for the log still gets all."""
    own = _own_handler()
    if own:
        own.shown_from = NOTICE


def _own_handler() -> _LogHandler | None:
    return next((handler for handler in logger.handlers if isinstance(handler, _LogHandler)), None)


def _keep_places() -> None:
    """Let the standard streams that were closed lead nowhere, so that no file or child gets the place of one.

    What is opened takes the lowest place that is free, and whatever a child prints would go there.
    """
    for place in (0, 1, 2):
        try:
            os.fstat(place)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere == place:
                os.set_inheritable(place, True)
            else:
                os.dup2(nowhere, place)
                os.close(nowhere)


# =====================================================================================================================
# Progress
# =====================================================================================================================


class Progress:
    """How far a long step is: tqdm's bar on a terminal, else a log line for every 500 items, or as many as `line_every`.

    >>> with Progress("Objects", total=2) as progress:
    ...     progress.advance()

    `total` may be set later, when it is known. A size counts bytes, where there are any.
    """

    LINE_EVERY = 500

    def __init__(self, label: str, total: float | None = None, line_every: int = LINE_EVERY) -> None:
        self._line_every = line_every
        self.label = visible(mask(label), MOST_OF_A_LABEL)
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
            return
        of_total = f" of {self._total:.0f}" if self._total else ""
        for number in range(before // self._line_every, self.done // self._line_every):
            logger.info("📊 %s: %d%s", self.label, (number + 1) * self._line_every, of_total)
