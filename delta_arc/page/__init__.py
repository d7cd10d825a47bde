"""The lineage as a page: one HTML file that needs nothing else, with a chain for each table and what did not match.

`chains_of` and the documents are pure; `write_page` writes the file. The page's script draws the document; nothing in
it is put into the page's HTML but as JSON, so a name is never more than a text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any

from delta_arc.evidence import explain_ground
from delta_arc.files import replace_file
from delta_arc.model import common_folder, reference
from delta_arc.terminal import logger

if TYPE_CHECKING:
    from delta_arc.plan import Plan
    from delta_arc.writing import Outcome, Report

Ref = Mapping[str, Any]  # {"typeName", "uniqueAttributes": {"qualifiedName"}, perhaps "guid"}

SHOWN_OBJECTS = 10


@dataclass(frozen=True)
class Link:
    """A process with both its ends; for a column process also the process that it is part of."""

    qualified_name: str
    inputs: Sequence[Ref]
    outputs: Sequence[Ref]
    state: str = "unchanged"
    detail: str = ""
    ground: str = ""
    parent: str = ""


@dataclass
class Chain:
    """Tables, the objects that their data passes through, and the tables that it ends in; any of them may be missing."""

    sources: list[Ref] = field(default_factory=list)
    objects: list[Ref] = field(default_factory=list)
    targets: list[Ref] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    columns: list[Link] = field(default_factory=list)
    lack: str = ""


def chains_of(links: Iterable[Link], columns: Iterable[Link]) -> list[Chain]:
    """Chains through objects: the process that fills them, and the one that reads them. Any other process is its own."""
    below: dict[str, list[Link]] = defaultdict(list)
    for column in columns:
        below[column.parent].append(column)
    links = list(links)
    by_object: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        for ref in filter(_is_object, link.outputs):
            by_object[_name(ref)].append(link)
    chains: list[Chain] = []
    continued: set[str] = set()
    for link in links:
        if any(map(_is_object, link.outputs)):
            continue
        read = [ref for ref in link.inputs if _is_object(ref)]
        filled_by = {maker.qualified_name: maker for ref in read for maker in by_object[_name(ref)]}
        continued.update(filled_by)
        direct = [ref for ref in link.inputs if not _is_object(ref)]
        sources = {_name(ref): ref for maker in filled_by.values() for ref in maker.inputs}
        parts = [*filled_by.values(), link]
        made = Chain([*sources.values(), *direct], read, list(link.outputs), parts)
        made.columns = [column for part in parts for column in below[part.qualified_name]]
        chains.append(made)
    for link in links:
        if any(map(_is_object, link.outputs)) and link.qualified_name not in continued:
            chains.append(Chain(list(link.inputs), list(link.outputs), [], [link], below[link.qualified_name]))
    return chains


def _is_object(ref: Ref) -> bool:
    return ref["typeName"].endswith("Object")


def _name(ref: Ref) -> str:
    return ref["uniqueAttributes"]["qualifiedName"]


# =====================================================================================================================
# The documents: what the page's script draws
# =====================================================================================================================

STATES = ("failed", "created", "updated", "unchanged")


def describe_chain(chain: Chain, guids: Mapping[str, str]) -> dict[str, Any]:
    """A chain as JSON: its three lanes, each a list of `[name, place, guid]`, and its columns.

    Of several objects there are only their `count`, `folder` and the first names. A column is a name where both sides
    have it (in `upper` chains the right one in capitals) and its state is the chain's, else `[left, right, state]`.
    """
    states = {link.state for link in [*chain.links, *chain.columns]}
    own = [link.state for link in chain.links] or ["incomplete"]
    state = next((state for state in STATES if state in own), own[0])
    if "failed" in states:
        state = "failed"
    elif state == "unchanged" and states != {"unchanged"}:
        state = "updated"
    described: dict[str, Any] = {
        "state": state,
        "sources": [_describe_end(ref, guids) for ref in chain.sources],
        "targets": [_describe_end(ref, guids) for ref in chain.targets],
        "details": [link.detail for link in [*chain.links, *chain.columns] if link.detail],
        **_describe_objects(chain.objects, guids),
        **_describe_columns(chain.columns, state),
    }
    ground = next((explain_ground(link.ground) for link in chain.links if link.ground), "")
    optional = {"ground": ground, "lack": chain.lack}
    return described | {name: value for name, value in optional.items() if value}


def _describe_objects(objects: Sequence[Ref], guids: Mapping[str, str]) -> dict[str, Any]:
    keys = [_key(_name(ref)) for ref in objects]
    if len(keys) < 2:
        return {"objects": [[basename(key), dirname(key), guids.get(_name(objects[0]), "")] for key in keys]}
    return {
        "count": len(keys),
        "folder": common_folder(keys),
        "objects": [basename(key) for key in keys[:SHOWN_OBJECTS]],
    }


def _describe_columns(columns: Sequence[Link], state: str) -> dict[str, Any]:
    ends = [(_last(column.inputs), _last(column.outputs), column.state) for column in columns]
    upper = any(left != right and _is_upper(left, right) for left, right, _ in ends)
    return {
        "upper": upper,
        "columns": [
            left if (_is_upper(left, right) if upper else left == right) and own == state else [left, right, own]
            for left, right, own in ends
        ],
    }


def _is_upper(left: str, right: str) -> bool:
    return left.isascii() and left.upper() == right


def _last(refs: Sequence[Ref]) -> str:
    return _name(refs[0]).rpartition("/")[2] if refs else ""


def _describe_end(ref: Ref, guids: Mapping[str, str]) -> list[str]:
    name = _name(ref)
    segments = name.split("/")
    return [segments[-1], " / ".join(segments[3:-1]), guids.get(name, "")]


def _key(qualified_name: str) -> str:
    """The key within an object's qualified name, which has the bucket's ARN after the connection."""
    return "/".join(qualified_name.split("/")[4:])


def document_of_run(plan: Plan, report: Report, dry_run: bool) -> dict[str, Any]:
    """What a run would do, or has done, for the page."""
    settings = plan.world["Setting"]
    outcomes = {outcome.qualified_name: outcome for outcome in report.outcomes}
    guids = {name: outcome.guid for name, outcome in outcomes.items()} | _guids_in(plan.held.values())
    chains = chains_of(_links_of(plan, outcomes, "Process"), _links_of(plan, outcomes, "ColumnProcess"))
    for chain in chains:
        # What could not be registered breaks the chain that it is part of.
        lost = [outcomes[_name(ref)] for ref in chain.objects if _name(ref) in outcomes]
        chain.links += [_link(outcome, {}) for outcome in lost if outcome.status == "failed"]
    for source, lack in plan.coverage.incomplete.items():
        ends = [plan.coverage.targets[source]] if source in plan.coverage.targets else []
        chains.append(Chain([reference("Table", source)], targets=[reference("Table", end) for end in ends], lack=lack))
    chains.sort(key=lambda chain: _name(chain.sources[0]))
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
            ["Unmatched", len(plan.coverage.unmatched)],
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
    detail = f"changes {outcome.detail}" if outcome.status == "updated" else outcome.detail
    return Link(
        outcome.qualified_name,
        attributes.get("inputs", []),
        attributes.get("outputs", []),
        outcome.status,
        f"{outcome.name}: {detail}" if detail else "",
        attributes.get("additionalEtlContext", ""),
        _name(attributes["process"]) if "process" in attributes else "",
    )


def _count_outcomes(report: Report, dry_run: bool) -> list[list[Any]]:
    words = {
        "created": "created",
        "updated": "changed",
        "unchanged": "unchanged",
        "removed": "removed",
        "failed": "failed",
    }
    planned = {"created": "to create", "updated": "to change", "removed": "to remove"}
    counts = {status: report.count(status) for status in words}
    shown = [status for status in words if counts[status] or status in ("created", "updated", "unchanged")]
    return [
        [f"Assets {planned.get(status, words[status]) if dry_run else words[status]}", counts[status]]
        for status in shown
    ]


def _guids_in(hits: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The guids of processes and of what they refer to, by qualified name."""
    found = {}
    for hit in hits:
        found[hit["attributes"]["qualifiedName"]] = hit["guid"]
        for side in ("inputs", "outputs"):
            found |= {_name(ref): ref.get("guid", "") for ref in hit["attributes"].get(side) or []}
    return found


# =====================================================================================================================
# The file
# =====================================================================================================================


def render(document: Mapping[str, Any]) -> str:
    """The page, as a whole; Jinja's tojson keeps the document's texts from ending the script that they are in."""
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, keep_trailing_newline=True)
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return templates.get_template("lineage.html").render(document=document)


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
