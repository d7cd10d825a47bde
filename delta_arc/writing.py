"""Writing to Atlan: bulk requests, one outcome for every asset, and the report that collects them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delta_arc.clients import AtlanRequestError, call_atlan
from delta_arc.model import Flow
from delta_arc.terminal import Progress, logger

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

BATCH_SIZE = 50  # Atlan's advice: 20 to 50 assets per bulk request


@dataclass(frozen=True)
class Change:
    """What has to happen to one wanted asset: action is create, update or keep; `differing` names the attributes."""

    entity: dict
    action: str
    differing: tuple[str, ...] = ()

    @property
    def qualified_name(self) -> str:
        return self.entity["attributes"]["qualifiedName"]


@dataclass(frozen=True)
class Outcome:
    """What became of one wanted asset: created, updated, unchanged or failed (in a dry run: what would)."""

    type_name: str
    name: str
    qualified_name: str
    status: str
    detail: str = ""


@dataclass
class Report:
    """What a step did, item by item, and what it left out, with the reason."""

    outcomes: list[Outcome] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    # The source and target table of each load process that is in place: the parents of column lineage.
    loads: dict[str, tuple[str, str]] = field(default_factory=dict)
    # The processes of the flow that Atlan held before this run, by qualified name.
    held: dict[str, dict] = field(default_factory=dict)
    flow: Flow | None = None

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def stale(self) -> list[dict]:
        """What was made earlier and is wanted no more; column processes first, as they lean on the others."""
        wanted = {outcome.qualified_name for outcome in self.outcomes}
        hits = [hit for name, hit in sorted(self.held.items()) if name not in wanted]
        return sorted(hits, key=lambda hit: hit["typeName"] != "ColumnProcess")

    def add(self, other: Report) -> None:
        self.outcomes += other.outcomes
        self.unmatched += other.unmatched
        self.loads |= other.loads
        self.held |= other.held
        self.flow = self.flow or other.flow


STATUS_AFTER = {"create": "created", "update": "updated", "keep": "unchanged"}
STATUSES = ("created", "updated", "unchanged", "removed", "failed")


def apply_changes(client: AtlanClient, label: str, changes: Sequence[Change], dry_run: bool) -> list[Outcome]:
    """Write what is to be created or updated, in bulk requests; one outcome for every change."""
    pending = [change for change in changes if change.action != "keep"]
    failures = {} if dry_run else _write(client, label, pending)
    outcomes = [_outcome(change, failures.get(change.qualified_name)) for change in changes]
    _log_outcomes(label, outcomes, dry_run)
    return outcomes


def _write(client: AtlanClient, label: str, pending: Sequence[Change]) -> dict[str, str]:
    """Write in batches and return the failures. A batch that Atlan refuses is split until each culprit stands alone."""
    from pyatlan.client.constants import BULK_UPDATE

    flags = ("replaceTags", "appendTags", "replaceBusinessAttributes", "overwriteBusinessAttributes")
    failures: dict[str, str] = {}
    progress = Progress(label, len(pending))
    batches = [pending[start : start + BATCH_SIZE] for start in range(0, len(pending), BATCH_SIZE)][::-1]
    while batches:
        batch = batches.pop()
        try:
            call_atlan(
                client, BULK_UPDATE, {"entities": [change.entity for change in batch]}, dict.fromkeys(flags, False)
            )
        except AtlanRequestError as error:
            if not error.concerns_items:
                # The service is at fault, so the rest would only fail in the same way, slowly.
                failures |= {change.qualified_name: str(error) for left in [batch, *batches] for change in left}
                break
            if len(batch) > 1:
                half = len(batch) // 2
                batches += [batch[half:], batch[:half]]
                continue
            failures[batch[0].qualified_name] = str(error)
        progress.advance(len(batch))
    progress.finish()
    return failures


def remove_assets(client: AtlanClient, label: str, hits: Sequence[dict], dry_run: bool) -> list[Outcome]:
    """Archive assets (they can be restored in Atlan); one outcome for each."""
    from pyatlan.client.constants import DELETE_ENTITIES_BY_GUIDS

    outcomes = []
    for start in range(0, len(hits), BATCH_SIZE):
        batch, status, detail = hits[start : start + BATCH_SIZE], "removed", ""
        if not dry_run:
            try:
                query = {"deleteType": "SOFT", "guid": [hit["guid"] for hit in batch]}
                call_atlan(client, DELETE_ENTITIES_BY_GUIDS, query=query)
            except AtlanRequestError as error:
                status, detail = "failed", str(error)
        for hit in batch:
            named = hit["attributes"]
            outcomes.append(Outcome(hit["typeName"], named["name"], named["qualifiedName"], status, detail))
    _log_outcomes(label, outcomes, dry_run)
    return outcomes


def _outcome(change: Change, failure: str | None) -> Outcome:
    entity = change.entity
    status = "failed" if failure else STATUS_AFTER[change.action]
    detail = failure or ", ".join(change.differing)
    return Outcome(entity["typeName"], entity["attributes"]["name"], change.qualified_name, status, detail)


DRY_RUN_WORDS = {"created": "to create", "updated": "to update", "removed": "to remove"}
DRY_RUN_LINES = 100


def _log_outcomes(label: str, outcomes: Sequence[Outcome], dry_run: bool) -> None:
    if dry_run:
        pending = [outcome for outcome in outcomes if outcome.status in DRY_RUN_WORDS]
        for outcome in pending[:DRY_RUN_LINES]:
            detail = f" ({outcome.detail})" if outcome.detail else ""
            logger.info("   %s %s: %s%s", DRY_RUN_WORDS[outcome.status], outcome.type_name, outcome.name, detail)
        if len(pending) > DRY_RUN_LINES:
            logger.info("   … and %d more", len(pending) - DRY_RUN_LINES)
    counts = Counter(outcome.status for outcome in outcomes)
    told = [f"{counts[status]} {word_for(status, dry_run)}" for status in STATUSES if counts[status]]
    logger.info("%s %s: %s", "❌" if counts["failed"] else "✅", label, ", ".join(told) or "nothing to do")


def word_for(status: str, dry_run: bool) -> str:
    return DRY_RUN_WORDS.get(status, status) if dry_run else status
