"""Whether one may do something, asked without doing it (`AtlasEntityStoreV2.evaluatePolicies`).

The sandbox has no policies, so what is known may be done. An action that the metastore does not know is passed over, as there.
"""

from __future__ import annotations

from typing import Any

from sandbox.catalog import Catalog
from sandbox.errors import bad_request, not_supported
from sandbox.messages import Record

# Of `AtlasPrivilege`, with what the request has to name besides the asset.
ENTITY_ACTIONS = {
    **dict.fromkeys(("ENTITY_READ", "ENTITY_CREATE", "ENTITY_UPDATE", "ENTITY_DELETE"), ""),
    "ENTITY_UPDATE_BUSINESS_METADATA": "",
    **dict.fromkeys(
        ("ENTITY_ADD_CLASSIFICATION", "ENTITY_UPDATE_CLASSIFICATION", "ENTITY_REMOVE_CLASSIFICATION"), "classification"
    ),
}
RELATIONSHIP_ACTIONS = ("RELATIONSHIP_ADD", "RELATIONSHIP_UPDATE", "RELATIONSHIP_REMOVE")
ECHOED = ("typeName", "entityGuid", "action", "entityId", "classification", "businessMetadata")


def evaluate(catalog: Catalog, body: Any) -> list[Record]:
    """What may be done of what is asked, in its order: `[{…, "allowed"}]`. An asset need not be there to be created.

    Raises `AtlasError` (400) where no action is named, or no tag for one that needs it.
    """
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise bad_request("the body must be a list of objects")
    answers = []
    for item in body:
        action = item.get("action")
        if not isinstance(action, str):
            raise bad_request("action is null" if action is None else "action is no text")
        if action in RELATIONSHIP_ACTIONS:
            raise not_supported(f"asking whether {action} is allowed")
        needed = ENTITY_ACTIONS.get(action)
        if needed is None:
            continue
        if needed and item.get(needed) is None:
            raise bad_request(f"{needed} needed for {action} authorization")
        refusal = _refusal(catalog, item)
        answer: Record = {name: item[name] for name in ECHOED if item.get(name) is not None}
        answers.append({**answer, "allowed": not refusal, **({"errorCode": refusal} if refusal else {})})
    return answers


def _refusal(catalog: Catalog, item: Record) -> str:
    """The code of the error that makes the answer a no; empty where there is none."""
    if item.get("entityGuid"):
        return "" if item["entityGuid"] in catalog.entities else "ATLAS-404-00-005"
    return "" if item.get("entityId") and item.get("typeName") else "ATLAS-400-00-029"
