"""`python -m metadata_extraction`: run an extraction here, or on Temporal; upload a run again."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from metadata_extraction.components import open_store
from metadata_extraction.models import MigrationSummary, Result, Run, check_id
from metadata_extraction.settings import Settings, get_settings
from runtime.embedded import start_sandbox
from runtime.errors import PipelineError, SettingsError
from runtime.terminal import logger, say_error

DONE, FAILED, WRONG_SETTING, UPLOAD_INCOMPLETE, STOPPED = 0, 1, 2, 3, 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m metadata_extraction",
        description="Extract the metadata of a SQL source, keep it, and hand it to Atlan when asked.",
        epilog="Settings come from the environment and .env; README.md lists them. Exit code: 0 all is done, 1 it failed, "
        "2 a setting is wrong, 3 extracted, but not all of it is uploaded.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="extract in this process")
    run.add_argument("--workflow-id", default="extraction", help="names the folder of its files (default: extraction)")
    run.add_argument("--run-id", help="names this run's folder (default: the time)")
    commands.add_parser("worker", help="work on Temporal's task queue until stopped")
    start = commands.add_parser("start", help="start an extraction on Temporal and wait for it")
    start.add_argument("--workflow-id", default="extraction", help="its id in Temporal (default: extraction)")
    upload = commands.add_parser("upload", help="upload an earlier run's files; moves only what is missing")
    upload.add_argument("prefix", help="the run's prefix, like artifacts/apps/delta-arc/workflows/extraction/1")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = build_parser().parse_args(argv)
    try:
        settings = get_settings()
        if settings.use_sandbox and options.command in ("run", "upload"):
            use_sandbox()
        if options.command == "run":
            return extract(settings, options.workflow_id, options.run_id or _new_run_id())
        if options.command == "upload":
            return upload_again(options.prefix)
        return on_temporal(settings, options)
    except SettingsError as error:
        for fault in error.faults:
            say_error(fault)
        return WRONG_SETTING
    except PipelineError as error:
        for line in str(error).splitlines():
            say_error(line)
        return FAILED
    except ImportError as error:
        say_error(f"{error.name} is missing: pip install -r metadata_extraction/requirements.txt")
        return WRONG_SETTING
    except KeyboardInterrupt:
        say_error("Stopped; the same workflow and run id again finish it: what is written stays.")
        return STOPPED


def use_sandbox() -> None:
    """Hand what is extracted to the embedded sandbox's storage. Keys that are set win over the sandbox's own."""
    tenant = start_sandbox()
    os.environ["COMPONENTS_PATH"] = str(tenant.components)
    os.environ["UPSTREAM_OBJECT_STORE_NAME"] = "atlan-storage"
    os.environ.setdefault("ATLAN_AUTH_CLIENT_ID", tenant.storage_key[0])
    os.environ.setdefault("ATLAN_AUTH_CLIENT_SECRET", tenant.storage_key[1])
    logger.info(
        "🏖️ No source is set: handing the sample to the embedded sandbox (its state is in %s)", tenant.folder.name
    )


def extract(settings: Settings, workflow_id: str, run_id: str) -> int:
    from metadata_extraction.workflow import run_in_process

    run = make_run(settings, workflow_id, run_id)
    if settings.sample:
        logger.info("🏖️ No source is set: using the embedded PostgreSQL with the sample tables")
    result = run_in_process(run)
    if settings.use_sandbox and result.migration and result.migration.complete:
        publish_in_sandbox()
    return show(result, open_store(settings.deployment_store, settings.components).address)


def upload_again(prefix: str) -> int:
    from metadata_extraction.upload import migrate_from_objectstore_to_atlan

    migration = migrate_from_objectstore_to_atlan(prefix)
    for failure in migration.failures:
        logger.warning("⚠️ Not uploaded: %s (%s)", failure.file, failure.error)
    return show_migration(migration)


def on_temporal(settings: Settings, options: argparse.Namespace) -> int:
    import asyncio

    from metadata_extraction import temporal

    if options.command == "worker":
        asyncio.run(temporal.work(settings))
        return DONE
    run = make_run(settings, options.workflow_id, "by-temporal")
    return show(asyncio.run(temporal.start(settings, run)), f"the workers' store {settings.deployment_store}")


def make_run(settings: Settings, workflow_id: str, run_id: str) -> Run:
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
    )


def publish_in_sandbox() -> None:
    """Let the sandbox publish what has arrived now, as it ends with this process."""
    from urllib.request import ProxyHandler, Request, build_opener

    tenant = start_sandbox()
    request = Request(f"{tenant.base_url}/_sandbox/publish", method="POST")
    with build_opener(ProxyHandler({})).open(request, timeout=600) as answer:
        published = json.load(answer)
    for refusal in published["refused"]:
        logger.warning("⚠️ Not published: %s", refusal)
    logger.info("🏖️ The sandbox's tenant has published %d assets from %d files", published["assets"], published["files"])


def show(result: Result, store: str) -> int:
    """Tell what was written where, and how the upload went; returns the exit code."""
    from metadata_extraction.workflow import size_in_words

    logger.info("💾 Written to %s, below %s (rows, files, size):", store, result.output_path)
    for written in result.written:
        folder = written.prefix.removeprefix(f"{result.output_path}/")
        size = size_in_words(written.bytes)
        logger.info("   %-22s %8d %4d  %s", folder, written.rows, written.files, size)
    if result.migration is None:
        logger.info("✅ Done: all data is local")
        return DONE
    return show_migration(result.migration)


def show_migration(migration: MigrationSummary) -> int:
    from metadata_extraction.workflow import describe

    for line in describe(migration):
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
