"""A plan as a file: the world that it was made from, saved, loaded, and compared with the world of today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from delta_arc.entities import COMPARED_ATTRIBUTES, PROCESS_ATTRIBUTES, digest
from delta_arc.joining import GROUNDS
from delta_arc.matching import AssetRow
from delta_arc.plan import Action, Plan, Step, compared_value
from delta_arc.report import Report, S3Integration, TableLineage
from delta_arc.settings import Settings
from runtime.atlan import SearchHit
from runtime.errors import PipelineError
from runtime.files import read_small_file, replace_file
from runtime.terminal import logger

FORMAT = "Delta Arc plan 3"
MOST_DIFFERENCES = 20  # that are told
MOST_BYTES = 500_000_000  # of a plan; one of a million columns has about that many
IN_ATLAN = "In Atlan,"  # the kind of thing whose value is a digest, which says nothing to people


def describe_world(
    assets: Iterable[AssetRow],
    s3: S3Integration,
    tables: TableLineage,
    columns: Report,
    settings: Settings,
    *,
    with_atlan: bool = True,
) -> dict[str, dict[str, str]]:
    """Everything that a plan is made from: for each kind of thing, what there is by name.

    `with_atlan` takes in what Atlan holds, which only a plan in a file needs, and which costs most.
    """
    overrides = tables.overrides.text.splitlines() if tables.overrides else []
    existing = {**s3["report"].existing, **tables.existing, **columns.existing}
    return {
        "Setting": {
            "tenant": settings.tenant,
            "PostgreSQL connection": settings.postgres_connection,
            "Snowflake connection": settings.snowflake_connection,
            "bucket": s3["bucket_qualified_name"],
            "prefix": settings.s3_prefix,
            "objects in the whole bucket": str(s3["bucket_object_count"]),
            "S3 Inventory": s3["inventory"],
            "POSTGRES_SCOPE": settings.postgres_scope.text,
            "SNOWFLAKE_SCOPE": settings.snowflake_scope.text,
            "LINEAGE_NAMESPACES": " ".join(settings.lineage_namespaces),
            "READ_FILE_HEADERS": str(settings.read_file_headers).lower(),
        },
        "Override": {f"line {number}": line for number, line in enumerate(overrides, 1)},
        "Asset": {row[0]: f"{row[2]} {row[1]}" for row in assets},
        "S3 object": {
            item["key"]: f"{item['size']} bytes of {item['last_modified'].isoformat()} ({item['etag']})"
            for item in s3["s3_objects"]
        },
        "Header of": {
            told.key: f"{told.ground.value} ({told.reason or ', '.join(told.columns)})"
            for found in tables.evidence.values()
            for told in found.told
        },
        "Job's word on": {
            f"{hop.table} and {hop.key}": f"{hop.teller} {_digest_of([hop.columns, hop.sql])[:12]}"
            for hop in tables.told.hops
        },
        IN_ATLAN: {
            name: _fingerprint(hit, COMPARED_ATTRIBUTES.get(hit["typeName"], PROCESS_ATTRIBUTES))
            for name, hit in sorted(existing.items() if with_atlan else ())
        },
    }


def _fingerprint(hit: SearchHit, attributes: Iterable[str]) -> str:
    """What Atlan has of an asset, as far as it is compared, as a short digest."""
    compared = [[name, compared_value(hit["attributes"].get(name))] for name in ("name", *attributes)]
    return f"#{_digest_of(compared)[:12]}"


def _digest_of(value: Any) -> str:
    return digest(json.dumps(value, sort_keys=True))


def to_document(plan: Plan) -> dict[str, Any]:
    """The plan as it is saved: what a reader wants first, first. Nothing in it is secret."""
    document = {
        "format": FORMAT,
        "nothing_to_do": plan.nothing_to_do,
        "counts": {**plan.counts, "write_requests": plan.write_requests},
        "prune": plan.prune,
        "min_ground": plan.min_ground,
        "coverage": {
            "complete": dict(plan.coverage.complete),
            "extracts": dict(plan.coverage.extracts),
            "loads": dict(plan.coverage.loads),
            "incomplete": {table: gap.words for table, gap in plan.coverage.incomplete.items()},
            "unmatched": [
                {"what": item.sentence, "names": [*item.names], "overrides": [*item.lines]}
                for item in plan.coverage.unmatched
            ],
        },
        "steps": [_step_in_document(step) for step in plan.steps],
        "remove": [
            {"type": hit["typeName"], "guid": hit["guid"], "qualified_name": hit["attributes"]["qualifiedName"]}
            for hit in plan.stale
        ],
        "world": {kind: dict(things) for kind, things in plan.world.items()},
    }
    return {**document, "digest": _digest_of(document)}


def _step_in_document(step: Step) -> dict[str, Any]:
    return {
        "step": step.label,
        "create": [
            {
                "type": change.type_name,
                **{name: compared_value(value) for name, value in change.entity["attributes"].items()},
            }
            for change in step.changes
            if change.action is Action.CREATE
        ],
        "update": [
            {
                "type": change.type_name,
                "qualified_name": change.qualified_name,
                "before": dict(change.before),
                "after": {name: compared_value(change.entity["attributes"][name]) for name in change.before},
            }
            for change in step.changes
            if change.action is Action.UPDATE
        ],
        "keep": [change.qualified_name for change in step.changes if change.action is Action.KEEP],
    }


def save_plan(plan: Plan, path: Path) -> None:
    """Replace the file as a whole, or leave it as it is."""
    try:
        replace_file(path, json.dumps(to_document(plan), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise PipelineError(f"The plan cannot be written to {path} ({error.strerror}).") from None
    logger.info("💾 Saved the plan in %s", path)


def load_plan(path: Path) -> dict[str, Any]:
    """The document of a saved plan, as `to_document` made it, with all its parts. Raises `PipelineError`."""
    try:
        content = read_small_file(path, MOST_BYTES)
    except OSError as error:
        raise PipelineError(f"The plan {path} cannot be read ({error.strerror}).") from None
    try:
        document = json.loads(content.decode("utf-8", errors="surrogatepass"))
        is_plan = isinstance(document, dict) and str(document.get("format")).startswith("Delta Arc plan")
        # Neither a digest nor a comparison can be made of what is nested too deeply.
        told = document.pop("digest", None) if is_plan else None
        is_as_saved = is_plan and told == _digest_of(document)
    except (ValueError, RecursionError):
        raise _no_plan(path) from None
    if not is_plan:
        raise _no_plan(path)
    if document["format"] != FORMAT:
        raise PipelineError(f"{path} is a plan of another version of Delta Arc: make it anew with --plan.")
    if not is_as_saved:
        raise PipelineError(f"{path} has been edited since it was saved: make it anew with --plan.")
    if not _is_whole(document):
        raise _no_plan(path)
    return dict(document)


def _no_plan(path: Path) -> PipelineError:
    return PipelineError(f"{path} is no plan: make one with --plan.")


# What `to_document` makes, part by part.
PARTS = {
    "nothing_to_do": bool,
    "counts": dict,
    "prune": bool,
    "min_ground": str,
    "coverage": dict,
    "steps": list,
    "remove": list,
    "world": dict,
}


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a document has every part of a plan; a digest anyone can make."""
    if not all(isinstance(document.get(name), kind) for name, kind in PARTS.items()):
        return False
    removals = document["remove"]
    return (
        document["min_ground"] in GROUNDS
        and all(isinstance(count, int) for count in document["counts"].values())
        and all(isinstance(step, dict) for step in document["steps"])
        and all(isinstance(hit, dict) and all(isinstance(text, str) for text in hit.values()) for hit in removals)
        and all(
            isinstance(things, dict) and all(isinstance(told, str) for told in things.values())
            for things in document["world"].values()
        )
    )


def check_unchanged(saved: Mapping[str, Any], renewed: Plan) -> None:
    """Raise `PipelineError` where a saved plan is not what a run would do now."""
    document = to_document(renewed)
    document.pop("digest")
    if document == saved:
        return
    changed = describe_difference(saved["world"], renewed.world)
    more = [f"… and {len(changed) - MOST_DIFFERENCES} more"] if len(changed) > MOST_DIFFERENCES else []
    reasons = "; ".join([*changed[:MOST_DIFFERENCES], *more]) or "another version or user makes another plan of it"
    raise PipelineError(f"The world has changed since the plan was made: {reasons}. Make it anew with --plan.")


def describe_difference(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What differs between the worlds of two plans, a sentence each."""
    told = []
    for kind in {**before, **after}:
        old, new = before.get(kind, {}), after.get(kind, {})
        for name in {**old, **new}:
            if name not in new:
                told.append(f"{kind} {name} is gone")
            elif name not in old:
                told.append(f"{kind} {name} is new")
            elif old[name] != new[name] and kind == IN_ATLAN:
                told.append(f"{kind} {name} has changed")
            elif old[name] != new[name]:
                told.append(f"{kind} {name} was {old[name]} and is {new[name]}")
    return told
