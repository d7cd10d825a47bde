"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write beside the file and rename, so that no reader ever sees a part; raises `OSError`."""
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        # JSON can carry half a surrogate pair, which only this error handler writes.
        with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
