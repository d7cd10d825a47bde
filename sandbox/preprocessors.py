"""The rules of single types: glossaries, data mesh, access control, connections, and what holds for every asset.

They are those of the classes in org.apache.atlas.repository.store.graph.v2.preprocessor of atlanhq/atlas-metastore; each
function names its own. Whether a name is taken they ask the search index, which does not have what the same request makes,
nor, while it is behind, what was made just now; that of a glossary they ask the graph.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable
from typing import Any

from sandbox import accounts, errors, people
from sandbox.bodies import parse_json
from sandbox.catalog import ACTIVE, Catalog, Entity, Transaction
from sandbox.policies import check_policy
from sandbox.requests import RequestEntity, find_by_name, reference_guid

# invalidNameChars of `PreProcessorUtils`.
INVALID_NAME_CHARACTER = "@"
ADMINS = ("adminUsers", "adminGroups", "adminRoles")
# SSI_TAG_PATTERN of `UserGroupAttributeValidator`, and the attributes that it looks at.
SSI_TAG = re.compile(r"<!--#\s*\w+.*-->", re.IGNORECASE | re.DOTALL)
USER_ATTRIBUTES = ("owner", "ownerUsers", "adminUsers", "viewerUsers")
GROUP_ATTRIBUTES = ("ownerGroups", "adminGroups", "viewerGroups")


NAMED_BY_ATLAN = {
    "AtlasGlossary", "AtlasGlossaryTerm", "AtlasGlossaryCategory", "DataDomain", "DataProduct", "Persona", "Purpose",
    "AuthPolicy", "Collection", "Folder", "Query",
}  # fmt: skip
# Types whose entities keep their qualified names, whatever an update sends.
NEVER_RENAMED = {*NAMED_BY_ATLAN, "Connection", "DataContract", "Stakeholder", "StakeholderTitle"}


def name_new_entity(transaction: Transaction, sent: RequestEntity, assignments: dict[str, str]) -> str | None:
    """The qualified name that Atlan gives to a new entity of some types, whatever was sent; None for all others.

    `createQualifiedName` of `GlossaryPreProcessor`, `TermPreProcessor`, `CategoryPreProcessor`, `DataDomainPreProcessor` and
    `DataProductPreProcessor`, `QueryCollectionPreProcessor`, `QueryFolderPreProcessor` and `QueryPreProcessor`;
    `PersonaPreProcessor`, `PurposePreProcessor` and `AuthPolicyPreProcessor` when they make one.
    """
    if sent.type.name not in NAMED_BY_ATLAN:
        return None
    identifier = nano_id()
    if sent.type.name == "AtlasGlossary":
        return identifier
    if sent.type.name == "Collection":
        return f"default/collection/{transaction.user}/{identifier}"
    if sent.type.name in ("Folder", "Query"):
        place = sent.attributes.get("collectionQualifiedName") or ""
        return f"{place}/{sent.type.name.lower()}/{transaction.user}/{identifier}"
    if sent.type.name in ("AtlasGlossaryTerm", "AtlasGlossaryCategory"):
        return f"{identifier}@{_anchor(transaction.catalog, sent, assignments).qualified_name}"
    if sent.type.name == "DataDomain":
        parent = _referred(transaction.catalog, sent, "parentDomain", assignments)
        return f"{parent.qualified_name}/domain/{identifier}" if parent else f"default/domain/{identifier}/super"
    if sent.type.name == "DataProduct":
        domain = _referred(transaction.catalog, sent, "dataDomain", assignments)
        if not domain:
            raise errors.operation_not_supported("Cannot create a Product without a Domain Relationship", sent.guid)
        return f"{domain.qualified_name}/product/{identifier}"
    if sent.type.name in ("Persona", "Purpose"):
        return f"{sent.attributes.get('tenantId') or 'default'}/{nano_id(22)}"
    if sent.attributes.get("policyCategory") in ("persona", "purpose"):
        access = _referred(transaction.catalog, sent, "accessControl", assignments)
        return f"{access.qualified_name}/{nano_id(22)}" if access else None
    return None


def parents_first(sent: RequestEntity) -> bool:
    """A sort key: entities that others of the same request may be named after come before these."""
    return not (
        sent.type.name == "AtlasGlossary" or (sent.type.name == "DataDomain" and not sent.related.get("parentDomain"))
    )


def nano_id(length: int = 21) -> str:
    """A random name of letters and digits, as `NanoIdUtils.randomNanoId` makes them."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def preprocess(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """Check an entity by the rules of its type, and set what these set, before its attributes are set.

    Raises `AtlasError`, with the codes of the pre-processors.
    """
    _check_asset(transaction.catalog, sent)
    handler = HANDLERS.get(sent.type.name)
    if handler:
        handler(transaction, sent, entity, is_new, assignments)


def check_deletion(catalog: Catalog, entity: Entity) -> None:
    """A domain with domains or products in it stays (`DataDomainPreProcessor.processDelete`), and so does a collection that
    is archived (`QueryCollectionPreProcessor.processDelete`, whose exception has no code).
    """
    if entity.type.name == "Collection" and not entity.active:
        raise errors.internal_error("Collection is already deleted/purged", entity.guid)
    if entity.type.name == "DataDomain":
        children = [*entity.related("subDomains"), *entity.related("dataProducts")]
        if any(catalog.entities[guid].active for guid in children):
            message = "Domain cannot be deleted because it has active child domains or products"
            raise errors.operation_not_supported(message, entity.guid)


# All assets


def _check_asset(catalog: Catalog, sent: RequestEntity) -> None:
    """`AssetPreProcessor`, with its `UserGroupAttributeValidator`: unknown owners are no error there."""
    for kind, names in (("group", GROUP_ATTRIBUTES), ("user", USER_ATTRIBUTES)):
        for name in names:
            value = sent.attributes.get(name)
            for text in value if isinstance(value, list) else [value or ""]:
                _check_name(kind, str(text), sent.guid)
    message = sent.attributes.get("announcementMessage")
    if isinstance(message, str) and SSI_TAG.search(message):
        raise errors.bad_request("Invalid announcementMessage: SSI tags are not allowed", sent.guid)
    domains = sent.attributes.get("domainGUIDs") or []
    if len(domains) > 1:
        raise errors.invalid_parameters("Asset can be linked to only one domain", sent.guid)
    for guid in domains:
        if guid not in catalog.entities:
            raise errors.guid_not_found(guid)
        if catalog.entities[guid].type.name != "DataDomain":
            raise errors.invalid_parameters("Asset can be linked to only a Domain entity", sent.guid)


def _check_name(kind: str, name: str, guid: str | None) -> None:
    if SSI_TAG.search(name):
        raise errors.bad_request(f"Invalid {kind} name: SSI tags are not allowed", guid)
    if "<" in name or ">" in name:
        raise errors.bad_request(f"Invalid {kind} name: Special characters < > are not allowed", guid)
    if name.lower().startswith(("http:", "https:")):
        raise errors.bad_request(f"Invalid {kind} name: URLs are not allowed", guid)


# Glossaries


def _glossary(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`GlossaryPreProcessor`."""
    name = _glossary_name(sent)
    if name != entity.name and _taken(transaction, transaction.catalog.by_type["AtlasGlossary"], name, entity):
        raise errors.AtlasError(409, "409-00-007", f"Glossary with name {name} already exists", sent.guid)


def _term(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`TermPreProcessor`: a name is unique in a glossary, categories are of the same one; a term may move to another."""
    name, anchor = _glossary_name(sent), _anchor(transaction.catalog, sent, assignments)
    moves = not is_new and anchor.guid not in entity.related("anchor")
    if (is_new or moves or name != entity.name) and _taken_in_index(transaction, anchor.related("terms"), name, entity):
        raise errors.AtlasError(409, "409-00-009", f"Glossary term with name {name} already exists", sent.guid)
    categories = _all_referred(transaction.catalog, sent, "categories", assignments)
    if moves and "categories" not in sent.related:
        categories = [transaction.catalog.entities[guid] for guid in entity.related("categories")]
    if any(category.active and not category.qualified_name.endswith(anchor.qualified_name) for category in categories):
        raise errors.bad_request("Passed category doesn't belongs to Passed Glossary", sent.guid)
    if moves:
        _move_to_glossary(transaction, entity, anchor)
    transaction.set_attribute(entity, "__glossary", anchor.qualified_name)


def _category(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`CategoryPreProcessor`: a name is unique below its parent, which is of the same glossary; it moves with its content."""
    catalog = transaction.catalog
    name, anchor = _glossary_name(sent), _anchor(catalog, sent, assignments)
    parent = _referred(catalog, sent, "parentCategory", assignments)
    moves = not is_new and anchor.guid not in entity.related("anchor")
    if moves and ("childrenCategories" in sent.related or "terms" in sent.related):
        message = "Please do not pass relationship attributes [childrenCategories, terms] while moving Category to different Glossary"
        raise errors.bad_request(message, sent.guid)
    if is_new or moves or name != entity.name:
        siblings = anchor.related("categories") if parent is None else parent.related("childrenCategories")
        level = [guid for guid in siblings if parent or not catalog.entities[guid].related("parentCategory")]
        if _taken_in_index(transaction, level, name, entity):
            message = f"Glossary category with name {name} already exists on this level"
            raise errors.AtlasError(409, "409-00-00A", message, sent.guid)
    if moves and "parentCategory" not in sent.related:
        parent = next((catalog.entities[guid] for guid in entity.related("parentCategory")), None)
    children = _all_referred(catalog, sent, "childrenCategories", assignments)
    foreign = [other for other in children if other.related("anchor") and anchor.guid not in other.related("anchor")]
    if foreign or (parent and not parent.qualified_name.endswith(anchor.qualified_name)):
        message = "Parent category from another Anchor(glossary) not supported"
        raise errors.AtlasError(409, "400-00-0015", message, sent.guid)
    if moves:
        _move_to_glossary(transaction, entity, anchor)
    transaction.set_attribute(entity, "__glossary", anchor.qualified_name)


def _move_to_glossary(transaction: Transaction, entity: Entity, anchor: Entity) -> None:
    """Move a term or a category with all that is below it: qualified names end with that of the glossary."""
    catalog = transaction.catalog
    below = [
        *entity.related("childrenCategories"),
        *(entity.related("terms") if entity.type.name.endswith("Category") else ()),
    ]
    for guid in below:
        _move_to_glossary(transaction, catalog.entities[guid], anchor)
    own = entity.qualified_name.partition("@")[0]
    transaction.set_attribute(entity, "qualifiedName", f"{own}@{anchor.qualified_name}")
    transaction.set_attribute(entity, "__glossary", anchor.qualified_name)
    transaction.link(entity, entity.type.relationships["anchor"], anchor)


def _glossary_name(sent: RequestEntity) -> str:
    """The name, without spaces around it. Raises `AtlasError` (400, INVALID_DISPLAY_NAME) for none, or one with an `@`."""
    name = str(sent.attributes.get("name") or "").strip()
    if not name or INVALID_NAME_CHARACTER in name:
        message = "name cannot contain following special chars ('@')"
        raise errors.AtlasError(400, "400-00-083", message, sent.guid)
    sent.attributes["name"] = name
    return name


def _anchor(catalog: Catalog, sent: RequestEntity, assignments: dict[str, str]) -> Entity:
    """The glossary of a term or category. (Without one, `setAnchor` of both ends in an exception that says nothing.)"""
    anchor = _referred(catalog, sent, "anchor", assignments)
    if not anchor:
        raise errors.AtlasError(400, "400-00-072", "Mandatory anchor attribute is missing", sent.guid)
    return anchor


# Data mesh


def _domain(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`DataDomainPreProcessor`: a name is unique in its parent; a domain moves with its content, and not into itself."""
    catalog = transaction.catalog
    if "stakeholders" in sent.related:
        message = "Managing Stakeholders while creating/updating a domain"
        raise errors.operation_not_supported(message, sent.guid)
    if not is_new and ("subDomains" in sent.related or "dataProducts" in sent.related):
        raise errors.bad_request("Cannot update Domain's subDomains or dataProducts relations", sent.guid)
    current = next((catalog.entities[guid] for guid in entity.related("parentDomain")), None)
    parent = _referred(catalog, sent, "parentDomain", assignments)
    moves = not is_new and "parentDomain" in sent.related and parent != current
    if not is_new and not moves:
        parent = current
    name = str(sent.attributes.get("name") or entity.name)
    if is_new or moves or name != entity.name:
        _check_mesh_name(transaction, entity, name, parent)
    if moves and parent and parent.qualified_name.startswith(entity.qualified_name):
        raise errors.operation_not_supported("Cannot move a domain to its child domain", sent.guid)
    _keep_place(sent)
    if is_new:
        _set_place(transaction, entity, parent)
    elif moves:
        own = entity.qualified_name.removesuffix("/super").rpartition("/domain/")[2]
        place = f"{parent.qualified_name}/domain/{own}" if parent else f"default/domain/{own}/super"
        _move_in_mesh(transaction, entity, parent, place)


def _product(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`DataProductPreProcessor`: a product has a domain and a selection of assets; its name is unique in the domain."""
    catalog = transaction.catalog
    if not entity.active and sent.status != ACTIVE and "daapLineageStatus" not in sent.attributes:
        raise errors.operation_not_supported("Cannot update DataProduct that is Archived!", sent.guid)
    if is_new or "dataProductAssetsDSL" in sent.attributes:
        _check_selection(sent)
    current = next((catalog.entities[guid] for guid in entity.related("dataDomain")), None)
    domain = _referred(catalog, sent, "dataDomain", assignments)
    if not is_new and "dataDomain" in sent.related and not domain:
        raise errors.bad_request("DataProduct can only be moved to another Domain.", sent.guid)
    moves = not is_new and domain is not None and domain != current
    name = str(sent.attributes.get("name") or entity.name)
    if is_new or moves or name != entity.name:
        _check_mesh_name(transaction, entity, name, domain or current)
    _keep_place(sent)
    if is_new:
        _set_place(transaction, entity, domain)
    elif moves and domain:
        own = entity.qualified_name.rpartition("/product/")[2]
        _move_in_mesh(transaction, entity, domain, f"{domain.qualified_name}/product/{own}")


def _check_selection(sent: RequestEntity) -> None:
    """`validateProductAssetDSLAttr`."""
    selection = sent.attributes.get("dataProductAssetsDSL")
    if selection is None:
        raise errors.bad_request("dataProductAssetsDSL attribute is mandatory for DataProducts", sent.guid)
    try:
        found = parse_json(str(selection), "dataProductAssetsDSL")
    except errors.AtlasError as error:
        message = f"dataProductAssetsDSL attribute must be a valid JSON object: {error.message}"
        raise errors.bad_request(message, sent.guid) from None
    if not isinstance(found, dict) or not found:
        raise errors.bad_request("dataProductAssetsDSL attribute cannot be empty", sent.guid)


def _check_mesh_name(transaction: Transaction, entity: Entity, name: str, parent: Entity | None) -> None:
    """`AbstractDomainPreProcessor.exists`."""
    catalog, type_name = transaction.catalog, entity.type.name
    place = parent.qualified_name if parent else None
    level = [
        guid
        for guid in catalog.by_type[type_name]
        if catalog.entities[guid].attributes.get("parentDomainQualifiedName") == place
    ]
    if _taken_in_index(transaction, level, name, entity):
        raise errors.bad_request(f"{type_name} with name {name} already exists in the domain", entity.guid)


def _keep_place(sent: RequestEntity) -> None:
    """Where it is in the mesh follows from its parent, whatever the attributes say."""
    for name in ("parentDomainQualifiedName", "superDomainQualifiedName"):
        sent.attributes.pop(name, None)


def _set_place(transaction: Transaction, entity: Entity, parent: Entity | None) -> None:
    place = parent.qualified_name if parent else None
    above = (parent.attributes.get("superDomainQualifiedName") or place) if parent else None
    transaction.set_attribute(entity, "parentDomainQualifiedName", place)
    transaction.set_attribute(entity, "superDomainQualifiedName", above)


def _move_in_mesh(transaction: Transaction, entity: Entity, parent: Entity | None, qualified_name: str) -> None:
    """Give a domain or product its new name, and all that is below it."""
    transaction.set_attribute(entity, "qualifiedName", qualified_name)
    _set_place(transaction, entity, parent)
    for guid in [*entity.related("subDomains"), *entity.related("dataProducts")]:
        child = transaction.catalog.entities[guid]
        kind, own = child.qualified_name.split("/")[-2:]
        _move_in_mesh(transaction, child, entity, f"{qualified_name}/{kind}/{own}")


# Access control and connections


def _persona(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`PersonaPreProcessor`: its role takes users and groups that are there. Two of one name are two personas."""
    if sent.related.get("policies"):
        message = "Can not attach a policy while creating/updating Persona/Purpose/Stakeholder"
        raise errors.operation_not_supported(message, sent.guid)
    if not entity.active:
        raise errors.operation_not_supported("Persona not Active", sent.guid)
    _check_people(transaction.catalog, sent, entity, "personaUsers", "personaGroups")
    if is_new:
        sent.attributes.setdefault("isAccessControlEnabled", True)


def _purpose(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`PurposePreProcessor`: it has tags, and no other purpose has just these."""
    if not entity.active:
        raise errors.operation_not_supported("Purpose not Active", sent.guid)
    if is_new:
        sent.attributes.setdefault("isAccessControlEnabled", True)
    if is_new or "purposeClassifications" in sent.attributes:
        tags = sorted(sent.attributes.get("purposeClassifications") or [])
        if not tags:
            wanted = "purposeClassifications" if is_new else "at least one classification"
            raise errors.bad_request(f"Please provide {wanted} for Purpose", sent.guid)
        for guid in transaction.catalog.by_type["Purpose"]:
            other = transaction.catalog.entities[guid]
            if (
                other != entity
                and other.active
                and sorted(other.attributes.get("purposeClassifications") or []) == tags
            ):
                raise errors.internal_error(f"Entity already exists, typeName:tags, Purpose:{tags}", sent.guid)


def _policy(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`AuthPolicyPreProcessor`: a policy is on while its persona or purpose is, and that of a purpose is about its tags."""
    access = _referred(transaction.catalog, sent, "accessControl", assignments)
    guids = access.related("policies") if access else ()
    others = [transaction.catalog.entities[guid] for guid in guids if guid != entity.guid]
    check_policy(transaction.catalog, sent, entity, is_new, access, others)
    if is_new:
        sent.attributes.setdefault("isPolicyEnabled", True)
        if access:
            sent.attributes["isPolicyEnabled"] = bool(access.attributes.get("isAccessControlEnabled", True))
    if access and access.type.name == "Purpose":
        tags = access.attributes.get("purposeClassifications") or []
        sent.attributes["policyResources"] = [f"tag:{tag}" for tag in tags]


def _connection(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`ConnectionPreProcessor`: who makes it is an admin; it never has none, and all of them are there."""
    if is_new:
        users = sent.attributes.get("adminUsers") or []
        sent.attributes["adminUsers"] = [*users, *([] if transaction.user in users else [transaction.user])]
    elif any(name in sent.attributes for name in ADMINS):
        left = [sent.attributes.get(name, entity.attributes.get(name)) for name in ADMINS]
        if not any(left):
            message = f"Admin list should not be empty for type {entity.type.name}"
            raise errors.AtlasError(400, "400-00-114", message, sent.guid)
    _check_people(transaction.catalog, sent, entity, "adminUsers", "adminGroups", "adminRoles")


def _check_people(
    catalog: Catalog, sent: RequestEntity, entity: Entity, users: str, groups: str, roles: str = ""
) -> None:
    """That who is added is there (`KeycloakStore.createRoleForConnection`, `updateRoleUsers` and the like): 500 for a user or
    a group, as its exceptions have no code, and 404 for a role (RESOURCE_NOT_FOUND of `AbstractAuthClient`).
    """

    def unknown(name: str, known: set[Any]) -> Any:
        present = entity.attributes.get(name) or []
        added = [value for value in sent.attributes.get(name) or [] if value not in present]
        return next((value for value in added if value not in known), None)

    tokens = {f"service-account-{token['clientId']}" for token in accounts.tokens(catalog)}
    user = unknown(users, {user["username"] for user in accounts.users(catalog)} | tokens)
    if user is not None:
        raise errors.internal_error(f"Keycloak user not found with userName {user}", sent.guid)
    group = unknown(groups, {group["name"] for group in accounts.groups(catalog)})
    if group is not None:
        raise errors.internal_error(f"Keycloak group not found with name {group}", sent.guid)
    role = unknown(roles, {role["id"] for role in people.ROLES})
    if role is not None:
        raise errors.AtlasError(404, "404-00-019", f"role {role} not found", sent.guid)


# Resources and queries

# REGEX_ONSITE_URL and REGEX_OFFSITE_URL of `LinkPreProcessor`.
URL = re.compile(
    r"[\w\\.#@$%+&;\-~,?=/!']+|\s*((ht|f)tps?://|mailto:)[^\W_][\w\s.#@$%+&;:\-~,?=/!()']*",
)


def _link(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`LinkPreProcessor`, whose exceptions have no code."""
    link, operation = str(sent.attributes.get("link") or ""), "CREATE" if is_new else "UPDATE"
    if not link:
        raise errors.internal_error(f"Link is empty for operation: {operation}", sent.guid)
    if not URL.fullmatch(link):
        raise errors.internal_error(f"Please provide a valid URL for operation: {operation}", sent.guid)


def _query(
    transaction: Transaction, sent: RequestEntity, entity: Entity, is_new: bool, assignments: dict[str, str]
) -> None:
    """`QueryPreProcessor` and `QueryFolderPreProcessor`: a new one says which collection it is in, a change says where it is
    (`PreProcessorUtils.updateQueryResourceAttributes`); it moves with its content.
    """
    catalog = transaction.catalog
    if is_new:
        if not sent.attributes.get("collectionQualifiedName"):
            raise errors.missing_in_definition(sent.type.name, "collectionQualifiedName")
        return
    current = next((catalog.entities[guid] for guid in entity.related("parent")), None)
    if not current:
        return
    parent = _referred(catalog, sent, "parent", assignments)
    if not parent:
        raise errors.malformed_reference(None, sent.guid)
    for name in ("parentQualifiedName", "collectionQualifiedName"):
        sent.attributes.pop(name, None)
    if parent != current:
        _move_to_collection(transaction, entity, _collection_of(current), _collection_of(parent), parent.qualified_name)


def _collection_of(parent: Entity) -> str:
    own = parent.type.name == "Collection"
    return parent.qualified_name if own else str(parent.attributes.get("collectionQualifiedName") or "")


def _move_to_collection(transaction: Transaction, entity: Entity, old: str, new: str, parent: str) -> None:
    """Say where a query or a folder is now, and what is in it; qualified names begin with that of the collection."""
    transaction.set_attribute(entity, "parentQualifiedName", parent)
    if old == new:
        return
    transaction.set_attribute(entity, "qualifiedName", entity.qualified_name.replace(old, new))
    transaction.set_attribute(entity, "collectionQualifiedName", new)
    if entity.type.name == "Folder":
        for guid in [*entity.related("childrenQueries"), *entity.related("childrenFolders")]:
            child = transaction.catalog.entities[guid]
            if child.active:
                _move_to_collection(transaction, child, old, new, entity.qualified_name)


HANDLERS = {
    "AtlasGlossary": _glossary,
    "AtlasGlossaryTerm": _term,
    "AtlasGlossaryCategory": _category,
    "DataDomain": _domain,
    "DataProduct": _product,
    "Persona": _persona,
    "Purpose": _purpose,
    "AuthPolicy": _policy,
    "Connection": _connection,
    "Link": _link,
    "Query": _query,
    "Folder": _query,
}


def _taken(transaction: Transaction, guids: Iterable[str], name: str, entity: Entity) -> bool:
    """Whether another active entity of these has a name, not counting what this request makes."""
    others = (transaction.catalog.entities[guid] for guid in guids if guid not in transaction.created)
    return any(other.active and other.name == name and other != entity for other in others)


def _taken_in_index(transaction: Transaction, guids: Iterable[str], name: str, entity: Entity) -> bool:
    """The same, of those that the index knows as active and by this name (`PreProcessorUtils.indexSearchPaginated`)."""
    behind = transaction.catalog.stale_views()
    views = ((guid, behind[guid]) for guid in guids if guid in behind)
    unknown = {guid for guid, view in views if not (view and view.active and view.name == name)}
    return _taken(transaction, (guid for guid in guids if guid not in unknown), name, entity)


def _referred(catalog: Catalog, sent: RequestEntity, name: str, assignments: dict[str, str]) -> Entity | None:
    """The entity that a relationship of one is to have; None if it is to have none, or was not sent."""
    return next(iter(_all_referred(catalog, sent, name, assignments)), None)


def _all_referred(catalog: Catalog, sent: RequestEntity, name: str, assignments: dict[str, str]) -> list[Entity]:
    value = sent.related.get(name) or []
    found = []
    for reference in value if isinstance(value, list) else [value]:
        guid = reference_guid(reference, sent)
        if guid is None:
            found.append(find_by_name(catalog, reference, sent))
        elif assignments.get(guid, guid) in catalog.entities:
            found.append(catalog.entities[assignments.get(guid, guid)])
        else:  # a placeholder that comes later in the request
            raise errors.reference_not_found(guid, sent.guid)
    return found
