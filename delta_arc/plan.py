"""The plan: what a run would add, change, keep and remove, and in which order. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from delta_arc.entities import Entity
from delta_arc.report import Coverage, Outcome, Report, Status, TableLineage, find_stale
from runtime.atlan import SearchHit
from runtime.errors import PipelineError
from runtime.references import reference

# Unless told otherwise, a run archives so many processes at the most, and no more than half of what there is but a few.
MAX_REMOVE, FEW = 100, 10
MAX_UNMATCHED = 1000  # how many new objects that are in no chain a run registers at the most, unless told otherwise
LARGE = 24  # references: of a relation with as many, only what differs is sent
BATCH_SIZE = 50  # Atlan's advice: 20 to 50 assets per bulk request
# What is set when an asset is made and then left to the people who edit it.
ONLY_AT_CREATION = ("description",)


class Action(str, Enum):
    """What has to happen to a wanted asset."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"


STATUS_AFTER = {Action.CREATE: Status.CREATED, Action.UPDATE: Status.UPDATED, Action.KEEP: Status.UNCHANGED}


NOTHING: Mapping[str, Any] = MappingProxyType({})  # one for all of the many that have nothing


def _nothing() -> Mapping[str, Any]:
    return NOTHING


@dataclass(frozen=True, slots=True)
class Change:
    """What has to happen to one wanted asset; `before` has what an update replaces, by attribute.

    `by_difference` are the relations of an update that are too large to be sent whole, each with the type of what it
    refers to in Atlan.
    """

    entity: Entity
    action: Action
    before: Mapping[str, Any] = field(default_factory=_nothing)
    by_difference: Mapping[str, str] = field(default_factory=_nothing)

    @property
    def type_name(self) -> str:
        """Atlan's type of the asset, like S3Object."""
        return self.entity["typeName"]

    @property
    def name(self) -> str:
        """The asset's name, for people."""
        return str(self.entity["attributes"]["name"])

    @property
    def qualified_name(self) -> str:
        """The asset's qualified name, which is unique in the tenant."""
        return str(self.entity["attributes"]["qualifiedName"])

    @property
    def as_sent(self) -> Mapping[str, Any]:
        """The entity as Atlan is to take it: of a large relation only what is to be added and removed.

        That is what pyatlan's `SaveSemantic.APPEND` and `REMOVE` send. An attribute in `attributes` and there, too, would
        be refused (ATLAS-400-00-108).
        """
        attributes = self.entity["attributes"]
        if not self.by_difference:
            return {**self.entity, "attributes": dict(attributes.items())}
        appended, removed = {}, {}
        for name, type_name in self.by_difference.items():
            if name in self.before:
                held, wanted = set(self.before[name]), set(compared_value(attributes[name]))
                appended[name] = [ref for ref in attributes[name] if compared_value(ref) not in held]
                removed[name] = [reference(type_name, gone) for gone in sorted(held - wanted)]
        return {
            **self.entity,
            "attributes": {name: value for name, value in attributes.items() if name not in self.by_difference},
            "appendRelationshipAttributes": {name: refs for name, refs in appended.items() if refs},
            "removeRelationshipAttributes": {name: refs for name, refs in removed.items() if refs},
        }

    def outcome(self, failure: str = "", guid: str = "") -> Outcome:
        """What became of it: done, or failed for this reason."""
        status = Status.FAILED if failure else STATUS_AFTER[self.action]
        absent = bool(failure) and self.action is Action.CREATE
        detail = failure or ", ".join(self.before)
        return Outcome(self.type_name, self.name, self.qualified_name, status, detail, guid, absent)


@dataclass(frozen=True)
class Step:
    """Changes of one kind. The steps of a plan are in an order in which each refers to earlier ones only."""

    label: str
    changes: Sequence[Change]

    @property
    def pending(self) -> list[Change]:
        """What is to be written."""
        return [change for change in self.changes if change.action is not Action.KEEP]


@dataclass(frozen=True)
class GoneObject:
    """An S3 object in Atlan that the bucket has no more, and the qualified names of the active processes that use it."""

    hit: SearchHit
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that a run would do. `world` is what it was made from: for each kind of thing, a value by name."""

    world: Mapping[str, Mapping[str, str]]
    steps: Sequence[Step]
    removals: Sequence[SearchHit]  # the processes that are wanted no more
    coverage: Coverage
    prune: bool
    existing: Mapping[str, SearchHit]  # the processes of the flow that Atlan has
    doubted: int = 0  # how many of them stay although one file leaves them out
    gone: Sequence[SearchHit] = ()  # the S3 objects that the bucket has no more
    min_ground: str = "named"  # on what a hop stands at least, one of GROUNDS

    @property
    def stale(self) -> list[SearchHit]:
        """All that an earlier run made and that is wanted no more; processes first, as they lean on the objects."""
        return [*self.removals, *self.gone]

    @property
    def counts(self) -> dict[str, int]:
        """How many assets there are to create, update, keep and remove."""
        actions = Counter(change.action for step in self.steps for change in step.changes)
        return {**{action.value: actions[action] for action in Action}, "remove": len(self.stale)}

    @property
    def nothing_to_do(self) -> bool:
        """Whether Atlan holds already what is wanted."""
        return not self.write_requests

    @property
    def write_requests(self) -> int:
        """How many requests it takes to write, if Atlan takes them all."""
        removed = [len(self.removals), len(self.gone)] if self.prune else []
        rounds = in_rounds(self.steps)
        connections = [sum(change.type_name == "Connection" for change in one) for one in rounds]
        in_bulk = [len(one) - alone for one, alone in zip(rounds, connections, strict=True)]
        return sum(connections) + sum(-(-number // BATCH_SIZE) for number in [*in_bulk, *removed])

    def report(self) -> Report:
        """What would become of every asset."""
        outcomes = planned_outcomes(self.steps)
        outcomes += [removal(hit) for hit in self.stale if self.prune]
        return Report(outcomes, [*self.coverage.unmatched], self.existing)


def make_plan(
    steps: Sequence[Step],
    tables: TableLineage,
    columns: Report,
    world: Mapping[str, Mapping[str, str]],
    prune: bool,
    gone: Sequence[GoneObject] = (),
    min_ground: str = "named",
) -> Plan:
    """What a run would do: write the changes of its steps, and (`prune`) archive what is wanted no more.

    An S3 object that is `gone` stays as long as a process uses it that this plan neither renews nor archives.
    """
    existing = {**tables.existing, **columns.existing}
    wanted = {change.qualified_name for step in steps for change in step.changes}
    coverage = replace(tables.coverage, unmatched=(*tables.coverage.unmatched, *columns.unmatched))
    stale = find_stale(existing, wanted, tables.doubted | columns.doubted)
    doubted = len(find_stale(existing, wanted)) - len(stale)
    released = wanted | {hit["attributes"]["qualifiedName"] for hit in stale}
    unused = [one.hit for one in gone if all(user in released for user in one.users)]
    return Plan(world, steps, stale, coverage, prune, existing, doubted, unused, min_ground)


def check_limits(plan: Plan, max_remove: int | None, max_unmatched: int) -> None:
    """Raise `PipelineError` where a plan archives more, or registers more new objects that are in no chain.

    Without a number, MAX_REMOVE and half of the lineage that there is are the limit for processes, whichever is less. For
    S3 objects it is half of those that are registered, or as many as are new: some zones are emptied after each load.
    """
    changes = [change for step in plan.steps for change in step.changes]
    objects = [change for change in changes if change.type_name == "S3Object"]
    new = {change.qualified_name for change in objects if change.action is Action.CREATE}
    told = _describe_excess(plan, max_remove, len(new), len(objects) - len(new))
    if plan.prune and told:
        raise PipelineError(
            f"{told}: nothing is written. --dry-run lists them; allow as many with --max-remove if that is right."
        )
    in_chains = {name for change in changes if change.type_name == "Process" for name in references(change.entity)}
    unmatched = new - in_chains
    if len(unmatched) > max_unmatched:
        raise PipelineError(
            f"{len(unmatched)} new objects are in no chain, more than --max-unmatched {max_unmatched}: nothing is written. "
            "Is S3_PREFIX right? Allow as many if it is."
        )


def _describe_excess(plan: Plan, max_remove: int | None, new: int, kept: int) -> str:
    """What there is too much of to be archived, by how many objects are new and how many stay; else an empty text."""
    if max_remove is not None:
        is_more = len(plan.stale) > max_remove
        return f"{len(plan.stale)} assets are stale, more than --max-remove {max_remove}" if is_more else ""
    half = max(FEW, len(plan.existing) // 2)
    if len(plan.removals) > min(MAX_REMOVE, half):
        most = f"--max-remove {MAX_REMOVE}" if half >= MAX_REMOVE else f"half of {len(plan.existing)}"
        return f"{len(plan.removals)} processes are stale, more than {most}"
    if len(plan.gone) > max(FEW, (kept + len(plan.gone)) // 2, new):
        return f"{len(plan.gone)} S3 objects are gone from the bucket, more than half of those in Atlan"
    return ""


def planned_outcomes(steps: Iterable[Step]) -> list[Outcome]:
    """What would become of every asset of some steps."""
    return [change.outcome() for step in steps for change in step.changes]


def removal(hit: SearchHit, failure: str = "") -> Outcome:
    """The outcome of archiving an asset: done, or failed for this reason."""
    names = hit["attributes"]
    status = Status.FAILED if failure else Status.REMOVED
    return Outcome(hit["typeName"], names["name"], names["qualifiedName"], status, failure)


def compare(wanted: Iterable[Entity], existing: Mapping[str, SearchHit]) -> list[Change]:
    """What has to happen to each wanted asset; `existing` is what Atlan has, by qualified name."""
    changes = []
    for entity in wanted:
        hit = existing.get(entity["attributes"]["qualifiedName"])
        if hit is None:
            changes.append(Change(entity, Action.CREATE))
            continue
        before = _differences(entity, hit)
        if not before:
            changes.append(Change(entity, Action.KEEP))
            continue
        sent = {name: value for name, value in entity["attributes"].items() if name not in ONLY_AT_CREATION}
        large = [name for name, value in sent.items() if isinstance(value, list) and len(value) >= LARGE]
        held = {name: hit["attributes"][name] for name in large if hit["attributes"].get(name)}
        types = {name: hit.get("referred", {}).get(name) or common_type(value) for name, value in held.items()}
        by_difference = {name: type_name for name, type_name in types.items() if type_name}
        changes.append(Change({**entity, "attributes": sent}, Action.UPDATE, before, by_difference))
    return changes


def _differences(entity: Entity, hit: SearchHit) -> dict[str, Any]:
    """What Atlan holds otherwise than it is wanted, as `compared_value` gives it, by attribute."""
    held, differs = hit["attributes"], {}
    for name, value in entity["attributes"].items():
        has = held.get(name)
        if name in ONLY_AT_CREATION or (value == has and not isinstance(value, (dict, list))):
            continue
        has = compared_value(has)
        if compared_value(value) != has:
            differs[name] = has
    return differs


def common_type(references: Sequence[Any]) -> str:
    """The type of all these references; empty where there are several, or none."""
    types = {str(ref.get("typeName", "")) if isinstance(ref, dict) else "" for ref in references}
    return types.pop() if len(types) == 1 else ""


def in_rounds(steps: Iterable[Step]) -> list[list[Change]]:
    """What is to be written, in as few rounds as can be: nothing refers to what is created in its own or a later one."""
    rounds: list[list[Change]] = []
    created_in: dict[str, int] = {}
    for step in steps:
        for change in step.pending:
            number = max((created_in[name] + 1 for name in references(change.entity) if name in created_in), default=0)
            if change.action is Action.CREATE:
                created_in[change.qualified_name] = number
            rounds.extend([] for _ in range(len(rounds), number + 1))
            rounds[number].append(change)
    return rounds


def references(entity: Entity) -> list[str]:
    """The qualified names of the assets that an entity needs: those that its attributes refer to, and its connection."""
    values = [value for value in entity["attributes"].values() if isinstance(value, (dict, list))]
    named = [compared_value(item) for value in values for item in (value if isinstance(value, list) else [value])]
    return [*named, entity["attributes"].get("connectionQualifiedName", "")]


def compared_value(value: Any) -> Any:
    """A value as it is compared and shown: references by qualified name, and many of them sorted, as Atlan keeps no order."""
    if isinstance(value, dict):
        names = value.get("uniqueAttributes")
        return str(names.get("qualifiedName", "")) if isinstance(names, dict) else ""
    if isinstance(value, list):
        return sorted({str(compared_value(item)) for item in value})
    return value
