"""Asking what is allowed, without doing it (`EntityREST.evaluatePolicies`)."""

from __future__ import annotations

import pytest
from helpers import error_code, new_connection, raw
from pyatlan.client.atlan import AtlanClient

import sandbox
from runtime.atlan import Permission, read_permissions

PATH = "/api/meta/entity/evaluator"


def test_what_is_not_there_yet_may_be_asked_about(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    connection = new_connection(atlan)
    asked = [
        {"action": "ENTITY_CREATE", "typeName": "Process", "entityId": f"{connection}/new"},
        {"action": "ENTITY_UPDATE", "typeName": "Connection", "entityId": connection},
        {"action": "ENTITY_DELETE", "entityGuid": "nobody's"},
        {"action": "ENTITY_READ", "typeName": "Process"},
        {"action": "ADMIN_EXPORT", "typeName": "Process", "entityId": "x"},
    ]
    answer = raw(tenant).call("POST", PATH, json=asked)
    assert answer.status_code == 200
    assert answer.json() == [
        {**asked[0], "allowed": True},
        {**asked[1], "allowed": True},
        {**asked[2], "allowed": False, "errorCode": "ATLAS-404-00-005"},
        {**asked[3], "allowed": False, "errorCode": "ATLAS-400-00-029"},
    ]
    assert read_permissions(atlan, [Permission("ENTITY_CREATE", "Process", f"{connection}/new")]) == [True]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([{}], "ATLAS-400-00-029"),
        ([{"action": 1}], "ATLAS-400-00-029"),
        ([{"action": "ENTITY_ADD_CLASSIFICATION", "entityGuid": "1"}], "ATLAS-400-00-029"),
        ({}, "ATLAS-400-00-029"),
        (["x"], "ATLAS-400-00-029"),
        ([{"action": "RELATIONSHIP_ADD"}], "SANDBOX-501-00-001"),
    ],
)
def test_what_cannot_be_asked(body: object, code: str, tenant: sandbox.Tenant) -> None:
    assert error_code(raw(tenant).call("POST", PATH, json=body)) == code
