"""The steps of an extraction: ordinary functions, a `Run` in and a small result out, in-process and on Temporal alike.

Each opens what it needs by the settings of the process it runs in, and leaves its result in the deployment's store
under keys that follow from the run, so that a step that is repeated, here or elsewhere, writes the same files again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from metadata_extraction import sample
from metadata_extraction.atlas import make_entity
from metadata_extraction.components import open_store
from metadata_extraction.models import TYPENAMES, MigrationSummary, Preflight, Run, Transformed, Written
from metadata_extraction.outputs import FileSet, put_bytes, read_raw, write_raw, write_transformed
from metadata_extraction.settings import Settings, get_settings
from metadata_extraction.sources import Row, Source, SourceError, open_source
from metadata_extraction.stores import Store, StoreError
from metadata_extraction.upload import migrate_from_objectstore_to_atlan
from runtime.errors import PipelineError
from runtime.terminal import logger


class Tell(Protocol):
    """Hears how far a step is: what it works on, how many items and bytes more are done, and of how many, if known."""

    def __call__(self, label: str, count: int, size: int = 0, total: int | None = None) -> None: ...


MOST_FAILURES = 100  # how many are passed on; all of them are in the log


def be_silent(label: str, count: int, size: int = 0, total: int | None = None) -> None:
    """For who does not want to hear."""


def preflight_check(run: Run, tell: Tell = be_silent) -> Preflight:
    """Whether the source can be read and the deployment's store be written: one sentence for each fault."""
    settings = get_settings()
    try:
        source = _open_source(settings)
    except PipelineError as error:
        return Preflight("the source", [str(error)])
    faults = source.preflight()
    try:
        store = open_store(settings.deployment_store, settings.components)
        put_bytes(store, f"{run.output_path}/.preflight", b"")
        store.delete(f"{run.output_path}/.preflight")
    except (PipelineError, StoreError) as error:
        faults.append(f"The deployment's object store {settings.deployment_store} cannot be written: {error}")
    return Preflight(source.address, faults)


def fetch_databases(run: Run, tell: Tell = be_silent) -> Written:
    source = _open_source(get_settings())
    found = _databases(source, run)
    if not found:
        raise SourceError(
            f"{source.address} has no database to crawl: check SOURCE_URL, INCLUDE_ and EXCLUDE_DATABASES."
        )
    return _write_raw("database", run, [found], tell)


def fetch_schemas(run: Run, tell: Tell = be_silent) -> Written:
    source = _open_source(get_settings())
    return _write_raw("schema", run, (_schemas(source, run, row) for row in _databases(source, run)), tell)


def fetch_tables(run: Run, tell: Tell = be_silent) -> Written:
    source = _open_source(get_settings())
    return _write_raw("table", run, (source.tables(*place) for place in _places(source, run)), tell)


def fetch_columns(run: Run, tell: Tell = be_silent) -> Written:
    source = _open_source(get_settings())
    return _write_raw("column", run, (source.columns(*place) for place in _places(source, run)), tell)


def fetch_procedures(run: Run, tell: Tell = be_silent) -> Written:
    source = _open_source(get_settings())
    return _write_raw("procedure", run, (source.procedures(*place) for place in _places(source, run)), tell)


def transform_data(run: Run, tell: Tell = be_silent) -> Transformed:
    """Turn every raw row into an Atlas entity."""
    settings = get_settings()
    store = open_store(settings.deployment_store, settings.components)
    written = []
    for typename in TYPENAMES:
        files = FileSet(store, typename, run.transformed_prefix(typename))
        entities = (make_entity(typename, row, run) for row in read_raw(store, run, typename))
        write_transformed(files, run.workflow_id, entities, lambda count: tell("Entities", count))
        written.append(files.finish())
    return Transformed(written)


def upload_to_atlan(run: Run, tell: Tell = be_silent) -> MigrationSummary:
    """Hand everything below the run's prefix to Atlan's storage. Never raises: the summary tells what went wrong."""
    try:
        summary = migrate_from_objectstore_to_atlan(
            run.output_path, lambda files, size, total: tell("Upload", files, size, total)
        )
    except Exception as error:
        # Whatever it is: the extraction itself has succeeded, and its files are safe.
        logger.debug("the upload broke off", exc_info=True)
        settings = get_settings()
        reason = f"it broke off ({type(error).__name__}: {error})"
        summary = MigrationSummary(run.output_path, settings.deployment_store, settings.upstream_store, reason=reason)
    for failure in summary.failures:
        logger.warning("⚠️ Not uploaded: %s (%s)", failure.file, failure.error)
    return summary.shortened(MOST_FAILURES)


def _open_source(settings: Settings) -> Source:
    url = settings.source_url or sample.start_database()
    return open_source(url, settings.every_database, settings.statement_timeout_seconds)


def _databases(source: Source, run: Run) -> list[Row]:
    return [row for row in source.databases() if run.filters.keeps_database(row["database_name"])]


def _schemas(source: Source, run: Run, database: Row) -> list[Row]:
    rows = source.schemas(database["database_name"])
    return [row for row in rows if run.filters.keeps_schema(row["schema_name"])]


def _places(source: Source, run: Run) -> Iterator[tuple[str, list[str]]]:
    """Each database with its schemas: what the tables, columns and procedures are read by."""
    for database in _databases(source, run):
        yield database["database_name"], [row["schema_name"] for row in _schemas(source, run, database)]


def _write_raw(typename: str, run: Run, chunks: Iterable[Iterable[Row]], tell: Tell) -> Written:
    """Write the rows of each database as a chunk."""
    settings = get_settings()
    store = open_store(settings.deployment_store, settings.components)
    files = FileSet(store, typename, run.raw_prefix(typename), _stage(settings) if run.upload else None)
    for number, rows in enumerate(chunks):
        write_raw(files, number, rows, lambda count: tell(f"{typename.capitalize()}s", count))
    return files.finish()


def _stage(settings: Settings) -> Callable[[str, bytes], None] | None:
    """What puts a raw file into Atlan's storage before the deployment's own. The upload makes up for what fails here."""
    try:
        upstream: Store = open_store(settings.upstream_store, settings.components)
    except PipelineError as error:
        logger.warning("⚠️ Raw files are not staged to Atlan's storage: %s", error)
        return None

    def put(key: str, content: bytes) -> None:
        try:
            put_bytes(upstream, key, content)
        except StoreError as error:
            logger.warning("⚠️ %s is not staged to Atlan's storage, the upload will try again: %s", key, error)

    return put
