"""How an entity names another one in Atlas' JSON, before anybody knows its guid."""

from __future__ import annotations

from typing import TypedDict


class EntityReference(TypedDict):
    """Another entity, by its type and qualified name: Atlas' AtlasObjectId without a guid."""

    typeName: str
    uniqueAttributes: dict[str, str]


def reference(type_name: str, qualified_name: str) -> EntityReference:
    """A reference to the entity of this type and qualified name, whether it exists yet or not."""
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": qualified_name}}
