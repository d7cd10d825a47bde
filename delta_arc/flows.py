"""The flows of a command: read together, run one after the other, and told together.

A flow that fails does not stop the others. Each is a run of its own, with settings, caches and a page of its own; what
they share is the process, the limit of requests to a tenant, and the assets of a connection that several of them name.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from delta_arc.endings import Ending, exit_code, judge_all, mark_of
from delta_arc.flows_page import PAGE, write_flows_page
from delta_arc.options import RunOptions, check_combinations, faults_of_files, file_of_flow, name_of_flow
from delta_arc.page import mark_page
from delta_arc.run_report import (
    STDOUT,
    RunRecord,
    describe_check,
    describe_flows,
    describe_run,
    tell_counts,
    write_report,
)
from delta_arc.settings import LARGEST_CACHE, Inventory, Settings, settings_in, show_log
from delta_arc.state import AtlanState, Reading
from runtime.environment import ENV_FILE, read_environment, secrets_in
from runtime.errors import PipelineError, SettingsError
from runtime.files import read_small_file, replace_file
from runtime.stopping import Terminated, stopped_by_sigterm
from runtime.terminal import NOTICE, OWN_WORDS, logger, mask, say_error, show_less
from runtime.version import read_version

STOPPED = "Stopped; run it again to finish: what is written stays, and nothing is written twice."


def run_flows(options: argparse.Namespace, run: Callable[[argparse.Namespace, RunRecord, Settings], Ending]) -> int:
    """Do with each flow what the options say, by `run`; tell what became of them, and return the exit code."""
    flows = [RunRecord(name_of_flow(path), path) for path in options.env_file] or [RunRecord()]
    whole = flows[0] if len(flows) == 1 else RunRecord()
    with stopped_by_sigterm() as shield:
        # Where the report goes to stdout, nothing else does.
        with contextlib.redirect_stdout(sys.stderr) if options.json == STDOUT else contextlib.nullcontext():
            try:
                _run_all(whole, flows, options, run)
            except KeyboardInterrupt as stop:
                _note_stop(whole, flows, Ending.TERMINATED if isinstance(stop, Terminated) else Ending.STOPPED)
            shield()
            if whole.ending is Ending.NOT_RUN:
                whole.ending = judge_all([flow.ending for flow in flows])
            whole.finish()
            for flow in flows:
                if flow.document is None and (options.json or len(flows) > 1):
                    _close(flow, options)
            if len(flows) > 1:
                write_flows_page(_page_of(flows, options), flows)
                _tell_all(whole, flows)
        code = exit_code(whole.ending, options.detailed_exitcode)
        if not options.json:
            return code
        described = [flow.document for flow in flows if flow.document]
        document = described[0] if len(flows) == 1 else describe_flows(whole, code, described, read_version())
        return code if write_report(document, options.json) else 1


def _close(flow: RunRecord, options: argparse.Namespace) -> None:
    """Keep of a flow what is told of it, and let go of its plan and report, which may be large."""
    is_dry = options.dry_run or options.plan is not None
    code = None if flow.ending is Ending.NOT_RUN else exit_code(flow.ending, options.detailed_exitcode)
    if options.check:
        flow.document = describe_check(flow, code, read_version())
    else:
        flow.document = describe_run(flow, code, is_dry, read_version())
    flow.plan = flow.report = None
    flow.noted = {}


def _page_of(flows: Sequence[RunRecord], options: argparse.Namespace) -> Path | None:
    """Where the page that lists the flows goes; there is one where flows have pages, and what is done changes these."""
    is_run = not (options.check or options.cache_status or options.clear_cache or options.remove_lineage)
    has_page = any(flow.settings and flow.settings.lineage_page for flow in flows)
    return PAGE if is_run and has_page and len(flows) > 1 else None


# =====================================================================================================================
# Running
# =====================================================================================================================


def _run_all(
    whole: RunRecord,
    flows: Sequence[RunRecord],
    options: argparse.Namespace,
    run: Callable[[argparse.Namespace, RunRecord, Settings], Ending],
) -> None:
    try:
        check_combinations(options)
    except SettingsError as error:
        whole.errors += error.faults
        whole.ending = Ending.WRONG_SETTING
        _say_errors(whole)
        return
    secrets = _read_settings(flows, options)
    _share(flows)
    _warn_of_overlaps([flow for flow in flows if flow.settings and not flow.errors])
    mark_page(_page_of(flows, options))
    for number, flow in enumerate(flows, 1):
        if flow.settings:
            show_log(flow.settings, secrets)
        if options.quiet:
            show_less()
        if len(flows) > 1:
            logger.log(NOTICE, "== %s (%s), %d of %d", flow.name, flow.env_file, number, len(flows))
        flow.begin()
        try:
            flow.ending = _run_to_its_end(flow, options, run)
        finally:
            flow.finish()
        _say_errors(flow)
        if len(flows) > 1:
            _close(flow, options)


def _run_to_its_end(
    flow: RunRecord,
    options: argparse.Namespace,
    run: Callable[[argparse.Namespace, RunRecord, Settings], Ending],
) -> Ending:
    """Run one flow, and note what went wrong."""
    if flow.settings is None or flow.errors:
        return Ending.WRONG_SETTING
    try:
        return run(options, flow, flow.settings)
    except SettingsError as error:
        flow.errors += error.faults
        return Ending.WRONG_SETTING
    except PipelineError as error:
        flow.errors.append(str(error))
    except Exception as error:  # a fault of ours, which is to stop no other flow, and to be in the report
        logger.debug("❌ %s", flow.name, exc_info=True)
        flow.errors.append(
            f"Delta Arc has a fault ({type(error).__name__}: {error}): run it with LOG_LEVEL=DEBUG, and report what that shows."
        )
    return Ending.FAILED


def _note_stop(whole: RunRecord, flows: Sequence[RunRecord], ending: Ending) -> None:
    """Note that the flow that was running is stopped, and what comes after it is not run."""
    whole.ending = ending
    flow = next((flow for flow in flows if flow.ending is Ending.NOT_RUN), whole)
    flow.ending = ending
    flow.errors.append(STOPPED)
    _say_errors(flow)


def _say_errors(flow: RunRecord) -> None:
    for sentence in flow.errors:
        say_error(sentence)


# =====================================================================================================================
# What flows have and share
# =====================================================================================================================


def _read_settings(flows: Sequence[RunRecord], options: argparse.Namespace) -> list[str]:
    """Read the settings of all flows, noting what is wrong with them; returns the secrets of all, that no log may show."""
    environments: list[dict[str, str]] = []
    for flow in flows:
        try:
            environments.append(read_environment(flow.env_file))
        except SettingsError as error:
            flow.errors += error.faults
            environments.append(dict(os.environ))
    secrets = [secret for environment in environments for secret in secrets_in(environment)]
    for flow, environment in zip(flows, environments, strict=True):
        faults = faults_of_files(options, flow.name)
        if flow.errors:
            flow.errors += faults
            continue
        try:
            flow.settings = settings_in(
                environment,
                options.sandbox,
                options.require_tenant,
                flow=flow.name,
                env_file=flow.env_file or ENV_FILE,
                masked=secrets,
            )
        except SettingsError as error:
            flow.errors += error.faults
        flow.errors += faults
    _find_clashes(flows, options)
    return secrets


def _find_clashes(flows: Sequence[RunRecord], options: argparse.Namespace) -> None:
    """Note where a flow is the same as one before it, or would write to a file that is another's; nor does a report."""
    named: dict[str, tuple[str, object, RunRecord]] = {
        os.path.realpath(flow.env_file or ENV_FILE): ("the file of settings", "settings", flow) for flow in flows
    }
    page = _page_of(flows, options)
    if page:
        named.setdefault(os.path.realpath(page), ("the page that lists the flows", "list", flows[0]))
    known: dict[tuple[str, ...], RunRecord] = {}
    for flow in flows:
        settings = flow.settings
        if settings is None:
            continue
        ends = (settings.postgres_connection, settings.s3_bucket, settings.s3_prefix, settings.snowflake_connection)
        same = known.setdefault((settings.tenant, *ends), flow)
        if same is not flow:
            flow.errors.append(
                f"{flow.env_file} is the same flow as {same.env_file}: its connections, bucket and prefix are the same. "
                "A variable of the environment wins over both files."
            )
            continue
        for path, label, use in _files_of(flow, settings, options):
            other, used_as, owner = named.setdefault(os.path.realpath(path), (label, use, flow))
            if used_as != use:
                whose = "" if owner is flow or used_as == "list" else f" of {owner.env_file}"
                flow.errors.append(f"{label} is {path}, which is {other}{whose}, too: give each a file of its own.")
                if "report" in (use, used_as):
                    options.json = None  # the file may be one that somebody has written


def _warn_of_overlaps(flows: Sequence[RunRecord]) -> None:
    """Tell where the prefix of one flow contains another's: what is below both is drawn for each, as each is for itself."""
    for one, other in itertools.permutations(flows, 2):
        outer, inner = one.settings, other.settings
        if outer and inner and _ends_of(outer) == _ends_of(inner) and inner.s3_prefix.startswith(outer.s3_prefix):
            logger.warning(
                "⚠️ The prefix of %s contains that of %s: what is below both gets the processes of each; let one flow have it",
                one.name, other.name,
            )  # fmt: skip


def _ends_of(settings: Settings) -> tuple[str, ...]:
    return settings.tenant, settings.postgres_connection, settings.s3_bucket, settings.snowflake_connection


def _files_of(flow: RunRecord, settings: Settings, options: argparse.Namespace) -> Iterator[tuple[Path, str, object]]:
    """The files of a flow with what names each, and what it is used for: only for the very same use can two share it."""
    for name, inventory in (("POSTGRES_CACHE_FILE", settings.postgres), ("SNOWFLAKE_CACHE_FILE", settings.snowflake)):
        yield inventory.cache_file, name, inventory.key
    yield settings.state_cache_file, "STATE_CACHE_FILE", ("state", flow.name)
    yield settings.overrides_file, "OVERRIDES_FILE", "overrides"
    if settings.lineage_page:
        yield settings.lineage_page, "LINEAGE_PAGE", ("page", flow.name)
    for option in ("plan", "apply", "export_openlineage"):
        path = file_of_flow(options, option, flow.name)
        if path:
            yield path, f"--{option.replace('_', '-')}", (option, flow.name)
    if options.json and options.json != STDOUT:
        yield options.json, "--json", "report"


def _share(flows: Sequence[RunRecord]) -> None:
    """Let flows of one tenant have one limit of requests, the lowest of theirs, and the assets of a connection together."""
    settings = [flow.settings for flow in flows if flow.settings]
    # One that wants them younger than another finds them itself.
    named = Counter((key, one.cache_expiry_hours) for one in settings for key in (one.postgres.key, one.snowflake.key))
    ages = Counter(key for key, _ in named)
    several = {key for (key, _), count in named.items() if count > 1 and ages[key] == 1}
    inventories: dict[tuple[str, ...], tuple[Path, list[list[str]]] | None] = dict.fromkeys(several)
    readings: dict[tuple[str, str], Reading] = {}
    for flow in flows:
        flow.inventories, flow.readings = inventories, readings
        if flow.settings:
            limits = [one.max_requests_per_minute for one in settings if one.tenant == flow.settings.tenant]
            flow.settings = replace(flow.settings, max_requests_per_minute=min(limits))


def find_once(
    find: Callable[..., list[list[str]]],
    inventory: Inventory,
    options: RunOptions,
    record: RunRecord,
    state: AtlanState,
    settings: Settings,
) -> list[list[str]]:
    """The assets of a connection, by `find`; those that an earlier flow of this command has found are not looked for again."""
    known = record.inventories.get(inventory.key)
    if known is None:
        rows = record.timed(find, options.force_refresh, dry_run=not options.writes, state=state, settings=settings)
        if inventory.key in record.inventories:
            record.inventories[inventory.key] = inventory.cache_file, rows
        return rows
    cache_file, rows = known
    logger.info("📊 %s: %d assets, as an earlier flow has found them", inventory.label, len(rows))
    if options.writes and cache_file != inventory.cache_file:
        with contextlib.suppress(OSError, ValueError):  # with its time, so that it does not get younger
            replace_file(inventory.cache_file, read_small_file(cache_file, LARGEST_CACHE).decode())
    return rows


# =====================================================================================================================
# Telling
# =====================================================================================================================


def _tell_all(whole: RunRecord, flows: Sequence[RunRecord]) -> None:
    """Log what became of each flow, and of all together."""
    for flow in flows:
        told = tell_counts(flow.document) if flow.document else ""
        words = flow.ending.value + (told and f", {told}")
        logger.log(NOTICE, "%s %s: %s", mark_of(flow.ending), mask(flow.name), words, extra=OWN_WORDS)
    counts = Counter(flow.ending for flow in flows)
    told = ", ".join(f"{count} {ending.value}" for ending, count in counts.items())
    logger.log(NOTICE, "%s %d flows: %s", mark_of(whole.ending), len(flows), told, extra=OWN_WORDS)
