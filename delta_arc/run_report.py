"""What happened in a run, or in several flows, as a document for programs; docs/report.md has its table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from delta_arc.endings import FAILURES, Ending
from delta_arc.plan import Plan
from delta_arc.report import PLANNED_WORDS, Coverage, Outcome, Report, Status, Unmatched, count_unmatched
from delta_arc.settings import Settings
from delta_arc.state import Reading
from runtime.files import replace_file
from runtime.findings import Finding, State, count_findings
from runtime.terminal import mask, say_error, say_whole
from runtime.transport import requests_sent

FORMAT = "Delta Arc run 1"
CHECK_FORMAT = "Delta Arc check 1"
FORMAT_OF_FLOWS = "Delta Arc flows 1"
STDOUT = Path("-")

P = ParamSpec("P")
T = TypeVar("T")


def explain_shortfall(coverage: Coverage, min_percent: float) -> str:
    """By how much fewer tables have a complete chain than there should be; an empty text where enough have one."""
    if coverage.percent >= min_percent:
        return ""
    return (
        f"{len(coverage.complete)} of {coverage.tables} tables ({coverage.percent:.4g} %) have a complete chain, fewer than the "
        f"{min_percent:g} % of --min-coverage"
    )


@dataclass
class RunRecord:
    """What is known of a run so far, also of one that an error ends.

    One of several flows has the `name` of its `env_file`. `inventories` are the assets of the connections that several
    flows name, by `Inventory.key`, with the cache that they are in; none where they are not read yet.
    """

    name: str = ""
    env_file: Path | None = None
    ending: Ending = Ending.NOT_RUN
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    settings: Settings | None = None
    plan: Plan | None = None
    report: Report | None = None
    noted: dict[str, Outcome] = field(default_factory=dict)  # what was written so far, by qualified name
    errors: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)  # of a check
    seconds: dict[str, float] = field(default_factory=dict)  # by the name of the step
    requests: int = 0  # to Atlan
    document: dict[str, Any] | None = None  # what is told of it, when it has ended
    inventories: dict[tuple[str, ...], tuple[Path, list[list[str]]] | None] = field(default_factory=dict)
    readings: dict[tuple[str, str], Reading] = field(default_factory=dict)  # of inventories, see `AtlanState`
    _started: tuple[float, int] = field(default_factory=lambda: (time.monotonic(), requests_sent()))

    def begin(self) -> None:
        """Note that it begins now."""
        self.began, self._started = datetime.now(timezone.utc), (time.monotonic(), requests_sent())

    def finish(self) -> None:
        """Note how long it took, and how many requests."""
        began, sent_before = self._started
        self.seconds["total"] = round(time.monotonic() - began, 3)
        self.requests = requests_sent() - sent_before

    def timed(self, step: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What a step returns; how long it took is noted under its name, also where an error ends it."""
        began = time.monotonic()
        try:
            return step(*args, **named)
        finally:
            self.seconds[step.__name__] = round(time.monotonic() - began, 3)


def describe_run(record: RunRecord, exit_code: int | None, dry_run: bool, version: str) -> dict[str, Any]:
    """The document of a run: what a reader wants first, first. Nothing in it is secret."""
    settings, plan, report = record.settings, record.plan, _report_of(record)
    errors = [*record.errors, *([report.shortfall] if report and report.shortfall else [])]
    document = {
        **_head(FORMAT, record, exit_code, errors, version),
        "dry_run": dry_run,
        **_describe_flow(settings),
        "started_at": None if record.ending is Ending.NOT_RUN else record.began.isoformat(timespec="seconds"),
        "seconds": record.seconds,
        "atlan_requests": record.requests,
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
    return dict(_without_secrets(document))


def describe_check(record: RunRecord, exit_code: int | None, version: str) -> dict[str, Any]:
    """The document of a check, in which nothing was to be written. Nothing in it is secret."""
    document = {
        **_head(CHECK_FORMAT, record, exit_code, record.errors, version),
        **_describe_flow(record.settings),
        "started_at": record.began.isoformat(timespec="seconds"),
        "findings": [
            {"check": one.check, "state": one.state.value, "sentence": one.sentence} for one in record.findings
        ],
    }
    return dict(_without_secrets(document))


def describe_flows(
    whole: RunRecord, exit_code: int, flows: Sequence[Mapping[str, Any]], version: str
) -> dict[str, Any]:
    """The document of several flows, each as `describe_run` has it."""
    failed = [*(ending.value for ending in FAILURES), Ending.STOPPED.value, Ending.TERMINATED.value]
    return {
        "format": FORMAT_OF_FLOWS,
        "version": version,
        "outcome": whole.ending.value,
        "exit_code": exit_code,
        "errors": [mask(error) for error in whole.errors],
        "failed": [flow["name"] for flow in flows if flow["outcome"] in failed],
        "not_run": [flow["name"] for flow in flows if flow["outcome"] == Ending.NOT_RUN.value],
        "started_at": whole.began.isoformat(timespec="seconds"),
        "seconds": whole.seconds["total"],
        "atlan_requests": whole.requests,
        "flows": [*flows],
    }


def tell_counts(document: Mapping[str, Any]) -> str:
    """What the document of a run, or of a check, counts, in a few words; an empty text where it counts nothing."""
    if document["format"] == CHECK_FORMAT:
        return count_findings(State(one["state"]) for one in document["findings"]) if document["findings"] else ""
    words: Mapping[Status, str] = PLANNED_WORDS if document["dry_run"] else {}
    counts, coverage = document["counts"] or {}, document["coverage"]
    told = [f"{counts[status]} {words.get(status, status.value)}" for status in Status if counts.get(status)]
    if coverage:
        told.append(f"{len(coverage['complete'])} of {coverage['tables']} tables have a complete chain")
    return ", ".join(told)


def _report_of(record: RunRecord) -> Report | None:
    """What became of the assets; of a run that did not come to its end, of those that it had written until then."""
    return record.report or (Report([*record.noted.values()]) if record.noted else None)


def _head(kind: str, record: RunRecord, exit_code: int | None, errors: Sequence[str], version: str) -> dict[str, Any]:
    return {
        "format": kind,
        "version": version,
        "name": record.name or None,
        "outcome": record.ending.value,
        "exit_code": exit_code,
        "errors": [*errors],
    }


def _describe_flow(settings: Settings | None) -> dict[str, Any]:
    if settings is None:
        return {"tenant": None, "flow": None}
    flow = {
        "postgres_connection": settings.postgres_connection,
        "snowflake_connection": settings.snowflake_connection,
        "bucket": settings.s3_bucket,
        "prefix": settings.s3_prefix,
    }
    return {"tenant": settings.tenant, "flow": flow}


def _count(report: Report) -> dict[str, int]:
    return {**{status.value: report.count(status) for status in Status}, "open": count_unmatched(report.unmatched)}


def _describe_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "tables": coverage.tables,
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


# Fields of which every value is one of a few words of ours, that no secret is to make unreadable for a program.
OWN_WORDS = ("format", "outcome", "check", "state")


def _without_secrets(value: Any) -> Any:
    """A value of the document with its texts masked one by one: of the whole, a secret like `null` would break the JSON."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, dict):
        return {name: item if name in OWN_WORDS else _without_secrets(item) for name, item in value.items()}
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
