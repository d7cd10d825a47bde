"""What every SQL source is: the rows that it gives, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from metadata_extraction.load_history import Transfer
from metadata_extraction.rows import SourceRow
from runtime.errors import PipelineError


class SourceError(PipelineError):
    """The source cannot be read; told in one sentence, without its password."""


class Source(Protocol):
    """A source, opened. Rows come sorted by name, with the fields of the classes in `rows`; `schemas` are names.

    Rows are read as they are asked for, so a million columns need no more memory than a thousand. Every method but
    `preflight` raises `SourceError`.
    """

    address: str  # for people: no password
    namespace: str  # of its tables in OpenLineage, like postgres://host:5432

    def preflight(self) -> list[str]:
        """What keeps the source from being read, one sentence for each fault."""
        ...

    def databases(self) -> Iterable[SourceRow]:
        """The databases that may be read: the address's own, or every one."""
        ...

    def schemas(self, database: str) -> Iterable[SourceRow]:
        """The schemas of a database, without those of the system."""
        ...

    def tables(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """The tables, views and their like in the schemas."""
        ...

    def columns(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """The columns of all that `tables` gives, those of a table together and in its order."""
        ...

    def procedures(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """The procedures and functions in the schemas."""
        ...

    def transfers(self, database: str, schemas: Sequence[str], since: datetime) -> Iterator[Transfer]:
        """The files that tables in the schemas were loaded from or exported to since then, as far as the source knows.

        What it does not let the role read is a warning with the grant that it takes, and no error.
        """
        ...
