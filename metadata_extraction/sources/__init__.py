"""The SQL sources. Each gives the same rows, so that everything after it is the same for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from runtime.errors import PipelineError

Row = dict[str, Any]


class SourceError(PipelineError):
    """The source cannot be read; told in one sentence, without its password."""


class Source(Protocol):
    """A source, opened. Rows come sorted by name, with the fields of `outputs.SCHEMAS`; `schemas` are names.

    Rows are read as they are asked for, so a million columns need no more memory than a thousand.
    """

    address: str  # for people: no password

    def preflight(self) -> list[str]: ...

    def databases(self) -> Iterable[Row]: ...

    def schemas(self, database: str) -> Iterable[Row]: ...

    def tables(self, database: str, schemas: Sequence[str]) -> Iterator[Row]: ...

    def columns(self, database: str, schemas: Sequence[str]) -> Iterator[Row]: ...

    def procedures(self, database: str, schemas: Sequence[str]) -> Iterator[Row]: ...


def open_source(url: str, every_database: bool, timeout_seconds: int) -> Source:
    """The source at a URL: `postgresql://…`, a libpq string like `host=… dbname=…`, or `snowflake://…`.

    The database of the URL is the only one to be read, unless `every_database`.
    """
    if url.startswith("snowflake://"):
        from metadata_extraction.sources.snowflake import SnowflakeSource

        return SnowflakeSource(url, every_database, timeout_seconds)
    from metadata_extraction.sources.postgres import PostgresSource

    return PostgresSource(url, every_database, timeout_seconds)
