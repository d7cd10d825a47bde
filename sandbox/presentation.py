"""Entities as Atlan's API shows them: short headers in mutations and search hits, whole entities when read.

Each shape is that of a class of atlanhq/atlas-metastore, which `sandbox.messages` names; `EntityGraphRetriever` fills them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import orjson

from sandbox.catalog import Catalog, Entity
from sandbox.errors import bad_request
from sandbox.messages import (
    Attributes,
    EntityDetails,
    EntityHeader,
    JsonObject,
    ObjectId,
    RelatedHit,
    RelatedObjectId,
    ShownEntity,
    TermAssignment,
)
from sandbox.tags import all_tags

# Attributes of every header: the unique ones, and those of `EntityGraphRetriever.mapVertexToAtlasEntityHeader`.
ALWAYS_SHOWN = ("name", "qualifiedName", "description", "owner", "createTime", "awsArn")
# Lists of a full header that are there even if they are empty: of those that its attributes are told by (`includeInNotification`
# of the metastore's 007_all_custom_models.json, `getAttrsToLoad` of `EntityGraphMapper`) the ones of people.
ALWAYS_LISTED = ("ownerUsers", "ownerGroups", "adminUsers", "adminGroups", "adminRoles", "viewerUsers", "viewerGroups")
# The attribute in which the attributes of an entity's source are kept that Atlan has none for, as the text of a JSON object
# (CUSTOM_ATTRIBUTES_PROPERTY_KEY of the metastore's `Constants`); a search shows it so.
CUSTOM_ATTRIBUTES = "__customAttributes"


def entity_header(catalog: Catalog, entity: Entity, full: bool = False) -> EntityHeader:
    """A mutation header; `full` adds every attribute that is set, and the inputs and outputs of a process."""
    attributes: Attributes = {}
    if full:
        attributes = {name: [] for name in ALWAYS_LISTED if name in entity.type.attributes} | entity.attributes
        attributes.pop(CUSTOM_ATTRIBUTES, None)
    attributes |= {name: entity.attributes[name] for name in ALWAYS_SHOWN if name in entity.attributes}
    if full and entity.type.is_a("Process"):
        attributes |= {
            side: [object_id(catalog, guid) for guid in entity.related(side)] for side in ("inputs", "outputs")
        }
    return _header(catalog, entity, attributes)


@dataclass(frozen=True)
class HitParts:
    """Which parts a hit has beside its attributes: the flags of `IndexSearchParams` and `LineageListRequest`."""

    tags: bool = True
    tag_names: bool = True
    meanings: bool = True
    archived_relations: bool = False
    relationship_attributes: bool = False

    @classmethod
    def asked_for(cls, request: JsonObject) -> HitParts:
        """The parts that a request leaves in or adds. Raises `AtlasError` (400) for a flag that is no Boolean."""

        def flag(name: str) -> bool:
            value = request.get(name)
            if value is not None and not isinstance(value, bool):
                raise bad_request(f"{name} must be true or false")
            return bool(value)

        tags = not flag("excludeClassifications")
        return cls(
            tags=tags,
            tag_names=tags or flag("includeClassificationNames"),
            meanings=not flag("excludeMeanings"),
            archived_relations=flag("allowDeletedRelations"),
            relationship_attributes=flag("includeRelationshipAttributes"),
        )


ALL_PARTS = HitParts()


def search_hit(
    catalog: Catalog,
    entity: Entity,
    wanted: Iterable[str],
    wanted_of_related: Iterable[str],
    parts: HitParts = ALL_PARTS,
) -> EntityHeader:
    """A search result with the attributes that were asked for; a relationship is shown as reference(s).

    What has no value is left out, and a relationship to many is a list, even an empty one (pyatlan's `test_hierarchy`).
    `wanted_of_related` are the attributes to show of related entities. What is archived is not shown as related
    (`EntityGraphRetriever.mapVertexToObjectId`).
    """
    attributes = {name: entity.attributes[name] for name in ALWAYS_SHOWN if name in entity.attributes}
    for name in wanted:
        if name in entity.type.relationships:
            end = entity.type.relationships[name]
            shown = [
                _related_hit(catalog, entity, name, guid, wanted_of_related, parts)
                for guid in entity.related(name)
                if parts.archived_relations or catalog.entities[guid].active
            ]
            if end.many:
                attributes[name] = shown
            elif shown:
                attributes[name] = shown[0]
        elif (value := stored_value(catalog, entity, name)) is not None:
            attributes[name] = value
    header = _header(catalog, entity, attributes)
    left_out = [
        *(["classifications"] if not parts.tags else []),
        *(["classificationNames"] if not parts.tag_names else []),
        *(["meanings", "meaningNames"] if not parts.meanings else []),
    ]
    return cast(EntityHeader, {name: value for name, value in header.items() if name not in left_out})


def entity_details(catalog: Catalog, entity: Entity, with_relationships: bool) -> EntityDetails:
    """An entity as the read endpoints answer it.

    `relationshipAttributes` has every relationship of the type: a list, or one entity or None where it takes only one. A
    related entity is told by guid and display text alone (`EntityGraphRetriever.mapVertexToRelatedObjectId`); its qualified
    name is for a search to tell.
    """
    attributes = {**entity.attributes, "__hasLineage": catalog.has_lineage(entity)}
    custom = attributes.pop(CUSTOM_ATTRIBUTES, None)
    body = cast(EntityDetails, {**_shown(catalog, entity, attributes), "version": 0})
    if custom:
        body["customAttributes"] = orjson.loads(custom)
    if entity.business:
        body["businessAttributes"] = entity.business
    if with_relationships:
        shown: dict[str, list[RelatedObjectId] | RelatedObjectId | None] = {}
        for name, end in entity.type.relationships.items():
            related = [_relation(catalog, entity, name, guid) for guid in entity.related(name)]
            shown[name] = related if end.many else (related[0] if related else None)
        body["relationshipAttributes"] = shown
    return body


def object_id(catalog: Catalog, guid: str) -> ObjectId:
    """A reference to an entity of the catalog. Raises KeyError if there is none with this guid."""
    entity = catalog.entities[guid]
    return {
        "guid": guid,
        "typeName": entity.type.name,
        "uniqueAttributes": {"qualifiedName": entity.qualified_name},
    }


def stored_value(catalog: Catalog, entity: Entity, name: str) -> Any:
    """An attribute, one of custom metadata (`set.attribute`), or a bookkeeping field that Atlan stores as one."""
    if name == "__hasLineage":
        return catalog.has_lineage(entity)
    if "." in name:
        set_name, _, attribute = name.partition(".")
        return entity.business.get(set_name, {}).get(attribute)
    return entity.attributes.get(name)


def terms_of(catalog: Catalog, entity: Entity) -> list[Entity]:
    """The active glossary terms that are assigned to an entity."""
    return [catalog.entities[guid] for guid in entity.related("meanings") if catalog.entities[guid].active]


def _header(catalog: Catalog, entity: Entity, attributes: Attributes) -> EntityHeader:
    shown = _shown(catalog, entity, attributes)
    terms = terms_of(catalog, entity)
    meanings: list[TermAssignment] = [
        {
            "termGuid": term.guid,
            "displayText": term.name,
            "relationGuid": relationship_guid(entity, "meanings", term.guid),
        }
        for term in terms
    ]
    return {
        **shown,
        "displayText": entity.name,
        "classificationNames": list(dict.fromkeys(tag["typeName"] for tag in shown["classifications"])),
        "meaningNames": [term.name for term in terms],
        "meanings": meanings,
    }


def _shown(catalog: Catalog, entity: Entity, attributes: Attributes) -> ShownEntity:
    return {
        "typeName": entity.type.name,
        "attributes": attributes,
        "guid": entity.guid,
        "status": entity.status,
        "createdBy": entity.created_by,
        "updatedBy": entity.updated_by,
        "createTime": entity.create_time,
        "updateTime": entity.update_time,
        "isIncomplete": False,
        "superTypeNames": list(entity.type.super_types),
        "docId": entity.guid,
        "labels": entity.labels,
        "classifications": all_tags(catalog, entity),
    }


def _related_hit(
    catalog: Catalog, entity: Entity, name: str, guid: str, wanted: Iterable[str], parts: HitParts
) -> RelatedHit:
    other = catalog.entities[guid]
    attributes = {name: other.attributes[name] for name in wanted if name in other.attributes}
    if parts.relationship_attributes:
        told = entity.related(name)[guid] or {"typeName": _relationship_type(entity, name)}
        attributes["relationshipAttributes"] = told
    return {**object_id(catalog, guid), "attributes": attributes}


def _relation(catalog: Catalog, entity: Entity, name: str, guid: str) -> RelatedObjectId:
    other = catalog.entities[guid]
    attributes = entity.related(name)[guid]
    return {
        "guid": guid,
        "typeName": other.type.name,
        "entityStatus": other.status,
        "displayText": other.name,
        "relationshipType": attributes.get("typeName", _relationship_type(entity, name)),
        "relationshipGuid": relationship_guid(entity, name, guid),
        "relationshipStatus": "ACTIVE" if entity.active and other.active else "DELETED",
        "relationshipAttributes": attributes or {"typeName": _relationship_type(entity, name)},
    }


def _relationship_type(entity: Entity, name: str) -> str:
    """A name for a relationship whose type nothing tells."""
    return f"{entity.type.name.lower()}_{name}"


def relationship_guid(entity: Entity, name: str, other: str) -> str:
    """The guid of a relationship to the entity with the guid `other`: the same for both ends, and at every reading."""
    inverse = entity.type.relationships[name].inverse
    ends = sorted((f"{entity.guid}/{name}", f"{other}/{inverse or ''}"))
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(ends)))
