"""The logs of who logged in, and of what was done to users, groups and clients."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from helpers import raw, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.enums import AdminOperationType, AdminResourceType, KeycloakEventType
from pyatlan.model.group import AtlanGroup
from pyatlan.model.keycloak_events import AdminEventRequest, KeycloakEventRequest

import sandbox
from sandbox.adminlog import CHANGES, LOGINS, MAX_EVENTS, AdminLog
from sandbox.routes import ROUTES


def day(ahead: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(days=ahead)).strftime("%Y-%m-%d")


def test_what_was_done_to_a_group(atlan: AtlanClient) -> None:
    made = atlan.group.create(AtlanGroup.create(unique("group")))
    atlan.group.purge(made.group)
    removed, created = list(atlan.admin.get_admin_events(AdminEventRequest(date_from=day(-1), date_to=day(1))))[:2]
    assert created.resource_type == removed.resource_type == AdminResourceType.GROUP
    assert (removed.operation_type, removed.resource_path) == (AdminOperationType.DELETE, f"groups/{made.group}/delete")
    assert (created.operation_type, created.resource_path) == (AdminOperationType.CREATE, "groups")
    assert created.auth_details
    assert (created.auth_details.user_id, created.auth_details.ip_address) == ("sandbox", "127.0.0.1")
    one = AdminEventRequest(resource_path=removed.resource_path, user_id="sandbox", size=1)
    assert [event.time for event in atlan.admin.get_admin_events(one)] == [removed.time]
    assert not list(atlan.admin.get_admin_events(AdminEventRequest(user_id="nobody")))
    assert not list(atlan.admin.get_admin_events(AdminEventRequest(date_to=day(-1))))
    assert not list(atlan.admin.get_admin_events(AdminEventRequest(date_from=day(1))))


def test_what_is_refused_or_only_read_is_not_told(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    def told() -> int:
        return len(list(atlan.admin.get_admin_events(AdminEventRequest())))

    before = told()
    raw(tenant).call("POST", "/api/service/groups", json={})
    raw(tenant).call("POST", "/api/service/groups/none/delete")
    atlan.group.get_all()
    assert told() == before


def test_who_logged_in(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    client = atlan.oauth_client.create(unique("client"), "Admin")
    body = {"clientId": client.client_id, "clientSecret": client.client_secret}
    path = "/api/service/oauth-clients/token"
    assert raw(tenant).call("POST", path, json=body).status_code == 200
    assert raw(tenant).call("POST", path, json={**body, "clientSecret": "x"}).status_code == 401
    (event,) = atlan.admin.get_keycloak_events(KeycloakEventRequest(client=client.client_id))
    assert (event.type, event.user_id) == (KeycloakEventType.CLIENT_LOGIN, f"service-account-{client.client_id}")
    for types, count in ((["LOGIN"], 0), (["LOGIN", "CLIENT_LOGIN"], 1)):
        query = {"client": client.client_id, "type": types}
        assert len(raw(tenant).call("GET", "/api/service/events/login", params=query).json()) == count


@pytest.mark.parametrize("query", [{"first": "x"}, {"max": "-1"}, {"dateFrom": "today"}, {"dateTo": "2025-02-30"}])
def test_a_page_that_makes_no_sense(tenant: sandbox.Tenant, query: dict[str, str]) -> None:
    for name in ("login", "main"):
        assert raw(tenant).call("GET", f"/api/service/events/{name}", params=query).status_code == 400


def test_each_request_that_is_noted_has_a_route_and_the_oldest_are_forgotten() -> None:
    routes = {f"{method} {path}" for method, path, _ in ROUTES}
    assert {*LOGINS, *(name.replace(" ", " /api/service/", 1) for name in CHANGES)} <= routes
    log = AdminLog()
    for number in range(MAX_EVENTS + 1):
        log.note("POST", "/api/service/groups/{guid}", {"guid": str(number)}, {}, "ann", "")
    found = log.changes({"max": ["99999"]})
    assert len(found) == MAX_EVENTS
    assert (found[0]["resourcePath"], found[-1]["resourcePath"]) == (f"groups/{MAX_EVENTS}", "groups/1")
    assert log.changes({"first": ["1"], "max": ["1"]}) == found[1:2]
