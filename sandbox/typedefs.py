"""Type definitions that a tenant's people make: tags (classifications), custom metadata, enumerations."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sandbox import errors
from sandbox.catalog import Catalog
from sandbox.mutations import nano_id

KINDS = {
    # group in requests and answers: (category to ask for it by, whether Atlan gives it a hashed name)
    "classificationDefs": ("CLASSIFICATION", True),
    "businessMetadataDefs": ("BUSINESS_METADATA", True),
    "enumDefs": ("ENUM", False),
    "structDefs": ("STRUCT", False),
}
GROUPS = ("enumDefs", "structDefs", "classificationDefs", "entityDefs", "relationshipDefs", "businessMetadataDefs")
# Clients take an answer without structures for a refused token, as every real tenant has some.
BUILT_IN_STRUCT = {
    "category": "STRUCT",
    "guid": "0b9c0a4e-7f1d-4a57-9d62-54f3a0d1e001",
    "name": "SourceTagAttachment",
    "description": "Attachment of a tag at its source",
    "typeVersion": "1.0",
    "serviceType": "atlan",
    "attributeDefs": [],
}


def list_typedefs(catalog: Catalog, categories: list[str]) -> dict[str, list]:
    wanted = {category.upper() for category in categories}
    answer: dict[str, list] = {group: [] for group in GROUPS}
    for group, (category, _) in KINDS.items():
        if not wanted or category in wanted:
            answer[group] = list(catalog.documents(group).values())
    if not wanted or "STRUCT" in wanted:
        answer["structDefs"].insert(0, BUILT_IN_STRUCT)
    if not wanted or "ENTITY" in wanted:
        answer["entityDefs"] = [
            {"category": "ENTITY", "name": found.name, "superTypes": list(found.super_types[:1])}
            for found in catalog.types.types.values()
        ]
    return answer


def save_typedefs(catalog: Catalog, sent: dict[str, Any], user: str, update: bool) -> dict[str, list]:
    """Create (or update) every definition in `sent`; the answer has their hashed names."""
    answer: dict[str, list] = {group: [] for group in GROUPS}
    for group, (category, hashed) in KINDS.items():
        present = catalog.documents(group)
        for definition in sent.get(group) or []:
            twin = _same_display_name(present, definition)
            if twin and not update:
                raise errors.already_exists(f"Given type {definition.get('displayName')} already exists")
            stored = _complete(definition, present.get(definition.get("name", "")), category, hashed, user)
            catalog.put_document(group, stored["name"], stored)
            answer[group].append(stored)
    return answer


def find_typedef(catalog: Catalog, name: str) -> tuple[str, dict]:
    """The group and the definition with this (hashed) name."""
    for group in KINDS:
        definition = catalog.documents(group).get(name)
        if definition:
            return group, definition
    raise errors.AtlasError(404, "404-00-001", f"Given typename {name} was invalid")


def delete_typedef(catalog: Catalog, name: str) -> None:
    group, _ = find_typedef(catalog, name)
    for entity in catalog.entities.values():
        if any(tag["typeName"] == name for tag in entity.tags) or name in entity.business:
            raise errors.AtlasError(409, "409-00-002", f"Given type {name} has references")
    catalog.delete_document(group, name)


def _same_display_name(present: dict[str, dict], definition: dict) -> bool:
    label = definition.get("displayName") or definition.get("name")
    return any((other.get("displayName") or other.get("name")) == label for other in present.values())


def _complete(definition: dict, before: dict | None, category: str, hashed: bool, user: str) -> dict:
    now = int(time.time() * 1000)
    name = before["name"] if before else nano_id() + "x" if hashed else definition["name"]
    known = {attribute.get("displayName"): attribute["name"] for attribute in (before or {}).get("attributeDefs", [])}
    attributes = []
    for attribute in definition.get("attributeDefs") or []:
        label = attribute.get("displayName")
        internal = known.get(label) or (nano_id() + "x" if hashed else attribute.get("name"))
        attributes.append({**attribute, "name": internal})
    return {
        "superTypes": [],
        "subTypes": [],
        "entityTypes": [],
        **(before or {}),
        **definition,
        "category": category,
        "guid": (before or {}).get("guid") or str(uuid.uuid4()),
        "name": name,
        "displayName": definition.get("displayName") or definition.get("name"),
        "attributeDefs": attributes,
        "createdBy": (before or {}).get("createdBy") or user,
        "updatedBy": user,
        "createTime": (before or {}).get("createTime") or now,
        "updateTime": now,
        "version": (before or {}).get("version", 0) + 1,
        "typeVersion": "1.0",
        "serviceType": "atlan",
    }
