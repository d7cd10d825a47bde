"""Putting tags on entities that are there: on one of them, one tag on many, and the tags of many at once.

The rules are those of `EntityREST`, `AtlasEntityStoreV2` and `ClassificationAssociator.Updater` in atlanhq/atlas-metastore.
"""

from __future__ import annotations

from sandbox import errors
from sandbox.catalog import Catalog, Entity
from sandbox.messages import Classification, JsonObject
from sandbox.mutations import check_tagged_type, merge_tags, tags_for
from sandbox.requests import (
    as_list,
    as_object,
    as_texts,
    entity_type,
    find_unique,
    names_of,
    optional_object,
    read_tags,
)


def find_tag(entity: Entity, name: str, tags: list[Classification]) -> Classification:
    """The tag of a (hashed) name among those of an entity: its own before one that reaches it from elsewhere.

    Raises `AtlasError` (404) if none is there (`AtlasEntityStoreV2.getClassification`).
    """
    found = [tag for tag in tags if tag["typeName"] == name]
    if not found:
        raise errors.unknown_classification(name)
    return next((tag for tag in found if tag["entityGuid"] == entity.guid), found[0])


def add_tags(catalog: Catalog, entities: list[Entity], sent: list[Classification], user: str) -> None:
    """Add tags to entities, to all or to none; one that is on one of them already is an error
    (`AtlasEntityStoreV2.addClassifications`, `addClassification`).
    """
    added = {entity.guid: tags_for(catalog, sent, entity) for entity in entities}
    for entity in entities:
        twice = next((tag["typeName"] for tag in added[entity.guid] if tag["typeName"] in names_of(entity.tags)), None)
        if twice:
            message = f"entity: {entity.guid}, already associated with classification: {twice}"
            raise errors.invalid_parameters(message)
        check_tagged_type(catalog, added[entity.guid], entity)
    with catalog.transaction(user) as transaction:
        for entity in entities:
            transaction.set_field(entity, "tags", merge_tags(entity.tags, added[entity.guid]))


def update_tags(catalog: Catalog, entity: Entity, sent: list[Classification], user: str) -> None:
    """Change tags that are on one entity; the others are passed over (`EntityGraphMapper.updateClassificationsV2`)."""
    changed = tags_for(catalog, sent, entity)
    check_tagged_type(catalog, changed, entity)
    present = [tag for tag in changed if tag["typeName"] in names_of(entity.tags)]
    with catalog.transaction(user) as transaction:
        transaction.set_field(entity, "tags", merge_tags(entity.tags, present))


def remove_tags(catalog: Catalog, entity: Entity, names: set[str], user: str) -> None:
    """Take tags off one entity; they need not be on it (`EntityGraphMapper.deleteClassificationV2`)."""
    with catalog.transaction(user) as transaction:
        transaction.set_field(entity, "tags", [tag for tag in entity.tags if tag["typeName"] not in names])


def tag_many(catalog: Catalog, request: JsonObject, user: str) -> None:
    """Put one tag on many entities, by their guids, by their unique attributes, or both (`EntityREST.addClassification`).

    Raises `AtlasError`: 400 without a tag or entities, or for a tag that is on one of them, 404 for an entity or a tag that
    is not there. Nothing is changed then.
    """
    tag = optional_object(request.get("classification"), "classification")
    if not tag.get("typeName"):
        raise errors.invalid_parameters("no classification")
    guids, named = as_texts(request.get("entityGuids"), "entityGuids"), request.get("entitiesUniqueAttributes") or []
    if request.get("entityTypeName") is None:
        named = []
    if not guids and not named:
        raise errors.invalid_parameters("Need either list of GUIDs or entity type and list of qualified Names")
    found: dict[str, Entity] = {}
    for unique in as_list(named, "entitiesUniqueAttributes"):
        type_name = entity_type(catalog, request["entityTypeName"]).name
        attributes = as_object(unique, "each of entitiesUniqueAttributes")
        entity = find_unique(catalog, type_name, attributes)
        if not entity:
            raise errors.not_found_by_name(type_name, attributes)
        found[entity.guid] = entity
    for guid in guids:
        if guid not in catalog.entities:
            raise errors.guid_not_found(guid)
        found[guid] = catalog.entities[guid]
    add_tags(catalog, list(found.values()), read_tags([tag]), user)


def set_tags(catalog: Catalog, request: JsonObject, override: bool, user: str) -> None:
    """Set the tags of entities (`guidHeaderMap`, by guid): to `classifications`, or without `override` by
    `addOrUpdateClassifications` and `removeClassifications`. One entity after the other: what comes before one that is
    refused stays, as the metastore stores each of these steps by itself.

    Raises `AtlasError`: 400 for what is malformed, 404 for an entity or a tag that is not there, 409 for an archived product,
    500 for a tag that is to be added and does not name its entity, where the metastore has no answer of its own.
    """
    for guid, sent in as_object(request.get("guidHeaderMap"), "guidHeaderMap").items():
        header = as_object(sent, "each of guidHeaderMap")
        entity = catalog.entities.get(guid)
        if entity and entity.type.name == "DataProduct" and not entity.active:
            raise errors.operation_not_supported("Cannot update DataProduct that is Archived!")
        entity_type(catalog, header.get("typeName"))
        if not entity:
            raise errors.guid_not_found(guid)
        removed, wanted = _whole(header, entity) if override else _changes(header, entity)
        present = names_of(entity.tags)
        if removed:
            remove_tags(catalog, entity, removed, user)
        if changed := [tag for tag in wanted if tag["typeName"] in present]:
            update_tags(catalog, entity, changed, user)
        if added := [tag for tag in wanted if tag["typeName"] not in present]:
            add_tags(catalog, [entity], added, user)


def _whole(header: JsonObject, entity: Entity) -> tuple[set[str], list[Classification]]:
    """What goes, and what is added or changed, as `ClassificationAssociator.Updater.computeChanges` tells. Tags that name
    another entity than their header are left out.
    """
    own = (None, "", header["guid"]) if header.get("guid") else None
    tags = read_tags(header.get("classifications") or [])
    wanted = [tag for tag in tags if own is None or tag.get("entityGuid") in own]
    return names_of(entity.tags) - names_of(wanted), wanted


def _changes(header: JsonObject, entity: Entity) -> tuple[set[str], list[Classification]]:
    """The same by `validateAndTransfer`, where every tag names its entity."""
    removed = read_tags(header.get("removeClassifications") or [])
    added = read_tags(header.get("addOrUpdateClassifications") or [])
    if any(tag.get("entityGuid") is None for tag in added):
        raise errors.internal_error("a classification of addOrUpdateClassifications has no entityGuid", entity.guid)
    gone = [tag for tag in removed if tag.get("entityGuid") == entity.guid]
    return names_of(gone), [tag for tag in added if tag.get("entityGuid") == entity.guid]
