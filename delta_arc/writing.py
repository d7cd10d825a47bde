"""Writing to Atlan: bulk requests in rounds, one outcome for every asset."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from delta_arc.confirming import confirm
from delta_arc.entities import Entity
from delta_arc.plan import (
    BATCH_SIZE,
    Change,
    Step,
    compared_value,
    in_rounds,
    planned_outcomes,
    references,
    removal,
)
from delta_arc.report import Outcome, Status, log_lines
from delta_arc.showing import log_steps, show_removals
from runtime.atlan import SearchHit, call_atlan, call_atlan_timed, wait_for_rights
from runtime.errors import PipelineError
from runtime.parallel import interleave
from runtime.terminal import NOTICE, Progress, logger
from runtime.transport import AtlanRequestError

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient


def apply_steps(
    client: AtlanClient, steps: Sequence[Step], dry_run: bool = False, noted: dict[str, Outcome] | None = None
) -> list[Outcome]:
    """Write what is to be created or updated; one outcome for every change.

    Into `noted` they go by qualified name as soon as Atlan has answered, so that whatever ends the writing, what was
    written until then is known.

    What refers to an asset that could not be made is written without it, or fails as well where nothing is left.
    Without a connection or bucket there is nothing to go on with: then a `PipelineError` is raised. A dry run shows
    what would be written, and writes nothing.
    """
    if dry_run:
        log_steps(steps)
        return planned_outcomes(steps)
    rounds = in_rounds(steps)
    outcomes: dict[str, Outcome] = {} if noted is None else noted
    absent: set[str] = set()
    with Progress("Assets written", sum(map(len, rounds))) as progress:
        for changes in rounds:
            for outcome in _write_round(client, changes, absent, outcomes, progress):
                outcomes[outcome.qualified_name] = outcome
                if outcome.is_absent:
                    absent.add(outcome.qualified_name)
                if outcome.is_absent and outcome.type_name == "S3Bucket":
                    raise PipelineError(f"The bucket {outcome.name} cannot be registered: {outcome.detail}")
    done = []
    for step in steps:
        of_step = [outcomes.get(change.qualified_name) or change.outcome() for change in step.changes]
        _log_outcomes(step.label, of_step)
        done += of_step
    return done


def _write_round(
    client: AtlanClient,
    changes: Sequence[Change],
    absent: Container[str],
    noted: dict[str, Outcome],
    progress: Progress,
) -> list[Outcome]:
    """Write what does not refer to each other; what refers to something that is absent goes without it, or not at all."""
    outcomes, writable = [], []
    for change in changes:
        lost = [name for name in references(change.entity) if name in absent]
        rest = _without(change, lost)
        if rest:
            writable.append(rest)
        else:
            outcomes.append(change.outcome(f"{min(lost)} could not be written"))
    return outcomes + _write(client, writable, noted, progress)


def _without(change: Change, lost: Container[str]) -> Change | None:
    """The change without the references that are lost, or None where they are all that an attribute has."""
    attributes = dict(change.entity["attributes"])
    for name, value in attributes.items():
        if isinstance(value, dict) and compared_value(value) in lost:
            return None
        if isinstance(value, list) and value:
            attributes[name] = [item for item in value if compared_value(item) not in lost]
            if not attributes[name]:
                return None
    to_send: Entity = {**change.entity, "attributes": attributes}
    return replace(change, entity=to_send)


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


def _write(
    client: AtlanClient, pending: Sequence[Change], noted: dict[str, Outcome], progress: Progress
) -> list[Outcome]:
    """Write what does not depend on each other, side by side in batches."""
    outcomes = []
    for change in pending:
        if change.type_name == "Connection":
            guid = _save_connection(client, change.entity)
            outcomes.append(change.outcome(guid=guid))
            noted[change.qualified_name] = outcomes[-1]
            progress.advance()
            if guid:
                wait_for_rights(client, guid)
    in_bulk = [change for change in pending if change.type_name != "Connection"]
    batches = _Batches(in_bulk)
    senders = min(IN_FLIGHT, -(-len(in_bulk) // BATCH_SIZE))
    for written in interleave([_send(client, batches) for _ in range(senders)]):
        progress.advance(len(written))
        outcomes += written
        noted.update((outcome.qualified_name, outcome) for outcome in written)
    outcomes += [change.outcome(batches.stopped) for change in batches.left]
    return confirm(client, pending, outcomes)


def _send(client: AtlanClient, batches: _Batches) -> Iterator[list[Outcome]]:
    """Send batch after batch; what became of each. A batch that Atlan refuses is split until each culprit stands alone."""
    while batch := batches.take():
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                guids = _send_bulk(client, part, batches)
            except AtlanRequestError as error:
                if not error.concerns_items:
                    batches.stop(str(error))
                    yield [change.outcome(str(error)) for left in [part, *parts] for change in left]
                    return
                if len(part) == 1:
                    yield [part[0].outcome(str(error))]
                    continue
                half = len(part) // 2
                parts += [part[half:], part[:half]]
                continue
            yield [change.outcome(guid=guids.get(change.qualified_name, "")) for change in part]


def _send_bulk(client: AtlanClient, part: Sequence[Change], batches: _Batches) -> dict[str, str]:
    """Write some assets with one request; the guids that Atlan tells, by qualified name."""
    from pyatlan.client.constants import BULK_UPDATE

    flags = ("replaceTags", "appendTags", "replaceBusinessAttributes", "overwriteBusinessAttributes")
    body = {"entities": [change.as_sent for change in part]}
    answer, seconds = call_atlan_timed(client, BULK_UPDATE, body, dict.fromkeys(flags, False))
    batches.note(len(part), seconds)
    return _guids_told(answer)


def _guids_told(answer: Mapping[str, Any]) -> dict[str, str]:
    """The guids of what a bulk request says it has changed, by qualified name; what makes no sense is left out."""
    changed = answer.get("mutatedEntities")
    told: dict[str, str] = {}
    for action in ("CREATE", "UPDATE"):
        headers = changed.get(action) if isinstance(changed, dict) else None
        for header in headers if isinstance(headers, list) else []:
            attributes = header.get("attributes") if isinstance(header, dict) else None
            name = attributes.get("qualifiedName") if isinstance(attributes, dict) else None
            if isinstance(name, str) and isinstance(header.get("guid"), str):
                told[name] = header["guid"]
    return told


def _save_connection(client: AtlanClient, entity: Entity) -> str:
    """Create a connection; its guid."""
    from pyatlan.client.constants import BULK_UPDATE

    answer = call_atlan(client, BULK_UPDATE, {"entities": [{**entity, "guid": "-1"}]})
    return _guids_told(answer).get(entity["attributes"]["qualifiedName"], "")


def remove_assets(
    client: AtlanClient,
    label: str,
    hits: Sequence[SearchHit],
    dry_run: bool = False,
    noted: dict[str, Outcome] | None = None,
) -> list[Outcome]:
    """Archive assets (they can be restored in Atlan); one outcome for each, which goes into `noted` at once, too.

    A dry run shows them, and archives nothing.
    """
    from pyatlan.client.constants import DELETE_ENTITIES_BY_GUIDS

    if dry_run:
        log_lines(show_removals(hits), NOTICE)
        return [removal(hit) for hit in hits]
    outcomes = []
    for start in range(0, len(hits), BATCH_SIZE):
        batch, failure = hits[start : start + BATCH_SIZE], ""
        try:
            query = {"deleteType": "SOFT", "guid": [hit["guid"] for hit in batch]}
            call_atlan(client, DELETE_ENTITIES_BY_GUIDS, query=query)
        except AtlanRequestError as error:
            failure = str(error)
        outcomes += [removal(hit, failure) for hit in batch]
        if noted is not None:
            noted.update((outcome.qualified_name, outcome) for outcome in outcomes[start:])
    _log_outcomes(label, outcomes)
    return outcomes


def _log_outcomes(label: str, outcomes: Sequence[Outcome]) -> None:
    counts = Counter(outcome.status for outcome in outcomes)
    told = [f"{counts[status]} {status.value}" for status in Status if counts[status]]
    changed = any(counts[status] for status in Status if status is not Status.UNCHANGED)
    mark = "❌" if counts[Status.FAILED] else "✅"
    logger.log(NOTICE if changed else logging.INFO, "%s %s: %s", mark, label, ", ".join(told) or "nothing to do")
