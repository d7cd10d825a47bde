"""Users, groups and API tokens that are made, changed and removed, beside those that a tenant of the sandbox always has.

The requests are those of pyatlan's `UserClient`, `GroupClient` and `TokenClient`.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from typing import Any

import orjson

from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request
from sandbox.messages import JsonObject, Record
from sandbox.people import API_TOKENS, ROLES, USER, USER_GROUPS, USERS
from sandbox.requests import as_texts

# Kinds of documents; None stands for one of the first records that was removed.
USER_KIND, GROUP_KIND, TOKEN_KIND = "user", "group", "api_token"
FIRST: dict[str, list[Record]] = {USER_KIND: USERS, GROUP_KIND: USER_GROUPS, TOKEN_KIND: API_TOKENS}
FIRST_MEMBERS = {USER_GROUPS[0]["id"]: [USER["id"]]}
MAX_VALIDITY = 157_680_000  # seconds, as pyatlan's `ApiTokenRequest` has it
SECRET = "digest"  # of a token, never shown


def _records(catalog: Catalog, kind: str) -> dict[str, Record]:
    records = {**{record["id"]: record for record in FIRST[kind]}, **catalog.documents(kind)}
    return {guid: record for guid, record in records.items() if record is not None}


def _find(catalog: Catalog, kind: str, guid: str) -> Record:
    record = _records(catalog, kind).get(guid)
    if record is None:
        raise AtlasError(404, "404-00-005", f"there is no {kind.replace('_', ' ')} {guid}")
    return record


def remove(catalog: Catalog, kind: str, guid: str) -> None:
    """Remove a user, group or token for good. Raises `AtlasError` (404) if there is none."""
    _find(catalog, kind, guid)
    catalog.put_document(kind, guid, None)


# Users


def users(catalog: Catalog) -> list[Record]:
    """All users, each with the number of its groups."""
    memberships = [guid for group in _records(catalog, GROUP_KIND).values() for guid in _members(group)]
    return [
        {**user, "groupCount": memberships.count(user["id"]), "loginEvents": []}
        for user in _records(catalog, USER_KIND).values()
    ]


def invite(catalog: Catalog, sent: JsonObject) -> None:
    """Make a user of each address in `users`; the name is the address's first part. Raises `AtlasError` (400)."""
    for told in _list(sent, "users"):
        email = told.get("email") if isinstance(told, dict) else None
        if not isinstance(email, str) or not email.partition("@")[2]:
            raise bad_request("a user needs an email")
        if any(user["email"] == email for user in users(catalog)):
            raise bad_request(f"there is a user with the email {email} already")
        record = {
            **USER,
            "id": str(uuid.uuid4()),
            "username": email.partition("@")[0],
            "email": email,
            "emailVerified": False,
            "firstName": "",
            "lastName": "",
            "createdTimestamp": int(time.time() * 1000),
            "workspaceRole": _role_name(told.get("roleId")),
        }
        catalog.put_document(USER_KIND, record["id"], record)


def update_user(catalog: Catalog, guid: str, sent: JsonObject) -> Record:
    """Lay what was sent over a user, whose id and name stay. Raises `AtlasError` (404) if there is none."""
    before = _find(catalog, USER_KIND, guid)
    record = {**before, **sent, "id": guid, "username": before["username"]}
    catalog.put_document(USER_KIND, guid, record)
    return record


def change_role(catalog: Catalog, guid: str, sent: JsonObject) -> None:
    """Give a user another role. Raises `AtlasError`: 400 for no role, 404 for no user."""
    update_user(catalog, guid, {"workspaceRole": _role_name(sent.get("roleId"))})


def _role_name(guid: object) -> str:
    found = next((role["name"] for role in ROLES if role["id"] == guid), None)
    if found is None:
        raise bad_request(f"there is no role {guid}")
    return str(found)


# Groups


def groups(catalog: Catalog) -> list[Record]:
    """All groups, each with the number of its members."""
    return [_shown(group) for group in _records(catalog, GROUP_KIND).values()]


def create_group(catalog: Catalog, sent: JsonObject, user: str) -> JsonObject:
    """Make `group` with the members `users`; tells its id, and of each member that it worked.

    Raises `AtlasError` (400) for a group without a name, or one whose name is taken, and for users that are none.
    """
    told = sent.get("group")
    name = told.get("name") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(name, str) or not name:
        raise bad_request("a group needs a name")
    if any(group["name"] == name for group in groups(catalog)):
        raise bad_request(f"there is a group {name} already")
    members = _user_guids(catalog, sent.get("users") or [])
    now = str(int(time.time() * 1000))
    attributes = {"isDefault": ["false"], **_dict(told, "attributes"), "createdAt": [now], "createdBy": [user]}
    record: Record = {
        "id": str(uuid.uuid4()),
        "name": name,
        "alias": (attributes.get("alias") or [name])[0],
        "attributes": attributes,
        "path": f"/{name}",
        "roles": [],
        "personas": [],
        "purposes": [],
        "members": members,
    }
    catalog.put_document(GROUP_KIND, record["id"], record)
    return {"group": record["id"], "users": {guid: {"status": 200, "statusMessage": "success"} for guid in members}}


def update_group(catalog: Catalog, guid: str, sent: JsonObject) -> None:
    """Lay the sent attributes over those of a group. Raises `AtlasError` (404) if there is none."""
    group = _find(catalog, GROUP_KIND, guid)
    attributes = {**group["attributes"], **_dict(sent, "attributes")}
    alias = (attributes.get("alias") or [group["alias"]])[0]
    catalog.put_document(GROUP_KIND, guid, {**group, "attributes": attributes, "alias": alias})


def members(catalog: Catalog, guid: str) -> list[Record]:
    """The users of a group. Raises `AtlasError` (404) if there is none."""
    inside = _members(_find(catalog, GROUP_KIND, guid))
    return [user for user in users(catalog) if user["id"] in inside]


def remove_members(catalog: Catalog, guid: str, sent: JsonObject) -> None:
    """Take `users` out of a group. Raises `AtlasError` (404) if there is none."""
    group, gone = _find(catalog, GROUP_KIND, guid), _list(sent, "users")
    kept = [member for member in _members(group) if member not in gone]
    catalog.put_document(GROUP_KIND, guid, {**group, "members": kept})


def groups_of(catalog: Catalog, guid: str) -> list[Record]:
    """The groups of a user. Raises `AtlasError` (404) if there is none."""
    _find(catalog, USER_KIND, guid)
    return [_shown(group) for group in _records(catalog, GROUP_KIND).values() if guid in _members(group)]


def join_groups(catalog: Catalog, guid: str, sent: JsonObject) -> None:
    """Put a user into `groups`. Raises `AtlasError` (404) if there is no such user or group."""
    _find(catalog, USER_KIND, guid)
    joined = [_find(catalog, GROUP_KIND, str(group)) for group in _list(sent, "groups")]
    for group in joined:
        inside = list(dict.fromkeys([*_members(group), guid]))
        catalog.put_document(GROUP_KIND, group["id"], {**group, "members": inside})


def _members(group: Record) -> list[str]:
    inside: list[str] = group.get("members", FIRST_MEMBERS.get(group["id"], []))
    return inside


def _shown(group: Record) -> Record:
    shown = {name: value for name, value in group.items() if name != "members"}
    return {**shown, "userCount": len(_members(group))}


def _user_guids(catalog: Catalog, sent: object) -> list[str]:
    known, guids = _records(catalog, USER_KIND), as_texts(sent, "users")
    for guid in guids:
        if guid not in known:
            raise bad_request(f"there is no user {guid}")
    return list(dict.fromkeys(guids))


# API tokens


def tokens(catalog: Catalog) -> list[Record]:
    """All API tokens, without what they open the tenant with."""
    return [_public(token) for token in _records(catalog, TOKEN_KIND).values()]


def create_token(catalog: Catalog, sent: JsonObject, user: str) -> Record:
    """Make a token; only this answer has its `accessToken`, of which a digest is kept. Raises `AtlasError` (400)."""
    name, seconds = sent.get("displayName"), sent.get("validitySeconds", MAX_VALIDITY)
    if not isinstance(name, str) or not name:
        raise bad_request("a token needs a displayName")
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= MAX_VALIDITY:
        raise bad_request(f"validitySeconds must be a number from 1 to {MAX_VALIDITY}")
    guid, secret, now = str(uuid.uuid4()), f"sandbox-{secrets.token_urlsafe(32)}", int(time.time() * 1000)
    record: Record = {
        "id": guid,
        "clientId": f"apikey-{guid}",
        "displayName": name,
        "attributes": {
            **_dict(API_TOKENS[0], "attributes"),
            "access.token.lifespan": str(seconds),
            "clientId": f"apikey-{guid}",
            "createdAt": str(now),
            "createdBy": user,
            **_told_of_token(sent),
        },
        SECRET: hashlib.sha256(secret.encode()).hexdigest(),
        "expires": now + seconds * 1000,
    }
    catalog.put_document(TOKEN_KIND, guid, record)
    shown = _public(record)
    return {**shown, "attributes": {**shown["attributes"], "accessToken": secret}}


def update_token(catalog: Catalog, guid: str, sent: JsonObject) -> Record:
    """Change name, description and personas of a token. Raises `AtlasError` (404) if there is none."""
    before = _find(catalog, TOKEN_KIND, guid)
    told = _told_of_token(sent)
    record = {**before, "displayName": told["displayName"], "attributes": {**before["attributes"], **told}}
    catalog.put_document(TOKEN_KIND, guid, record)
    return _public(record)


def opened_by(catalog: Catalog, secret: str) -> str | None:
    """The name of the account whose token this is, while it lasts; None if it is nobody's."""
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
    for token in catalog.documents(TOKEN_KIND).values():
        if token and secrets.compare_digest(token.get(SECRET, ""), digest) and token["expires"] > time.time() * 1000:
            return f"service-account-{token['clientId']}"
    return None


def client_secret(catalog: Catalog, guid: str) -> str:
    """The secret for which the client of a token is given access tokens, as Keycloak tells it to who administers it.

    Raises `AtlasError` (404) if there is no such token, or it is the tenant's own.
    """
    token = _records(catalog, TOKEN_KIND).get(guid, {})
    if SECRET not in token:
        raise AtlasError(404, "404-00-005", f"there is no client {guid}")
    return _client_secret(token)


def client_secrets(catalog: Catalog) -> dict[str, str]:
    """The secrets of the clients of all tokens that have not ended, by the client's id."""
    tokens = [token for token in catalog.documents(TOKEN_KIND).values() if token]
    return {token["clientId"]: _client_secret(token) for token in tokens if token["expires"] > time.time() * 1000}


def _client_secret(token: Record) -> str:
    """Derived from what is kept of the token, which says nothing of the token itself."""
    return hashlib.sha256(f"client-secret:{token[SECRET]}".encode()).hexdigest()


def _told_of_token(sent: JsonObject) -> Record:
    personas = sent.get("personaQualifiedNames") or []
    return {
        "displayName": str(sent.get("displayName") or ""),
        "description": str(sent.get("description") or ""),
        "personaQualifiedName": orjson.dumps(personas if isinstance(personas, list) else []).decode(),
    }


def _public(token: Record) -> Record:
    return {name: value for name, value in token.items() if name not in (SECRET, "expires")}


def _dict(holder: JsonObject, name: str) -> JsonObject:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _list(holder: JsonObject, name: str) -> list[Any]:
    value = holder.get(name) or []
    if not isinstance(value, list):
        raise bad_request(f"{name} must be a list")
    return value
