"""What checks find: a sentence each, told on the terminal, or for a program."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import ParamSpec

from runtime.terminal import NOTICE, OWN_WORDS, holding_back, logger

P = ParamSpec("P")


class State(str, Enum):
    """What a check has found."""

    FINE = "fine"
    DOUBTFUL = "doubtful"  # a run works, and somebody should look at it
    WRONG = "wrong"
    UNKNOWN = "unknown"  # it was not checked, or cannot be


MARKS = {State.FINE: "✅", State.DOUBTFUL: "⚠️", State.WRONG: "❌", State.UNKNOWN: "➖"}

WORDS = {State.FINE: "fine", State.DOUBTFUL: "to look at", State.WRONG: "wrong", State.UNKNOWN: "not checked"}

LEVELS = {
    State.FINE: logging.INFO,
    State.DOUBTFUL: logging.WARNING,
    State.WRONG: logging.ERROR,
    State.UNKNOWN: logging.WARNING,
}


@dataclass(frozen=True)
class Finding:
    """What one check has found, in one sentence: what is so, and, where it should not be, what to do."""

    check: str
    state: State
    sentence: str


def collect_findings(check: Callable[P, Iterable[Finding]], *arguments: P.args, **named: P.kwargs) -> list[Finding]:
    """What checks find. What is logged on the way is not shown, and a warning is a finding, before that of its check."""
    findings: list[Finding] = []
    records: list[logging.LogRecord] = []
    with holding_back(records, below=logging.CRITICAL):
        for finding in check(*arguments, **named):
            warnings = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
            findings += [Finding(finding.check, State.DOUBTFUL, text.removeprefix("⚠️ ")) for text in warnings]
            findings.append(finding)
            records.clear()
    return findings


def count_findings(states: Iterable[State]) -> str:
    """How many findings there are of each kind, in words."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]} {words}" for state, words in WORDS.items())


def tell_findings(findings: Iterable[Finding]) -> bool:
    """Show each finding in a line, and how many there are of each kind; whether nothing is wrong."""
    states = []
    for finding in findings:
        states.append(finding.state)
        logger.log(LEVELS[finding.state], "%s %s", MARKS[finding.state], finding.sentence)
    worst = next((state for state in (State.WRONG, State.DOUBTFUL) if state in states), State.FINE)
    told = count_findings(states)
    logger.log(NOTICE, "%s Checked, and nothing was written: %s", MARKS[worst], told, extra=OWN_WORDS)
    return worst is not State.WRONG
