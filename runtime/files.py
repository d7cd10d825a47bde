"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write beside the file and rename, so that no reader ever sees a part; raises `OSError`.

    A file that is there keeps its mode. A new one is for its owner only, as it may hold a tenant's inventory. A link is
    replaced, and what it points to stays as it is.
    """
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
