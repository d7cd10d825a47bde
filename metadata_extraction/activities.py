"""The steps of an extraction: ordinary functions, a `Run` in and a small result out, in-process and on Temporal alike.

Each opens what it needs by the settings that it is given, or, called by hand without, by those of the current folder and
the environment. It leaves its result in the deployment's store under keys that follow from the run, so that a step that
is repeated, here or elsewhere, writes the same files again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from metadata_extraction import sample
from metadata_extraction.atlas import make_entity
from metadata_extraction.components import open_store
from metadata_extraction.load_history import Transfer, make_transfer_events
from metadata_extraction.models import TYPENAMES, Failure, MigrationSummary, Preflight, Run, Transformed, Written
from metadata_extraction.outputs import (
    FileSet,
    newest_events,
    put_bytes,
    read_raw,
    write_events,
    write_raw,
    write_transformed,
)
from metadata_extraction.progress import UNHEARD, StepProgress
from metadata_extraction.rows import SourceRow
from metadata_extraction.settings import ExtractionSettings, get_extraction_settings
from metadata_extraction.sources import Source, SourceError, open_source
from metadata_extraction.stores import ENDING, Store, StoreError
from metadata_extraction.upload import migrate_from_objectstore_to_atlan, note_pending, open_upstream
from runtime.errors import PipelineError
from runtime.terminal import logger, mask

MOST_FAILURES = 100  # how many are passed on; all of them are in the log
HISTORY_KEPT = timedelta(days=365)
# COPY_HISTORY lags by up to two days for a table that has few loads ("COPY_HISTORY view" in Snowflake's reference).
HISTORY_LAG = timedelta(days=3)


def preflight_check(
    run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> Preflight:
    """Whether the source can be read and the stores be written: one sentence for each fault.

    Atlan's storage is looked at where the run has the upload on; what is wrong there ends nothing.
    """
    settings = settings or get_extraction_settings()
    try:
        source = _open_source(settings)
    except PipelineError as error:
        return _masked(Preflight("the source", [str(error)]), settings)
    faults = source.preflight()
    try:
        store = _open_deployment_store(settings)
        _try_to_write(store, run)
        if run.upload:
            note_pending(store, run.output_path)
    except PipelineError as error:
        faults.append(f"The deployment's object store {settings.deployment_store} cannot be written: {error}")
    upstream, warnings = "", []
    if run.upload:
        try:
            store = open_upstream(settings)
            _try_to_write(store, run)
            upstream = store.address
        except PipelineError as error:
            warnings.append(f"Atlan's storage {settings.upstream_store} cannot be written: {error}")
    return _masked(Preflight(source.address, faults, upstream, warnings), settings)


def _try_to_write(store: Store, run: Run) -> None:
    """Leaves nothing; raises `StoreError`."""
    put_bytes(store, f"{run.output_path}/.preflight", b"")
    store.delete(f"{run.output_path}/.preflight")


def fetch_databases(run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD) -> Written:
    """Write the databases that the run's filters keep. Raises `SourceError`, also where there is none of them.

    Like all that fetch, it raises `StoreError` and `ComponentError` for the store, too.
    """
    settings = settings or get_extraction_settings()
    source = _open_source(settings)
    found = _databases(source, run)
    if not found:
        raise SourceError(
            f"{source.address} has no database to crawl: check SOURCE_URL, INCLUDE_ and EXCLUDE_DATABASES."
        )
    return _write_raw("database", run, settings, [found], progress)


def fetch_schemas(run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD) -> Written:
    """Write the schemas of each database that the run's filters keep."""
    settings = settings or get_extraction_settings()
    source = _open_source(settings)
    chunks = (_schemas(source, run, database) for database in _databases(source, run))
    return _write_raw("schema", run, settings, chunks, progress)


def fetch_tables(run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD) -> Written:
    """Write the tables and views of the schemas that are kept."""
    settings = settings or get_extraction_settings()
    source = _open_source(settings)
    return _write_raw("table", run, settings, (source.tables(*place) for place in _places(source, run)), progress)


def fetch_columns(run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD) -> Written:
    """Write the columns of the schemas that are kept."""
    settings = settings or get_extraction_settings()
    source = _open_source(settings)
    return _write_raw("column", run, settings, (source.columns(*place) for place in _places(source, run)), progress)


def fetch_procedures(run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD) -> Written:
    """Write the procedures and functions of the schemas that are kept."""
    settings = settings or get_extraction_settings()
    source = _open_source(settings)
    chunks = (source.procedures(*place) for place in _places(source, run))
    return _write_raw("procedure", run, settings, chunks, progress)


def fetch_load_history(
    run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> Written:
    """Write what the source knows of its loads and exports since the last run, as OpenLineage events.

    They are beside the runs, in the folder of the connection, as main.py reads them all. What the source does not let its
    role read is a warning.
    """
    settings = settings or get_extraction_settings()
    source, store, now = _open_source(settings), _open_deployment_store(settings), datetime.now(timezone.utc)
    newest = newest_events(store, run.history_folder, run.history_prefix)
    since = newest - HISTORY_LAG if newest else now - HISTORY_KEPT
    files = FileSet(store, "transfer", run.history_prefix)
    write_events(files, now, make_transfer_events(_transfers(source, run, since), source.namespace), progress)
    return files.finish()


def transform_data(
    run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> Transformed:
    """Turn every raw row of the run into an Atlas entity; raises `StoreError` and `ComponentError`."""
    store = _open_deployment_store(settings or get_extraction_settings())
    written = []
    for typename in TYPENAMES:
        files = FileSet(store, typename, run.transformed_prefix(typename))
        entities = (make_entity(typename, row, run) for row in read_raw(store, run, typename))
        write_transformed(files, run.workflow_id, entities, progress)
        written.append(files.finish())
    return Transformed(written)


def upload_to_atlan(
    run: Run, settings: ExtractionSettings | None = None, progress: StepProgress = UNHEARD
) -> MigrationSummary:
    """Hand everything below the run's prefix to Atlan's storage. Never raises: the summary tells what went wrong.

    Where the run has the upload off, it does nothing, and the summary says so. It lists at most `MOST_FAILURES` files, as it passes through Temporal. Without settings, it raises `SettingsError`
    where those of the environment are wrong.
    """
    settings = settings or get_extraction_settings()
    if not run.upload:
        return MigrationSummary(run.output_path, settings.deployment_store, settings.upstream_store, enabled=False)
    try:
        summary = migrate_from_objectstore_to_atlan(run.output_path, settings, progress)
    except ENDING:
        raise
    except BaseException as error:
        # Whatever it is: the extraction itself has succeeded, and its files are safe.
        logger.debug("the upload broke off", exc_info=True)
        reason = f"it broke off ({type(error).__name__}: {error})"
        summary = MigrationSummary(run.output_path, settings.deployment_store, settings.upstream_store, reason=reason)
    for failure in summary.failures:
        logger.warning("⚠️ Not uploaded: %s (%s)", failure["file"], failure["error"])
    return _without_secrets(summary.shortened(MOST_FAILURES), settings)


def _without_secrets(summary: MigrationSummary, settings: ExtractionSettings) -> MigrationSummary:
    """What a store or a library says may hold anything, and Temporal keeps it."""
    settings.apply_to_log()
    failures = [Failure(file=mask(failure["file"]), error=mask(failure["error"])) for failure in summary.failures]
    return replace(
        summary,
        failures=failures,
        reason=mask(summary.reason),
        source=mask(summary.source),
        destination=mask(summary.destination),
    )


def _masked(preflight: Preflight, settings: ExtractionSettings) -> Preflight:
    settings.apply_to_log()
    return Preflight(
        mask(preflight.source),
        [mask(fault) for fault in preflight.faults],
        mask(preflight.upstream),
        [mask(warning) for warning in preflight.warnings],
    )


def _open_source(settings: ExtractionSettings) -> Source:
    url = settings.source_url or sample.start_database()
    return open_source(url, settings.every_database, settings.statement_timeout_seconds)


def _open_deployment_store(settings: ExtractionSettings) -> Store:
    return open_store(settings.deployment_store, settings.components, settings.environment)


def _databases(source: Source, run: Run) -> list[SourceRow]:
    return [row for row in source.databases() if run.filters.keeps_database(row["database_name"])]


def _schemas(source: Source, run: Run, database: SourceRow) -> list[SourceRow]:
    rows = source.schemas(database["database_name"])
    return [row for row in rows if run.filters.keeps_schema(row["schema_name"])]


def _places(source: Source, run: Run) -> Iterator[tuple[str, list[str]]]:
    """Each database with its schemas: what the tables, columns and procedures are read by."""
    for database in _databases(source, run):
        yield database["database_name"], [row["schema_name"] for row in _schemas(source, run, database)]


def _transfers(source: Source, run: Run, since: datetime) -> Iterator[Transfer]:
    for database, schemas in _places(source, run):
        yield from source.transfers(database, schemas, since)


def _write_raw(
    typename: str,
    run: Run,
    settings: ExtractionSettings,
    chunks: Iterable[Iterable[SourceRow]],
    progress: StepProgress,
) -> Written:
    """Write the rows of each database as a chunk."""
    stage = _stage(settings) if run.upload else None
    files = FileSet(_open_deployment_store(settings), typename, run.raw_prefix(typename), stage)
    for number, rows in enumerate(chunks):
        write_raw(files, number, rows, progress)
    return files.finish()


def _stage(settings: ExtractionSettings) -> Callable[[str, bytes], None] | None:
    """What puts a raw file into Atlan's storage before the deployment's own. The upload makes up for what fails here."""
    try:
        upstream = open_upstream(settings)
    except PipelineError as error:
        logger.warning("⚠️ Raw files are not staged to Atlan's storage: %s", error)
        return None

    def put(key: str, content: bytes) -> None:
        try:
            put_bytes(upstream, key, content)
        except StoreError as error:
            logger.warning("⚠️ %s is not staged to Atlan's storage, the upload will try again: %s", key, error)

    return put
