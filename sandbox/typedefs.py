"""Type definitions that a tenant's people make: tags (classifications), custom metadata, enumerations.

The lists are those of `AtlasTypesDef` in atlanhq/atlas-metastore. Tags and custom metadata get a random name there, and
the name that people gave becomes the display name (pyatlan's `TagCache` and `CustomMetadataCache` translate).
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator

from sandbox import errors
from sandbox.attributes import PRIMITIVES
from sandbox.catalog import Catalog
from sandbox.messages import BusinessAttributes, JsonObject, TypeDefinition, TypesDef
from sandbox.mutations import applicable_types, read_option
from sandbox.preprocessors import nano_id
from sandbox.requests import as_list, as_object, as_texts, optional_object
from sandbox.types import EntityType

MANAGED_LISTS = {
    # list in requests and answers: (category to ask for it by, whether Atlan gives it a hashed name)
    "classificationDefs": ("CLASSIFICATION", True),
    "businessMetadataDefs": ("BUSINESS_METADATA", True),
    "enumDefs": ("ENUM", False),
    "structDefs": ("STRUCT", False),
}
# ATLAS_BUILTIN_TYPES of `AtlasBaseTypeDef`, and NAME_REGEX of `AtlasAbstractDefStoreV2`, with the hyphen that enumerations of
# pyatlan's own tests have in their names.
BUILT_IN_TYPES = {*PRIMITIVES, "string", "objectid"}
NAME = re.compile(r"(__)?[a-zA-Z][a-zA-Z0-9_ -]*")
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
# The same holds for an answer without enumerations.
BUILT_IN_ENUM: TypeDefinition = {
    "category": "ENUM",
    "guid": "0b9c0a4e-7f1d-4a57-9d62-54f3a0d1e002",
    "name": "certificate_status",
    "displayName": "certificate_status",
    "description": "States of a certificate",
    "typeVersion": "1.0",
    "serviceType": "atlan",
    "elementDefs": [
        {"value": value, "ordinal": ordinal} for ordinal, value in enumerate(("DEPRECATED", "DRAFT", "VERIFIED"))
    ],
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
    if not wanted or "ENUM" in wanted:
        answer["enumDefs"].insert(0, BUILT_IN_ENUM)
    if not wanted or "ENTITY" in wanted:
        answer["entityDefs"] = [_entity_definition(found) for found in catalog.types.types.values()]
    return answer


def _entity_definition(found: EntityType) -> TypeDefinition:
    return {"category": "ENTITY", "name": found.name, "superTypes": list(found.super_types[:1])}


def save_typedefs(catalog: Catalog, sent: JsonObject, user: str, update: bool) -> TypesDef:
    """Create (or update) every definition in `sent`, lists as in `TypesDef`: all of them, or none and an error. The answer
    has their hashed names.

    Raises `AtlasError`: 400 for a malformed definition, 404 for an update of one that is not there, 409 for a name or a
    display name that is taken, and for an attribute that is taken away (`TypesREST`, the stores of definitions). 501 for
    types of entities and relationships.
    """
    for name in ("entityDefs", "relationshipDefs"):
        if as_list(sent.get(name) or [], name):
            raise errors.not_supported(f"{name} of its own")
    answer: TypesDef = {name: [] for name in ALL_LISTS}
    for name, (category, hashed) in MANAGED_LISTS.items():
        present = catalog.documents(name)
        for raw in as_list(sent.get(name) or [], name):
            definition = _check_definition(as_object(raw, f"each of {name}"), category)
            before = _find_before(present, definition, update)
            if not before and not hashed and _is_built_in(catalog, definition.get("name")):
                raise errors.type_already_exists(definition["name"])
            _check_names(present, definition, before, category)
            if category == "CLASSIFICATION":
                _check_tag(catalog, definition)
            elif category == "BUSINESS_METADATA":
                _check_custom_metadata(catalog, definition, before)
            elif category == "ENUM":
                _check_enum(definition)
            stored = _complete(definition, before, category, hashed, user)
            present[stored["name"]] = stored
            answer[name].append(stored)
    for name in MANAGED_LISTS:
        for stored in answer[name]:
            catalog.put_document(name, stored["name"], stored)
    return answer


def _is_built_in(catalog: Catalog, name: object) -> bool:
    return name in (BUILT_IN_STRUCT["name"], BUILT_IN_ENUM["name"]) or (
        isinstance(name, str) and catalog.types.get(name) is not None
    )


def read_typedef(catalog: Catalog, name: str) -> TypeDefinition:
    """The definition with this (hashed) name, of those that the tenant's people made and the others.

    Raises `AtlasError` (404, TYPE_NAME_NOT_FOUND) if there is none.
    """
    for definition in (BUILT_IN_STRUCT, BUILT_IN_ENUM):
        if definition["name"] == name:
            return definition
    found = catalog.types.get(name)
    if not found:
        return find_typedef(catalog, name)[1]
    kinds = catalog.types.attributes
    attributes = [{"name": one, "typeName": kinds.get(one, "string")} for one in sorted(found.attributes)]
    return {**_entity_definition(found), "attributeDefs": attributes}


def list_headers(catalog: Catalog, categories: list[str]) -> list[TypeDefinition]:
    """What each definition is called: those of the categories, or all; types of entities have no guid here
    (`AtlasTypeUtil.toTypeDefHeader`, `AtlasTypeDefHeader`).
    """
    return [_header(found) for found in _all_of(catalog, categories)]


def _header(definition: TypeDefinition) -> TypeDefinition:
    named = ("displayName",) if definition["category"] in ("CLASSIFICATION", "BUSINESS_METADATA") else ()
    shown = ("guid", "name", *named, "serviceType", "category")
    return {name: definition[name] for name in shown if definition.get(name) is not None}


def _all_of(catalog: Catalog, categories: list[str]) -> Iterator[TypeDefinition]:
    for definitions in list_typedefs(catalog, categories).values():
        yield from definitions


def typedef_of(catalog: Catalog, category: str, name: str) -> TypeDefinition:
    """The definition of a category with this (hashed) name.

    Raises `AtlasError` (404) if there is none, or one of another category (`AtlasTypeDefGraphStore.getEnumDefByName`, …).
    """
    found = read_typedef(catalog, name)
    if found["category"] != category:
        raise errors.unknown_typedef(name)
    return found


def typedef_by_guid(catalog: Catalog, guid: str, category: str | None = None) -> TypeDefinition:
    """The definition with this guid, of a category or of any. Raises `AtlasError` (404) if there is none."""
    found = _all_of(catalog, [category] if category else [])
    definition = next((one for one in found if one.get("guid") == guid), None)
    if not definition:
        raise errors.unknown_typedef_guid(guid)
    return definition


def find_typedef(catalog: Catalog, name: str) -> tuple[str, TypeDefinition]:
    """The definition with this (hashed) name that the tenant's people made, and the list that it is of.

    Raises `AtlasError` (404, TYPE_NAME_NOT_FOUND) if there is none.
    """
    for list_name in MANAGED_LISTS:
        definition = catalog.documents(list_name).get(name)
        if definition:
            return list_name, definition
    raise errors.unknown_typedef(name)


def remove_typedef(catalog: Catalog, name: str) -> None:
    """Remove a definition that is not used, by an entity or by custom metadata. Raises `AtlasError` as `_check_unused` does."""
    catalog.delete_document(_check_unused(catalog, name), name)


def remove_typedefs(catalog: Catalog, sent: JsonObject) -> None:
    """Remove every definition in `sent`, lists as in `TypesDef`, each with a guid or a (hashed) name: all of them, or none
    and an error (`AtlasTypeDefGraphStore.deleteTypesDef`).

    Raises `AtlasError`: 404 for one that is not there, or not in this list, 409 for one that is used, 501 for relationships.
    """
    if as_list(sent.get("relationshipDefs") or [], "relationshipDefs"):
        raise errors.not_supported("relationshipDefs of its own")
    gone: dict[str, str] = {}
    categories = {name: category for name, (category, _) in MANAGED_LISTS.items()} | {"entityDefs": "ENTITY"}
    for list_name, category in categories.items():
        for raw in as_list(sent.get(list_name) or [], list_name):
            definition = _check_definition(as_object(raw, f"each of {list_name}"), category)
            if definition.get("guid"):
                found = typedef_by_guid(catalog, definition["guid"], category)
            else:
                found = typedef_of(catalog, category, definition.get("name") or "")
            gone[found["name"]] = _check_unused(catalog, found["name"])
    for name, list_name in gone.items():
        catalog.delete_document(list_name, name)


def _check_unused(catalog: Catalog, name: str) -> str:
    """The list of a definition that may go.

    Raises `AtlasError`: 404 if there is none, 409 if it is used (`AtlasTypeDefGraphStoreV2.deleteTypeVertex`, and for tags
    CLASSIFICATION_TYPE_HAS_REFERENCES).
    """
    if _is_built_in(catalog, name):
        raise errors.type_has_references(name)
    list_name, definition = find_typedef(catalog, name)
    for entity in catalog.entities.values():
        if any(tag["typeName"] == name for tag in entity.tags):
            message = f"Given classification {definition.get('displayName')} [{name}] has references"
            raise errors.AtlasError(409, "400-00-0016", message)
        if name in entity.business:
            raise errors.type_has_references(name)
    for other in catalog.documents("businessMetadataDefs").values():
        if any(_element(attribute["typeName"]) == name for attribute in other["attributeDefs"]):
            raise errors.type_has_references(name)
    return list_name


def translate_labels(catalog: Catalog, sent: BusinessAttributes) -> BusinessAttributes:
    """Custom metadata by hashed names, where it may have the names that people see.

    Raises `AtlasError` (400) for one that nothing has (`AtlasEntityStoreV2.addOrUpdateBusinessAttributesByDisplayName`).
    """
    defined, found = catalog.documents("businessMetadataDefs"), {}
    for label, values in sent.items():
        definition = defined.get(label) or next((one for one in defined.values() if one["displayName"] == label), None)
        if not definition:
            raise errors.bad_request(f"No BM type found with displayName {label}")
        names = {attribute["displayName"]: attribute["name"] for attribute in definition["attributeDefs"]}
        names |= {name: name for name in names.values()}
        unknown = next((name for name in values if name not in names), None)
        if unknown is not None:
            message = f"No attribute found with displayName {unknown} for BM attribute {definition['name']}"
            raise errors.bad_request(message)
        found[definition["name"]] = {names[name]: value for name, value in values.items()}
    return found


def _check_definition(sent: JsonObject, category: str) -> TypeDefinition:
    """A definition whose shape is that of `AtlasBaseTypeDef`."""
    for name in ("name", "displayName", "description", "guid"):
        if sent.get(name) is not None and not isinstance(sent[name], str):
            raise errors.bad_request(f"the {name} of a definition must be a text")
    if category == "ENUM" and sent.get("name") in BUILT_IN_TYPES:
        raise errors.AtlasError(400, "400-00-107", f"Forbidden type: Can not pass builtin type {sent['name']}")
    attributes = [
        as_object(attribute, "an attributeDef")
        for attribute in as_list(sent.get("attributeDefs") or [], "attributeDefs")
    ]
    for attribute in attributes:
        for name in ("name", "displayName", "typeName"):
            if attribute.get(name) is not None and not isinstance(attribute[name], str):
                raise errors.bad_request(f"the {name} of an attributeDef must be a text")
        for value in optional_object(attribute.get("options"), "options").values():
            if isinstance(value, (dict, list)):
                raise errors.bad_request("each of the options of an attributeDef must be a text")
    elements = [
        as_object(element, "an elementDef") for element in as_list(sent.get("elementDefs") or [], "elementDefs")
    ]
    if any(element.get("value") is not None and not isinstance(element["value"], str) for element in elements):
        raise errors.bad_request("the value of an elementDef must be a text")
    if any(element.get("ordinal") is not None and type(element["ordinal"]) is not int for element in elements):
        raise errors.bad_request("the ordinal of an elementDef must be a whole number")
    # Of several with one value in any case, the last one counts (`AtlasEnumDef.setElementDefs`).
    last = {str(element.get("value")).lower(): number for number, element in enumerate(elements)}
    elements = [element for number, element in enumerate(elements) if number in last.values()]
    return {**sent, "attributeDefs": attributes, **({"elementDefs": elements} if category == "ENUM" else {})}


def _find_before(present: dict[str, TypeDefinition], definition: TypeDefinition, update: bool) -> TypeDefinition | None:
    """The definition that is there already, by its (hashed) name: an update needs one, and a new one must find none."""
    before = present.get(definition.get("name") or "")
    if update and not before:
        raise errors.unknown_typedef(definition.get("name"))
    if before and not update:
        raise errors.type_already_exists(before["name"])
    return before


def _check_names(
    present: dict[str, TypeDefinition], definition: TypeDefinition, before: TypeDefinition | None, category: str
) -> None:
    """`AtlasAbstractDefStoreV2.validateType`, and the display names of tags and custom metadata, each taken once."""
    name, label = definition.get("name"), definition.get("displayName")
    if category in ("CLASSIFICATION", "BUSINESS_METADATA"):  # named at random, if they are new
        if not label:
            raise errors.AtlasError(400, "400-00-101", "displayName is required for typedef")
        if any(other["displayName"] == label for other in present.values() if other is not before):
            raise errors.display_name_taken(label)
        labels: set[str] = set()
        for attribute in definition["attributeDefs"]:
            own = attribute.get("displayName")
            if not own:
                message = f'displayName is required for typedef "{name}" attribute'
                raise errors.AtlasError(400, "400-00-09F", message)
            if own in labels:
                message = f"Given attributeDef {own} for type {name} already exists"
                raise errors.AtlasError(409, "409-00-013", message)
            labels.add(own)
    elif not name or not NAME.fullmatch(name):
        message = "Names must consist of a letter followed by a sequence of letter, number, space, or '_' characters"
        raise errors.AtlasError(400, "400-00-019", f"{name}: invalid name for {category}.  {message}")


def _check_tag(catalog: Catalog, definition: TypeDefinition) -> None:
    """That the types which it names are there (`AtlasClassificationType.resolveReferences`, by
    `AtlasTypeDefGraphStore.tryTypeCreation`).
    """
    known = {"superTypes": catalog.documents("classificationDefs"), "entityTypes": catalog.types.types}
    for name, there in known.items():
        for wanted in as_texts(definition.get(name), name):
            if wanted not in there:
                raise errors.bad_request(f"Given typename {wanted} was invalid")


def _check_enum(definition: TypeDefinition) -> None:
    """`AtlasEnumDefStoreV2.toVertex`."""
    name = definition["name"]
    if not definition["elementDefs"]:
        raise errors.missing_in_definition(name, "values")
    for element in definition["elementDefs"]:
        if not element.get("value") or element.get("ordinal") is None:
            raise errors.missing_in_definition(name, "elementValue")


def _check_custom_metadata(catalog: Catalog, definition: TypeDefinition, before: TypeDefinition | None) -> None:
    """`AtlasBusinessMetadataDefStoreV2`, `AtlasBusinessMetadataType.resolveReferences` and, of what an update takes away,
    `AtlasStructDefStoreV2.updateVertexPreUpdate`.
    """
    enums = {**catalog.types.enums, **catalog.documents("enumDefs")}
    for attribute in definition["attributeDefs"]:
        label, kind = attribute["displayName"], _element(attribute.get("typeName") or "")
        if kind not in PRIMITIVES and kind != "string" and kind not in enums:
            raise errors.bad_request(f"Given typename {kind} was invalid")
        for name, value in (attribute.get("options") or {}).items():
            if name != "enumType" and (value is None or not str(value).strip()):
                raise errors.bad_request(f"options['{name}'] for attribute {label} has null/empty value")
        if kind == "string" and read_option(attribute, "maxStrLength") is None:
            raise errors.missing_in_definition(label, "options.maxStrLength")
        for name in applicable_types(attribute):
            if not catalog.types.get(name):
                raise errors.bad_request(f"Given typename {name} was invalid")
    kept = {attribute.get("name"): attribute for attribute in definition["attributeDefs"]}
    kept |= {attribute["displayName"]: attribute for attribute in definition["attributeDefs"]}
    for attribute in (before or {}).get("attributeDefs", []):
        now = kept.get(attribute["name"]) or kept.get(attribute["displayName"])
        if not now:
            message = f"{definition['name']}.{attribute['name']} : attribute delete not supported"
            raise errors.AtlasError(400, "400-00-00D", message)
        if not {*applicable_types(attribute)} <= {*applicable_types(now)}:
            message = (
                f"Cannot remove applicableEntityTypes in Attribute Def: {attribute['name']}, "
                f"defined in business-metadata: {definition['name']}"
            )
            raise errors.AtlasError(400, "400-00-093", message)


def _element(type_name: str) -> str:
    """The type of the elements of an array, or the type itself."""
    return type_name[len("array<") : -1] if type_name.startswith("array<") else type_name


def _complete(
    definition: TypeDefinition, before: TypeDefinition | None, category: str, hashed: bool, user: str
) -> TypeDefinition:
    now = int(time.time() * 1000)
    name = before["name"] if before else nano_id() + "x" if hashed else definition["name"]
    present = (before or {}).get("attributeDefs", [])
    known = {attribute.get("displayName"): attribute["name"] for attribute in present}
    known |= {attribute["name"]: attribute["name"] for attribute in present}
    attributes = []
    for attribute in definition["attributeDefs"]:
        internal = known.get(attribute.get("name")) or known.get(attribute.get("displayName"))
        attributes.append({**attribute, "name": internal or (nano_id() + "x" if hashed else attribute.get("name"))})
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
