"""How a run ends, for people and for whoever started it: the outcome, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from delta_arc.report import Report


class Ending(str, Enum):
    """What became of a run as a whole, or of all flows of a command together."""

    UNCHANGED = "unchanged"  # there was nothing to do
    CHANGED = "changed"
    PLANNED = "planned"  # there is something to do, and it was not to be written yet
    FAILED = "failed"
    WRONG_SETTING = "wrong setting"
    PARTLY_FAILED = "partly failed"  # some flows, and others not
    WITHOUT_CHAINS = "without chains"
    BELOW_COVERAGE = "below coverage"
    STOPPED = "stopped"  # by Ctrl-C
    TERMINATED = "terminated"  # by SIGTERM
    CHECKED = "checked"  # what a run needs was tried, and nothing is wrong
    NOT_RUN = "not run"  # as the command was stopped before


# Those of --detailed-exitcode are others.
EXIT_CODES = {
    Ending.UNCHANGED: 0,
    Ending.CHANGED: 0,
    Ending.PLANNED: 0,
    Ending.CHECKED: 0,
    Ending.FAILED: 1,
    Ending.WRONG_SETTING: 2,
    Ending.PARTLY_FAILED: 3,
    Ending.WITHOUT_CHAINS: 4,
    Ending.BELOW_COVERAGE: 5,
    Ending.STOPPED: 130,
    Ending.TERMINATED: 143,
}
DETAILED_EXIT_CODES = {
    Ending.UNCHANGED: 0,
    Ending.CHECKED: 0,
    Ending.CHANGED: 2,
    Ending.PLANNED: 2,
    Ending.STOPPED: 130,
    Ending.TERMINATED: 143,
}
# The ending of several flows is the first of these that one of them has.
WORST_FIRST = (
    Ending.TERMINATED,
    Ending.STOPPED,
    Ending.FAILED,
    Ending.WRONG_SETTING,
    Ending.WITHOUT_CHAINS,
    Ending.BELOW_COVERAGE,
    Ending.CHANGED,
    Ending.PLANNED,
    Ending.UNCHANGED,
    Ending.CHECKED,
    Ending.NOT_RUN,
)
FAILURES = (Ending.FAILED, Ending.WRONG_SETTING)
MARKS = dict.fromkeys((Ending.UNCHANGED, Ending.CHANGED, Ending.PLANNED, Ending.CHECKED), "✅") | dict.fromkeys(
    (Ending.WITHOUT_CHAINS, Ending.BELOW_COVERAGE), "⚠️"
)


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


def judge_all(endings: Sequence[Ending]) -> Ending:
    """How several flows ended together: as the worst of them, and partly failed where some failed and others did not."""
    worst = min(endings, key=WORST_FIRST.index)
    others = {*endings} - {*FAILURES, Ending.NOT_RUN}
    return Ending.PARTLY_FAILED if worst in FAILURES and others else worst


def exit_code(ending: Ending, detailed: bool) -> int:
    """The exit code of a command that ended so."""
    return DETAILED_EXIT_CODES.get(ending, 1) if detailed else EXIT_CODES[ending]


def mark_of(ending: Ending) -> str:
    """The mark of a line that tells an ending."""
    return MARKS.get(ending, "❌")
