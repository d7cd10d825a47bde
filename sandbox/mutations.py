"""Creating, updating, deleting and restoring entities by the rules of Atlan's metastore.

The rules are those of `AtlasEntityStoreV2` and `EntityGraphMapper` in atlanhq/atlas-metastore; those of single types are in
`sandbox.preprocessors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from sandbox import errors
from sandbox.attributes import AttributeTypes, InvalidValue
from sandbox.bodies import parse_json
from sandbox.catalog import ACTIVE, DELETED, Catalog, Entity, Transaction
from sandbox.messages import (
    Attributes,
    BusinessAttributes,
    Classification,
    DeletedHeader,
    MutatedEntities,
    MutationResponse,
    TypeDefinition,
)
from sandbox.preprocessors import NEVER_RENAMED, check_deletion, name_new_entity, parents_first, preprocess
from sandbox.presentation import CUSTOM_ATTRIBUTES, entity_header
from sandbox.requests import (
    PROPAGATION_FLAGS,
    RequestEntity,
    find_by_name,
    names_of,
    optional_object,
    read_entities,
    reference_guid,
    resolve_references,
)
from sandbox.types import EntityType, Relationship

# Attributes that no entity may be without (isOptional in the metastore's addons/models/0000-Area0/0010-base_model.json),
# and the types that have them.
MANDATORY = {"qualifiedName": "Referenceable", "name": "Asset"}
# CLASSIFICATION_ADD_EXCLUDE_LIST of `EntityGraphMapper`.
NEVER_TAGGED = ("AtlasGlossary", "AtlasGlossaryCategory", "DataDomain")


# Attributes whose changes are stamped, with the attributes that get the user and the time: `autoUpdateAttributes` of the
# metastore's 007_all_custom_models.json.
STAMPED = {
    **dict.fromkeys(
        ("certificateStatus", "certificateStatusMessage"), ("certificateUpdatedBy", "certificateUpdatedAt")
    ),
    **dict.fromkeys(
        ("announcementType", "announcementTitle", "announcementMessage"),
        ("announcementUpdatedBy", "announcementUpdatedAt"),
    ),
    "isPinned": ("pinnedBy", "pinnedAt"),
}


@dataclass(frozen=True)
class SaveOptions:
    """What to do with tags and custom metadata that a save carries (query parameters of the bulk endpoint).

    Without any, those of a new entity are taken and those of a known one stay (`BulkRequestContext`). A `partial` update
    may leave out what is mandatory (PUT by unique attributes, `validateAndNormalizeForUpdate`).
    """

    replace_tags: bool = False
    append_tags: bool = False
    replace_business: bool = False
    overwrite_business: bool = False
    partial: bool = False


@dataclass
class _Item:
    """One entity of a request, and the stored entity that it creates or updates."""

    sent: RequestEntity
    entity: Entity
    is_new: bool


def save(catalog: Catalog, sent: object, options: SaveOptions, user: str) -> MutationResponse:
    """Upsert a list of entities: all of them, or none and an error.

    An entity is created if its type and qualified name are new; otherwise what was sent is laid over what is there, an
    explicit null included. The answer lists under UPDATE what differs, then the neighbours that a relationship was made
    or ended with, and maps every placeholder to its real guid, of unchanged entities, too (`EntityMutationResponse`).
    An archived entity stays archived unless its status is sent as ACTIVE (observed).

    Raises `AtlasError`: 400 for what is malformed, 404 for a reference to nothing and a value of the wrong type, 409 for a
    name that is taken.
    """
    entities = sorted(read_entities(catalog, sent), key=parents_first)
    resolve_references(catalog, entities)
    types = AttributeTypes(
        catalog.types, tenant_enums(catalog) if any(entity.business for entity in entities) else None
    )
    with catalog.transaction(user) as transaction:
        assignments: dict[str, str] = {}
        known = [_find(catalog, entity) for entity in entities]
        for entity in entities:
            _normalise(entity, types, options.partial)
        items = [
            _find_or_create(transaction, entity, stored, assignments)
            for entity, stored in zip(entities, known, strict=True)
        ]
        for item in items:
            preprocess(transaction, item.sent, item.entity, item.is_new, assignments)
            _set_attributes(transaction, item)
        for item in items:
            _set_relationships(transaction, item, assignments)
        for item in items:
            _set_tags(transaction, item, options)
            _set_business(transaction, item, types, options)
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
        for entity in deleted:
            check_deletion(catalog, entity)
        headers: list[DeletedHeader] = [
            {**entity_header(catalog, entity, full=True), "status": DELETED, "deleteHandler": handler}
            for entity in deleted
        ]
        for entity in deleted:
            if handler == "SOFT":
                transaction.set_field(entity, "status", DELETED)
                for name in entity.relations:
                    for guid in entity.related(name):
                        transaction.leave(entity, name, catalog.entities[guid])
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


def _find(catalog: Catalog, sent: RequestEntity) -> Entity | None:
    """The stored entity that a sent one is: by its guid, else by its unique attributes (`IDBasedEntityResolver`).

    Raises `AtlasError` (404) if nobody has the guid, nor the qualified name.
    """
    if sent.guid and sent.guid in catalog.entities:
        return catalog.entities[sent.guid]
    found = catalog.find(sent.type.name, sent.qualified_name) if sent.qualified_name else None
    if not found and sent.guid and not sent.placeholder:
        raise errors.reference_not_found(sent.guid, sent.guid)
    return found


def _normalise(sent: RequestEntity, types: AttributeTypes, partial: bool) -> None:
    """Bring the attributes into the form in which they are kept; those that the type does not have are left out.

    Raises `AtlasError` (404) for a value that does not fit, and for a mandatory one that is missing, of a known entity, too
    (`AtlasEntityType.validateValue`; of several faults, the first is told).
    """
    name_of = sent.type.name
    for name, owner in MANDATORY.items():
        if not partial and sent.attributes.get(name) is None:
            message = f"{name_of}.{name}: mandatory attribute value missing in type {owner}"
            raise errors.invalid_attributes(message, sent.guid)
    kinds = types.attributes
    attributes: Attributes = {}
    try:
        for name, value in sent.attributes.items():
            if name in sent.type.attributes:
                kind = kinds.get(name, "string")
                whole = value is None or (kind == "string" and isinstance(value, str))
                attributes[name] = value if whole else types.normalise(value, kind, f"{name_of}.{name}")
    except InvalidValue as error:
        raise errors.invalid_attributes(error.message, sent.guid) from None
    sent.attributes = attributes


def _find_or_create(
    transaction: Transaction, sent: RequestEntity, stored: Entity | None, assignments: dict[str, str]
) -> _Item:
    """What a sent entity is stored as; two of the same name in one request are the same."""
    entity = stored or transaction.catalog.find(sent.type.name, sent.qualified_name)
    is_new = entity is None
    if entity is None:
        entity = transaction.create(sent.type, name_new_entity(transaction, sent, assignments) or sent.qualified_name)
    if sent.placeholder:
        assignments[sent.placeholder] = entity.guid
    return _Item(sent, entity, is_new)


def _set_attributes(transaction: Transaction, item: _Item) -> None:
    entity, sent = item.entity, item.sent
    if sent.status == ACTIVE:
        transaction.set_field(entity, "status", ACTIVE)
    arn = sent.attributes.get("awsArn")
    if arn and not item.is_new and entity.attributes.get("awsArn") != arn:
        # All unique attributes together identify an entity, so this is a new one whose qualified name is taken.
        raise errors.already_exists(f"{entity.type.name} {entity.qualified_name} already exists with another awsArn")
    for name, value in sent.attributes.items():
        if name != "qualifiedName":
            transaction.set_attribute(entity, name, value)
    if sent.qualified_name and entity.type.name not in NEVER_RENAMED:  # another one, if it was found by its guid
        transaction.set_attribute(entity, "qualifiedName", sent.qualified_name)
    _stamp(transaction, item)
    if sent.labels is not None:
        transaction.set_field(entity, "labels", sorted(set(sent.labels)))
    if sent.custom is not None:  # kept as a text (`EntityGraphMapper.setCustomAttributes`)
        transaction.set_attribute(entity, CUSTOM_ATTRIBUTES, orjson.dumps(sent.custom).decode())


def _stamp(transaction: Transaction, item: _Item) -> None:
    """Note who set a certificate or an announcement, and when, unless the sender says so (`EntityGraphMapper.mapAttributes`)."""
    entity, sent = item.entity, item.sent.attributes
    changed = transaction.differences[entity.guid].attributes
    for attribute, (by, at) in STAMPED.items():
        if attribute in changed and sent.get(attribute) is not None:
            for name, value in ((by, transaction.user), (at, transaction.now)):
                if sent.get(name) is None and name in entity.type.attributes:
                    transaction.set_attribute(entity, name, value)


def _set_tags(transaction: Transaction, item: _Item, options: SaveOptions) -> None:
    entity, sent = item.entity, item.sent
    tags = tags_for(transaction.catalog, sent.tags, entity)
    if sent.tags is not None and (item.is_new or options.replace_tags):
        transaction.set_field(entity, "tags", tags)
    elif tags and options.append_tags:
        transaction.set_field(entity, "tags", merge_tags(entity.tags, tags))
    added = tags_for(transaction.catalog, sent.added_tags, entity)
    if added:
        transaction.set_field(entity, "tags", merge_tags(entity.tags, added))
    removed = names_of(sent.removed_tags)
    if removed:
        transaction.set_field(entity, "tags", [tag for tag in entity.tags if tag["typeName"] not in removed])


def tags_for(catalog: Catalog, sent: list[Classification] | None, entity: Entity) -> list[Classification]:
    """The tags of a request as an entity is to hold them, each once.

    Raises `AtlasError`: 404 for one that is not defined, 409 for an entity of a type that takes none
    (`EntityGraphMapper.handleAddClassifications`), 400 for a value that does not fit (`AtlasEntityStoreV2.validateAndNormalize`),
    500 for one that propagates and is restricted both ways (`EntityGraphRetriever.verifyClassificationsPropagationMode`, whose
    exception has no code).
    """
    if sent and entity.type.name in NEVER_TAGGED:
        message = f"Adding classifications to entity type '{entity.type.name}' is not supported"
        raise errors.operation_not_supported(message, entity.guid)
    known = catalog.documents("classificationDefs") if sent else {}
    for tag in sent or []:
        if tag["typeName"] not in known:
            raise errors.unknown_classification(tag["typeName"], entity.guid)
        if all(tag.get(name) for name in ("propagate", *PROPAGATION_FLAGS[2:])):
            both = " and ".join(PROPAGATION_FLAGS[2:])
            raise errors.internal_error(f"Both {both} cannot be true simultaneously.", entity.guid)
    types = (
        AttributeTypes(catalog.types, tenant_enums(catalog))
        if any(tag.get("attributes") for tag in sent or [])
        else None
    )
    own: Classification = {"entityGuid": entity.guid, "entityStatus": entity.status}
    return merge_tags([], [{**_normalise_tag(tag, known[tag["typeName"]], types), **own} for tag in sent or []])


def _normalise_tag(tag: Classification, definition: TypeDefinition, types: AttributeTypes | None) -> Classification:
    """A tag with its attributes as they are kept, without those that it does not have (`TagAttributeMapper`)."""
    if types is None or not tag.get("attributes"):
        return tag
    given = optional_object(tag.get("attributes"), "attributes")
    attributes: Attributes = {}
    for attribute in definition.get("attributeDefs") or []:
        name = attribute["name"]
        if given.get(name) is not None:
            try:
                attributes[name] = types.normalise(
                    given[name], str(attribute.get("typeName")), f"{tag['typeName']}.{name}"
                )
            except InvalidValue as error:
                raise errors.invalid_parameters(error.message) from None
    return {**tag, "attributes": attributes}


def check_tagged_type(catalog: Catalog, sent: list[Classification], entity: Entity) -> None:
    """Check that tags that are put on an entity of their own are for its type.

    Raises `AtlasError` (400) as `AtlasEntityStoreV2.validateEntityAssociations` does.
    """
    known = catalog.documents("classificationDefs")
    for tag in sent:
        wanted, name = known[tag["typeName"]].get("entityTypes") or [], tag["typeName"]
        if wanted and not any(entity.type.is_a(one) for one in wanted):
            message = (
                f"Entity (guid='{entity.guid}',typename='{entity.type.name}') cannot be classified by Classification '{name}', "
                f"because '{entity.type.name}' is not in the ClassificationDef's restrictions."
            )
            raise errors.AtlasError(400, "400-00-055", message, entity.guid)


def merge_tags(present: list[Classification], added: list[Classification]) -> list[Classification]:
    """Both lists as one with each tag once; an added one takes the place of one of the same name."""
    return list({tag["typeName"]: tag for tag in [*present, *added]}.values())


def _set_business(transaction: Transaction, item: _Item, types: AttributeTypes, options: SaveOptions) -> None:
    sent = item.sent.business
    if sent is None or not (options.replace_business or item.is_new):
        return
    checked = normalise_business(transaction.catalog, types, item.entity.type, sent, item.sent.guid)
    present = {} if options.overwrite_business else item.entity.business
    transaction.set_field(item.entity, "business", merge_business(present, checked))


def check_business(catalog: Catalog, entity: Entity, sent: BusinessAttributes) -> BusinessAttributes:
    """Custom metadata for one entity, as `normalise_business` gives it."""
    types = AttributeTypes(catalog.types, tenant_enums(catalog))
    return normalise_business(catalog, types, entity.type, sent, entity.guid)


def normalise_business(
    catalog: Catalog, types: AttributeTypes, entity_type: EntityType, sent: BusinessAttributes, guid: str | None
) -> BusinessAttributes:
    """Custom metadata in the form in which it is kept, without the attributes that its sets do not have.

    Raises `AtlasError` (404) for a set that is not defined, or not for this type, and for a value of the wrong type or too
    long (`EntityGraphMapper.validateBusinessAttributes`; what a set does not have is passed over there).
    """
    defined = catalog.documents("businessMetadataDefs") if sent else {}
    checked: BusinessAttributes = {}
    for set_name, values in sent.items():
        attributes = applicable_attributes(defined.get(set_name), entity_type)
        if not attributes:
            message = f"{set_name}: invalid business-metadata for entity type {entity_type.name}"
            raise errors.invalid_attributes(message, guid)
        checked[set_name] = {}
        for name, value in values.items():
            if name in attributes:
                field = f"{entity_type.name}.{set_name}.{name}"
                try:
                    checked[set_name][name] = types.normalise(value, str(attributes[name].get("typeName")), field)
                except InvalidValue as error:
                    raise errors.invalid_attributes(error.message, guid) from None
                _check_business_length(attributes[name], checked[set_name][name], field, guid)
    return checked


def applicable_attributes(definition: TypeDefinition | None, entity_type: EntityType) -> dict[str, TypeDefinition]:
    """The attributes that a set of custom metadata has for a type of entity: those whose `applicableEntityTypes` name it
    or a super type of it (`AtlasBusinessMetadataType.resolveReferencesPhase2`).
    """
    found = {}
    for attribute in (definition or {}).get("attributeDefs") or []:
        if any(entity_type.is_a(name) for name in applicable_types(attribute)):
            found[attribute["name"]] = attribute
    return found


def applicable_types(attribute: TypeDefinition) -> list[str]:
    """The names of the types that an attribute of custom metadata is for."""
    wanted = read_option(attribute, "applicableEntityTypes")
    return [str(name) for name in wanted] if isinstance(wanted, list) else []


def _check_business_length(attribute: TypeDefinition, value: Any, field: str, guid: str | None) -> None:
    """As `AtlasBusinessAttribute.isValidLength`: of a text, or of each text of a list."""
    most = read_option(attribute, "maxStrLength")
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and isinstance(most, int) and len(text) > most:
            raise errors.invalid_attributes(f"{field}:  Business attribute-value exceeds maximum length limit", guid)


def read_option(attribute: TypeDefinition, name: str) -> Any:
    """An option of an attribute's definition, whose values are texts of JSON; None if it is not there."""
    options = attribute.get("options")
    value = options.get(name) if isinstance(options, dict) else None
    try:
        return parse_json(value) if isinstance(value, str) else value
    except errors.AtlasError:
        return None


def tenant_enums(catalog: Catalog) -> dict[str, list[str]]:
    """The enumerations that the tenant's people have made, with their values."""
    return {
        name: [str(element.get("value")) for element in definition.get("elementDefs") or []]
        for name, definition in catalog.documents("enumDefs").items()
    }


def merge_business(present: BusinessAttributes, sent: BusinessAttributes) -> BusinessAttributes:
    """Custom metadata with the sent values laid over the present ones; a None takes a value away."""
    merged = {name: dict(values) for name, values in present.items()}
    for name, values in sent.items():
        merged[name] = {**merged.get(name, {}), **(values or {})}
        merged[name] = {key: value for key, value in merged[name].items() if value is not None}
    return {name: values for name, values in merged.items() if values}


def _set_relationships(transaction: Transaction, item: _Item, assignments: dict[str, str]) -> None:
    entity, sent = item.entity, item.sent
    for name, value in sent.related.items():
        end = entity.type.relationships[name]
        references = value if isinstance(value, list) else [value]
        targets = [(_target(transaction, item, end, ref, assignments), ref) for ref in references if ref is not None]
        kept = {target.guid for target, _ in targets}
        for guid in [guid for guid in entity.related(name) if guid not in kept]:
            transaction.unlink(entity, end, transaction.catalog.entities[guid])
        for target, reference in targets:
            transaction.link(entity, end, target, _relation_attributes(reference))
    for name, references in sent.appended.items():
        end = entity.type.relationships[name]
        for reference in references:
            target = _target(transaction, item, end, reference, assignments)
            transaction.link(entity, end, target, _relation_attributes(reference))
    for name, references in sent.removed.items():
        end = entity.type.relationships[name]
        for reference in references:
            transaction.unlink(entity, end, _target(transaction, item, end, reference, assignments))


def _relation_attributes(reference: dict[str, Any]) -> Attributes:
    """The attributes of the relationship itself (a synonym's description, say), with its type."""
    values = reference.get("relationshipAttributes")
    return values if isinstance(values, dict) and values else {}


def _target(
    transaction: Transaction, item: _Item, end: Relationship, reference: Any, assignments: dict[str, str]
) -> Entity:
    guid = reference_guid(reference, item.sent)
    if guid is None:
        target = find_by_name(transaction.catalog, reference, item.sent)
    else:
        target = transaction.catalog.entities[assignments.get(guid, guid)]
    fits = target.type.is_a(end.target) or (end.inverse and end.inverse in target.type.relationships)
    if not fits:
        raise errors.wrong_end(end.name, end.target, target.type.name, item.sent.guid)
    return target
