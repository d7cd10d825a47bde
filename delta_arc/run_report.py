"""What happened in a run, as a document for programs; docs/report.md has its table. Pure, but for the clock and
`write_report`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from delta_arc.plan import Plan
from delta_arc.report import Coverage, Outcome, Report, Status, Unmatched, count_unmatched
from delta_arc.settings import Settings
from runtime.files import replace_file
from runtime.findings import Finding
from runtime.terminal import mask, say_error, say_whole

FORMAT = "Delta Arc run 1"
CHECK_FORMAT = "Delta Arc check 1"
STDOUT = Path("-")

P = ParamSpec("P")
T = TypeVar("T")


class Ending(str, Enum):
    """What became of a run as a whole."""

    UNCHANGED = "unchanged"  # there was nothing to do
    CHANGED = "changed"
    PLANNED = "planned"  # there is something to do, and it was not to be written yet
    FAILED = "failed"
    WRONG_SETTING = "wrong setting"
    WITHOUT_CHAINS = "without chains"
    BELOW_COVERAGE = "below coverage"
    STOPPED = "stopped"
    CHECKED = "checked"  # what a run needs was tried, and nothing is wrong


def judge(report: Report, dry_run: bool) -> Ending:
    """How a run ended that came to its end."""
    if report.failed:
        return Ending.FAILED
    if report.without_chains:
        return Ending.WITHOUT_CHAINS
    if report.shortfall:
        return Ending.BELOW_COVERAGE
    if not report.changes:
        return Ending.UNCHANGED
    return Ending.PLANNED if dry_run else Ending.CHANGED


def explain_shortfall(coverage: Coverage, min_percent: float) -> str:
    """By how much fewer tables have a complete chain than there should be; an empty text where enough have one."""
    if coverage.percent >= min_percent:
        return ""
    tables = len(coverage.complete) + len(coverage.incomplete)
    return (
        f"{len(coverage.complete)} of {tables} tables ({coverage.percent:.4g} %) have a complete chain, fewer than the "
        f"{min_percent:g} % of --min-coverage"
    )


@dataclass
class RunRecord:
    """What is known of a run so far, also of one that an error ends."""

    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    settings: Settings | None = None
    plan: Plan | None = None
    report: Report | None = None
    noted: dict[str, Outcome] = field(default_factory=dict)  # what was written so far, by qualified name
    errors: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)  # of a check
    seconds: dict[str, float] = field(default_factory=dict)  # by the name of the step

    def timed(self, step: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What a step returns; how long it took is noted under its name, also where an error ends it."""
        began = time.monotonic()
        try:
            return step(*args, **named)
        finally:
            self.seconds[step.__name__] = round(time.monotonic() - began, 3)


def describe_run(
    record: RunRecord, ending: Ending, exit_code: int, dry_run: bool, requests: int, version: str
) -> dict[str, Any]:
    """The document of a run: what a reader wants first, first. Nothing in it is secret."""
    settings, plan = record.settings, record.plan
    report = record.report or (Report([*record.noted.values()]) if record.noted else None)
    document = {
        "format": FORMAT,
        "version": version,
        "outcome": ending.value,
        "exit_code": exit_code,
        "errors": [*record.errors, *([report.shortfall] if report and report.shortfall else [])],
        "dry_run": dry_run,
        "tenant": settings.tenant if settings else None,
        "flow": _describe_flow(settings) if settings else None,
        "started_at": record.began.isoformat(timespec="seconds"),
        "seconds": record.seconds,
        "atlan_requests": requests,
        "counts": _count(report) if report else None,
        "coverage": _describe_coverage(plan.coverage) if plan else None,
        "stale": len(plan.stale) if plan else None,
        "failures": [{**_name(outcome), "detail": outcome.detail} for outcome in report.failed] if report else [],
        "open": [_describe_open(item) for item in plan.coverage.unmatched] if plan else [],
        **{
            status.value: [
                _name(outcome) for outcome in (report.outcomes if report else ()) if outcome.status is status
            ]
            for status in (Status.CREATED, Status.UPDATED, Status.REMOVED)
        },
    }
    return {name: _without_secrets(value) for name, value in document.items()}


def describe_check(record: RunRecord, ending: Ending, exit_code: int, version: str) -> dict[str, Any]:
    """The document of a check, in which nothing was to be written. Nothing in it is secret."""
    settings = record.settings
    document = {
        "format": CHECK_FORMAT,
        "version": version,
        "outcome": ending.value,
        "exit_code": exit_code,
        "errors": [*record.errors],
        "tenant": settings.tenant if settings else None,
        "flow": _describe_flow(settings) if settings else None,
        "started_at": record.began.isoformat(timespec="seconds"),
        "findings": [
            {"check": one.check, "state": one.state.value, "sentence": one.sentence} for one in record.findings
        ],
    }
    return {name: _without_secrets(value) for name, value in document.items()}


def _describe_flow(settings: Settings) -> dict[str, str]:
    return {
        "postgres_connection": settings.postgres_connection,
        "snowflake_connection": settings.snowflake_connection,
        "bucket": settings.s3_bucket,
        "prefix": settings.s3_prefix,
    }


def _count(report: Report) -> dict[str, int]:
    return {**{status.value: report.count(status) for status in Status}, "open": count_unmatched(report.unmatched)}


def _describe_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "tables": len(coverage.complete) + len(coverage.incomplete),
        "percent": round(coverage.percent, 2),
        "grounds": {ground: coverage.grounds.get(ground, 0) for ground in ("told", "read", "named")},
        "complete": _by_table(coverage.complete),
        "incomplete": [
            {"table": table, "missing": [*gap.parts], "words": gap.words, "candidates": [*gap.candidates]}
            for table, gap in coverage.incomplete.items()
        ],
        "extracts": _by_table(coverage.extracts),
        "loads": _by_table(coverage.loads),
    }


def _by_table(words: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"table": table, "words": told} for table, told in words.items()]


def _describe_open(item: Unmatched) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "reason": item.reason,
        "sentence": item.sentence,
        "names": [*item.names],
        "overrides": [*item.lines],
        "is_note": item.is_note,
    }


def _name(outcome: Outcome) -> dict[str, str]:
    return {"type": outcome.type_name, "qualified_name": outcome.qualified_name}


def _without_secrets(value: Any) -> Any:
    """A value of the document with its texts masked one by one: of the whole, a secret like `null` would break the JSON."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    return value


def write_report(document: Mapping[str, Any], path: Path) -> bool:
    """Write the report of a run, as a whole or not at all; False where that cannot be done."""
    # In ASCII, so that every terminal shows it, and nothing in it moves the terminal's cursor.
    text = json.dumps(document, indent=1) + "\n"
    if path == STDOUT:
        return say_whole(text)
    try:
        replace_file(path, text)
    except OSError as error:
        say_error(f"The report cannot be written to {path} ({error.strerror}): name a file in a folder of yours.")
        return False
    return True
