"""The plan and the coverage, as lines for people."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from delta_arc.plan import Action, Plan, Step, compared_value
from delta_arc.report import Coverage, log_lines
from runtime.atlan import SearchHit
from runtime.terminal import MOST_OF_A_NAME, NOTICE, logger, mask, visible

LINES = 100  # how many lines of one kind are shown
ACTION_WORDS = {Action.CREATE: "to create", Action.UPDATE: "to update", Action.KEEP: "unchanged"}


def log_plan(plan: Plan, dry_run: bool) -> None:
    """Show what a plan removes and how far its lineage reaches; for a dry run, also what it adds and changes."""
    if dry_run:
        log_steps(plan.steps)
        log_lines(show_grounds(plan.coverage))
    if plan.removals:
        logger.warning("⚠️ %d processes are stale%s", len(plan.removals), "" if plan.prune else ": --prune removes them")
        log_lines(show_removals(plan.removals), NOTICE if plan.prune else logging.INFO)
    if plan.gone:
        rest = "" if plan.prune else ": --prune archives them"
        logger.warning("⚠️ %d S3 objects in Atlan are gone from the bucket%s", len(plan.gone), rest)
        log_lines(show_removals(plan.gone), NOTICE if plan.prune else logging.INFO)
    if plan.doubted:
        logger.warning(
            "⚠️ %d processes stay although the newest file leaves them out: one file alone removes nothing, until a "
            "second one agrees, or a line of the overrides says so", plan.doubted
        )  # fmt: skip
    log_lines(show_coverage(plan.coverage))


def log_steps(steps: Sequence[Step]) -> None:
    """Show what is added and changed: the number for each step, also where less is shown, then line by line."""
    for step in steps:
        counts = Counter(change.action for change in step.changes)
        told = ", ".join(f"{counts[action]} {word}" for action, word in ACTION_WORDS.items() if counts[action])
        logger.log(NOTICE if step.pending else logging.INFO, "📊 %s: %s", step.label, told or "nothing to do")
    log_lines(show_changes(steps))


def show_changes(steps: Iterable[Step]) -> Iterator[str]:
    """What is added and changed, line by line."""
    yield from _bounded([line for step in steps for line in _show_step(step)])


def show_removals(hits: Sequence[SearchHit]) -> Iterator[str]:
    """What is removed, line by line."""
    named = [(hit["typeName"], hit["attributes"].get("s3ObjectKey") or hit["attributes"]["name"]) for hit in hits]
    yield from _bounded([f"   - {type_name}: {_name(name)}" for type_name, name in named])


def _show_step(step: Step) -> Iterator[str]:
    for change in step.pending:
        # Objects of one name lie in many folders.
        name = change.entity["attributes"].get("s3ObjectKey") or change.name
        yield f"   {'+' if change.action is Action.CREATE else '~'} {change.type_name}: {_name(name)}"
        for attribute, before in change.before.items():
            after = compared_value(change.entity["attributes"][attribute])
            yield f"       {attribute}: {_show_difference(before, after)}"


def _show_difference(before: Any, after: Any) -> str:
    if not isinstance(after, list):
        return " → ".join(_quote(before, after))
    added, removed = sorted(set(after) - set(before or [])), sorted(set(before or []) - set(after))
    told = [f"+ {_name(name)}" for name in added[:5]] + [f"- {_name(name)}" for name in removed[:5]]
    left = len(added) + len(removed) - len(told)
    return ", ".join(told) + (f" and {left} more" if left else "")


def _quote(before: Any, after: Any) -> list[str]:
    """Both values on one line, from shortly before they differ; texts in quotes, as names have arrows of their own."""
    # Masked before it is cut, as half a secret is not found any more.
    texts = [
        mask(f'"{" ".join(value.split())}"' if isinstance(value, str) else str(value)) for value in (before, after)
    ]
    same = next((at for at, (left, right) in enumerate(zip(*texts, strict=False)) if left != right), 0)
    start = same - 40 if same > 60 else 0
    return [
        ("…" if start else "") + text[start : start + 120] + ("…" if len(text) > start + 120 else "") for text in texts
    ]


def _name(name: Any) -> str:
    """A name in a list of many: a long one shortened, and the secret in it masked before."""
    return visible(mask(str(name)), MOST_OF_A_NAME)


def show_coverage(coverage: Coverage) -> Iterator[str]:
    """How many tables have a complete chain, what the others are missing, and what settles what is unmatched."""
    yield f"🔍 {len(coverage.complete)} of {coverage.tables} tables have a complete chain"
    if coverage.grounds.get("told"):
        counts = [
            f"{coverage.grounds[name]} {name}" for name in ("told", "read", "named") if coverage.grounds.get(name)
        ]
        yield f"   By their ground: {', '.join(counts)}"
    if coverage.extracts or coverage.loads:
        yield (
            f"   Lone hops: {len(coverage.extracts)} from PostgreSQL to S3 only, "
            f"{len(coverage.loads)} from S3 to Snowflake only"
        )
    for missing, number in sorted(Counter(gap.words for gap in coverage.incomplete.values()).items()):
        yield f"   {number} without: {missing}"
    told = [
        [f"   {item.sentence}"] if item.is_note else [f"⚠️ {item.sentence}", *(f"      {line}" for line in item.lines)]
        for item in coverage.unmatched
    ]
    for lines in told[:LINES]:
        yield from lines
    if len(told) > LINES:
        yield f"   … and {len(told) - LINES} more: --plan FILE saves them all"


def show_grounds(coverage: Coverage) -> Iterator[str]:
    """What each chain and each lone hop goes through, and on what ground."""
    grounds = [*coverage.complete.items()]
    grounds += [(table, f"{ground}; to S3 only") for table, ground in coverage.extracts.items()]
    grounds += [(table, f"{ground}; from S3 only") for table, ground in coverage.loads.items()]
    yield from _bounded([f"   {_name(table.rpartition('/')[2])}: {ground}" for table, ground in grounds])


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield f"   … and {len(lines) - LINES} more: --plan FILE saves them all"
