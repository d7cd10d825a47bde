"""Creating, updating, deleting and restoring entities by the rules of Atlan's metastore.

The rules are those of `AtlasEntityStoreV2` and `EntityGraphMapper` in atlanhq/atlas-metastore, and of the pre-processors
that are named below.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Any, cast

from sandbox import errors
from sandbox.catalog import ACTIVE, DELETED, Catalog, Entity, Transaction
from sandbox.messages import (
    Attributes,
    BusinessAttributes,
    Classification,
    DeletedHeader,
    MutatedEntities,
    MutationResponse,
    SentEntity,
)
from sandbox.presentation import entity_header
from sandbox.types import EntityType, Relationship

# atlas.bulk.api.max.entities.allowed in `AtlasConfiguration`.
MAX_ENTITIES = 10_000
# In characters; observed, and the metastore's own code for it is not known.
MAX_STRING = 100_000
ADMINS = ("adminUsers", "adminGroups", "adminRoles")


@dataclass(frozen=True)
class SaveOptions:
    """What to do with tags and custom metadata that a save carries (query parameters of the bulk endpoint).

    Without any, those of a new entity are taken and those of a known one stay (`BulkRequestContext`).
    """

    replace_tags: bool = False
    append_tags: bool = False
    replace_business: bool = False
    overwrite_business: bool = False


@dataclass
class _Item:
    """One entity of a request, and the stored entity that it creates or updates."""

    raw: SentEntity
    entity: Entity
    is_new: bool


def save(catalog: Catalog, raw_entities: object, options: SaveOptions, user: str) -> MutationResponse:
    """Upsert a list of entities: all of them, or none and an error.

    An entity is created if its type and qualified name are new; otherwise what was sent is laid over what is there, an
    explicit null included. The answer lists under UPDATE what differs, then the neighbours that a relationship was made
    or ended with, and maps every placeholder to its real guid, of unchanged entities, too (`EntityMutationResponse`).
    An archived entity stays archived unless its status is sent as ACTIVE (observed).

    Raises `AtlasError`: 400 for what is malformed, 404 for a reference to nothing, 409 for a name that is taken.
    """
    if not isinstance(raw_entities, list) or not raw_entities:
        raise errors.invalid_parameters("no entities to create/update.")
    if len(raw_entities) > MAX_ENTITIES:
        raise errors.AtlasError(400, "400-00-212", f"Too many entities in one request: more than {MAX_ENTITIES}")
    with catalog.transaction(user) as transaction:
        assignments: dict[str, str] = {}
        items = [_find_or_create(transaction, raw, assignments) for raw in raw_entities]
        for item in items:
            _set_attributes(transaction, item, options)
        for item in items:
            _set_relationships(transaction, item, assignments)
        for item in items:
            _finish(transaction, item)
        own = list(dict.fromkeys(item.entity.guid for item in items))
        updated = [guid for guid in own if guid in transaction.changed]
        updated += [guid for guid in transaction.changed if guid not in own]
        mutated: MutatedEntities = {}
        if transaction.created:
            mutated["CREATE"] = [entity_header(catalog, entity, full=True) for entity in transaction.created.values()]
        if updated:
            mutated["UPDATE"] = [
                entity_header(catalog, transaction.changed[guid], full=guid in own) for guid in updated
            ]
    response: MutationResponse = {"guidAssignments": assignments}
    if mutated:
        response["mutatedEntities"] = mutated
    return response


def delete(catalog: Catalog, guids: list[str], delete_type: str, user: str) -> MutationResponse:
    """Archive (SOFT) or remove (HARD, PURGE) entities; guids that nobody has are ignored.

    All are listed under DELETE, with their `deleteHandler`, and their neighbours under UPDATE; an archived entity is not
    archived again. Nothing to do is answered with `{}` (`DeleteHandlerV1`, `EntityREST.deleteByGuids`).

    Raises `AtlasError` (400) for no guid at all or an unknown `delete_type`.
    """
    if not guids:
        raise errors.invalid_parameters("no guid given")
    if delete_type not in ("SOFT", "HARD", "PURGE", "DEFAULT"):
        raise errors.bad_request(f"unknown deleteType {delete_type}")
    handler = "SOFT" if delete_type == "DEFAULT" else delete_type
    with catalog.transaction(user) as transaction:
        deleted = [catalog.entities[guid] for guid in dict.fromkeys(guids) if guid in catalog.entities]
        if handler == "SOFT":
            deleted = [entity for entity in deleted if entity.active]
        headers: list[DeletedHeader] = [
            {**entity_header(catalog, entity, full=True), "status": DELETED, "deleteHandler": handler}
            for entity in deleted
        ]
        for entity in deleted:
            if handler == "SOFT":
                transaction.set_field(entity, "status", DELETED)
                for name in entity.relations:
                    for guid in entity.related(name):
                        transaction.touch(catalog.entities[guid])
            else:
                transaction.purge(entity)
        gone = {entity.guid for entity in deleted}
        neighbours = [
            entity_header(catalog, entity) for guid, entity in transaction.changed.items() if guid not in gone
        ]
    if not headers:
        return {}
    mutated: MutatedEntities = {"DELETE": headers}
    if neighbours:
        mutated["UPDATE"] = neighbours
    return {"mutatedEntities": mutated}


def restore(catalog: Catalog, guids: list[str], user: str) -> MutationResponse:
    """Make archived entities active again and list those that were archived (`EntityREST.restoreByGuids`)."""
    with catalog.transaction(user) as transaction:
        for guid in guids:
            if guid in catalog.entities:
                transaction.set_field(catalog.entities[guid], "status", ACTIVE)
        restored = [entity_header(catalog, entity) for entity in transaction.changed.values()]
    return {"mutatedEntities": {"UPDATE": restored}} if restored else {}


def _find_or_create(transaction: Transaction, raw: object, assignments: dict[str, str]) -> _Item:
    catalog = transaction.catalog
    if not isinstance(raw, dict):
        raise errors.bad_request("an entity must be an object")
    sent = cast(SentEntity, raw)
    entity_type = catalog.types.get(raw.get("typeName") or "")
    if not entity_type:
        raise errors.unknown_type(raw.get("typeName"))
    guid = raw.get("guid")
    attributes = raw.get("attributes") or {}
    unique = raw.get("uniqueAttributes") or {}
    qualified_name = str(attributes.get("qualifiedName") or unique.get("qualifiedName") or "")
    entity: Entity | None
    if guid and not str(guid).startswith("-"):
        entity = catalog.entities.get(guid)
        if not entity:
            raise errors.guid_not_found(guid)
    else:
        if not qualified_name:
            raise errors.missing_attribute(entity_type.name, "qualifiedName", guid)
        entity = catalog.find(entity_type.name, qualified_name)
    is_new = entity is None
    if entity is None:
        if not attributes.get("name"):
            raise errors.missing_attribute(entity_type.name, "name", guid)
        entity = transaction.create(
            entity_type, _server_name(catalog, sent, entity_type, assignments) or qualified_name
        )
    if guid and str(guid).startswith("-"):
        assignments[str(guid)] = entity.guid
    return _Item(sent, entity, is_new)


def _server_name(catalog: Catalog, raw: SentEntity, entity_type: EntityType, assignments: dict[str, str]) -> str | None:
    """The qualified name that Atlan gives to a new glossary object or data mesh object, whatever was sent.

    `createQualifiedName` of `GlossaryPreProcessor`, `TermPreProcessor`, `CategoryPreProcessor`, `DataDomainPreProcessor`
    and `DataProductPreProcessor`; names that are taken are refused by the first two.
    """
    attributes = {**(raw.get("attributes") or {}), **(raw.get("relationshipAttributes") or {})}
    identifier = nano_id()
    if entity_type.name == "AtlasGlossary":
        for guid in catalog.by_type["AtlasGlossary"]:
            twin = catalog.entities[guid]
            if twin.active and twin.name == attributes.get("name"):
                raise errors.AtlasError(409, "409-00-007", f"Glossary with name {twin.name} already exists", guid)
        return identifier
    if entity_type.name in ("AtlasGlossaryTerm", "AtlasGlossaryCategory"):
        anchor = attributes.get("anchor") or {}
        glossary = _find_referenced(catalog, anchor, assignments, raw.get("guid"))
        for guid in glossary.related("terms" if entity_type.name.endswith("Term") else "categories"):
            sibling = catalog.entities[guid]
            if entity_type.name.endswith("Term") and sibling.active and sibling.name == attributes.get("name"):
                message = f"Glossary term with name {sibling.name} already exists"
                raise errors.AtlasError(409, "409-00-009", message, sibling.guid)
        return f"{identifier}@{glossary.qualified_name}"
    if entity_type.name == "DataDomain":
        parent = attributes.get("parentDomain")
        if parent:
            return (
                f"{_find_referenced(catalog, parent, assignments, raw.get('guid')).qualified_name}/domain/{identifier}"
            )
        return f"default/domain/{identifier}/super"
    if entity_type.name == "DataProduct":
        domain = _find_referenced(catalog, attributes.get("dataDomain") or {}, assignments, raw.get("guid"))
        return f"{domain.qualified_name}/product/{identifier}"
    return None


def nano_id() -> str:
    """A random name of 21 letters and digits, as `NanoIdUtils.randomNanoId` makes them."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(21))


def _set_attributes(transaction: Transaction, item: _Item, options: SaveOptions) -> None:
    entity, raw = item.entity, item.raw
    if raw.get("status") == ACTIVE:
        transaction.set_field(entity, "status", ACTIVE)
    sent = raw.get("attributes") or {}
    arn = sent.get("awsArn")
    if arn and not item.is_new and entity.attributes.get("awsArn") != arn:
        # All unique attributes together identify an entity, so this is a new one whose qualified name is taken.
        raise errors.already_exists(f"{entity.type.name} {entity.qualified_name} already exists with another awsArn")
    for name, value in sent.items():
        if name == "qualifiedName" or name not in entity.type.attributes:
            continue
        if isinstance(value, str) and len(value) > MAX_STRING:
            raise errors.AtlasError(
                400, "400-00-103", f"{entity.type.name}.{name} is longer than {MAX_STRING}", entity.guid
            )
        transaction.set_attribute(entity, name, value)
    _set_tags(transaction, item, options)
    _set_business(transaction, item, options)
    if raw.get("labels") is not None:
        transaction.set_field(entity, "labels", sorted(raw["labels"]))


def _set_tags(transaction: Transaction, item: _Item, options: SaveOptions) -> None:
    entity, raw = item.entity, item.raw
    sent = tags_for(transaction.catalog, raw.get("classifications"), entity)
    if raw.get("classifications") is not None and (item.is_new or options.replace_tags):
        transaction.set_field(entity, "tags", sent)
    elif sent and options.append_tags:
        transaction.set_field(entity, "tags", merge_tags(entity.tags, sent))
    added = tags_for(transaction.catalog, raw.get("addOrUpdateClassifications"), entity)
    if added:
        transaction.set_field(entity, "tags", merge_tags(entity.tags, added))
    removed = {tag.get("typeName") for tag in raw.get("removeClassifications") or []}
    if removed:
        transaction.set_field(entity, "tags", [tag for tag in entity.tags if tag["typeName"] not in removed])


def tags_for(catalog: Catalog, sent: list[Classification] | None, entity: Entity) -> list[Classification]:
    """The tags of a request as an entity is to hold them. Raises `AtlasError` (404) for one that is not defined."""
    known = catalog.documents("classificationDefs") if sent else {}
    for tag in sent or []:
        if tag.get("typeName") not in known:
            raise errors.unknown_classification(tag.get("typeName"), entity.guid)
    return [{**tag, "entityGuid": entity.guid, "entityStatus": entity.status} for tag in sent or []]


def merge_tags(present: list[Classification], added: list[Classification]) -> list[Classification]:
    """Both lists as one with each tag once; an added one takes the place of one of the same name."""
    return list({tag["typeName"]: tag for tag in [*present, *added]}.values())


def _set_business(transaction: Transaction, item: _Item, options: SaveOptions) -> None:
    sent = item.raw.get("businessAttributes")
    if sent is None or not (options.replace_business or item.is_new):
        return
    present = {} if options.overwrite_business else item.entity.business
    transaction.set_field(item.entity, "business", merge_business(present, sent))


def merge_business(present: BusinessAttributes, sent: BusinessAttributes) -> BusinessAttributes:
    """Custom metadata with the sent values laid over the present ones; a None takes a value away."""
    merged = {name: dict(values) for name, values in present.items()}
    for name, values in sent.items():
        merged[name] = {**merged.get(name, {}), **(values or {})}
        merged[name] = {key: value for key, value in merged[name].items() if value is not None}
    return {name: values for name, values in merged.items() if values}


def _set_relationships(transaction: Transaction, item: _Item, assignments: dict[str, str]) -> None:
    entity, raw = item.entity, item.raw
    ends = entity.type.relationships
    replaced = {**(raw.get("attributes") or {}), **(raw.get("relationshipAttributes") or {})}
    appended = raw.get("appendRelationshipAttributes") or {}
    removed = raw.get("removeRelationshipAttributes") or {}
    both = [name for name in appended if name in (raw.get("relationshipAttributes") or {})]
    if both:
        message = f"Relationship {both[0]} is present in both relationshipAttributes and appendRelationshipAttributes"
        raise errors.AtlasError(400, "400-00-108", message, entity.guid)
    for name, value in replaced.items():
        end = ends.get(name)
        if not end:
            continue
        if value is not None and isinstance(value, list) != end.many:
            raise errors.malformed_reference(value, raw.get("guid"))
        references = value if isinstance(value, list) else [value] if value else []
        targets = [(_target(transaction, item, end, ref, assignments), ref) for ref in references]
        kept = {target.guid for target, _ in targets}
        for guid in [guid for guid in entity.related(name) if guid not in kept]:
            transaction.unlink(entity, end, transaction.catalog.entities[guid])
        for target, reference in targets:
            transaction.link(entity, end, target, _relation_attributes(reference))
    for name, references in appended.items():
        if name in ends:
            for reference in _as_list(references):
                target = _target(transaction, item, ends[name], reference, assignments)
                transaction.link(entity, ends[name], target, _relation_attributes(reference))
    for name, references in removed.items():
        if name in ends:
            for reference in _as_list(references):
                transaction.unlink(entity, ends[name], _target(transaction, item, ends[name], reference, assignments))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _relation_attributes(reference: dict[str, Any]) -> Attributes:
    """The attributes of the relationship itself (a synonym's description, say), with its type."""
    values = reference.get("relationshipAttributes")
    return values if isinstance(values, dict) and values else {}


def _target(
    transaction: Transaction, item: _Item, end: Relationship, reference: object, assignments: dict[str, str]
) -> Entity:
    target = _find_referenced(transaction.catalog, reference, assignments, item.raw.get("guid"))
    fits = target.type.is_a(end.target) or (end.inverse and end.inverse in target.type.relationships)
    if not fits:
        message = f"{target.type.name} cannot be the {end.name} of {item.entity.type.name}: it is no {end.target}"
        raise errors.malformed_reference(message, item.entity.guid)
    return target


def _find_referenced(catalog: Catalog, reference: object, assignments: dict[str, str], referring: str | None) -> Entity:
    """The entity that an object reference points to: a guid, a placeholder of this request, or a qualified name.

    An archived one will do (`IDBasedEntityResolver`, `UniqAttrBasedEntityResolver`).
    """
    if not isinstance(reference, dict):
        raise errors.malformed_reference(reference, referring)
    guid = reference.get("guid")
    unique = reference.get("uniqueAttributes") or {}
    if guid and not str(guid).startswith("-"):
        entity = catalog.entities.get(guid)
    elif guid and not unique:
        entity = catalog.entities.get(assignments.get(str(guid), ""))
    elif unique and reference.get("typeName"):
        entity = next(
            (found for name, value in unique.items() if (found := catalog.find(reference["typeName"], value, name))),
            None,
        )
    else:
        raise errors.malformed_reference(reference, referring)
    if entity is None:
        named = {key: reference[key] for key in ("typeName", "guid", "uniqueAttributes") if reference.get(key)}
        raise errors.reference_not_found(named, referring)
    return entity


def _finish(transaction: Transaction, item: _Item) -> None:
    entity, catalog = item.entity, transaction.catalog
    if entity.type.name == "Connection":
        if item.is_new:
            admins = [*entity.attributes.get("adminUsers", []), transaction.user]
            transaction.set_attribute(entity, "adminUsers", list(dict.fromkeys(admins)))
        elif not any(entity.attributes.get(name) for name in ADMINS):
            raise errors.AtlasError(400, "400-00-114", "A connection needs at least one admin", entity.guid)
    if entity.type.is_a("DataMesh") and item.is_new and "/domain/" in entity.qualified_name:
        parent = entity.qualified_name.rpartition("/domain/" if entity.type.name == "DataDomain" else "/product/")[0]
        if parent and parent != "default":
            transaction.set_attribute(entity, "parentDomainQualifiedName", parent)
            transaction.set_attribute(entity, "superDomainQualifiedName", parent.split("/super")[0] + "/super")
    if item.is_new and entity.type.name in ("AtlasGlossaryTerm", "AtlasGlossaryCategory"):
        for guid in entity.related("anchor"):
            transaction.set_attribute(entity, "__glossary", catalog.entities[guid].qualified_name)
