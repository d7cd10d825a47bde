"""The logs of Keycloak: which clients logged in, and what was done to users, groups and clients (pyatlan's `AdminClient`).

Both are kept in memory and start anew with the sandbox. People do not log in to it; a client does with each access token.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from sandbox.errors import bad_request
from sandbox.gate import WITHOUT_TOKEN
from sandbox.messages import Record

MAX_EVENTS = 10_000  # of each log; of more the oldest are forgotten
SERVICE = "/api/service/"
LOGINS = tuple(f"POST {path}" for path in WITHOUT_TOKEN)
# What a request does to what, as Keycloak's `OperationType` and `ResourceType` call it.
CHANGES = {
    "POST users": ("CREATE", "USER"),
    "POST users/{guid}": ("UPDATE", "USER"),
    "POST users/{guid}/delete": ("DELETE", "USER"),
    "POST users/{guid}/roles/update": ("CREATE", "REALM_ROLE_MAPPING"),
    "POST users/{guid}/groups": ("CREATE", "GROUP_MEMBERSHIP"),
    "POST groups": ("CREATE", "GROUP"),
    "POST groups/{guid}": ("UPDATE", "GROUP"),
    "POST groups/{guid}/delete": ("DELETE", "GROUP"),
    "POST groups/{guid}/members/remove": ("DELETE", "GROUP_MEMBERSHIP"),
    "POST apikeys": ("CREATE", "CLIENT"),
    "POST apikeys/{guid}": ("UPDATE", "CLIENT"),
    "DELETE apikeys/{guid}": ("DELETE", "CLIENT"),
    "POST oauth-clients": ("CREATE", "CLIENT"),
    "PUT oauth-clients/{client}": ("UPDATE", "CLIENT"),
    "DELETE oauth-clients/{client}": ("DELETE", "CLIENT"),
    "POST idp/{provider}/mappers": ("CREATE", "IDENTITY_PROVIDER_MAPPER"),
    "POST idp/{provider}/mappers/{guid}": ("UPDATE", "IDENTITY_PROVIDER_MAPPER"),
    "POST idp/{provider}/mappers/{guid}/delete": ("DELETE", "IDENTITY_PROVIDER_MAPPER"),
}
# The query parameters of a search, each with the field that it is about.
LOGIN_FILTERS = {"client": "clientId", "ipAddress": "ipAddress", "user": "userId", "type": "type"}
CHANGE_FILTERS = {
    "authClient": "clientId", "authIpAddress": "ipAddress", "authRealm": "realmId", "authUser": "userId",
    "operationTypes": "operationType", "resourcePath": "resourcePath", "resourceTypes": "resourceType",
}  # fmt: skip
PAGE = 100


class AdminLog:
    """The newest events of both logs."""

    def __init__(self) -> None:
        self._logins: deque[Record] = deque(maxlen=MAX_EVENTS)
        self._changes: deque[Record] = deque(maxlen=MAX_EVENTS)

    def clear(self) -> None:
        """Forget all of them."""
        self._logins.clear()
        self._changes.clear()

    def note(self, method: str, route: str, params: Mapping[str, str], sent: Any, user: str, address: str) -> None:
        """Note a request that was carried out, if it is one of these: its method, its route with what stands in the braces,
        its body, and by whom and from where it came.
        """
        moment = {"time": int(time.time() * 1000), "realmId": "default"}
        if f"{method} {route}" in LOGINS:
            client = sent.get("clientId") or sent.get("client_id")
            who = {"clientId": client, "userId": f"service-account-{client}", "ipAddress": address}
            self._logins.appendleft({**moment, **who, "type": "CLIENT_LOGIN", "sessionId": None, "details": {}})
        operation, resource = CHANGES.get(f"{method} {route.removeprefix(SERVICE)}", ("", ""))
        if operation and route.startswith(SERVICE):
            path = route.removeprefix(SERVICE).format(**params)
            who = {"clientId": None, "userId": user, "ipAddress": address, "realmId": "default"}
            told = {"operationType": operation, "resourceType": resource, "resourcePath": path, "representation": None}
            self._changes.appendleft({**moment, **told, "authDetails": who})

    def logins(self, query: Mapping[str, list[str]]) -> list[Record]:
        """A page of who logged in, the newest first. Raises `AtlasError` (400) for a date or a number that is none."""
        return _page(list(self._logins), query, LOGIN_FILTERS)

    def changes(self, query: Mapping[str, list[str]]) -> list[Record]:
        """A page of what was done, the newest first. Raises `AtlasError` (400) for a date or a number that is none."""
        return _page(list(self._changes), query, CHANGE_FILTERS)


def _page(events: list[Record], query: Mapping[str, list[str]], filters: Mapping[str, str]) -> list[Record]:
    start, size = _number(query, "first", 0), _number(query, "max", PAGE)
    after, before = _day(query, "dateFrom", "0001-01-01"), _day(query, "dateTo", "9999-12-31")
    wanted = {field: query[name] for name, field in filters.items() if query.get(name)}

    def matches(event: Record) -> bool:
        day = datetime.fromtimestamp(event["time"] / 1000, timezone.utc).strftime("%Y-%m-%d")
        fields = {**event, **event.get("authDetails", {})}
        return after <= day <= before and all(fields[name] in values for name, values in wanted.items())

    return [event for event in events if matches(event)][start : start + size]


def _number(query: Mapping[str, list[str]], name: str, default: int) -> int:
    text = (query.get(name) or [str(default)])[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise bad_request(f"{name} must be a whole number, not {text}")
    return int(text)


def _day(query: Mapping[str, list[str]], name: str, default: str) -> str:
    """A day as `yyyy-MM-dd` (pyatlan's `KeycloakEventRequest`)."""
    text = (query.get(name) or [default])[0]
    try:
        return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d").rjust(10, "0")
    except ValueError:
        raise bad_request(f"{name} must be a day like 2025-01-31, not {text}") from None
