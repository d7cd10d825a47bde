"""Entities of a request, read into what the metastore takes them for, or refused before anything is changed.

A request whose JSON does not fit Atlas's classes (`AtlasEntity`, `AtlasObjectId`, `AtlasClassification`) is refused with 400, as
its `AtlasJsonProvider` does; then come the checks of `EntityREST.createOrUpdate` and of `AtlasEntityGraphDiscoveryV2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from sandbox import errors
from sandbox.attributes import as_text
from sandbox.catalog import Catalog, Entity
from sandbox.messages import Attributes, BusinessAttributes, Classification
from sandbox.types import EntityType, Relationship

# atlas.bulk.api.max.entities.allowed in `AtlasConfiguration`.
MAX_ENTITIES = 10_000
# In characters: HUNDRED_THOUSAND and TWO_MILLION of `EntityREST`, and the attributes that may have the latter
# (atlas.entities.attribute.allowed.large.attributes in `AtlasConfiguration`).
MAX_STRING, MAX_LARGE_STRING = 100_000, 2_000_000
LARGE_ATTRIBUTES = {
    "rawQueryText", "variablesSchemaBase64", "visualBuilderSchemaBase64", "dataContractSpec", "dataContractJson"
}  # fmt: skip
# atlas.entity.label.max.length in `AtlasConfiguration`, and LABEL_REGEX of `EntityGraphMapper`.
MAX_LABEL, LABEL = 50, re.compile(r"[a-zA-Z0-9_-]*")
# atlas.custom.attribute.key.max.length and …value.max.length there, and CUSTOM_ATTRIBUTE_KEY_REGEX of `EntityGraphMapper`.
MAX_CUSTOM_KEY, MAX_CUSTOM_VALUE, CUSTOM_KEY = 50, 500, re.compile(r"[a-zA-Z0-9_-]*")
STATUSES = ("ACTIVE", "DELETED", "PURGED")
# The flags of `AtlasClassification`; the last two cannot both be true of a tag that propagates.
PROPAGATION_FLAGS = (
    "propagate", "removePropagationsOnEntityDelete", "restrictPropagationThroughLineage",
    "restrictPropagationThroughHierarchy",
)  # fmt: skip


@dataclass
class RequestEntity:
    """An entity of a request, its shape checked (`AtlasEntity`).

    `guid` may be a placeholder (`-1`) and is None where none was sent. `attributes` has what is no relationship; an
    attribute of None takes its value away. `related` has the relationships that are replaced, wherever they were sent
    (pyatlan puts them into `attributes`, pyatlan_v9 beside them), `appended` and `removed` those that are changed.
    `custom` are the attributes of its source that Atlan has none for (`customAttributes`).
    """

    type: EntityType
    guid: str | None
    status: str | None
    attributes: Attributes
    related: dict[str, list[Any] | dict[str, Any]]
    appended: dict[str, list[Any]]
    removed: dict[str, list[Any]]
    tags: list[Classification] | None = None
    added_tags: list[Classification] = field(default_factory=list)
    removed_tags: list[Classification] = field(default_factory=list)
    business: BusinessAttributes | None = None
    labels: list[str] | None = None
    custom: dict[str, str] | None = None

    @property
    def qualified_name(self) -> str:
        """Its qualified name as it was sent; "" if none was."""
        return str(self.attributes.get("qualifiedName") or "")

    @property
    def placeholder(self) -> str | None:
        """Its guid, if that is none of the tenant's."""
        return self.guid if self.guid and self.guid.startswith("-") else None

    def references(self) -> Iterator[tuple[str, Relationship, Any]]:
        """Every reference that it makes: the relationship's name, its end, and what was sent for it."""
        for values in (self.related, self.appended, self.removed):
            for name, value in values.items():
                end = self.type.relationships[name]
                for reference in value if isinstance(value, list) else [value]:
                    if reference is not None:
                        yield name, end, reference


def read_entities(catalog: Catalog, sent: object) -> list[RequestEntity]:
    """The entities of a request. One with the guid of an earlier one is passed over: guids tell them apart
    (`EntityGraphDiscoveryContext.getReferencedGuids`, `AtlasEntityStream.getByGuid`).

    Raises `AtlasError`: 400 for what is malformed or names an unknown type, 500 for a text that is too long.
    """
    if not sent:
        raise errors.invalid_parameters("no entities to create/update.")
    if len(as_list(sent, "entities")) > MAX_ENTITIES:
        raise errors.too_many_entities(MAX_ENTITIES)
    entities = [as_object(raw, "an entity") for raw in as_list(sent, "entities")]
    for raw in entities:
        _check_lengths(optional_object(raw.get("attributes"), "attributes"))
    found: dict[str, RequestEntity] = {}
    for number, raw in enumerate(entities):
        entity = _read_entity(catalog, raw)
        found.setdefault(entity.guid or f"+{number}", entity)
    return list(found.values())


def resolve_references(catalog: Catalog, entities: list[RequestEntity]) -> None:
    """Check that what the entities refer to is there: a guid of the catalogue, one of this request, or a qualified name.

    A name has to be of an entity that was there before the request: it is looked up before any of the request's own is
    made, where guids are looked up in the request, too (`AtlasEntityGraphDiscoveryV2.resolveReferences`, called at the
    beginning of `AtlasEntityStoreV2.preCreateOrUpdate`). An archived entity will do.

    Raises `AtlasError`: 404 for one that is not there, 400 for what names none.
    """
    own = {entity.guid for entity in entities if entity.guid}
    for entity in entities:
        for _, _, reference in entity.references():
            guid = reference_guid(reference, entity)
            if guid is None:
                find_by_name(catalog, reference, entity)
            elif guid not in own and guid not in catalog.entities:
                raise errors.reference_not_found(guid, entity.guid)


def reference_guid(reference: Any, referring: RequestEntity) -> str | None:
    """The guid by which a reference names an entity; None if it does so by type and unique attributes.

    Raises `AtlasError` (400) if it names none (`AtlasTypeUtil.isValid`).
    """
    if not isinstance(reference, dict):
        raise errors.malformed_reference(reference, referring.guid)
    guid = reference.get("guid")
    if isinstance(guid, (str, int)) and not isinstance(guid, bool) and guid != "":
        return str(guid)
    unique = reference.get("uniqueAttributes")
    if not (
        isinstance(reference.get("typeName"), str) and reference["typeName"] and isinstance(unique, dict) and unique
    ):
        raise errors.malformed_reference(reference, referring.guid)
    return None


def find_by_name(catalog: Catalog, reference: dict[str, Any], referring: RequestEntity) -> Entity:
    """The entity that a reference by type and unique attributes names (`UniqAttrBasedEntityResolver`)."""
    type_name, unique = reference["typeName"], reference["uniqueAttributes"]
    if not catalog.types.get(type_name):
        raise errors.unknown_type(type_name, referring.guid)
    for name, value in unique.items():
        found = catalog.find(type_name, value, name) if isinstance(value, str) else None
        if found:
            return found
    raise errors.reference_not_found({"typeName": type_name, "uniqueAttributes": unique}, referring.guid)


def entity_type(catalog: Catalog, name: object) -> EntityType:
    """The type of this name. Raises `AtlasError` (400) if there is none."""
    found = catalog.types.get(name) if isinstance(name, str) else None
    if not found:
        raise errors.unknown_type(name)
    return found


def find_unique(catalog: Catalog, type_name: str, unique: Mapping[str, Any]) -> Entity | None:
    """The entity of a type that has one of these unique attributes; those that are not unique find nothing
    (`AtlasGraphUtilsV2.findByUniqueAttributes`).
    """
    found = (catalog.find(type_name, value, name) for name, value in unique.items() if isinstance(value, str))
    return next((entity for entity in found if entity), None)


def _read_entity(catalog: Catalog, raw: dict[str, Any]) -> RequestEntity:
    guid, status, type_name = raw.get("guid"), raw.get("status"), raw.get("typeName")
    if guid is not None and (isinstance(guid, bool) or not isinstance(guid, (str, int))):
        raise errors.bad_request("an entity's guid must be a text")
    guid = None if guid is None else str(guid)
    if status is not None and status not in STATUSES:
        raise errors.bad_request(f"an entity's status must be one of {', '.join(STATUSES)}")
    entity_type = catalog.types.get(type_name) if isinstance(type_name, str) else None
    if not entity_type:
        raise errors.unknown_type(type_name, guid)
    if guid == "":
        raise errors.malformed_reference("invalid guid ", guid)
    attributes = optional_object(raw.get("attributes"), "attributes")
    beside, appended, removed = (
        optional_object(raw.get(name), name)
        for name in ("relationshipAttributes", "appendRelationshipAttributes", "removeRelationshipAttributes")
    )
    ends = entity_type.relationships
    twice = next((name for name in beside if name in ends and (name in appended or name in removed)), None)
    if twice:
        raise errors.replaced_and_changed(twice, guid)
    related = {name: value for name, value in beside.items() if name in ends}
    # What is null among the attributes does not even end a relationship (`AtlasEntityStoreV2.compactAttributes`).
    related |= {
        name: value
        for name, value in attributes.items()
        if name in ends and value is not None and related.get(name) is None
    }
    for name, value in related.items():
        _check_end(entity_type, ends[name], value, guid)
    labels = raw.get("labels")
    return RequestEntity(
        entity_type,
        guid,
        status,
        {name: value for name, value in attributes.items() if name not in ends},
        {name: value if value is not None else [] for name, value in related.items()},
        {name: _many(value) for name, value in appended.items() if name in ends},
        {name: _many(value) for name, value in removed.items() if name in ends},
        None if raw.get("classifications") is None else read_tags(raw["classifications"]),
        read_tags(raw.get("addOrUpdateClassifications") or []),
        read_tags(raw.get("removeClassifications") or []),
        None if raw.get("businessAttributes") is None else read_business(raw["businessAttributes"]),
        None if labels is None else read_labels(labels, guid),
        None if raw.get("customAttributes") is None else _read_custom(raw["customAttributes"], guid),
    )


def _check_end(entity_type: EntityType, end: Relationship, value: Any, guid: str | None) -> None:
    """A relationship of many takes a list, one of one an object; its own attributes need its type
    (`AtlasArrayType.validateValue`, `AtlasObjectIdType.isValidMap`).
    """
    if end.many and value is not None and not isinstance(value, list):
        raise errors.invalid_attributes(
            f"{entity_type.name}.{end.name}={value}: invalid value for type array<{end.target}>", guid
        )
    if not end.many and isinstance(value, list):
        raise errors.malformed_reference(value, guid)
    for reference in value if isinstance(value, list) else [value]:
        if (
            isinstance(reference, dict)
            and "relationshipAttributes" in reference
            and "relationshipType" not in reference
        ):
            raise errors.invalid_attributes(
                f"{entity_type.name}.{end.name}={reference}: invalid value for type {end.target}", guid
            )


def _many(value: Any) -> list[Any]:
    return [item for item in (value if isinstance(value, list) else [value]) if item is not None]


def _check_lengths(attributes: Attributes) -> None:
    """As `EntityREST.validateAttributeLength`, whose exception has no code of its own, and so is a 500."""
    messages = []
    for name, value in attributes.items():
        limit = MAX_LARGE_STRING if name in LARGE_ATTRIBUTES else MAX_STRING
        if isinstance(value, str) and len(value) > limit:
            messages.append(f"Attribute {name} exceeds limit of {limit} characters")
    if messages:
        raise errors.internal_error(orjson.dumps(messages).decode())


# The shapes of what else a request may have


def as_object(value: object, what: str) -> dict[str, Any]:
    """A JSON object. Raises `AtlasError` (400) if it is something else; `what` it is, the error says."""
    if not isinstance(value, dict):
        raise errors.bad_request(f"{what} must be a JSON object")
    return cast("dict[str, Any]", value)


def optional_object(value: object, what: str) -> dict[str, Any]:
    """A JSON object, or an empty one for null."""
    return {} if value is None else as_object(value, what)


def as_list(value: object, what: str) -> list[Any]:
    """A JSON list. Raises `AtlasError` (400) if it is something else."""
    if not isinstance(value, list):
        raise errors.bad_request(f"{what} must be a JSON list")
    return value


def as_texts(value: object, what: str) -> list[str]:
    """A JSON list of texts, or an empty one for null. Raises `AtlasError` (400) if it is something else."""
    texts = [] if value is None else as_list(value, what)
    if not all(isinstance(text, str) for text in texts):
        raise errors.bad_request(f"{what} must be a JSON list of texts")
    return texts


def read_tags(value: object) -> list[Classification]:
    """Tags as a request has them: a list of objects, each with a type's name."""
    tags = [as_object(tag, "a classification") for tag in as_list(value, "classifications")]
    for tag in tags:
        if not isinstance(tag.get("typeName"), str):
            raise errors.bad_request("a classification must have a typeName")
        optional_object(tag.get("attributes"), "the attributes of a classification")
        for name in PROPAGATION_FLAGS:
            if not isinstance(tag.get(name), bool | None):
                raise errors.bad_request(f"{name} of a classification must be true or false")
    return cast("list[Classification]", tags)


def read_business(value: object) -> BusinessAttributes:
    """Custom metadata as a request has it: the values of each set."""
    sets = as_object(value, "businessAttributes")
    return {name: optional_object(values, f"businessAttributes.{name}") for name, values in sets.items()}


def read_labels(value: object, guid: str | None) -> list[str]:
    """Labels as a request has them. Raises `AtlasError` (400) as `EntityGraphMapper.validateLabels` does."""
    labels = as_texts(value, "labels")
    for label in labels:
        check_label(label, guid)
    return labels


def check_label(label: str, guid: str | None) -> None:
    """Raises `AtlasError` (400) for a label that is too long or has other characters than letters, digits, `_` and `-`."""
    if len(label) > MAX_LABEL:
        raise errors.invalid_label_length(label, MAX_LABEL, guid)
    if not LABEL.fullmatch(label):
        raise errors.invalid_label_characters(label, guid)


def _read_custom(value: object, guid: str | None) -> dict[str, str]:
    """Custom attributes as a request has them. Raises `AtlasError` (400) as `EntityGraphMapper.validateCustomAttributes` does."""
    custom = {}
    for name, told in as_object(value, "customAttributes").items():
        if told is None or isinstance(told, (dict, list)):
            raise errors.bad_request(f"the custom attribute {name} must be a text", guid)
        custom[name] = as_text(told)
        if len(name) > MAX_CUSTOM_KEY:
            raise errors.invalid_custom_key_length(name, MAX_CUSTOM_KEY, guid)
        if not CUSTOM_KEY.fullmatch(name):
            raise errors.invalid_custom_key_characters(name, guid)
        if len(custom[name]) > MAX_CUSTOM_VALUE:
            raise errors.invalid_custom_value(custom[name], MAX_CUSTOM_VALUE, guid)
    return custom


def names_of(tags: Iterable[Classification]) -> set[str]:
    """The (hashed) names of tags."""
    return {tag["typeName"] for tag in tags}
