"""`python -m metadata_extraction`: run an extraction here, or on Temporal; check what it needs; upload a run again, bring it
back, remove it."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from metadata_extraction.check import check_extraction
from metadata_extraction.components import open_store
from metadata_extraction.models import MigrationSummary, PreflightError, Result, Run, check_id
from metadata_extraction.settings import ExtractionSettings, get_extraction_settings
from runtime.embedded import start_sandbox
from runtime.errors import PipelineError, SettingsError
from runtime.findings import tell_findings
from runtime.terminal import Progress, logger, say_error

DONE, FAILED, WRONG_SETTING, UPLOAD_INCOMPLETE, STOPPED = 0, 1, 2, 3, 130


def build_extraction_parser() -> argparse.ArgumentParser:
    """The options and commands of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m metadata_extraction",
        description="Extract the metadata of a SQL source, keep it, and hand it to Atlan when asked.",
        epilog="Settings come from the environment and .env; metadata_extraction/README.md lists them. Exit code: 0 all is "
        "done, 1 it failed, 2 a setting is wrong, 3 extracted, but not all of it is uploaded (or restored).",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_command = partial(commands.add_parser, allow_abbrev=False)
    run = add_command("run", help="extract in this process")
    run.add_argument("--workflow-id", default="extraction", help="names the folder of its files (default: extraction)")
    run.add_argument("--run-id", help="names this run's folder (default: the time)")
    worker = add_command("worker", help="work on Temporal's task queue until stopped")
    worker.add_argument(
        "--alive-file", type=Path, metavar="FILE", help="touch this file every few seconds, for a probe of its age"
    )
    start = add_command("start", help="start an extraction on Temporal and wait for it")
    start.add_argument("--workflow-id", default="extraction", help="its id in Temporal (default: extraction)")
    upload = add_command("upload", help="upload an earlier run's files; moves only what is missing")
    restore = add_command(
        "restore", help="bring a run's files back from Atlan's storage; leaves what is there as it is"
    )
    for command in (upload, restore):
        command.add_argument("prefix", help="the run's prefix, like artifacts/apps/delta-arc/workflows/extraction/1")
    add_command("check", help="try what a run needs, line by line, and write nothing")
    clean = add_command(
        "clean", help="remove old runs from the deployment's store, but none whose upload is incomplete"
    )
    clean.add_argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="DAYS",
        help="runs not written to for so many days (1 or more)",
    )
    clean.add_argument("--dry-run", action="store_true", help="show what would be removed, and remove nothing")
    return parser


def _days(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", text):
        raise argparse.ArgumentTypeError(f"{text} is no number of days: use 1 or more, like 30")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = build_extraction_parser().parse_args(argv)
    try:
        settings = get_extraction_settings()
        if options.command in ("upload", "restore") and not settings.enable_atlan_upload:
            logger.info("💾 ENABLE_ATLAN_UPLOAD is off; as it is asked for, %s works all the same", options.command)
            settings = replace(settings, enable_atlan_upload=True)
        to_sandbox = settings.use_sandbox and options.command in ("run", "upload", "restore", "clean")
        if to_sandbox:
            settings = use_sandbox(settings)
        if options.command == "check":
            return DONE if tell_findings(check_extraction(settings)) else FAILED
        if options.command == "run":
            return extract(settings, options.workflow_id, options.run_id or _new_run_id(), publish=to_sandbox)
        if options.command == "upload":
            return upload_again(settings, options.prefix)
        if options.command == "restore":
            return restore_run(settings, options.prefix)
        if options.command == "clean":
            return remove_old_runs(settings, options.older_than, options.dry_run)
        return on_temporal(settings, options)
    except SettingsError as error:
        for fault in error.faults:
            say_error(fault)
        return WRONG_SETTING
    except PreflightError as error:
        for fault in error.faults:
            say_error(fault)
        return FAILED
    except PipelineError as error:
        say_error(str(error))
        return FAILED
    except ImportError as error:
        say_error(f"{error.name} is missing: pip install -r metadata_extraction/requirements.txt")
        return WRONG_SETTING
    except KeyboardInterrupt:
        say_error("Stopped; the same workflow and run id again finish it: what is written stays.")
        return STOPPED


def use_sandbox(settings: ExtractionSettings) -> ExtractionSettings:
    """The settings that hand what is extracted to the embedded sandbox's storage. Keys that are set win over its own.

    Raises `SettingsError` where the sandbox cannot be used here, with the setting that names another store.
    """
    try:
        tenant = start_sandbox()
    except SettingsError as error:
        other = "Or name Atlan's own storage: UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore."
        raise SettingsError([*error.faults, other]) from None
    key_id, key_secret = tenant.storage_key
    settings = replace(
        settings,
        components=tenant.components,
        upstream_store="atlan-storage",
        environment={
            "ATLAN_AUTH_CLIENT_ID": key_id, "ATLAN_AUTH_CLIENT_SECRET": key_secret, **settings.environment
        },
    )  # fmt: skip
    settings.apply_to_log()  # one more secret
    logger.info(
        "🏖️ No source is set: handing the sample to the embedded sandbox (its state is in %s)", tenant.folder.name
    )
    return settings


def extract(settings: ExtractionSettings, workflow_id: str, run_id: str, publish: bool) -> int:
    """Run all steps in this process, and tell what they did; `publish` is for the sandbox. Returns the exit code."""
    from metadata_extraction.workflow import run_in_process

    run = make_run(settings, workflow_id, run_id)
    if settings.sample:
        logger.info("🏖️ No source is set: using the embedded PostgreSQL with the sample tables")
    result = run_in_process(run, settings)
    if publish and result.migration.complete:
        publish_in_sandbox()
    store = open_store(settings.deployment_store, settings.components, settings.environment)
    return show_result(result, store.address)


def upload_again(settings: ExtractionSettings, prefix: str) -> int:
    """Upload what an earlier run has left below a prefix; returns the exit code."""
    from metadata_extraction.upload import migrate_from_objectstore_to_atlan

    migration = migrate_from_objectstore_to_atlan(prefix, settings)
    for failure in migration.failures:
        logger.warning("⚠️ Not uploaded: %s (%s)", failure["file"], failure["error"])
    return show_migration(migration)


def restore_run(settings: ExtractionSettings, prefix: str) -> int:
    """Bring what was uploaded below a prefix back; returns the exit code."""
    from metadata_extraction.upload import restore_from_atlan

    with Progress("Restore") as progress:
        restored = restore_from_atlan(prefix, settings, progress)
    for failure in restored.failures:
        logger.warning("⚠️ Not restored: %s (%s)", failure["file"], failure["error"])
    return show_migration(restored, "Restored from Atlan to")


def remove_old_runs(settings: ExtractionSettings, older_than_days: int, dry_run: bool) -> int:
    """Remove runs from the deployment's store, and tell which, and which stay; returns the exit code."""
    from metadata_extraction.retention import StoredRun, clean
    from metadata_extraction.workflow import size_in_words

    def tell(what: str, run: StoredRun) -> None:
        logger.info("💾 %s %s (%d files, %s)", what, run.prefix, len(run.files), size_in_words(run.bytes))

    found = clean(settings, older_than_days, dry_run)
    for run in found.removed:
        tell("Would remove" if dry_run else "Removed", run)
    for run, reason in found.kept:
        logger.warning("⚠️ Kept %s: %s", run.prefix, reason)
    for run, error in found.failed:
        say_error(f"{run.prefix} cannot be removed: {error}")
    logger.info(
        "%s %d runs %s (%s), %d kept, %d failed, %d younger than %d days",
        "❌" if found.failed else "✅", len(found.removed), "to remove" if dry_run else "removed",
        size_in_words(sum(run.bytes for run in found.removed)), len(found.kept), len(found.failed), found.young,
        older_than_days,
    )  # fmt: skip
    return FAILED if found.failed else DONE


def on_temporal(settings: ExtractionSettings, options: argparse.Namespace) -> int:
    """The commands `worker` and `start`; returns the exit code."""
    import asyncio

    from metadata_extraction import temporal
    from metadata_extraction.workflow import UPLOAD_SKIPPED

    if options.command == "worker":
        asyncio.run(temporal.work_on_queue(settings, options.alive_file))
        return DONE
    run = make_run(settings, options.workflow_id, "by-temporal")
    result = asyncio.run(temporal.run_on_temporal(settings, run))
    if not result.migration.enabled:
        logger.info("💾 %s", UPLOAD_SKIPPED)
    return show_result(result, f"the workers' store {settings.deployment_store}")


def make_run(settings: ExtractionSettings, workflow_id: str, run_id: str) -> Run:
    """The run that settings and ids make; raises `SettingsError` where an id cannot be a part of a key."""
    for name, value in (("--workflow-id", workflow_id), ("--run-id", run_id)):
        if not check_id(value):
            raise SettingsError([f"{name} is {value}: use letters, digits, and any of - _ . : = @"])
    return Run(
        workflow_id=workflow_id,
        run_id=run_id,
        connection_name=settings.connection_name,
        connection_qualified_name=settings.connection_qualified_name,
        filters=settings.filters,
        upload=settings.enable_atlan_upload,
        deployment=settings.deployment,
    )


def publish_in_sandbox() -> None:
    """Let the sandbox publish what has arrived now, as it ends with this process."""
    from urllib.request import ProxyHandler, Request, build_opener

    tenant = start_sandbox()
    headers = {"Authorization": f"Bearer {tenant.api_token}"}
    request = Request(f"{tenant.base_url}/_sandbox/publish", headers=headers, method="POST")
    with build_opener(ProxyHandler({})).open(request, timeout=600) as answer:
        published = json.load(answer)
    for refusal in published["refused"]:
        logger.warning("⚠️ Not published: %s", refusal)
    logger.info("🏖️ The sandbox's tenant has published %d assets from %d files", published["assets"], published["files"])


def show_result(result: Result, store: str) -> int:
    """Tell what was written where, and how the upload went; returns the exit code."""
    from metadata_extraction.workflow import size_in_words

    logger.info("💾 Written to %s, below %s (rows, files, size):", store, result.output_path)
    for written in result.written:
        folder = written.prefix.removeprefix(f"{result.output_path}/")
        size = size_in_words(written.bytes)
        logger.info("   %-22s %8d %4d  %s", folder, written.rows, written.files, size)
    if not result.migration.enabled:
        logger.info("✅ Done: all data is local")
        return DONE
    return show_migration(result.migration)


def show_migration(migration: MigrationSummary, what: str = "Atlan upload to") -> int:
    """Tell how an upload went, or a restore; returns the exit code."""
    from metadata_extraction.workflow import describe_migration

    for line in describe_migration(migration, what):
        logger.info(line)
    return DONE if migration.complete else UPLOAD_INCOMPLETE


def _new_run_id() -> str:
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _leave(code: int) -> None:
    """End the process with this exit code, whatever a library does to an interpreter that ends.

    Temporal's has threads that abort it now and then, so that the exit code would be another one.
    """
    if "temporalio" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
