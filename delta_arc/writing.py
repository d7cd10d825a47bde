"""Writing to Atlan: bulk requests, one outcome for every asset, and the report that collects them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delta_arc.clients import call_atlan, call_atlan_timed, telling_atlan_errors
from delta_arc.entities import Flow, Load
from runtime.parallel import interleave
from delta_arc.plan import (
    BATCH_SIZE,
    Change,
    Plan,
    Step,
    Unmatched,
    in_waves,
    plain,
    references,
    show_removals,
    show_steps,
)
from delta_arc.settings import PipelineError
from runtime.terminal import Progress, logger
from runtime.transport import AtlanRequestError

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient


@dataclass(frozen=True)
class Outcome:
    """What became of one wanted asset: created, updated, unchanged or failed (in a dry run: what would)."""

    type_name: str
    name: str
    qualified_name: str
    status: str
    detail: str = ""
    guid: str = ""  # where Atlan told it when it was written


@dataclass
class Report:
    """What a step did, item by item, and what it left out, with the reason."""

    outcomes: list[Outcome] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    # The load processes that are in place, by qualified name: the parents of column lineage.
    loads: dict[str, Load] = field(default_factory=dict)
    # The processes of the flow that Atlan held before this run, by qualified name.
    held: Mapping[str, dict] = field(default_factory=dict)
    flow: Flow | None = None
    # Whether there was anything to write.
    changes: bool = False

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def stale(self) -> list[dict]:
        """What was made earlier and is wanted no more; column processes first, as they lean on the others."""
        return find_stale(self.held, {outcome.qualified_name for outcome in self.outcomes})


def find_stale(held: Mapping[str, dict], wanted: Container[str]) -> list[dict]:
    hits = [hit for name, hit in sorted(held.items()) if name not in wanted]
    return sorted(hits, key=lambda hit: hit["typeName"] != "ColumnProcess")


STATUS_AFTER = {"create": "created", "update": "updated", "keep": "unchanged"}
STATUSES = ("created", "updated", "unchanged", "removed", "failed")


def apply_steps(client: AtlanClient, steps: Sequence[Step], dry_run: bool = False) -> list[Outcome]:
    """Write what is to be created or updated; one outcome for every change.

    What refers to an asset that could not be made is written without it, or fails as well where nothing is left.
    Without a connection or bucket there is nothing to go on with: then a `PipelineError` is raised. A dry run shows
    what would be written, and writes nothing.
    """
    if dry_run:
        show(show_steps(steps))
        return [_outcome(change, None, {}) for step in steps for change in step.changes]
    failures: dict[str, str] = {}
    guids: dict[str, str] = {}
    missing: set[str] = set()
    waves = in_waves(steps)
    progress = Progress("Assets written", sum(map(len, waves)))
    for wave in waves:
        writable, held_back = _hold_back(wave, missing)
        failures |= held_back | _write(client, writable, progress, guids)
        failed = [change for change in wave if change.qualified_name in failures]
        missing.update(change.qualified_name for change in failed if change.action == "create")
        for change in failed:
            if change.type_name == "S3Bucket":
                progress.finish()
                raise PipelineError(f"The bucket {change.name} cannot be registered: {failures[change.qualified_name]}")
    progress.finish()
    outcomes = []
    for step in steps:
        done = [_outcome(change, failures.get(change.qualified_name), guids) for change in step.changes]
        _log_outcomes(step.label, done)
        outcomes += done
    return outcomes


def _hold_back(wave: Iterable[Change], missing: Container[str]) -> tuple[list[Change], dict[str, str]]:
    """What can be written although some assets could not be made, without them; and why the rest cannot."""
    writable, held_back = [], {}
    for change in wave:
        lost = [name for name in references(change.entity) if name in missing]
        rest = _without(change, lost)
        if rest:
            writable.append(rest)
        else:
            held_back[change.qualified_name] = f"{min(lost)} could not be written"
    return writable, held_back


def _without(change: Change, lost: Container[str]) -> Change | None:
    """The change without the references that are lost, or None where they are all that an attribute has."""
    attributes = dict(change.entity["attributes"])
    for name, value in attributes.items():
        if isinstance(value, dict) and plain(value) in lost:
            return None
        if isinstance(value, list) and value:
            attributes[name] = [item for item in value if plain(item) not in lost]
            if not attributes[name]:
                return None
    return Change({**change.entity, "attributes": attributes}, change.action, change.before)


class BatchSize:
    """How many assets a bulk request carries: half as many when an answer took long, and by and by more again."""

    SLOW_SECONDS = 5.0  # Atlan's advice: fewer assets where a request takes longer
    LEAST = 5

    def __init__(self) -> None:
        self.now = BATCH_SIZE

    def note(self, size: int, seconds: float) -> None:
        """Learn from one answer. Many slow ones to the same size, in flight together, count once."""
        if seconds > self.SLOW_SECONDS:
            self.now = max(self.LEAST, min(self.now, size // 2))
        elif seconds < self.SLOW_SECONDS / 2 and size >= self.now:
            self.now = min(BATCH_SIZE, self.now + 5)


IN_FLIGHT = 32  # the pace sets how many there are really; with fewer, slow answers would hold it up


class _Batches:
    """What is left to write, for several senders that each take a batch after the other."""

    def __init__(self, pending: Sequence[Change]) -> None:
        self._left = list(pending)[::-1]
        self._size = BatchSize()
        self._lock = threading.Lock()
        self.stopped = ""

    def take(self) -> list[Change]:
        """The next batch; an empty one at the end, or when the service is at fault."""
        with self._lock:
            return [] if self.stopped else [self._left.pop() for _ in range(min(self._size.now, len(self._left)))]

    def note(self, size: int, seconds: float) -> None:
        with self._lock:
            self._size.note(size, seconds)

    def stop(self, reason: str) -> None:
        """The service is at fault, so the rest would only fail in the same way, slowly."""
        self.stopped = reason

    @property
    def left(self) -> list[Change]:
        return self._left[::-1]


def _write(client: AtlanClient, pending: Sequence[Change], progress: Progress, guids: dict[str, str]) -> dict[str, str]:
    """Write what does not depend on each other, side by side in batches; returns the failures, and adds to the guids."""
    for change in pending:
        if change.type_name == "Connection":
            _save_connection(client, change.entity)
            progress.advance()
    in_bulk = [change for change in pending if change.type_name != "Connection"]
    batches = _Batches(in_bulk)
    failures: dict[str, str] = {}
    senders = min(IN_FLIGHT, -(-len(in_bulk) // BATCH_SIZE))
    for sent, failure, told in interleave([_send(client, batches) for _ in range(senders)]):
        progress.advance(len(sent))
        guids |= told
        if failure:
            failures |= {change.qualified_name: failure for change in sent}
    return failures | {change.qualified_name: batches.stopped for change in batches.left}


def _send(client: AtlanClient, batches: _Batches) -> Iterator[tuple[Sequence[Change], str, dict[str, str]]]:
    """Send batch after batch; what was sent, why it failed, and the guids that Atlan tells.

    A batch that Atlan refuses is split until each culprit stands alone.
    """
    from pyatlan.client.constants import BULK_UPDATE

    flags = ("replaceTags", "appendTags", "replaceBusinessAttributes", "overwriteBusinessAttributes")
    while batch := batches.take():
        parts = [batch]
        while parts:
            part = parts.pop()
            body, failure, told = {"entities": [change.entity for change in part]}, "", {}
            try:
                answer, seconds = call_atlan_timed(client, BULK_UPDATE, body, dict.fromkeys(flags, False))
                batches.note(len(part), seconds)
                told = _guids_in(answer)
            except AtlanRequestError as error:
                if not error.concerns_items:
                    batches.stop(str(error))
                    yield [change for left in [part, *parts] for change in left], str(error), {}
                    return
                if len(part) > 1:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                    continue
                failure = str(error)
            yield part, failure, told


def _guids_in(answer: dict) -> dict[str, str]:
    """The guids of what a bulk request has changed, by qualified name."""
    changed = answer.get("mutatedEntities") or {}
    headers = [header for action in ("CREATE", "UPDATE") for header in changed.get(action) or []]
    return {header["attributes"]["qualifiedName"]: header["guid"] for header in headers}


def _save_connection(client: AtlanClient, entity: dict) -> None:
    """Through pyatlan, which waits until the rights on a new connection are there."""
    from pyatlan.model.assets import Connection

    with telling_atlan_errors(client):
        client.asset.save(Connection.parse_obj({**entity, "guid": "-1"}))


def remove_assets(client: AtlanClient, label: str, hits: Sequence[dict], dry_run: bool = False) -> list[Outcome]:
    """Archive assets (they can be restored in Atlan); one outcome for each."""
    from pyatlan.client.constants import DELETE_ENTITIES_BY_GUIDS

    if dry_run:
        show(show_removals(hits))
        return [_removal(hit, "removed") for hit in hits]
    outcomes = []
    for start in range(0, len(hits), BATCH_SIZE):
        batch, status, detail = hits[start : start + BATCH_SIZE], "removed", ""
        try:
            query = {"deleteType": "SOFT", "guid": [hit["guid"] for hit in batch]}
            call_atlan(client, DELETE_ENTITIES_BY_GUIDS, query=query)
        except AtlanRequestError as error:
            status, detail = "failed", str(error)
        outcomes += [_removal(hit, status, detail) for hit in batch]
    _log_outcomes(label, outcomes)
    return outcomes


def _outcome(change: Change, failure: str | None, guids: Mapping[str, str]) -> Outcome:
    status = "failed" if failure else STATUS_AFTER[change.action]
    detail, guid = failure or ", ".join(change.before), guids.get(change.qualified_name, "")
    return Outcome(change.type_name, change.name, change.qualified_name, status, detail, guid)


def outcomes_of(plan: Plan) -> list[Outcome]:
    """What would become of every asset of a plan."""
    outcomes = [_outcome(change, None, {}) for step in plan.steps for change in step.changes]
    return outcomes + [_removal(hit, "removed") for hit in plan.removals if plan.prune]


def _removal(hit: dict, status: str, detail: str = "") -> Outcome:
    named = hit["attributes"]
    return Outcome(hit["typeName"], named["name"], named["qualifiedName"], status, detail)


DRY_RUN_WORDS = {"created": "to create", "updated": "to update", "removed": "to remove"}


def _log_outcomes(label: str, outcomes: Sequence[Outcome]) -> None:
    counts = Counter(outcome.status for outcome in outcomes)
    told = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    logger.info("%s %s: %s", "❌" if counts["failed"] else "✅", label, ", ".join(told) or "nothing to do")


def show(lines: Iterable[str]) -> None:
    for line in lines:
        logger.info("%s", line)


def summarise(report: Report, dry_run: bool = False) -> None:
    """Log what failed, and the counts."""
    failed, words = report.failed, DRY_RUN_WORDS if dry_run else {}
    for outcome in failed:
        logger.error("❌ %s %s failed: %s", outcome.type_name, outcome.qualified_name, outcome.detail)
    counts = {status: report.count(status) for status in STATUSES}
    shown = [status for status in STATUSES if counts[status] or status != "removed"]
    told = ", ".join(f"{counts[status]} {words.get(status, status)}" for status in shown)
    done = "Dry run, nothing was written" if dry_run else "Done"
    logger.info("%s %s: %s, %d unmatched", "❌" if failed else "✅", done, told, len(report.unmatched))
