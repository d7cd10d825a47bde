"""Files are replaced as a whole or not at all, whatever is in the way."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.files import read_small_file, replace_file

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes, links and limits")


def in_a_process(lines: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run lines of Python that know `path` and `replace_file`."""
    program = f"import os, resource, signal, sys\nfrom pathlib import Path\nfrom runtime.files import replace_file\npath = Path(sys.argv[1])\n{lines}"
    return subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Reading


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\r\n\0\xff")
    assert read_small_file(path, 5) == b"a\r\n\0\xff"
    (tmp_path / "link").symlink_to(path)
    assert read_small_file(tmp_path / "link", 5) == b"a\r\n\0\xff"
    assert reason(path, 4) == "it is larger than 4 bytes"
    os.truncate(path, 1 << 40)  # never read as a whole
    assert reason(path, 4000) == "it is larger than 4,000 bytes"


def reason(path: Path, most_bytes: int = 100) -> str:
    """What a file that cannot be read is told for."""
    with pytest.raises(OSError, match=r".+") as raised:
        read_small_file(path, most_bytes)
    return raised.value.strerror


@posix
def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_small_file(tmp_path / "nothing", 1)
    assert "no regular file" in reason(tmp_path) or "directory" in reason(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "it is no regular file"
    assert reason(Path(os.devnull)) == "it is no regular file"
    (tmp_path / "link").symlink_to("nowhere")
    assert reason(tmp_path / "link") == "it is a link that leads nowhere"
    (tmp_path / "itself").symlink_to("itself")
    assert "symbolic links" in reason(tmp_path / "itself")
    assert "too long" in reason(tmp_path / ("x" * 5000))
    assert reason(tmp_path / "a\0b") == reason(tmp_path / "\ud800") == "no file can have this name"


# Replacing


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for text in ("", "one\n", "é 日本 🎉 \ud83c", "x" * 3_000_000):
        replace_file(path, text)
        assert path.read_bytes() == text.encode("utf-8", "surrogatepass").replace(b"\n", os.linesep.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_any_name_that_a_file_may_have_is_fine(tmp_path: Path) -> None:
    path = tmp_path / ("日" * 80 + ".json")
    replace_file(path, "text")
    assert path.read_text() == "text"


@posix
def test_a_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    before = os.umask(0)
    try:
        replace_file(path, "new")
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
    for mode in (0o644, 0o664, 0o400):
        path.chmod(mode)
        replace_file(path, "old")
        assert mode_of(path) == mode


@posix
def test_nobody_else_can_read_it_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    path.touch(0o644)
    modes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    replace_file(path, "text")
    assert modes == [0o600]


@posix
def test_a_link_that_is_planted_is_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "file.json", tmp_path / "other"
    other.write_text("somebody's")
    # What the name once was made of: anybody could guess it.
    (tmp_path / f".{path.name}.{os.getpid()}.tmp").symlink_to(other)
    replace_file(path, "text")
    assert (path.read_text(), other.read_text()) == ("text", "somebody's")


@posix
def test_a_link_in_the_files_place_is_replaced(tmp_path: Path) -> None:
    path, other = tmp_path / "file.json", tmp_path / "other"
    other.write_text("somebody's")
    other.chmod(0o644)
    path.symlink_to(other)
    replace_file(path, "text")
    assert not path.is_symlink()
    assert (path.read_text(), mode_of(path), other.read_text()) == ("text", 0o600, "somebody's")


@posix
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    lines = f'{limit}try:\n    replace_file(path, "x" * 1_000_000)\nexcept OSError as error:\n    print(error.strerror)'
    ended = in_a_process(lines, path)
    assert (ended.returncode, ended.stdout) == (0, "File too large\n"), ended.stderr
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


@posix
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_being_killed_leaves_the_old_file(moment: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")
    kill = f"os.{moment} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)\n"
    ended = in_a_process(f'{kill}replace_file(path, "new")', path)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    replace_file(path, "newer")
    assert path.read_text() == "newer"


def test_what_is_written_is_on_the_disk_before_it_takes_the_files_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((path.read_text(), os.fstat(descriptor).st_size)))
    replace_file(path, "newer")
    assert seen == [("old", 5)]


def test_stopping_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_what_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "full").mkdir(parents=True)
    for path in (tmp_path / "missing" / "file.json", folder):
        with pytest.raises(OSError, match=r"."):
            replace_file(path, "text")
    assert list(tmp_path.iterdir()) == [folder]
