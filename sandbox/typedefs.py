"""Type definitions that a tenant's people make: tags (classifications), custom metadata, enumerations.

The lists are those of `AtlasTypesDef` in atlanhq/atlas-metastore. Tags and custom metadata get a random name there, and
the name that people gave becomes the display name (pyatlan's `TagCache` and `CustomMetadataCache` translate).
"""

from __future__ import annotations

import time
import uuid

from sandbox import errors
from sandbox.catalog import Catalog
from sandbox.messages import JsonObject, TypeDefinition, TypesDef
from sandbox.preprocessors import nano_id

MANAGED_LISTS = {
    # list in requests and answers: (category to ask for it by, whether Atlan gives it a hashed name)
    "classificationDefs": ("CLASSIFICATION", True),
    "businessMetadataDefs": ("BUSINESS_METADATA", True),
    "enumDefs": ("ENUM", False),
    "structDefs": ("STRUCT", False),
}
ALL_LISTS = ("enumDefs", "structDefs", "classificationDefs", "entityDefs", "relationshipDefs", "businessMetadataDefs")
# pyatlan takes an answer without structures for a refused token (ATLAN-PYTHON-401-004, observed with 11.6), as every real
# tenant has some.
BUILT_IN_STRUCT: TypeDefinition = {
    "category": "STRUCT",
    "guid": "0b9c0a4e-7f1d-4a57-9d62-54f3a0d1e001",
    "name": "SourceTagAttachment",
    "description": "Attachment of a tag at its source",
    "typeVersion": "1.0",
    "serviceType": "atlan",
    "attributeDefs": [],
}


def list_typedefs(catalog: Catalog, categories: list[str]) -> TypesDef:
    """Every definition of the categories (CLASSIFICATION, BUSINESS_METADATA, ENUM, STRUCT, ENTITY), or of all if none is given.

    Lists of other categories are there, and empty.
    """
    wanted = {category.upper() for category in categories}
    answer: TypesDef = {name: [] for name in ALL_LISTS}
    for name, (category, _) in MANAGED_LISTS.items():
        if not wanted or category in wanted:
            answer[name] = list(catalog.documents(name).values())
    if not wanted or "STRUCT" in wanted:
        answer["structDefs"].insert(0, BUILT_IN_STRUCT)
    if not wanted or "ENTITY" in wanted:
        answer["entityDefs"] = [
            {"category": "ENTITY", "name": found.name, "superTypes": list(found.super_types[:1])}
            for found in catalog.types.types.values()
        ]
    return answer


def save_typedefs(catalog: Catalog, sent: JsonObject, user: str, update: bool) -> TypesDef:
    """Create (or update) every definition in `sent`, lists as in `TypesDef`; the answer has their hashed names.

    Raises `AtlasError` (409) for a new definition whose display name is taken.
    """
    answer: TypesDef = {name: [] for name in ALL_LISTS}
    for name, (category, hashed) in MANAGED_LISTS.items():
        present = catalog.documents(name)
        for definition in sent.get(name) or []:
            twin = _same_display_name(present, definition)
            if twin and not update:
                raise errors.already_exists(f"Given type {definition.get('displayName')} already exists")
            stored = _complete(definition, present.get(definition.get("name", "")), category, hashed, user)
            catalog.put_document(name, stored["name"], stored)
            answer[name].append(stored)
    return answer


def find_typedef(catalog: Catalog, name: str) -> tuple[str, TypeDefinition]:
    """The definition with this (hashed) name, and the list that it is of.

    Raises `AtlasError` (404, TYPE_NAME_NOT_FOUND) if there is none.
    """
    for list_name in MANAGED_LISTS:
        definition = catalog.documents(list_name).get(name)
        if definition:
            return list_name, definition
    raise errors.AtlasError(404, "404-00-001", f"Given typename {name} was invalid")


def remove_typedef(catalog: Catalog, name: str) -> None:
    """Remove a definition that no entity uses.

    Raises `AtlasError`: 404 if there is none, 409 if an entity uses it (TYPE_HAS_REFERENCES).
    """
    list_name, _ = find_typedef(catalog, name)
    for entity in catalog.entities.values():
        if any(tag["typeName"] == name for tag in entity.tags) or name in entity.business:
            raise errors.AtlasError(409, "409-00-002", f"Given type {name} has references")
    catalog.delete_document(list_name, name)


def _same_display_name(present: dict[str, TypeDefinition], definition: TypeDefinition) -> bool:
    label = definition.get("displayName") or definition.get("name")
    return any((other.get("displayName") or other.get("name")) == label for other in present.values())


def _complete(
    definition: TypeDefinition, before: TypeDefinition | None, category: str, hashed: bool, user: str
) -> TypeDefinition:
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
