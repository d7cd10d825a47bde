"""The users, groups, roles and API token of the sandbox's tenant, and the listing rules of their endpoints."""

from __future__ import annotations

import re
from typing import Any

from sandbox.bodies import parse_json
from sandbox.errors import bad_request, not_supported
from sandbox.messages import Record, RecordPage

CREATED = 1_757_500_000_000
USER: Record = {
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
OTHER_USER: Record = {
    **USER,
    "id": "5b1c6f0e-6a52-4a6e-9b0e-3f2f4b9c1a02",
    "username": "steward",
    "email": "steward@example.com",
    "firstName": "Data",
    "lastName": "Steward",
    "workspaceRole": "$member",
}
USERS: list[Record] = [USER, OTHER_USER]
ROLES: list[Record] = [
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
USER_GROUPS: list[Record] = [
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
API_TOKENS: list[Record] = [
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


OPERATORS = ("$like", "$ilike", "$in", "$eq", "$ne")


def list_records(records: list[Record], query: dict[str, str]) -> RecordPage:
    """One page of records, as the services below /api/service answer (observed with pyatlan 11.6).

    Of `query`, `filter` (a JSON object of conditions), `sort` (a field, with `-` descending), `offset` and `limit`
    (default 20, 0: all) are obeyed; pyatlan asks until a page is empty. Raises `AtlasError` (400) for a filter that is
    none, and for numbers that are none.
    """
    found = records
    if query.get("filter"):
        condition = parse_json(query["filter"], "the filter")
        if not isinstance(condition, dict):
            raise bad_request("the filter must be a JSON object")
        found = [record for record in records if _matches(record, condition)]
    sort = query.get("sort", "")
    if sort.lstrip("-"):
        found = sorted(found, key=lambda record: str(record.get(sort.lstrip("-"))), reverse=sort.startswith("-"))
    offset, limit = _number(query, "offset", 0), _number(query, "limit", 20)
    page = found[offset : offset + limit if limit else None]
    return {"totalRecord": len(records), "filterRecord": len(found), "records": page}


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise bad_request(f"{name} must be a whole number, not {text}")
    return int(text)


def _matches(record: Record, condition: Any) -> bool:
    if not isinstance(condition, dict):
        raise bad_request("each part of the filter must be a JSON object")
    for name, wanted in condition.items():
        if name in ("$and", "$or"):
            if not isinstance(wanted, list):
                raise bad_request(f"{name} takes a list of filters")
            parts = (_matches(record, part) for part in wanted)
            if not (all(parts) if name == "$and" else any(parts)):
                return False
        elif not _value_matches(record.get(name), wanted):
            return False
    return True


def _value_matches(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    for operator, operand in wanted.items():
        if operator not in OPERATORS:
            raise not_supported(f"the operator {operator} of a filter")
        if operator in ("$like", "$ilike"):
            pattern = ".*".join(re.escape(part) for part in str(operand).split("%"))
            if not re.fullmatch(pattern, str(value or ""), re.IGNORECASE if operator == "$ilike" else 0):
                return False
        elif operator == "$in" and not isinstance(operand, list):
            raise bad_request("$in takes a list")
        elif (
            (operator == "$in" and value not in operand)
            or (operator == "$eq" and value != operand)
            or (operator == "$ne" and value == operand)
        ):
            return False
    return True
