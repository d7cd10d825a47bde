"""OAuth clients and the tokens that they take, and groups of identity providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers import Raw, error_code, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.client.common.sso import IDP_GROUP_MAPPER
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import AtlasGlossary
from pyatlan.model.audit import AuditSearchRequest
from pyatlan.model.enums import AtlanSSO
from pyatlan.model.group import AtlanGroup
from pyatlan.model.oauth_client import OAuthClientCreateResponse

import sandbox
from sandbox import oauth
from sandbox.people import API_TOKENS

CLIENTS = "/api/service/oauth-clients"
KEYCLOAK = "/auth/realms/default/protocol/openid-connect/token"
MAPPERS = "/api/service/idp/okta/mappers"


@pytest.fixture
def client(atlan: AtlanClient) -> Iterator[OAuthClientCreateResponse]:
    made = atlan.oauth_client.create(name=unique("client"), role="Admin", description="for a test")
    yield made
    if any(one.client_id == made.client_id for one in atlan.oauth_client.get(limit=100)):
        atlan.oauth_client.purge(str(made.client_id))


def take_token(tenant: sandbox.Tenant, client: OAuthClientCreateResponse) -> str:
    body = {"clientId": client.client_id, "clientSecret": client.client_secret}
    answer = Raw(tenant.base_url, None).call("POST", f"{CLIENTS}/token", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


def test_a_client_works_with_the_token_that_it_takes(
    tenant: sandbox.Tenant, atlan: AtlanClient, client: OAuthClientCreateResponse
) -> None:
    theirs = AtlanClient(  # type: ignore[call-arg]
        base_url=tenant.base_url,
        oauth_client_id=client.client_id,
        oauth_client_secret=client.client_secret,
        proxy=None,
    )
    (guid,) = save(theirs, AtlasGlossary.creator(name=unique("glossary")))
    (event,) = theirs.audit.search(AuditSearchRequest.by_guid(guid)).current_page()
    assert event.user == f"service-account-{client.client_id}"

    token = take_token(tenant, client)
    current = "/api/service/users/current"
    assert Raw(tenant.base_url, token).call("GET", current).status_code == 200
    start, ends, signature = token.split(".")
    changed = [f"{start}.{int(ends) + 1}.{signature}", f"{start}.{ends}.", f"{start}.{ends}", f"{token}0", f"x{token}"]
    for wrong in (*changed, f"{start}.x.{signature}", f"oauth-client-x.{ends}.{signature}"):
        assert Raw(tenant.base_url, wrong).call("GET", current).status_code == 401, wrong
    atlan.oauth_client.purge(str(client.client_id))
    assert Raw(tenant.base_url, token).call("GET", current).status_code == 401


def test_a_token_of_a_client_ends(
    tenant: sandbox.Tenant, client: OAuthClientCreateResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "TOKEN_SECONDS", 0)
    answer = Raw(tenant.base_url, take_token(tenant, client)).call("GET", "/api/service/users/current")
    assert answer.status_code == 401


def test_who_takes_no_token(tenant: sandbox.Tenant, client: OAuthClientCreateResponse) -> None:
    right = {"clientId": client.client_id, "clientSecret": client.client_secret}
    nobody = Raw(tenant.base_url, None)
    for wrong in (
        {"clientSecret": "x"},
        {"clientSecret": None},
        {"clientId": "none"},
        {"clientId": 5},
        {"clientId": None},
    ):
        answer = nobody.call("POST", f"{CLIENTS}/token", json={**right, **wrong})
        assert answer.status_code == 401, wrong
        assert error_code(answer)
    elsewhere = {"origin": "https://example.com"}
    assert nobody.call("POST", f"{CLIENTS}/token", json=right, headers=elsewhere).status_code == 403
    assert nobody.call("GET", f"{CLIENTS}/token").status_code == 401
    assert nobody.call("POST", f"{CLIENTS}/token/x", json=right).status_code == 401
    assert nobody.call("GET", CLIENTS).status_code == 401


def test_the_client_of_an_api_token_takes_access_tokens_from_keycloak(
    tenant: sandbox.Tenant, atlan: AtlanClient
) -> None:
    token = atlan.token.create(unique("token"))
    secret = str(atlan.impersonate.get_client_secret(str(token.guid)))
    form = {
        "grant_type": "client_credentials",
        "client_id": token.client_id,
        "client_secret": secret,
        "scope": "openid",
    }
    nobody = Raw(tenant.base_url, None)
    answer = nobody.call("POST", KEYCLOAK, data=form)
    assert answer.json()["expires_in"] == 600
    theirs = Raw(tenant.base_url, answer.json()["access_token"])
    current = "/api/service/users/current"
    assert theirs.call("GET", current).json()["username"] == f"service-account-{token.client_id}"
    client = AtlanClient.from_token_guid(str(token.guid), tenant.base_url, token.client_id, secret)
    assert client.user.get_current().username == f"service-account-{token.client_id}"

    assert nobody.call("POST", KEYCLOAK, data={**form, "client_secret": "x"}).status_code == 401
    assert nobody.call("POST", KEYCLOAK, data={**form, "grant_type": "password"}).status_code == 501
    for body in (b"", b"{}", b"a=1&a=2", b"&".join(b"a%d=1" % number for number in range(101)), b"a=\xff"):
        assert nobody.call("POST", KEYCLOAK, content=body).status_code == 400, body
    assert raw(tenant).call("POST", CLIENTS, data={"displayName": "x"}).status_code == 400
    path = "/auth/admin/realms/default/clients"
    assert nobody.call("GET", f"{path}/{token.guid}/client-secret").status_code == 401
    for guid in ("none", API_TOKENS[0]["id"]):
        assert raw(tenant).call("GET", f"{path}/{guid}/client-secret").status_code == 404

    atlan.token.purge(str(token.guid))
    assert theirs.call("GET", current).status_code == 401
    assert nobody.call("POST", KEYCLOAK, data=form).status_code == 401


def test_clients_are_read_and_changed_without_their_secrets(
    tenant: sandbox.Tenant, atlan: AtlanClient, client: OAuthClientCreateResponse
) -> None:
    assert client.client_secret
    found = atlan.oauth_client.get_by_id(str(client.client_id))
    assert (found.display_name, found.role, found.description) == (client.display_name, "$admin", "for a test")
    changed = atlan.oauth_client.update(client_id=str(client.client_id), description="other")
    assert (changed.display_name, changed.description) == (client.display_name, "other")
    page = raw(tenant).call("GET", CLIENTS, params={"limit": 100}).text
    assert str(client.client_id) in page
    assert client.client_secret not in page
    assert oauth.DIGEST not in page
    assert client.client_secret.encode() not in (tenant.folder / "tenant.db").read_bytes()
    with pytest.raises(NotFoundError):
        atlan.oauth_client.get_by_id("none")


@pytest.mark.parametrize(
    ("path", "wrong", "status"),
    [
        (CLIENTS, {"displayName": ""}, 400), (CLIENTS, {"displayName": 5}, 400), (CLIENTS, {"role": "$none"}, 404),
        (CLIENTS, {"personaQNs": ["none"]}, 404), (CLIENTS, {"personaQNs": "none"}, 400),
        (MAPPERS, {"name": None}, 400), (MAPPERS, {"config": None}, 400), (MAPPERS, {"config": {"group": 5}}, 400),
        (MAPPERS, {"identityProviderMapper": ""}, 200), (f"{MAPPERS}/none", {}, 404), (f"{MAPPERS}/none/delete", {}, 404),
        ("/api/service/idp/none/mappers", {}, 404),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tenant: sandbox.Tenant, path: str, wrong: dict[str, Any], status: int) -> None:
    body = {"displayName": "x", "role": "$admin", "name": unique("map"), "identityProviderMapper": "x", "config": {}}
    answer = raw(tenant).call("POST", path, json={**body, **wrong})
    assert answer.status_code == status, answer.text
    assert status == 200 or error_code(answer)


def test_a_group_of_an_identity_provider(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    made = atlan.group.create(AtlanGroup.create(unique("group")))
    group = next(one for one in atlan.group.get_all().records or [] if one.id == made.group)
    mapping = atlan.sso.create_group_mapping(AtlanSSO.OKTA, group, "theirs")
    assert mapping.id
    assert atlan.sso.get_group_mapping(AtlanSSO.OKTA, mapping.id) == mapping
    assert mapping in atlan.sso.get_all_group_mappings(AtlanSSO.OKTA)
    assert atlan.sso.get_all_group_mappings(AtlanSSO.GOOGLE) == []
    assert mapping.config.attribute_values_regex is None
    body = {"name": mapping.name, "identityProviderMapper": IDP_GROUP_MAPPER, "config": {}}
    twice = raw(tenant).call("POST", MAPPERS, json=body)
    assert twice.status_code == 400
    assert "Failed to add mapper" in twice.json()["errorMessage"]
    changed = atlan.sso.update_group_mapping(AtlanSSO.OKTA, group, mapping.id, str(mapping.name), "others")
    assert changed.config.attribute_value == "others"
    with pytest.raises(NotFoundError):
        atlan.sso.get_group_mapping(AtlanSSO.GOOGLE, mapping.id)
    assert atlan.sso.delete_group_mapping(AtlanSSO.OKTA, mapping.id) is None
    assert mapping.id not in [one.id for one in atlan.sso.get_all_group_mappings(AtlanSSO.OKTA)]
