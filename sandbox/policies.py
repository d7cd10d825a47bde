"""What a policy of a persona or a purpose may say: the rules of `AuthPolicyPreProcessor` and `AuthPolicyValidator`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox import errors
from sandbox.bodies import parse_json
from sandbox.catalog import Catalog, Entity
from sandbox.requests import RequestEntity

PERSONA, PURPOSE, MESH = "persona", "purpose", "datamesh"
SUB_CATEGORIES = {
    PERSONA: ("metadata", "data", "glossary", "ai"),
    PURPOSE: ("metadata", "data"),
    MESH: ("dataProduct",),
}
RESOURCE_KEYS = ("entity", "entity-type")
# Of a persona's policies, by their sub category; those of a purpose are all of one.
RESOURCE_CATEGORIES = {"data": "ENTITY", "metadata": "CUSTOM", "glossary": "CUSTOM"}
# The services among which a policy may change.
EXCHANGEABLE = ("atlas", "atlas_abac")
_OF_ASSETS = {
    "persona-asset-read", "persona-asset-update", "persona-api-create", "persona-api-delete", "persona-business-update-metadata",
    "persona-entity-add-classification", "persona-entity-update-classification", "persona-entity-remove-classification",
    "persona-add-terms", "persona-remove-terms",
}  # fmt: skip
_OF_AI = {
    f"persona-ai-{kind}-{action}"
    for kind in ("application", "model", "modelversion")
    for action in (
        "read", "create", "update", "delete", "business-update-metadata", "add-terms", "remove-terms", "add-classification",
        "remove-classification",
    )
}  # fmt: skip
_OF_GLOSSARIES = {
    f"persona-glossary-{action}"
    for action in (
        "read", "update", "create", "delete", "update-custom-metadata", "add-classifications", "update-classifications",
        "delete-classifications",
    )
}  # fmt: skip
_OF_TAGGED = {
    "entity-read", "entity-create", "entity-update", "entity-delete", "entity-read-classification", "entity-add-classification",
    "entity-update-classification", "entity-remove-classification", "entity-update-business-metadata", "purpose-add-terms",
    "purpose-remove-terms",
}  # fmt: skip
# By category, service (any for a purpose or the mesh) and sub category.
ACTIONS: dict[tuple[str, str, str], set[str]] = {
    (PERSONA, "atlas", "metadata"): {
        *_OF_ASSETS, "persona-dq-update", "persona-dq-read", "persona-dq-create", "persona-dq-delete"
    },
    (PERSONA, "atlas", "data"): {"select"},
    (PERSONA, "atlas", "glossary"): _OF_GLOSSARIES,
    (PERSONA, "atlas", "ai"): _OF_AI,
    (PERSONA, "heka", "data"): {"select"},
    (PERSONA, "atlas_abac", "metadata"): _OF_ASSETS,
    (PURPOSE, "", "metadata"): _OF_TAGGED,
    (PURPOSE, "", "data"): {"select"},
    (MESH, "", "dataProduct"): {"entity-read"},
}  # fmt: skip


def check_policy(
    catalog: Catalog, sent: RequestEntity, entity: Entity, is_new: bool, access: Entity | None, others: Iterable[Entity]
) -> None:
    """Check a policy that is made or changed; `access` is the persona or purpose that it names, `others` are its policies.

    Raises `AtlasError`: 400 for what cannot be said, 409 for what cannot be done, 500 for one that names no access control.
    """
    values = sent.attributes
    category = values.get("policyCategory") or (None if is_new else entity.attributes.get("policyCategory"))
    if not category:
        raise errors.bad_request("Please provide attribute policyCategory", sent.guid)
    if category not in SUB_CATEGORIES:
        message = "Create/Update AuthPolicy with policyCategory other than persona, purpose and datamesh"
        raise errors.operation_not_supported(message, sent.guid)
    if category != MESH and not access:
        raise errors.internal_error("Cannot invoke getStatus() because accessControl is null", sent.guid)
    if is_new and category == PERSONA:
        _check_name(sent, access, others)
    sub_category = values.get("policySubCategory") or (None if is_new else entity.attributes.get("policySubCategory"))
    if category == PERSONA and sub_category == "domain":
        return
    if is_new:
        _check_new(sent, category, access)
    else:
        _check_change(sent, entity, access)
    if category == PERSONA:
        _check_resources(catalog, sent, entity, is_new, str(sub_category))
    actions = values.get("policyActions") if "policyActions" in values else entity.attributes.get("policyActions")
    service = str(values.get("policyServiceName")) if category == PERSONA else ""
    known = ACTIONS.get((category, service, str(sub_category)))
    if known is None:  # `removeAll` of nothing
        raise errors.internal_error(f"there are no actions of {service} for {sub_category}", sent.guid)
    unknown = [action for action in actions or [] if action not in known]
    if unknown:
        message = f"Please provide valid values for attribute policyActions: Invalid actions {unknown}"
        raise errors.bad_request(message, sent.guid)


def _check_name(sent: RequestEntity, access: Entity | None, others: Iterable[Entity]) -> None:
    """`validateDuplicatePolicyName`."""
    name = sent.attributes.get("name")
    if access and any(other.active and other.name == name for other in others):
        message = f"Policy with name '{name}' already exists in {access.type.name} '{access.name}'"
        raise errors.bad_request(message, sent.guid)


def _check_new(sent: RequestEntity, category: str, access: Entity | None) -> None:
    values = sent.attributes
    for name in ("policyServiceName", "policyType", "policyActions"):
        if not values.get(name):
            raise errors.bad_request(f"Please provide attribute {name}", sent.guid)
    if access and category != MESH:
        if not access.active:
            raise errors.operation_not_supported(f"{access.type.name} is not Active", sent.guid)
        if access.type.name.lower() != category:
            raise errors.bad_request(f"Please provide {category.capitalize()} as accesscontrol", sent.guid)
    if values.get("policySubCategory") not in SUB_CATEGORIES[category]:
        message = f"Please provide valid value for attribute policySubCategory:{list(SUB_CATEGORIES[category])}"
        raise errors.bad_request(message, sent.guid)
    if category == PURPOSE and values.get("policyResourceCategory") != "TAG":
        raise errors.bad_request("Invalid resource category for Purpose", sent.guid)
    wanted = RESOURCE_CATEGORIES.get(str(values.get("policySubCategory"))) if category == PERSONA else None
    if wanted and values.get("policyResourceCategory") != wanted:
        raise errors.bad_request("Invalid resource category for Persona", sent.guid)


def _check_change(sent: RequestEntity, entity: Entity, access: Entity | None) -> None:
    values, present = sent.attributes, entity.attributes
    if "policyActions" in values and not values["policyActions"]:
        raise errors.bad_request("Please provide attribute policyActions", sent.guid)
    if not entity.active:
        raise errors.operation_not_supported("Policy is not Active", sent.guid)
    for name in ("policyCategory", "policyServiceName", "policyResourceCategory", "policySubCategory"):
        new, old = values.get(name), present.get(name)
        exchanged = name == "policyServiceName" and new in EXCHANGEABLE and old in EXCHANGEABLE
        if new and new != old and not exchanged:
            raise errors.operation_not_supported(f"{name} change not Allowed", sent.guid)
    if access and access.guid not in entity.related("accessControl"):
        raise errors.operation_not_supported("Policy parent (accesscontrol) change is not Allowed", sent.guid)


def _check_resources(catalog: Catalog, sent: RequestEntity, entity: Entity, is_new: bool, sub_category: str) -> None:
    """What a persona's policy is about: assets of one connection, or by a filter (`atlas_abac`)."""
    values = sent.attributes
    resources: list[Any] = values.get("policyResources") or []
    by_filter = values.get("policyServiceName") == "atlas_abac"
    if by_filter:
        criteria = values.get("policyFilterCriteria")
        found = parse_json(criteria, "policyFilterCriteria") if isinstance(criteria, str) else None
        if not isinstance(found, dict) or not found.get("entity"):
            raise errors.bad_request("Invalid filter criteria: must contain entity root key", sent.guid)
    elif not resources:
        raise errors.bad_request("Please provide attribute policyResources", sent.guid)
    if any(str(resource).split(":")[0] not in RESOURCE_KEYS for resource in resources):
        message = f"Please provide valid type of policy resources: {list(RESOURCE_KEYS)}"
        raise errors.bad_request(message, sent.guid)
    if sub_category not in ("data", "metadata") or (by_filter and sub_category == "metadata"):
        return
    connection = values.get("connectionQualifiedName")
    if not connection:
        raise errors.bad_request("Please provide attribute connectionQualifiedName", sent.guid)
    if not is_new and entity.attributes.get("connectionQualifiedName") not in (None, connection):
        raise errors.operation_not_supported("connectionQualifiedName change not Allowed", sent.guid)
    for resource in resources:
        name = str(resource).removeprefix("entity:")
        if name != resource and not name.startswith(str(connection)):
            raise errors.bad_request(f"{name} does not belong to connection {connection}", sent.guid)
    if is_new and not catalog.find("Connection", str(connection)):
        raise errors.not_found_by_name("Connection", {"qualifiedName": str(connection)})
