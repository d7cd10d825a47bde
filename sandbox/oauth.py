"""OAuth clients, which take an access token for their id and secret, and open the tenant with it while it lasts.

The requests are those of pyatlan's `OAuthClient` and `OAuthTokenManager`. Of a secret a digest is kept; a token is not kept,
but signed with it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import uuid

from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request
from sandbox.messages import JsonObject, Record, RecordPage
from sandbox.people import ROLES, list_records
from sandbox.requests import as_texts

KIND, DIGEST = "oauth_client", "digest"
TOKEN_SECONDS = 600  # which `OAuthTokenManager` takes for granted


def create(catalog: Catalog, sent: JsonObject, user: str) -> Record:
    """Make a client; only this answer has its `clientSecret`.

    Raises `AtlasError`: 400 for one without a name, 404 for a role or a persona that is not there.
    """
    name, role, now = sent.get("displayName"), sent.get("role"), _now()
    if not isinstance(name, str) or not name:
        raise bad_request("an OAuth client needs a displayName")
    if not any(known["name"] == role for known in ROLES):
        raise _missing("role", role)
    personas = as_texts(sent.get("personaQNs"), "personaQNs")
    for persona in personas:
        if not catalog.find("Persona", persona):
            raise _missing("persona", persona)
    secret = secrets.token_urlsafe(32)
    record: Record = {
        "id": str(uuid.uuid4()),
        "clientId": f"oauth-client-{uuid.uuid4()}",
        "displayName": name,
        "description": str(sent.get("description") or ""),
        "role": role,
        "personaQNs": personas,
        "tokenExpirySeconds": TOKEN_SECONDS,
        "createdAt": now,
        "createdBy": user,
        "updatedAt": now,
        "updatedBy": user,
        DIGEST: hashlib.sha256(secret.encode()).hexdigest(),
    }
    catalog.put_document(KIND, record["clientId"], record)
    return {**_shown(record), "clientSecret": secret}


def update(catalog: Catalog, client: str, sent: JsonObject, user: str) -> Record:
    """Change name and description of a client. Raises `AtlasError` (404) if there is none."""
    told = {name: sent[name] for name in ("displayName", "description") if isinstance(sent.get(name), str)}
    record = {**_find(catalog, client), **told, "updatedAt": _now(), "updatedBy": user}
    catalog.put_document(KIND, client, record)
    return _shown(record)


def read(catalog: Catalog, client: str) -> Record:
    """One client, without its secret. Raises `AtlasError` (404) if there is none."""
    return _shown(_find(catalog, client))


def remove(catalog: Catalog, client: str) -> None:
    """Forget a client; its tokens open nothing from then on. Raises `AtlasError` (404) if there is none."""
    _find(catalog, client)
    catalog.delete_document(KIND, client)


def listed(catalog: Catalog, query: dict[str, str]) -> RecordPage:
    """A page of clients, as `list_records` gives it."""
    return list_records([_shown(record) for record in catalog.documents(KIND).values()], query)


def exchange(catalog: Catalog, sent: JsonObject) -> Record:
    """An access token for the id and the secret of a client. Raises `AtlasError` (401) for wrong ones."""
    client, secret = sent.get("clientId"), sent.get("clientSecret")
    record = catalog.documents(KIND).get(client) if isinstance(client, str) else None
    digest = hashlib.sha256(secret.encode()).hexdigest() if isinstance(secret, str) else ""
    if not record or not hmac.compare_digest(record[DIGEST], digest):
        raise AtlasError(401, "401-00-001", "the client or its secret is not known")
    ends = int(time.time()) + TOKEN_SECONDS
    token = f"{client}.{ends}.{_signature(record, ends)}"
    return {"accessToken": token, "tokenType": "Bearer", "expiresIn": TOKEN_SECONDS}


def opened_by(catalog: Catalog, token: str) -> str | None:
    """The name of the account whose access token this is, while it lasts; None if it is nobody's."""
    client, _, rest = token.partition(".")
    ends, _, signature = rest.partition(".")
    if not (client.startswith("oauth-client-") and ends.isascii() and ends.isdecimal() and len(ends) < 20):
        return None
    record = catalog.documents(KIND).get(client)
    if not record or int(ends) <= time.time():
        return None
    right = hmac.compare_digest(_signature(record, int(ends)).encode(), signature.encode("utf-8", "replace"))
    return f"service-account-{client}" if right else None


def _signature(record: Record, ends: int) -> str:
    return hmac.new(record[DIGEST].encode(), f"{record['clientId']}.{ends}".encode(), hashlib.sha256).hexdigest()


def _find(catalog: Catalog, client: str) -> Record:
    record: Record | None = catalog.documents(KIND).get(client)
    if record is None:
        raise _missing("OAuth client", client)
    return record


def _missing(what: str, name: object) -> AtlasError:
    return AtlasError(404, "404-00-005", f"there is no {what} {name}")


def _shown(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != DIGEST}


def _now() -> str:
    return str(int(time.time() * 1000))
