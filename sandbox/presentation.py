"""Entities as Atlan's API shows them: short headers in mutations and search hits, whole entities when read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sandbox.catalog import Catalog, Entity

ALWAYS_SHOWN = ("name", "qualifiedName", "description", "owner", "createTime", *("awsArn",))


def header(catalog: Catalog, entity: Entity, full: bool = False) -> dict:
    """A mutation header; `full` adds every attribute that is set, and the inputs and outputs of a process."""
    attributes = dict(entity.attributes) if full else {}
    attributes |= {name: entity.attributes[name] for name in ALWAYS_SHOWN if name in entity.attributes}
    if full and entity.type.is_a("Process"):
        attributes |= {
            side: [reference(catalog, guid) for guid in entity.related(side)] for side in ("inputs", "outputs")
        }
    return {**_common(catalog, entity), "attributes": attributes}


def search_hit(catalog: Catalog, entity: Entity, wanted: Iterable[str], wanted_of_related: Iterable[str]) -> dict:
    """A search result with the attributes that were asked for; a relationship is shown as reference(s)."""
    attributes = {name: entity.attributes[name] for name in ALWAYS_SHOWN if name in entity.attributes}
    for name in wanted:
        if name in entity.type.relationships:
            end = entity.type.relationships[name]
            shown = [_related_hit(catalog, guid, wanted_of_related) for guid in entity.related(name)]
            if shown:
                attributes[name] = shown if end.many else shown[0]
        elif (value := stored_value(catalog, entity, name)) is not None:
            attributes[name] = value
    return {**_common(catalog, entity), "attributes": attributes}


def whole(catalog: Catalog, entity: Entity, with_relationships: bool) -> dict:
    """An entity as the read endpoints answer it."""
    body = _common(catalog, entity)
    body["attributes"] = {**entity.attributes, "__hasLineage": catalog.has_lineage(entity)}
    if entity.business:
        body["businessAttributes"] = entity.business
    if with_relationships:
        shown = {}
        for name, end in entity.type.relationships.items():
            related = [_relation(catalog, entity, name, guid) for guid in entity.related(name)]
            shown[name] = related if end.many else (related[0] if related else None)
        body["relationshipAttributes"] = shown
    return body


def reference(catalog: Catalog, guid: str) -> dict:
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
    return [catalog.entities[guid] for guid in entity.related("meanings") if catalog.entities[guid].active]


def _common(catalog: Catalog, entity: Entity) -> dict:
    terms = terms_of(catalog, entity)
    body: dict[str, Any] = {
        "typeName": entity.type.name,
        "guid": entity.guid,
        "status": entity.status,
        "displayText": entity.name,
        "superTypeNames": list(entity.type.super_types),
        "createdBy": entity.created_by,
        "updatedBy": entity.updated_by,
        "createTime": entity.create_time,
        "updateTime": entity.update_time,
        "isIncomplete": False,
        "labels": entity.labels,
        "classificationNames": [tag["typeName"] for tag in entity.tags],
        "meaningNames": [term.name for term in terms],
        "meanings": [
            {"termGuid": term.guid, "displayText": term.name, "relationGuid": _relation_guid(entity.guid, term.guid)}
            for term in terms
        ],
        "docId": entity.guid,
    }
    body["classifications"] = entity.tags
    return body


def _related_hit(catalog: Catalog, guid: str, wanted: Iterable[str]) -> dict:
    entity = catalog.entities[guid]
    attributes = {name: entity.attributes[name] for name in wanted if name in entity.attributes}
    return {**reference(catalog, guid), "attributes": attributes}


def _relation(catalog: Catalog, entity: Entity, name: str, guid: str) -> dict:
    other = catalog.entities[guid]
    attributes = entity.related(name)[guid]
    return {
        "guid": guid,
        "typeName": other.type.name,
        "entityStatus": other.status,
        "displayText": other.name,
        "relationshipType": attributes.get("typeName", f"{entity.type.name.lower()}_{name}"),
        "relationshipGuid": _relation_guid(entity.guid, guid),
        "relationshipStatus": "ACTIVE" if entity.active and other.active else "DELETED",
        "relationshipAttributes": attributes or {"typeName": f"{entity.type.name.lower()}_{name}"},
        "uniqueAttributes": {"qualifiedName": other.qualified_name},
    }


def _relation_guid(one: str, other: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(sorted((one, other)))))
