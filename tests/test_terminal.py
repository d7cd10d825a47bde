"""What is shown: the log and bars on a real terminal, and never a secret."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.terminal import (
    MOST_OF_A_LABEL,
    MOST_OF_A_LINE,
    Progress,
    configure_logging,
    logger,
    mask,
    say_error,
    visible,
)

ROOT = Path(__file__).resolve().parent.parent
SECRET = "s3cr3t/With+Odd &%ä\"'\\n"
terminals = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    configure_logging("INFO")
    yield
    configure_logging("INFO")


# Secrets


@pytest.mark.parametrize(
    "spell", [str, quote, lambda secret: quote(secret, safe=""), quote_plus, json.dumps, repr,
              lambda secret: json.dumps(secret, ensure_ascii=False), lambda secret: quote(secret, safe="").lower()]
)  # fmt: skip
def test_a_secret_is_masked_however_it_is_spelled(spell: object) -> None:
    configure_logging("INFO", SECRET.lower())
    assert callable(spell)
    assert mask(f"at {spell(SECRET.lower())}!").strip("at !\"'") == "***"


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        ([], "nothing is secret", "nothing is secret"),
        ([""], "nothing is secret", "nothing is secret"),
        (["abc"], "abc is too short to be one", "abc is too short to be one"),
        (["abcd"], "abcd is not", "*** is not"),
        (["first", "second"], "second and first and second", "*** and *** and ***"),
        (["word", "password1"], "password1 word password1", "*** *** ***"),
        (["password1", "word"], "password1 word password1", "*** *** ***"),
        (["abcdef", "defghi"], "<abcdefghi>", "<***>"),  # neither half is left
        (["defghi", "abcdef"], "<abcdefghi>", "<***>"),
        (["abcdef", "bcd", "bcde"], "<abcdef>", "<***>"),
        (["abab"], "<ababab>", "<***>"),
        (["a.c*"], "abcc a.c*", "abcc ***"),
        (["****"], "a **** b", "a *** b"),
    ],
)
def test_every_secret_is_masked_and_nothing_else(secrets: list[str], text: str, shown: str) -> None:
    configure_logging("INFO", *secrets)
    assert mask(text) == shown


@settings(deadline=None)
@given(st.lists(st.text("abc/ ", min_size=4, max_size=8), max_size=4), st.text("abc/ ", max_size=60))
def test_no_secret_is_left_in_any_text(secrets: list[str], text: str) -> None:
    configure_logging("INFO", *secrets)
    assert not any(secret in mask(text) for secret in secrets)


def test_no_secret_gets_into_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", "the-token", "the-password")
    logger.info("message with the-token")
    logger.warning("an argument: %s, %s", "the-token", {"password": "the-password"})
    try:
        raise ValueError("the-token in an error")
    except ValueError:
        logger.exception("it failed with the-password")
    out, err = capsys.readouterr()
    assert "the-token" not in out + err
    assert "the-password" not in out + err
    assert out.startswith("message with ***\nan argument: ***, {'password': '***'}\nit failed with ***\\nTraceback")
    assert len(out.splitlines()) == 3  # a record is a line, a traceback included
    assert "ValueError: *** in an error" in out


def test_no_secret_gets_into_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "the-token")
    say_error("https://x:the-token@host refused")
    assert capsys.readouterr().err == "❌ https://x:***@host refused\n"


def test_the_secrets_of_an_earlier_run_are_forgotten() -> None:
    configure_logging("INFO", "the-token")
    configure_logging("INFO", "another")
    assert mask("the-token another") == "the-token ***"
    configure_logging("INFO")
    assert mask("another") == "another"


def test_a_secret_is_masked_before_its_letters_are_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure_logging("INFO", "pässword")
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        logger.info("pässword → ö")
    assert (tmp_path / "out").read_text() == "*** -> ?\n"


# What others have written

# Also what decides which way to write, has no width, or is half a character.
ODD = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
hostile = st.text(st.characters() | st.sampled_from(ODD), max_size=60)


def assert_is_plain(line: str) -> None:
    """Whether a line of an output is one, and nothing in it moves, turns or hides anything."""
    joined = re.sub(r"(?<=[^\x00-\u203b])\u200d(?=[^\x00-\u203b])", "", line)  # as in the picture of a family
    assert not [character for character in joined if character in ODD], ascii(line)
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain É 日本 🎉 ⚠️ 🏖️ 👍🏽 👨\u200d👩\u200d👧", "plain É 日本 🎉 ⚠️ 🏖️ 👍🏽 👨\u200d👩\u200d👧"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("a\r✅ Done\n❌ no\tx", "a\\r✅ Done\\n❌ no\\tx"),
        ("\u202egnp.exe\u2066\u200f", "\\u202egnp.exe\\u2066\\u200f"),
        ("a\u200bb\ufeffc\u00add\u2060", "a\\u200bb\\ufeffc\\xadd\\u2060"),
        ("a\u200db 👨\u200d\u200d👩 \u200d", "a\\u200db 👨\\u200d\\u200d👩 \\u200d"),
        ("\ud800x\udfff", "\\ud800x\\udfff"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x7f\0", "a\\u2028b\\u2029c\\x85d\\x0be\\x0cf\\x1cg\\x7f\\x00"),
        ("\U000e0041\u3164\u115f", "\\U000e0041\\u3164\\u115f"),
        (r"C:\name \x1b", r"C:\name \x1b"),
    ],
)  # fmt: skip
def test_what_would_move_turn_or_hide_is_an_escape_and_all_else_stays(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_every_character_that_does_something_is_an_escape() -> None:
    assert [ascii(character) for character in ODD if not visible(character).startswith("\\")] == []


def test_what_is_long_is_shortened_in_the_middle_and_its_length_told() -> None:
    assert visible("x" * 10, 10) == "x" * 10
    assert visible("a" * 40 + "b" * 60, 10) == "aaaaa […100 characters…] bbbbb"
    assert len(visible("x" * 10_000_000)) < MOST_OF_A_LINE + 40


@settings(deadline=None, max_examples=100)
@given(hostile)
def test_whatever_is_logged_is_one_plain_line(text: str) -> None:
    out = logged(lambda: logger.info("📊 %s", text))
    assert_is_plain(out.removesuffix("\n"))
    assert out.startswith("📊 ")
    assert out.endswith("\n")


@settings(deadline=None, max_examples=100)
@given(hostile)
def test_whatever_is_an_error_is_one_plain_line(text: str) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as err:
        say_error(text)
    assert_is_plain(err.getvalue().removesuffix("\n"))
    assert err.getvalue().startswith("❌ ")


def logged(action: Callable[[], object]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        action()
    return out.getvalue()


def test_no_name_forges_a_line() -> None:
    configure_logging("DEBUG")
    forged = "x\n✅ Done: 8 created\u2028❌\x85\r"

    def fail() -> None:
        try:
            raise ValueError(forged)
        except ValueError:
            logger.debug("it failed with %s", forged, exc_info=True)

    assert len(logged(fail).splitlines()) == 1
    progress = Progress(forged)
    assert logged(lambda: progress.advance(500)).splitlines() == [f"📊 {visible(forged)}: 500"]
    assert len(Progress("x" * 1000).label) < MOST_OF_A_LABEL + 30


def test_a_secret_is_masked_before_a_line_is_cut() -> None:
    configure_logging("INFO", "the-token")
    text = "x" * (MOST_OF_A_LINE // 2 - 4) + "the-token" + "x" * MOST_OF_A_LINE
    out = logged(lambda: logger.info("%s", text))
    assert "the-" not in out
    assert "-token" not in out
    assert "the" not in Progress("x" * (MOST_OF_A_LABEL // 2 - 4) + "the-token" + "x" * MOST_OF_A_LABEL).label


# The log


def test_levels_and_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    logger.info("not this")
    logger.warning("this")
    for name in ("pyatlan", "httpx", "httpcore", "botocore", "urllib3"):
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
    configure_logging("INFO")
    logger.info("once")
    assert capsys.readouterr().out == "this\nonce\n"


def test_without_a_terminal_there_is_a_line_for_every_500(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Objects") as progress:
        progress.advance(499)
        assert capsys.readouterr().out == ""
        progress.advance()
        progress.total = 2000
        progress.advance(1200, size=10)
        progress.advance(299)
        progress.advance()
    assert progress.done == 2000
    out, err = capsys.readouterr()
    lines = [f"📊 Objects: {number} of 2000" for number in (1000, 1500, 2000)]
    assert out.splitlines() == ["📊 Objects: 500", *lines]
    assert err == ""


def test_a_line_can_come_more_often_and_a_large_step_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Assets", line_every=100) as progress:
        progress.advance(99)
        progress.advance(2)
        progress.advance(298)
        progress.advance(1)
    out = capsys.readouterr().out
    assert out.splitlines() == [f"📊 Assets: {number}" for number in (100, 200, 300, 400)]


def program(lines: str) -> list[str]:
    """A program of these lines, with the log set up."""
    start = (
        "import sys, threading, time\nfrom runtime.terminal import *\nfrom runtime.terminal import Progress, logger\n"
    )
    return [sys.executable, "-c", f'{start}configure_logging("INFO")\n{lines}']


@pytest.mark.skipif(os.name == "nt", reason="there is no shell with pipes like these")
@pytest.mark.parametrize("redirect", ["", "2>&1"])
def test_a_reader_that_goes_ends_the_output_and_not_the_run(redirect: str, tmp_path: Path) -> None:
    lines = """
from pathlib import Path
for number in range(50_000):
    logger.info("line %d", number)
    if not number % 1000:
        say_error("an error") if sys.argv[1:] else None
Path(sys.argv[-1]).write_text("the run went on")
"""
    end = tmp_path / "end"
    command = ["bash", "-c", f'"$@" {redirect} | head -n 2; exit "${{PIPESTATUS[0]}}"', "bash"]
    ended = subprocess.run([*command, *program(lines), str(end)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 2
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
    assert end.read_text() == "the run went on"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_under_the_log_is_told_once() -> None:
    lines = 'for number in range(3):\n    logger.info("line")\nsys.exit(7)'
    with open("/dev/full", "w") as full:
        ended = subprocess.run(program(lines), cwd=ROOT, stdout=full, stderr=subprocess.PIPE, encoding="utf-8")
    assert ended.returncode == 7
    assert ended.stderr.splitlines() == [
        "❌ The output ends here, as it cannot be written (No space left on device); the run goes on."
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_full_disks_under_everything_end_nothing() -> None:
    lines = 'logger.info("line")\nsay_error("error")\nsay_error("again")\nsys.exit(7)'
    with open("/dev/full", "w") as full:
        ended = subprocess.run(program(lines), cwd=ROOT, stdout=full, stderr=full)
    assert ended.returncode == 7


@pytest.mark.skipif(os.name == "nt", reason="there is no shell that closes these")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_and_no_child_gets_the_place_of_an_output_that_was_closed(closed: str, tmp_path: Path) -> None:
    lines = """
import os, subprocess
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2
    subprocess.run([sys.executable, "-c", "import os; os.write(1, b'1'); os.write(2, b'2'); os.read(0, 1)"], check=True)
    logger.info("line")
    say_error("error")
sys.exit(7)"""
    command = ["bash", "-c", f'"$@" {closed}', "bash", *program(lines), str(tmp_path / "file")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert ended.returncode == 7, ended.stderr
    assert (tmp_path / "file").read_text() == ""


def test_an_output_that_was_closed_later_ends_nothing() -> None:
    lines = 'sys.stdout.close()\nlogger.info("line")\nsys.stderr.close()\nsay_error("error")\nsys.exit(7)'
    ended = subprocess.run(program(lines), cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "")


@pytest.mark.skipif(os.name == "nt", reason="there is no shell that closes these")
def test_closed_outputs_end_nothing() -> None:
    lines = 'logger.info("line")\nsay_error("error")\nwith Progress("Objects") as progress:\n    progress.advance(1000)\nsys.exit(7)'
    ended = subprocess.run(["bash", "-c", '"$@" >&- 2>&-', "bash", *program(lines)], cwd=ROOT)
    assert ended.returncode == 7


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "✅ 🏖️ é → …"), ("ascii", "[ok] [sandbox] ? -> ...")])
def test_emoji_are_words_where_there_are_none(encoding: str, shown: str) -> None:
    lines = 'logger.info("✅ 🏖️ é → …")\nsay_error("é")'
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(program(lines), cwd=ROOT, capture_output=True, env=environment)
    assert ended.returncode == 0
    assert ended.stdout.decode().splitlines() == [shown]
    assert ended.stderr.decode().splitlines() == ["❌ é" if encoding == "utf-8" else "[error] ?"]


# A terminal

COLUMNS = 80


def on_terminal(lines: str, encoding: str = "utf-8", columns: int = COLUMNS, out: int | None = None) -> tuple[int, str]:
    """Run lines with a pseudo-terminal as their output; the exit code, and all that came."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "TERM": "xterm"}
    process = subprocess.Popen(
        program(lines), cwd=ROOT, env=environment, stdin=theirs, stdout=theirs if out is None else out, stderr=theirs
    )
    os.close(theirs)
    came: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                return
            if not part:
                return
            came.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        code = process.wait(timeout=300)
        reader.join(timeout=30)
    finally:
        process.kill()
        os.close(ours)
    return code, b"".join(came).decode(encoding)


class Screen:
    """As much of a terminal as tqdm uses: lines, carriage returns, and the way up."""

    def __init__(self, text: str) -> None:
        self.lines: list[list[str]] = [[]]
        self._row = self._column = 0
        for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", text, re.DOTALL):
            self._take(token)

    def _take(self, token: str) -> None:
        if token == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append([])
        elif token == "\r":
            self._column = 0
        elif token == "\x1b[A":
            self._row = max(0, self._row - 1)
        elif token == "\x1b[K":
            del self.lines[self._row][self._column :]
        else:
            assert token.isprintable(), repr(token)
            line = self.lines[self._row]
            line += [" "] * (self._column + 1 - len(line))
            line[self._column] = token
            self._column += 1

    def shown(self) -> list[str]:
        """The lines that are not empty."""
        return [line for line in ("".join(cells).rstrip() for cells in self.lines) if line]


@terminals
def test_a_bar_appears_and_goes() -> None:
    code, came = on_terminal(
        """
with Progress("Objects", total=4) as progress:
    for _ in range(4):
        progress.advance(size=500_000)
        time.sleep(0.15)
print("end")
"""
    )
    assert code == 0
    assert "Objects:   0%|" in came
    assert re.search(r"2/4 .*1\.0 MB", came)
    assert Screen(came).shown() == ["end"]


@terminals
def test_a_total_may_come_later() -> None:
    lines = 'with Progress("Hits") as progress:\n    progress.total = 8\n    time.sleep(0.2)\n    progress.advance(2)'
    code, came = on_terminal(lines)
    assert code == 0
    assert "Hits: 0it" in came
    assert "2/8" in came


@terminals
def test_an_error_closes_the_bar_and_a_later_one_is_drawn() -> None:
    code, came = on_terminal(
        """
try:
    with Progress("First", total=4) as progress:
        progress.advance()
        raise ValueError
except ValueError:
    logger.info("it failed")
with Progress("Second", total=4) as progress:
    progress.advance()
    logger.info("in between")
logger.info("end")
"""
    )
    assert code == 0
    assert "First:" in came
    assert "First:" not in came.partition("it failed")[2]
    assert "Second:" in came
    assert Screen(came).shown() == ["it failed", "in between", "end"]


@terminals
def test_log_lines_and_bars_of_several_threads_do_not_mix() -> None:
    code, came = on_terminal(
        """
def work(name):
    with Progress(name, total=60) as progress:
        for number in range(60):
            progress.advance()
            logger.info("%s %d", name, number)
            time.sleep(0.002)

threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
logger.info("end")
"""
    )
    assert code == 0
    assert "two:" in came
    *lines, last = Screen(came).shown()
    assert last == "end"
    expected = [f"{name} {number}" for name in ("one", "two", "three") for number in range(60)]
    assert sorted(lines) == sorted(expected)


@terminals
@pytest.mark.parametrize("columns", [0, 1, 20])
def test_a_narrow_terminal_is_no_fault(columns: int) -> None:
    lines = 'with Progress("Objects", total=4) as progress:\n    progress.advance()\nlogger.info("end")'
    code, came = on_terminal(lines, columns=columns)
    assert code == 0
    assert "Traceback" not in came
    assert Screen(came).shown()[-1] == "end"


@terminals
def test_an_ascii_terminal_gets_a_bar_in_ascii() -> None:
    lines = 'with Progress("→ é", total=4) as progress:\n    progress.advance(2)\n    logger.info("✅ done")'
    code, came = on_terminal(lines, encoding="ascii")
    assert code == 0
    assert "-> ?:   0%|" in came
    assert Screen(came).shown() == ["[ok] done"]


@terminals
def test_a_redirected_log_has_no_bar_in_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as out:
        lines = (
            'with Progress("Objects", total=4) as progress:\n    progress.advance(1000)\n    logger.info("in between")'
        )
        code, came = on_terminal(lines, out=out.fileno())
    assert code == 0
    assert "Objects:" in came
    assert (tmp_path / "log").read_text() == "in between\n"


def test_handlers_of_others_take_not_the_place_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
    other = logging.NullHandler()
    logger.addHandler(other)
    try:
        configure_logging("INFO")
        configure_logging("INFO")
        logger.info("once")
    finally:
        logger.removeHandler(other)
    assert capsys.readouterr().out == "once\n"
