"""The plan: what an apply would add, change, keep and remove, why, and the world that it was made from.

Pure functions, but for `save_plan` and `load_plan`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delta_arc.evidence import Evidence
from runtime.files import replace_file
from delta_arc.entities import COMPARED_ATTRIBUTES, PROCESS_ATTRIBUTES, digest
from delta_arc.settings import PipelineError
from delta_arc.matching import AssetRow

BATCH_SIZE = 50  # Atlan's advice: 20 to 50 assets per bulk request
FORMAT = "Delta Arc plan 1"
# What is set when an asset is made and then left to the people who edit it.
ONLY_AT_CREATION = ("description",)


@dataclass(frozen=True)
class Change:
    """What has to happen to one wanted asset: action is create, update or keep; `before` has what an update replaces."""

    entity: dict
    action: str
    before: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type_name(self) -> str:
        return self.entity["typeName"]

    @property
    def name(self) -> str:
        return self.entity["attributes"]["name"]

    @property
    def qualified_name(self) -> str:
        return self.entity["attributes"]["qualifiedName"]


@dataclass(frozen=True)
class Step:
    """Changes of one kind. The steps of a plan are in an order in which each refers to earlier ones only."""

    label: str
    changes: Sequence[Change]

    @property
    def pending(self) -> list[Change]:
        return [change for change in self.changes if change.action != "keep"]


@dataclass(frozen=True)
class Unmatched:
    """A table, object or column (its `kind`) that is in no complete chain, and the lines of overrides that settle it."""

    kind: str
    sentence: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """How far the lineage reaches: by source table the complete chains with their ground, and what others lack.

    `targets` are the tables that incomplete chains would end in, as far as there are any.
    """

    complete: Mapping[str, str]
    incomplete: Mapping[str, str]
    unmatched: Sequence[Unmatched]
    targets: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Everything that a run would do. `world` is what it was made from: for each kind of thing, a value by name."""

    world: Mapping[str, Mapping[str, str]]
    steps: Sequence[Step]
    removals: Sequence[dict]  # search hits of the processes that are wanted no more
    coverage: Coverage
    prune: bool
    held: Mapping[str, dict]  # the processes of the flow that Atlan holds

    @property
    def counts(self) -> dict[str, int]:
        actions = Counter(change.action for step in self.steps for change in step.changes)
        return {**{action: actions[action] for action in ("create", "update", "keep")}, "remove": len(self.removals)}

    @property
    def nothing_to_do(self) -> bool:
        return not self.write_requests

    @property
    def write_requests(self) -> int:
        """How many requests an apply sends to write, if Atlan takes them all."""
        removed = len(self.removals) if self.prune else 0
        waves = in_waves(self.steps)
        connections = [sum(change.type_name == "Connection" for change in wave) for wave in waves]
        in_bulk = [len(wave) - alone for wave, alone in zip(waves, connections, strict=True)]
        return sum(connections) + sum(-(-number // BATCH_SIZE) for number in [*in_bulk, removed])


# =====================================================================================================================
# Comparing
# =====================================================================================================================


def compare(wanted: Iterable[dict], present: Mapping[str, dict]) -> list[Change]:
    """What has to happen to each wanted asset; `present` are search hits by qualified name."""
    changes = []
    for entity in wanted:
        hit = present.get(entity["attributes"]["qualifiedName"])
        if hit is None:
            changes.append(Change(entity, "create"))
            continue
        sent = {name: value for name, value in entity["attributes"].items() if name not in ONLY_AT_CREATION}
        held = hit["attributes"]
        before = {name: plain(held.get(name)) for name, value in sent.items() if plain(value) != plain(held.get(name))}
        changes.append(Change({**entity, "attributes": sent}, "update" if before else "keep", before))
    return changes


def in_waves(steps: Iterable[Step]) -> list[list[Change]]:
    """What is to be written, in as few rounds as can be: nothing refers to what is created in its own or a later one."""
    waves: list[list[Change]] = []
    created_in: dict[str, int] = {}
    for step in steps:
        for change in step.pending:
            wave = max((created_in[name] + 1 for name in references(change.entity) if name in created_in), default=0)
            if change.action == "create":
                created_in[change.qualified_name] = wave
            waves.extend([] for _ in range(len(waves), wave + 1))
            waves[wave].append(change)
    return waves


def references(entity: Mapping[str, Any]) -> list[str]:
    """The qualified names of the assets that an entity needs: those that its attributes refer to, and its connection."""
    values = [value for value in entity["attributes"].values() if isinstance(value, (dict, list))]
    named = [plain(item) for value in values for item in (value if isinstance(value, list) else [value])]
    return [*named, entity["attributes"].get("connectionQualifiedName", "")]


def plain(value: Any) -> Any:
    """A value as it is compared and shown: references by qualified name, and many of them sorted, as Atlan keeps no order."""
    if isinstance(value, dict):
        return (value.get("uniqueAttributes") or {}).get("qualifiedName", "")
    if isinstance(value, list):
        return sorted({plain(item) for item in value})
    return value


def fingerprint(hit: Mapping[str, Any], attributes: Iterable[str]) -> str:
    """What Atlan holds of an asset, as far as it is compared, as a short digest."""
    held = [[name, plain(hit["attributes"].get(name))] for name in ("name", *attributes)]
    return f"#{_digest(held)[:12]}"


def _digest(value: Any) -> str:
    return digest(json.dumps(value, sort_keys=True))


# =====================================================================================================================
# The world
# =====================================================================================================================


def describe_world(
    settings: Mapping[str, str],
    overrides: str,
    assets: Iterable[AssetRow],
    objects: Iterable[Mapping[str, Any]],
    evidence: Iterable[Evidence],
    held: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, str]]:
    """All that a plan is made from; `held` are search hits of what Atlan has already."""
    return {
        "Setting": dict(settings),
        "Override": {f"line {number}": line for number, line in enumerate(overrides.splitlines(), 1)},
        "Asset": {row[0]: f"{row[2]} {row[1]}" for row in assets},
        "S3 object": {
            item["key"]: f"{item['size']} bytes of {item['last_modified'].isoformat()} ({item['etag']})"
            for item in objects
        },
        "Header of": {
            found.key: f"{found.ground} ({found.reason or ', '.join(found.columns)})" for found in evidence if found.key
        },
        "In Atlan,": {
            name: fingerprint(hit, COMPARED_ATTRIBUTES.get(hit["typeName"], PROCESS_ATTRIBUTES))
            for name, hit in sorted(held.items())
        },
    }


# =====================================================================================================================
# The file
# =====================================================================================================================


def to_document(plan: Plan) -> dict[str, Any]:
    """The plan as it is saved: what a reader wants first, first. Nothing in it is secret."""
    document = {
        "format": FORMAT,
        "nothing_to_do": plan.nothing_to_do,
        "counts": {**plan.counts, "write_requests": plan.write_requests},
        "prune": plan.prune,
        "coverage": {
            "complete": dict(plan.coverage.complete),
            "incomplete": dict(plan.coverage.incomplete),
            "unmatched": [{"what": item.sentence, "overrides": [*item.lines]} for item in plan.coverage.unmatched],
        },
        "steps": [_step_in_document(step) for step in plan.steps],
        "remove": [
            {"type": hit["typeName"], "guid": hit["guid"], "qualified_name": hit["attributes"]["qualifiedName"]}
            for hit in plan.removals
        ],
        "world": {kind: dict(things) for kind, things in plan.world.items()},
    }
    return {**document, "digest": _digest(document)}


def _step_in_document(step: Step) -> dict[str, Any]:
    return {
        "step": step.label,
        "create": [
            {"type": change.type_name, **{name: plain(value) for name, value in change.entity["attributes"].items()}}
            for change in step.changes
            if change.action == "create"
        ],
        "update": [
            {
                "type": change.type_name,
                "qualified_name": change.qualified_name,
                "before": dict(change.before),
                "after": {name: plain(change.entity["attributes"][name]) for name in change.before},
            }
            for change in step.changes
            if change.action == "update"
        ],
        "keep": [change.qualified_name for change in step.changes if change.action == "keep"],
    }


def save_plan(plan: Plan, path: Path) -> None:
    """Replace the file as a whole, or leave it as it is."""
    try:
        replace_file(path, json.dumps(to_document(plan), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise PipelineError(f"The plan cannot be written to {path} ({error.strerror}).") from None


def load_plan(path: Path) -> dict[str, Any]:
    """The document of a saved plan, as `to_document` made it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except OSError as error:
        raise PipelineError(f"The plan {path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise PipelineError(f"{path} is no plan: make one with --plan.") from None
    if not isinstance(document, dict) or not str(document.get("format")).startswith("Delta Arc plan"):
        raise PipelineError(f"{path} is no plan: make one with --plan.")
    if document["format"] != FORMAT:
        raise PipelineError(f"{path} is a plan of another version of Delta Arc: make it anew with --plan.")
    if document.pop("digest", None) != _digest(document):
        raise PipelineError(f"{path} has been edited since it was saved: make it anew with --plan.")
    return document


SENTENCES = 20


def check_unchanged(saved: Mapping[str, Any], renewed: Plan) -> None:
    """Raise `PipelineError` where a saved plan is not what a run would do now."""
    document = to_document(renewed)
    document.pop("digest")
    if document == saved:
        return
    changed = describe_difference(saved["world"], renewed.world)
    more = [f"… and {len(changed) - SENTENCES} more"] if len(changed) > SENTENCES else []
    reasons = "; ".join([*changed[:SENTENCES], *more]) or "another version or user makes another plan of it"
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
            elif old[name] != new[name] and new[name].startswith("#"):
                told.append(f"{kind} {name} has changed")
            elif old[name] != new[name]:
                told.append(f"{kind} {name} was {old[name]} and is {new[name]}")
    return told


# =====================================================================================================================
# Showing it
# =====================================================================================================================

LINES = 100  # how many lines of one kind are shown
ACTION_WORDS = {"create": "to create", "update": "to update", "keep": "unchanged"}


def show_steps(steps: Iterable[Step]) -> Iterator[str]:
    """What is added and changed: the number for each step, then line by line."""
    steps = list(steps)
    for step in steps:
        counts = Counter(change.action for change in step.changes)
        told = ", ".join(f"{counts[action]} {word}" for action, word in ACTION_WORDS.items() if counts[action])
        yield f"📊 {step.label}: {told or 'nothing to do'}"
    yield from _bounded([line for step in steps for line in _show_step(step)])


def show_removals(hits: Sequence[dict]) -> Iterator[str]:
    yield from _bounded([f"   - {hit['typeName']}: {hit['attributes']['name']}" for hit in hits])


def _show_step(step: Step) -> Iterator[str]:
    for change in step.pending:
        yield f"   {'+' if change.action == 'create' else '~'} {change.type_name}: {change.name}"
        for name, before in change.before.items():
            yield f"       {name}: {_show_difference(before, plain(change.entity['attributes'][name]))}"


def _show_difference(before: Any, after: Any) -> str:
    if not isinstance(after, list):
        return " → ".join(_quote(before, after))
    added, removed = sorted(set(after) - set(before or [])), sorted(set(before or []) - set(after))
    told = [f"+ {name}" for name in added[:5]] + [f"- {name}" for name in removed[:5]]
    left = len(added) + len(removed) - len(told)
    return ", ".join(told) + (f" and {left} more" if left else "")


def _quote(before: Any, after: Any) -> list[str]:
    """Both values on one line, from shortly before they differ; texts in quotes, as names have arrows of their own."""
    texts = [f'"{" ".join(value.split())}"' if isinstance(value, str) else str(value) for value in (before, after)]
    same = next((at for at, (left, right) in enumerate(zip(*texts, strict=False)) if left != right), 0)
    start = same - 40 if same > 60 else 0
    return [
        ("…" if start else "") + text[start : start + 120] + ("…" if len(text) > start + 120 else "") for text in texts
    ]


def show_coverage(coverage: Coverage) -> Iterator[str]:
    """How many tables have a complete chain, what the others lack, and what settles what is unmatched."""
    total = len(coverage.complete) + len(coverage.incomplete)
    yield f"🔍 {len(coverage.complete)} of {total} tables have a complete chain"
    for lack, number in sorted(Counter(coverage.incomplete.values()).items()):
        yield f"   {number} without: {lack}"
    told = [[f"⚠️ {item.sentence}", *(f"      {line}" for line in item.lines)] for item in coverage.unmatched]
    for lines in told[:LINES]:
        yield from lines
    if len(told) > LINES:
        yield f"   … and {len(told) - LINES} more: --plan FILE saves them all"


def show_grounds(coverage: Coverage) -> Iterator[str]:
    """What each complete chain goes through, and on what ground."""
    yield from _bounded([f"   {table.rpartition('/')[2]}: {ground}" for table, ground in coverage.complete.items()])


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield f"   … and {len(lines) - LINES} more: --plan FILE saves them all"
