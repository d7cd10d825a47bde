"""The steps in this process: what the person at the terminal sees, also where a step fails."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tqdm
from temporalio.converter import DataConverter
from upload_world import LOCAL

from metadata_extraction.activities import MOST_FAILURES, preflight_check, upload_to_atlan
from metadata_extraction.models import Failure, Filters, MigrationSummary, Preflight, Run
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings
from metadata_extraction.sources import SourceError
from metadata_extraction.upload import PENDING, migrate_from_objectstore_to_atlan
from metadata_extraction.workflow import UPLOAD_SKIPPED, PreflightError, describe, run_in_process, size_in_words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(empty_folder: Path, make_database: Callable[..., str]) -> ExtractionSettings:
    (empty_folder / "components").mkdir()
    (empty_folder / "components/objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=empty_folder / "o"))
    url = make_database("create table t (a integer)")
    return check_extraction_settings({"SOURCE_URL": url, "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1"})


def run_of(filters: Filters, upload: bool = False) -> Run:
    return Run("nightly", "1", "shop", "default/postgres/1", filters, upload)


def test_each_step_has_a_bar_and_none_is_left(settings: ExtractionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    run_in_process(run_of(Filters()), settings)
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    for label in ("Databases", "Schemas", "Tables", "Columns", "Procedures", "Entities"):
        assert f"{label}: " in shown
    assert len(tqdm.tqdm._instances) == 0


def test_a_step_that_fails_leaves_no_bar_open(settings: ExtractionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(SourceError, match="has no database to crawl: check SOURCE_URL, INCLUDE_ and EXCLUDE_DATABASES"):
        run_in_process(run_of(Filters(include_databases="another")), settings)
    assert len(tqdm.tqdm._instances) == 0


def test_a_store_that_cannot_be_written_ends_the_run_before_anything_is_read(
    settings: ExtractionSettings, empty_folder: Path
) -> None:
    (empty_folder / "o").write_text("no folder")
    with pytest.raises(PreflightError) as caught:
        run_in_process(run_of(Filters()), settings)
    (fault,) = caught.value.faults
    assert fault.startswith(
        "The deployment's object store objectstore cannot be written: it cannot be written to local"
    )


def test_the_preflight_leaves_no_file(settings: ExtractionSettings, empty_folder: Path) -> None:
    result = run_in_process(run_of(Filters(exclude_schemas=".*")), settings)
    assert result.migration == MigrationSummary(result.output_path, enabled=False)
    assert not result.migration.complete
    names = [path.name for path in (empty_folder / "o").rglob("*") if path.is_file()]
    assert sorted(names) == ["chunk-0-part0.parquet", "nightly_transformed_database_0.json"]


def test_an_upload_that_cannot_be_tried_fails_no_run(settings: ExtractionSettings) -> None:
    migration = run_in_process(run_of(Filters(), upload=True), settings).migration
    assert "so nothing would reach Atlan: set UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore" in migration.reason


@pytest.mark.parametrize("upload", [True, False])
def test_atlans_storage_gets_files_where_the_upload_is_on(
    settings: ExtractionSettings, empty_folder: Path, upload: bool
) -> None:
    (empty_folder / "components/atlan.yaml").write_text(LOCAL.format(name="atlan", root=empty_folder / "a"))
    result = run_in_process(run_of(Filters(), upload), replace(settings, upstream_store="atlan"))
    arrived = {path.name for path in (empty_folder / "a").rglob("*") if path.is_file()}
    if upload:
        assert result.migration.complete
        # What the raw files are, they were staged as: there, with the same content, before the upload came.
        assert result.migration.skipped_files == sum(item.files for item in result.written if "/raw/" in item.prefix)
        assert "_manifest.json" in arrived
    else:
        assert (result.migration.enabled, arrived) == (False, set())


def test_the_preflight_looks_at_atlans_storage_where_the_upload_is_on(
    settings: ExtractionSettings, empty_folder: Path
) -> None:
    """What is wrong there ends nothing, as an upload fails no run."""
    atlan = replace(settings, upstream_store="atlan")
    (empty_folder / "components/atlan.yaml").write_text(LOCAL.format(name="atlan", root=empty_folder / "a"))
    (empty_folder / "o").mkdir()
    asked = [(run_of(Filters(), upload), chosen) for upload in (True, False) for chosen in (settings, atlan)]
    same, good, *off = [preflight_check(run, chosen) for run, chosen in asked]
    (warning,) = same.warnings
    assert warning.startswith("Atlan's storage objectstore cannot be written: UPSTREAM_OBJECT_STORE_NAME and")
    assert (good.upstream, good.warnings) == (f"local folder {empty_folder / 'a'}", [])
    assert [(found.upstream, found.warnings) for found in off] == [("", []), ("", [])]
    assert not any(found.faults for found in (same, good, *off))
    # Only that the upload is still to come.
    left = [path.relative_to(empty_folder).as_posix() for path in empty_folder.glob("[ao]/**/*") if path.is_file()]
    assert left == [f"o/{run_of(Filters()).output_path}/{PENDING}"]
    shutil.rmtree(empty_folder / "a")
    (empty_folder / "a").write_text("no folder")
    (warning,) = preflight_check(run_of(Filters(), True), atlan).warnings
    assert warning.startswith("Atlan's storage atlan cannot be written: it cannot be written to local folder")


def test_what_the_preflight_finds_is_told(
    settings: ExtractionSettings, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.apply_to_log()
    assert not run_in_process(run_of(Filters(), True), settings).migration.complete
    assert "⚠️ Atlan's storage objectstore cannot be written: " in capsys.readouterr().out
    (empty_folder / "components/atlan.yaml").write_text(LOCAL.format(name="atlan", root=empty_folder / "a"))
    run_in_process(run_of(Filters(), True), replace(settings, upstream_store="atlan"))
    said = capsys.readouterr().out
    assert f"🔍 Atlan's storage can be written: local folder {empty_folder / 'a'}\n" in said
    assert UPLOAD_SKIPPED not in said
    run_in_process(run_of(Filters()), settings)
    assert f"💾 {UPLOAD_SKIPPED}\n" in capsys.readouterr().out
    assert describe(Preflight("s", ["it is gone", "it is full"])) == ["❌ it is gone", "❌ it is full"]


def test_an_upload_passes_on_some_failures_and_no_secret(settings: ExtractionSettings, empty_folder: Path) -> None:
    (empty_folder / "components/objectstore.yaml").write_text(LOCAL.format(name="objectstore", root="hush-hush/o"))
    folder = empty_folder / "hush-hush/o" / run_of(Filters()).output_path
    folder.mkdir(parents=True)
    settings = replace(settings, upstream_store="hush-hush", environment={"ATLAN_AUTH_CLIENT_SECRET": "hush-hush"})
    for number in range(MOST_FAILURES + 1):
        (folder / f"{number}.json").write_text("{}")
    summary = upload_to_atlan(run_of(Filters(), True), settings)
    assert (summary.failed_migrations, len(summary.failures)) == (MOST_FAILURES + 1, MOST_FAILURES)
    assert "The object store *** is not registered" in summary.reason
    assert "The object store *** is not registered" in summary.failures[0]["error"]


def test_a_summary_in_lines() -> None:
    whole = MigrationSummary("p", "here", "there", 3, 2, 1, 0, 2500)
    assert describe(whole) == ["✅ Atlan upload to there: 2 of 3 files moved (2.5 kB), 1 there already, 0 failed"]
    failed = MigrationSummary("p", "here", "there", 2, 1, 0, 1, 7, [Failure(file="k", error="no")], "why")
    assert describe(failed) == [
        "❌ Atlan upload to there: 1 of 2 files moved (7 bytes), 0 there already, 1 failed",
        "⚠️ Atlan upload: why",
    ]


def test_a_summary_is_as_the_documentation_of_the_upload_has_it(
    settings: ExtractionSettings, empty_folder: Path
) -> None:
    """Its fields, their defaults, failures as dictionaries, and the stores by the names of their components."""
    assert dataclasses.asdict(MigrationSummary()).items() >= {
        "total_files": 0, "migrated_files": 0, "failed_migrations": 0, "failures": [], "prefix": "",
        "source": "objectstore", "destination": "objectstore",
    }.items()  # fmt: skip
    (empty_folder / "components/atlan.yaml").write_text(LOCAL.format(name="atlan-objectstore", root=empty_folder / "a"))
    settings = replace(settings, upstream_store="atlan-objectstore")
    folder = empty_folder / "o/x"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to("nowhere")
    stopped = migrate_from_objectstore_to_atlan("y/", settings)
    partly = migrate_from_objectstore_to_atlan("x/", settings)
    unknown = migrate_from_objectstore_to_atlan(
        "x", replace(settings, upstream_store="atlan-storage", components=folder)
    )
    for summary, prefix in ((stopped, "y"), (partly, "x")):
        assert (summary.prefix, summary.source, summary.destination) == (prefix, "objectstore", "atlan-objectstore")
    assert (unknown.source, unknown.destination) == ("objectstore", "atlan-storage")
    assert partly.failures[0]["file"] == "x/link"
    assert json.loads(json.dumps(partly.failures)) == partly.failures
    payloads = DataConverter.default.payload_converter.to_payloads([partly])
    assert DataConverter.default.payload_converter.from_payloads(payloads, [MigrationSummary]) == [partly]


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (999_999_999, "1000.0 MB"), (3e9, "3.0 GB"), (5e12, "5000.0 GB")],
)  # fmt: skip
def test_sizes_in_words(size: float, words: str) -> None:
    assert size_in_words(size) == words


@pytest.mark.parametrize(
    ("total", "failed", "reason", "complete"),
    [(1, 0, "", True), (0, 0, "", False), (2, 1, "", False), (2, 0, "no manifest", False)],
)
def test_an_upload_is_complete_where_every_file_is_there_and_there_was_one(
    total: int, failed: int, reason: str, complete: bool
) -> None:
    assert MigrationSummary("p", "a", "b", total, total - failed, 0, failed, 0, [], reason).complete is complete


def test_a_shortened_summary_keeps_the_number_of_failures() -> None:
    summary = MigrationSummary(
        "p", "a", "b", 3, 0, 0, 3, 0, [Failure(file=str(number), error="") for number in range(3)]
    )
    short = summary.shortened(2)
    assert ([failure["file"] for failure in short.failures], short.failed_migrations) == (["0", "1"], 3)
