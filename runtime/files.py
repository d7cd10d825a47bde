"""Files of people: read with a limit, and replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_small_file(path: Path, most_bytes: int) -> bytes:
    """What is in a file of so many bytes at the most; raises `OSError` as `open_regular_file` does, and where it is larger."""
    with open_regular_file(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes:,} bytes")
    return content


def open_regular_file(path: Path) -> BinaryIO:
    """A file to be read, without ever waiting for what is no file, like a named pipe.

    Raises `OSError`, whose `strerror` can be told: also for what is no regular file, and for a name that no file can
    have. A link that leads nowhere is told as one, and only where there is nothing at all is it `FileNotFoundError`.
    """
    try:
        # A named pipe would have us wait for one who writes, and a terminal make itself ours.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except ValueError:  # NUL, or half a surrogate pair
        raise OSError(errno.EINVAL, "no file can have this name") from None
    except FileNotFoundError:
        if os.path.lexists(path):
            raise OSError(errno.ELOOP, "it is a link that leads nowhere") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(descriptor, "rb")


def replace_file(path: Path, text: str) -> None:
    """Write beside the file and rename, so that no reader ever sees a part; raises `OSError`.

    A file that is there keeps its mode. A new one is for its owner only, as it may hold a tenant's inventory. A link is
    replaced, and what it points to stays as it is.
    """
    import tempfile  # which `--help` does not need

    # Its name cannot be foretold, so that nobody can plant a link there.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        # JSON can carry half a surrogate pair, which only this error handler writes.
        with open(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_of(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode_of(path: Path) -> int:
    """The permissions of a file; those of a new one, where there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0o600
    return status.st_mode & 0o777 if stat.S_ISREG(status.st_mode) else 0o600


def why_not_writable(path: Path, makes_folders: bool = False) -> str:
    """Why a file cannot be made or replaced, by looking alone; empty where it can. Missing folders may be made, too."""
    if path.exists() and not path.is_file():
        return "it is no regular file"
    folder = path.absolute().parent
    while makes_folders and not folder.exists() and folder.parent != folder:
        folder = folder.parent
    if not folder.is_dir():
        return "its folder is none" if folder.exists() else "its folder is not there"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "its folder may not be written"
