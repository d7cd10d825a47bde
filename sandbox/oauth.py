"""OAuth clients, which take an access token for their id and secret, and open the tenant with it while it lasts.

The requests are those of pyatlan's `OAuthClient` and `OAuthTokenManager`. Of a secret a digest is kept; an access token is not
kept, but signed with it. The clients of API tokens take theirs from Keycloak (pyatlan's `AtlanClient.from_token_guid`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import uuid

from sandbox import accounts
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request, not_supported
from sandbox.messages import JsonObject, Record, RecordPage
from sandbox.people import ROLES, list_records
from sandbox.requests import as_texts

KIND, DIGEST = "oauth_client", "digest"
CLIENTS = ("oauth-client-", "apikey-")  # as the ids of clients begin
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
    token = _issue(catalog, sent.get("clientId"), sent.get("clientSecret"))
    return {"accessToken": token, "tokenType": "Bearer", "expiresIn": TOKEN_SECONDS}


def grant(catalog: Catalog, form: dict[str, str]) -> Record:
    """The same as Keycloak answers it (RFC 6749, section 4.4).

    Raises `AtlasError`: 400 for no `grant_type`, 401 for wrong ones, 501 for another grant than that of a client's own
    credentials.
    """
    if "grant_type" not in form:
        raise bad_request("the form has no grant_type")
    if form.get("grant_type") != "client_credentials":
        raise not_supported("other grants than client_credentials")
    token = _issue(catalog, form.get("client_id"), form.get("client_secret"))
    return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "openid"}


def opened_by(catalog: Catalog, token: str) -> str | None:
    """The name of the account whose access token this is, while it lasts; None if it is nobody's."""
    client, _, rest = token.partition(".")
    ends, _, signature = rest.partition(".")
    if not (client.startswith(CLIENTS) and ends.isascii() and ends.isdecimal() and len(ends) < 20):
        return None
    digest = _digests(catalog).get(client)
    if digest is None or int(ends) <= time.time():
        return None
    right = hmac.compare_digest(_signature(client, digest, int(ends)).encode(), signature.encode("utf-8", "replace"))
    return f"service-account-{client}" if right else None


def _issue(catalog: Catalog, client: object, secret: object) -> str:
    digest = _digests(catalog).get(client) if isinstance(client, str) else None
    given = hashlib.sha256(secret.encode()).hexdigest() if isinstance(secret, str) else ""
    if digest is None or not isinstance(client, str) or not hmac.compare_digest(digest, given):
        raise AtlasError(401, "401-00-001", "the client or its secret is not known")
    ends = int(time.time()) + TOKEN_SECONDS
    return f"{client}.{ends}.{_signature(client, digest, ends)}"


def _digests(catalog: Catalog) -> dict[str, str]:
    """The digests of all clients' secrets, by the client's id."""
    of_tokens = accounts.client_secrets(catalog)
    return {
        **{client: record[DIGEST] for client, record in catalog.documents(KIND).items()},
        **{client: hashlib.sha256(secret.encode()).hexdigest() for client, secret in of_tokens.items()},
    }


def _signature(client: str, digest: str, ends: int) -> str:
    return hmac.new(digest.encode(), f"{client}.{ends}".encode(), hashlib.sha256).hexdigest()


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
