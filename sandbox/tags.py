"""Tags that reach an entity from another one: down the hierarchy, from a term to what it is assigned to, and along lineage.

They are derived where they are asked for, so they are never behind, while a tenant's tasks take a moment. The relationships
and their directions are `propagateTags` of the metastore's 007_all_custom_models.json; what a tag restricts is
`CLASSIFICATION_PROPAGATION_MODE` of its `Constants`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sandbox.catalog import Catalog, Entity
from sandbox.messages import Classification

# The types and fields that lead from an entity to those that its tags reach.
HIERARCHY = (
    ("AtlasGlossaryTerm", "assignedEntities"), ("Database", "schemas"), ("Schema", "tables"), ("Schema", "views"),
    ("Schema", "materialisedViews"), ("Schema", "calculationViews"), ("Schema", "procedures"), ("Schema", "functions"),
    ("Table", "columns"), ("Table", "partitions"), ("TablePartition", "columns"), ("TablePartition", "childTablePartitions"),
    ("View", "columns"), ("MaterialisedView", "columns"), ("CalculationView", "columns"), ("Column", "nestedColumns"),
    ("AccessControl", "policies"), ("TableauProject", "workbooks"), ("Process", "columnProcesses"),
)  # fmt: skip
LINEAGE = (("Catalog", "inputToProcesses"), ("Process", "outputs"))


def propagated_tags(catalog: Catalog, entity: Entity) -> list[Classification]:
    """The tags that reach an entity from others, each with the guid of the one that it is on (`entityGuid`)."""
    return _propagated(catalog).get(entity.guid, [])


def reached_by_tags(catalog: Catalog) -> Collection[str]:
    """The guids of all entities that tags reach from others."""
    return _propagated(catalog).keys()


def all_tags(catalog: Catalog, entity: Entity) -> list[Classification]:
    """The tags of an entity, its own first; one that also reaches it from elsewhere is there twice, as in Atlan."""
    return [*entity.tags, *propagated_tags(catalog, entity)]


def _propagated(catalog: Catalog) -> dict[str, list[Classification]]:
    if not catalog.tagged:
        return {}
    version, found = catalog.propagated
    if version != catalog.version:
        found = _propagate(catalog)
        catalog.propagated = catalog.version, found
    return found


def _propagate(catalog: Catalog) -> dict[str, list[Classification]]:
    found: dict[str, list[Classification]] = {}
    for guid in catalog.tagged:
        source = catalog.entities[guid]
        for tag in source.tags:
            if tag.get("propagate") and (source.active or tag.get("removePropagationsOnEntityDelete") is False):
                for reached in _reach(catalog, source, tag):
                    found.setdefault(reached.guid, []).append(tag)
    return found


def _reach(catalog: Catalog, source: Entity, tag: Classification) -> Iterator[Entity]:
    """Every active entity that a tag on `source` reaches, each once."""
    ways = (
        *(() if tag.get("restrictPropagationThroughHierarchy") else HIERARCHY),
        *(() if tag.get("restrictPropagationThroughLineage") else LINEAGE),
    )
    seen, frontier = {source.guid}, [source]
    while frontier:
        entity = frontier.pop()
        guids = [guid for kind, name in ways if entity.type.is_a(kind) for guid in entity.related(name)]
        for guid in guids:
            other = catalog.entities[guid]
            if guid not in seen and other.active:
                seen.add(guid)
                frontier.append(other)
                yield other
