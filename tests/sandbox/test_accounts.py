"""Users, groups and API tokens that are made in the tenant."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from helpers import Raw, build_connection, error_code, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import AtlasGlossary
from pyatlan.model.audit import AuditSearchRequest
from pyatlan.model.group import AtlanGroup
from pyatlan.model.user import AtlanUser

import sandbox
from sandbox.people import ROLES, USER, USER_GROUPS

SERVICE = "/api/service"


@pytest.fixture
def invited(atlan: AtlanClient) -> AtlanUser:
    name = unique("ada")
    sent = AtlanUser.create(email=f"{name}@example.com", role_name="$guest")
    atlan.user.create([sent])
    found = atlan.user.get_by_username(name)
    assert found
    return found


def test_a_user(atlan: AtlanClient, invited: AtlanUser) -> None:
    assert (invited.workspace_role, invited.group_count, invited.email_verified) == ("$guest", 0, False)
    assert invited.id
    atlan.user.change_role(invited.id, ROLES[0]["id"])
    atlan.user.add_to_groups(invited.id, [USER_GROUPS[0]["id"]])
    found = atlan.user.get_by_email(str(invited.email))
    assert found
    (now,) = found.records or []
    assert (now.workspace_role, now.group_count) == ("$admin", 1)
    assert [group.name for group in atlan.user.get_groups(invited.id).records or []] == ["data_engineering"]
    members = atlan.group.get_members(USER_GROUPS[0]["id"]).records or []
    assert {USER["username"], invited.username} <= {member.username for member in members}
    atlan.group.remove_users(USER_GROUPS[0]["id"], [invited.id])
    assert atlan.user.get_groups(invited.id).records in (None, [])


def test_a_group(atlan: AtlanClient, invited: AtlanUser) -> None:
    alias = unique("My Group")
    made = atlan.group.create(AtlanGroup.create(alias), user_ids=[str(invited.id)])
    assert made.users
    assert made.users[str(invited.id)].was_successful()
    found = atlan.group.get_by_name(alias)
    assert found
    (group,) = found.records or []
    assert (group.id, group.alias, group.user_count) == (made.group, alias, 1)
    group.attributes = AtlanGroup.Attributes(description=["What it is for"])
    atlan.group.update(group)
    (group,) = atlan.group.get_by_name(alias).records  # type: ignore[union-attr,misc]
    assert group.attributes
    assert (group.attributes.description, group.attributes.alias) == (["What it is for"], [alias])
    assert atlan.group_cache.get_id_for_name(str(group.name)) == made.group
    atlan.group.purge(made.group)
    assert atlan.group.get_by_name(alias).records in (None, [])  # type: ignore[union-attr]


def test_columns_of_groups(tenant: sandbox.Tenant) -> None:
    page = raw(tenant).call("GET", f"{SERVICE}/v2/groups", params={"columns": ["path"], "limit": 1}).json()
    assert set(page["records"][0]) == {"id", "name", "path"}


def test_what_makes_no_sense_is_refused(tenant: sandbox.Tenant, invited: AtlanUser) -> None:
    http: Raw = raw(tenant)
    nobody = f"{SERVICE}/users/nobody"
    bad: list[tuple[str, Any, int]] = [
        (f"{SERVICE}/users", {"users": [{"email": "x"}]}, 400),
        (f"{SERVICE}/users", {"users": [3]}, 400),
        (f"{SERVICE}/users", {"users": {}}, 200),  # nobody
        (f"{SERVICE}/users", {"users": "x"}, 400),
        (f"{SERVICE}/users", {"users": [{"email": "a@b", "roleId": "none"}]}, 400),
        (f"{SERVICE}/users", {"users": [{"email": invited.email, "roleId": ROLES[0]["id"]}]}, 400),
        (f"{SERVICE}/users/{invited.id}/roles/update", {"roleId": 3}, 400),
        (f"{nobody}/roles/update", {"roleId": ROLES[0]["id"]}, 404),
        (f"{nobody}/groups", {"groups": []}, 404),
        (f"{SERVICE}/users/{invited.id}/groups", {"groups": ["none"]}, 404),
        (nobody, {}, 404),
        (f"{nobody}/delete", None, 404),
        (f"{SERVICE}/groups", {"group": {}}, 400),
        (f"{SERVICE}/groups", {}, 400),
        (f"{SERVICE}/groups", {"group": {"name": "data_engineering"}}, 400),
        (f"{SERVICE}/groups", {"group": {"name": "x"}, "users": ["none"]}, 400),
        (f"{SERVICE}/groups", {"group": {"name": "x"}, "users": "none"}, 400),
        (f"{SERVICE}/groups/none", {}, 404),
        (f"{SERVICE}/groups/none/members/remove", {"users": []}, 404),
        (f"{SERVICE}/apikeys", {}, 400),
        (f"{SERVICE}/apikeys", {"displayName": "x", "validitySeconds": 0}, 400),
        (f"{SERVICE}/apikeys", {"displayName": "x", "validitySeconds": 10**10}, 400),
        (f"{SERVICE}/apikeys", {"displayName": "x", "validitySeconds": "1"}, 400),
        (f"{SERVICE}/apikeys/none", {}, 404),
    ]
    for path, body, status in bad:
        answer = http.call("POST", path, json=body)
        assert answer.status_code == status, (path, body, answer.text)
        assert status == 200 or error_code(answer)


def test_a_token_opens_the_tenant_until_it_is_removed(atlan: AtlanClient, tenant: sandbox.Tenant) -> None:
    made = atlan.token.create(unique("token"), description="for a test")
    assert made.attributes
    secret = str(made.attributes.access_token)
    theirs = AtlanClient(base_url=tenant.base_url, api_key=secret, proxy=None)  # type: ignore[call-arg]
    assert theirs.user.get_current().username == made.username == f"service-account-{made.client_id}"
    (guid,) = save(theirs, AtlasGlossary.creator(name=unique("glossary")))
    (event,) = theirs.audit.search(AuditSearchRequest.by_guid(guid)).current_page()
    assert event.user == made.username

    found = atlan.token.get_by_id(str(made.client_id))
    assert found
    assert found.attributes
    assert (found.display_name, found.attributes.description) == (made.display_name, "for a test")
    assert secret not in raw(tenant).call("GET", f"{SERVICE}/apikeys", params={"limit": 100}).text
    assert atlan.token.update(str(made.guid), "renamed").display_name == "renamed"
    assert atlan.token.get_by_name("renamed").guid == made.guid  # type: ignore[union-attr]
    atlan.token.purge(str(made.guid))
    assert Raw(tenant.base_url, secret).call("GET", f"{SERVICE}/users/current").status_code == 401
    with pytest.raises(NotFoundError):
        atlan.token.update(str(made.guid), "renamed")


def test_a_token_ends(tenant: sandbox.Tenant) -> None:
    http = raw(tenant)
    made = http.call("POST", f"{SERVICE}/apikeys", json={"displayName": unique("t"), "validitySeconds": 1}).json()
    theirs = Raw(tenant.base_url, made["attributes"]["accessToken"])
    assert theirs.call("GET", f"{SERVICE}/users/current").status_code == 200
    time.sleep(1.1)
    assert theirs.call("GET", f"{SERVICE}/users/current").status_code == 401


def test_accounts_outlive_the_process_and_go_with_a_reset(tmp_path: Path) -> None:
    with sandbox.start(tmp_path, inventories=()) as tenant:
        http = raw(tenant)
        secret = http.call("POST", f"{SERVICE}/apikeys", json={"displayName": "t"}).json()["attributes"]["accessToken"]
        assert http.call("POST", f"{SERVICE}/groups/{USER_GROUPS[0]['id']}/delete").status_code == 200
        assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("tenant.db*"))
    with sandbox.start(tmp_path, inventories=()) as tenant:
        theirs = Raw(tenant.base_url, secret)
        assert theirs.call("GET", f"{SERVICE}/groups").json()["totalRecord"] == 0
        raw(tenant).call("POST", "/_sandbox/reset", json={"catalog": True})
        assert raw(tenant).call("GET", f"{SERVICE}/groups").json()["totalRecord"] == 1
        assert theirs.call("GET", f"{SERVICE}/groups").status_code == 401


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic x", "bearer x", "Bearer None"])
def test_no_token_opens_nothing(tenant: sandbox.Tenant, authorization: str) -> None:
    answer = Raw(tenant.base_url, None).call("GET", f"{SERVICE}/users", headers={"authorization": authorization})
    assert answer.status_code == 401


def test_connections_take_made_users(atlan: AtlanClient, invited: AtlanUser) -> None:
    connection = build_connection(atlan)
    connection.admin_users = {str(invited.username)}
    assert save(atlan, connection)


@pytest.mark.parametrize(
    "query", [{"limit": "x"}, {"offset": "-1"}, {"limit": "1.5"}, {"limit": "9" * 30}, {"offset": "²"}]
)
def test_pages_are_numbers(tenant: sandbox.Tenant, query: dict[str, str]) -> None:
    answer = raw(tenant).call("GET", f"{SERVICE}/users", params=query)
    assert answer.status_code == 400
    assert error_code(answer)


def test_a_limit_of_0_is_none(tenant: sandbox.Tenant) -> None:
    page = raw(tenant).call("GET", f"{SERVICE}/roles", params={"limit": "0"}).json()
    assert len(page["records"]) == page["totalRecord"] == len(ROLES)


def test_a_credential_goes_without_a_word(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    made = raw(tenant).call("POST", "/api/service/credentials", json={"name": unique("credential")}).json()
    answer = raw(tenant).call("POST", f"/api/service/credentials/{made['id']}/archive")
    assert (answer.status_code, answer.content) == (200, b"")
    assert raw(tenant).call("GET", f"/api/service/credentials/{made['id']}").status_code == 404
