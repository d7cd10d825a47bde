"""The order of the steps, run in this process."""

from __future__ import annotations

from metadata_extraction.activities import (
    fetch_columns,
    fetch_databases,
    fetch_procedures,
    fetch_schemas,
    fetch_tables,
    preflight_check,
    transform_data,
    upload_to_atlan,
)
from metadata_extraction.models import MigrationSummary, Preflight, Result, Run
from runtime.errors import PipelineError
from runtime.terminal import Progress, logger

FETCHES = (fetch_databases, fetch_schemas, fetch_tables, fetch_columns, fetch_procedures)

UPLOAD_SKIPPED = "Atlan upload skipped for workflow (disabled)"


class PreflightError(PipelineError):
    """The source or the store cannot be used; one sentence for each fault."""

    def __init__(self, preflight: Preflight) -> None:
        super().__init__("\n".join(preflight.faults))
        self.faults = tuple(preflight.faults)


def run_in_process(run: Run) -> Result:
    """All steps, one after the other. What the upload cannot do fails nothing: it is in the result."""
    preflight = preflight_check(run)
    if preflight.faults:
        raise PreflightError(preflight)
    logger.info("🔍 %s can be read", preflight.source)
    written = []
    for fetch in FETCHES:
        with _Bar() as bar:
            written.append(fetch(run, bar.tell))
        logger.info("📊 %ss: %d", written[-1].typename.capitalize(), written[-1].rows)
    with _Bar() as bar:
        transformed = transform_data(run, bar.tell)
    logger.info("✅ %d entities transformed", sum(item.rows for item in transformed.written))
    if not run.upload:
        logger.info("💾 %s", UPLOAD_SKIPPED)
        return Result(run.output_path, [*written, *transformed.written], None)
    with _Bar() as bar:
        migration = upload_to_atlan(run, bar.tell)
    return Result(run.output_path, [*written, *transformed.written], migration)


class _Bar:
    """Shows a step's progress under the label that the step itself gives."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __enter__(self) -> _Bar:
        return self

    def tell(self, label: str, count: int, size: int = 0, total: int | None = None) -> None:
        if self._progress is None:
            self._progress = Progress(label, total)
        self._progress.advance(count, size)

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.finish()


def describe(migration: MigrationSummary) -> list[str]:
    """The summary of an upload, line by line, for people."""
    counts = (
        f"{migration.migrated_files} of {migration.total_files} files moved ({size_in_words(migration.migrated_bytes)}), "
        f"{migration.skipped_files} there already, {migration.failed_migrations} failed"
    )
    lines = [f"{'✅' if migration.complete else '❌'} Atlan upload to {migration.destination}: {counts}"]
    if migration.reason:
        lines.append(f"⚠️ Atlan upload: {migration.reason}")
    return lines


def size_in_words(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
