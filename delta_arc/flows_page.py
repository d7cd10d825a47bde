"""The page that lists the flows of a command: what became of each, with a link to its own page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from delta_arc.endings import Ending, mark_of
from delta_arc.run_report import RunRecord
from lineage_page import render_flows
from runtime.files import replace_file
from runtime.terminal import logger, visible

PAGE = Path("flows.html")  # in the current folder
TONES = {
    Ending.UNCHANGED: "unchanged",
    Ending.CHANGED: "created",
    Ending.PLANNED: "created",
    Ending.WITHOUT_CHAINS: "updated",
    Ending.BELOW_COVERAGE: "updated",
    Ending.NOT_RUN: "unchanged",
}
WORDS = {"created": "created", "updated": "changed", "unchanged": "unchanged", "removed": "removed", "failed": "failed"}
PLANNED_WORDS = {**WORDS, "created": "to create", "updated": "to change", "removed": "to remove"}


def write_flows_page(path: Path | None, flows: Sequence[RunRecord]) -> None:
    """Write the page of flows that have ended. That it cannot be written is told, and harms nothing else."""
    if not path:
        return
    try:
        replace_file(path, render_flows(document_of_flows(flows)))
    except (OSError, ImportError) as error:
        logger.warning("⚠️ The page %s cannot be written (%s)", path, getattr(error, "strerror", None) or error)
        return
    logger.info("🔗 The flows as a page: %s", path)


def document_of_flows(flows: Sequence[RunRecord]) -> dict[str, Any]:
    """What became of the flows, for the page; their reports hold no secret."""
    good = sum(mark_of(flow.ending) == "✅" for flow in flows)
    bad = sum(mark_of(flow.ending) == "❌" for flow in flows)
    tone = "failed" if bad else "done" if good == len(flows) else "changes"
    all_good = f"All {len(flows)} flows are as they should be."
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return {
        "title": "Flows",
        "verdict": [
            tone,
            all_good if good == len(flows) else f"{len(flows) - good} of {len(flows)} flows need a look.",
        ],
        "about": f"{now} · PostgreSQL → S3 → Snowflake",
        "flows": [_describe(flow, flow.document) for flow in flows if flow.document],
    }


def _describe(flow: RunRecord, told: Mapping[str, Any]) -> dict[str, Any]:
    coverage, counts, ends = told["coverage"], told["counts"] or {}, told["flow"]
    words = PLANNED_WORDS if told["dry_run"] else WORDS
    complete = len(coverage["complete"]) if coverage else 0
    place = (
        f"{ends['postgres_connection']} → s3://{ends['bucket']}/{ends['prefix']} → {ends['snowflake_connection']}"
        if ends
        else str(flow.env_file)
    )
    seconds = told["seconds"].get("total")
    return {
        "name": visible(flow.name),
        "href": _link_to(flow),
        "place": visible(place),
        "outcome": told["outcome"],
        "tone": TONES.get(flow.ending, "failed"),
        "errors": [visible(error) for error in told["errors"]],
        "coverage": f"{complete:,} of {coverage['tables']:,} chains" if coverage else "",
        "share": complete / max(coverage["tables"], 1) if coverage else None,
        "assets": ", ".join(f"{counts[name]:,} {word}" for name, word in words.items() if counts.get(name)),
        "took": f"{seconds:,.1f} s" if seconds is not None else "",
    }


def _link_to(flow: RunRecord) -> str:
    """The address of a flow's page, as far as there is one, from where the list is."""
    page = flow.settings.lineage_page if flow.settings else None
    return quote(Path(os.path.relpath(page)).as_posix(), errors="replace") if page and page.is_file() else ""
