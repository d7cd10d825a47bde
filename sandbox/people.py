"""The users, groups, roles and API token of the sandbox's tenant, and the listing rules of their endpoints."""

from __future__ import annotations

import re
from typing import Any

import orjson

CREATED = 1_757_500_000_000
USER = {
    "id": "5b1c6f0e-6a52-4a6e-9b0e-3f2f4b9c1a01",
    "username": "sandbox",
    "email": "sandbox@example.com",
    "emailVerified": True,
    "enabled": True,
    "firstName": "Sandbox",
    "lastName": "User",
    "attributes": {"designation": [], "skills": []},
    "createdTimestamp": CREATED,
    "workspaceRole": "$admin",
    "roles": [],
    "groupCount": 1,
    "personas": [],
    "purposes": [],
}
OTHER_USER = {
    **USER,
    "id": "5b1c6f0e-6a52-4a6e-9b0e-3f2f4b9c1a02",
    "username": "steward",
    "email": "steward@example.com",
    "firstName": "Data",
    "lastName": "Steward",
    "workspaceRole": "$member",
}
USERS = [USER, OTHER_USER]
ROLES = [
    {
        "id": f"7f0a3c52-1d7b-4e0a-8c55-0b8f2d3e4a0{number}",
        "name": name,
        "description": description,
        "clientRole": False,
        "level": "workspace",
        "memberCount": "1",
        "userCount": "1",
    }
    for number, (name, description) in enumerate(
        [("$admin", "Admin"), ("$member", "Member"), ("$guest", "Guest"), ("$api-token-default-access", "API token")]
    )
]
GROUPS = [
    {
        "id": "9d2e6b34-52c1-4f7a-a3d8-6e1f0c7b5d01",
        "name": "data_engineering",
        "alias": "Data Engineering",
        "attributes": {"alias": ["Data Engineering"], "isDefault": ["false"], "description": ["Builds the pipelines"]},
        "path": "/data_engineering",
        "userCount": 1,
        "personas": [],
        "purposes": [],
    }
]
TOKENS = [
    {
        "id": "3c8f1d2a-0e4b-4c7d-9a6f-2b5e8d1c7f01",
        "clientId": "apikey-3c8f1d2a-0e4b-4c7d-9a6f-2b5e8d1c7f01",
        "displayName": "sandbox token",
        "attributes": {
            "access.token.lifespan": "157680000",
            "clientId": "apikey-3c8f1d2a-0e4b-4c7d-9a6f-2b5e8d1c7f01",
            "createdAt": str(CREATED),
            "createdBy": "sandbox",
            "description": "The token of the sandbox itself",
            "displayName": "sandbox token",
            "personas": "[]",
            "purposes": "[]",
            "workspacePermissions": "[]",
        },
    }
]


def listing(records: list[dict], query: dict[str, str]) -> dict[str, Any]:
    """One page of records: `filter` (a JSON object of conditions), `sort`, `offset` and `limit` are obeyed."""
    found = records
    if query.get("filter"):
        condition = orjson.loads(query["filter"])
        found = [record for record in records if _matches(record, condition)]
    sort = query.get("sort", "")
    if sort.lstrip("-"):
        found = sorted(found, key=lambda record: str(record.get(sort.lstrip("-"))), reverse=sort.startswith("-"))
    offset, limit = int(query.get("offset") or 0), int(query.get("limit") or 20)
    page = found[offset : offset + limit]
    return {"totalRecord": len(records), "filterRecord": len(found), "records": page}


def _matches(record: dict, condition: dict) -> bool:
    for name, wanted in condition.items():
        if name == "$and":
            if not all(_matches(record, part) for part in wanted):
                return False
        elif name == "$or":
            if not any(_matches(record, part) for part in wanted):
                return False
        elif not _value_matches(record.get(name), wanted):
            return False
    return True


def _value_matches(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return value == wanted
    for operator, operand in wanted.items():
        if operator in ("$like", "$ilike"):
            pattern = ".*".join(re.escape(part) for part in str(operand).split("%"))
            if not re.fullmatch(pattern, str(value or ""), re.IGNORECASE if operator == "$ilike" else 0):
                return False
        elif (
            (operator == "$in" and value not in operand)
            or (operator == "$eq" and value != operand)
            or (operator == "$ne" and value == operand)
        ):
            return False
    return True
