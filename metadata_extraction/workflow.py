"""The order of the steps, run in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from metadata_extraction.activities import (
    fetch_columns,
    fetch_databases,
    fetch_load_history,
    fetch_procedures,
    fetch_schemas,
    fetch_tables,
    preflight_check,
    transform_data,
    upload_to_atlan,
)
from metadata_extraction.models import (
    MigrationSummary,
    Preflight,
    PreflightError,
    Result,
    Run,
    Transformed,
    Written,
)
from metadata_extraction.settings import ExtractionSettings, get_extraction_settings
from runtime.terminal import Progress, logger

FETCHES = {
    "Databases": fetch_databases,
    "Schemas": fetch_schemas,
    "Tables": fetch_tables,
    "Columns": fetch_columns,
    "Procedures": fetch_procedures,
}

UPLOAD_SKIPPED = "Atlan upload skipped for workflow (disabled)"

StepResult = Preflight | Written | Transformed | MigrationSummary
Activity = Callable[..., StepResult]
ACTIVITIES: tuple[Activity, ...] = (
    preflight_check,
    *FETCHES.values(),
    fetch_load_history,
    transform_data,
    upload_to_atlan,
)


def run_in_process(run: Run, settings: ExtractionSettings | None = None) -> Result:
    """All steps, one after the other. What the upload cannot do fails nothing: it is in the result.

    Without settings, they are read from `.env` and the environment. Raises `PreflightError` before anything is read,
    and any `PipelineError` of a step.
    """
    settings = settings or get_extraction_settings()
    preflight = preflight_check(run, settings)
    if preflight.faults:
        raise PreflightError(preflight)
    _tell(preflight)
    written = []
    for label, fetch in FETCHES.items():
        with Progress(label) as progress:
            written.append(fetch(run, settings, progress))
        _tell(written[-1])
    with Progress("Load history") as progress:
        history = fetch_load_history(run, settings, progress)
    if history.rows:
        written.append(history)
        _tell(history)
    with Progress("Entities") as progress:
        transformed = transform_data(run, settings, progress)
    _tell(transformed)
    with Progress("Upload") as progress:
        migration = upload_to_atlan(run, settings, progress)
    if not migration.enabled:  # else it is told at the end
        _tell(migration)
    return Result(run.output_path, [*written, *transformed.written], migration)


def _tell(result: StepResult) -> None:
    for line in describe(result):
        logger.log(logging.WARNING if line.startswith("⚠️") else logging.INFO, line)


def describe(result: StepResult) -> list[str]:
    """What a step did, line by line, for people."""
    if isinstance(result, Preflight):
        return _describe_preflight(result)
    if isinstance(result, Written) and result.typename == "transfer" and not result.rows:
        return []  # most sources have no load history
    if isinstance(result, Written) and result.typename == "schema" and not result.rows:
        return ["⚠️ Schemas: 0, so nothing is below the databases: check INCLUDE_SCHEMAS and EXCLUDE_SCHEMAS"]
    if isinstance(result, Written):
        return [f"📊 {result.typename.capitalize()}s: {result.rows}"]
    if isinstance(result, Transformed):
        return [f"✅ {sum(item.rows for item in result.written)} entities transformed"]
    return describe_migration(result)


def _describe_preflight(preflight: Preflight) -> list[str]:
    if preflight.faults:
        return [f"❌ {fault}" for fault in preflight.faults]
    lines = [f"🔍 {preflight.source} can be read"]
    if preflight.upstream:
        lines.append(f"🔍 Atlan's storage can be written: {preflight.upstream}")
    return [*lines, *(f"⚠️ {warning}" for warning in preflight.warnings)]


def describe_migration(migration: MigrationSummary, what: str = "Atlan upload to") -> list[str]:
    """What became of the files that were moved, line by line, for people."""
    if not migration.enabled:
        return [f"💾 {UPLOAD_SKIPPED}"]
    counts = (
        f"{migration.migrated_files} of {migration.total_files} files moved ({size_in_words(migration.migrated_bytes)}), "
        f"{migration.skipped_files} there already, {migration.failed_migrations} failed"
    )
    lines = [f"{'✅' if migration.complete else '❌'} {what} {migration.destination}: {counts}"]
    if migration.reason:
        lines.append(f"⚠️ {what.rpartition(' ')[0]}: {migration.reason}")
    return lines


def size_in_words(size: float) -> str:
    """A number of bytes for people, in units of a thousand."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
