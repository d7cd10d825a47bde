"""A run as a page: the document of what it would do or has done, and the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from delta_arc.evidence import explain_ground
from delta_arc.plan import Plan
from delta_arc.report import Outcome, Report, Status, count_unmatched
from lineage_page import Chain, Link, chains_of, describe_chain, name_of, render
from runtime.atlan import SearchHit
from runtime.files import replace_file
from runtime.references import reference
from runtime.terminal import logger


def document_of_run(plan: Plan, report: Report, dry_run: bool) -> dict[str, Any]:
    """What a run would do, or has done, for the page."""
    settings = plan.world["Setting"]
    outcomes = {outcome.qualified_name: outcome for outcome in report.outcomes}
    guids = {name: outcome.guid for name, outcome in outcomes.items()} | _guids_of(plan.existing.values())
    chains = chains_of(_links_of(plan, outcomes, "Process"), _links_of(plan, outcomes, "ColumnProcess"))
    for chain in chains:
        # What could not be registered breaks the chain that it is part of.
        lost = [outcomes[name_of(ref)] for ref in chain.objects if name_of(ref) in outcomes]
        chain.links += [_link(outcome, {}) for outcome in lost if outcome.status is Status.FAILED]
    alone = {name_of(ref): chain for chain in chains for ref in chain.sources}
    for source, gap in plan.coverage.incomplete.items():
        if source in plan.coverage.extracts and source in alone:
            alone[source].missing, alone[source].gaps = gap.words, gap.parts
            continue
        ends = [plan.coverage.targets[source]] if source in plan.coverage.targets else []
        chains.append(
            Chain(
                [reference("Table", source)],
                targets=[reference("Table", end) for end in ends],
                missing=gap.words,
                gaps=gap.parts,
            )
        )
    chains.sort(key=lambda chain: name_of((chain.sources or chain.targets)[0]))
    complete, total = len(plan.coverage.complete), len(chains)
    return {
        "title": "PostgreSQL → S3 → Snowflake",
        "about": "A plan: nothing of it is written" if dry_run else "Written",
        "planned": dry_run,
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tenant": "the sandbox" if settings["tenant"] == "sandbox" else settings["tenant"],
        "lanes": [
            ["PostgreSQL", settings["PostgreSQL connection"]],
            ["S3", settings["bucket"].rpartition(":")[2]],
            ["Snowflake", settings["Snowflake connection"]],
        ],
        "summary": [
            ["Complete chains", f"{complete:,} of {total:,} tables", complete / max(total, 1)],
            *_count_outcomes(report, dry_run),
            ["Unmatched", count_unmatched(plan.coverage.unmatched)],
        ],
        "asset_url": "" if settings["tenant"] == "sandbox" else f"{settings['tenant']}/assets/",
        "chains": [describe_chain(chain, guids) for chain in chains],
        "unmatched": [[item.kind, item.sentence, *item.lines] for item in plan.coverage.unmatched],
        "stale": [[hit["typeName"], hit["attributes"]["name"], hit["guid"]] for hit in plan.removals],
        "pruned": plan.prune and not report.failed,
        "assets": 0,
    }


def _links_of(plan: Plan, outcomes: Mapping[str, Outcome], type_name: str) -> list[Link]:
    changes = [change for step in plan.steps for change in step.changes if change.type_name == type_name]
    return [_link(outcomes[change.qualified_name], change.entity["attributes"]) for change in changes]


def _link(outcome: Outcome, attributes: Mapping[str, Any]) -> Link:
    detail = f"changes {outcome.detail}" if outcome.status is Status.UPDATED else outcome.detail
    return Link(
        outcome.qualified_name,
        attributes.get("inputs", []),
        attributes.get("outputs", []),
        outcome.status.value,
        f"{outcome.name}: {detail}" if detail else "",
        explain_ground(attributes.get("additionalEtlContext")),
        name_of(attributes["process"]) if "process" in attributes else "",
    )


def _count_outcomes(report: Report, dry_run: bool) -> list[list[Any]]:
    planned = {Status.CREATED: "to create", Status.UPDATED: "to change", Status.REMOVED: "to remove"}
    words = {status: "changed" if status is Status.UPDATED else status.value for status in Status}
    counts = {status: report.count(status) for status in Status}
    always = (Status.CREATED, Status.UPDATED, Status.UNCHANGED)
    return [
        [f"Assets {planned.get(status, words[status]) if dry_run else words[status]}", counts[status]]
        for status in Status
        if counts[status] or status in always
    ]


def _guids_of(hits: Iterable[SearchHit]) -> dict[str, str]:
    """The guids of processes and of what they refer to, by qualified name."""
    found = {}
    for hit in hits:
        found[hit["attributes"]["qualifiedName"]] = hit["guid"]
        for side in ("inputs", "outputs"):
            found |= {name_of(ref): ref.get("guid", "") for ref in hit["attributes"].get(side) or []}
    return found


def write_page(path: Path | None, plan: Plan, report: Report, dry_run: bool) -> None:
    """Write the page of a run, as a whole or not at all. That it cannot be written is told, and harms nothing else."""
    if not path:
        return
    try:
        replace_file(path, render(document_of_run(plan, report, dry_run)))
    except OSError as error:
        logger.warning("⚠️ The page %s cannot be written (%s): check LINEAGE_PAGE", path, error.strerror or error)
        return
    except ImportError as error:
        logger.warning(
            "⚠️ The page needs a package that is not installed (%s): pip install -r requirements.txt", error.name
        )
        return
    logger.info("🔗 The lineage as a page: %s", path)
