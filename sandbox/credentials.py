"""Credentials as the tenant's service lists them. What is secret in one is not kept: the sandbox connects to nothing."""

from __future__ import annotations

import time
import uuid

from sandbox.bodies import parse_json
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request
from sandbox.messages import JsonObject, Record, RecordPage
from sandbox.people import list_records

KIND = "credentials"
# The fields of pyatlan's `CredentialResponse` that a sender fills; a password is not among them.
SENT = (
    "name", "description", "connectorConfigName", "connector", "connectorType", "authType", "host", "port", "metadata",
    "level", "connection", "username",
)  # fmt: skip
FILTERS = (*SENT, "id", "isActive", "createdBy")


def create(catalog: Catalog, sent: JsonObject, user: str) -> Record:
    """Keep a new credential. Raises `AtlasError` (400) for one without a name."""
    now = int(time.time() * 1000)
    record: Record = {
        **_kept(sent),
        "id": str(uuid.uuid4()),
        "version": "1",
        "isActive": True,
        "createdAt": now,
        "updatedAt": now,
        "createdBy": user,
        "tenantId": "default",
    }
    catalog.put_document(KIND, record["id"], record)
    return record


def update(catalog: Catalog, guid: str, sent: JsonObject) -> Record:
    """Lay the sent fields over a credential. Raises `AtlasError` (404) if there is none."""
    record = {**find(catalog, guid), **_kept(sent), "updatedAt": int(time.time() * 1000)}
    catalog.put_document(KIND, guid, record)
    return record


def find(catalog: Catalog, guid: str) -> Record:
    """One credential. Raises `AtlasError` (404) if there is none."""
    record: Record | None = catalog.documents(KIND).get(guid)
    if record is None:
        raise AtlasError(404, "404-00-005", f"there is no credential {guid}")
    return record


def remove(catalog: Catalog, guid: str) -> None:
    """Forget a credential. Raises `AtlasError` (404) if there is none."""
    find(catalog, guid)
    catalog.delete_document(KIND, guid)


def listed(catalog: Catalog, query: dict[str, str]) -> RecordPage:
    """A page of credentials, as `list_records` gives it.

    Raises `AtlasError` (400) for a field that credentials do not have (pyatlan's
    `test_get_all_credentials_with_invalid_filter_key`).
    """
    wanted = parse_json(query["filter"], "the filter") if query.get("filter") else {}
    if not isinstance(wanted, dict):
        raise bad_request("the filter must be a JSON object")
    for name in wanted:
        if name not in FILTERS:
            raise bad_request(f"credentials have no field {name}")
    return list_records(list(catalog.documents(KIND).values()), {"sort": "createdAt", **query})


def _kept(sent: JsonObject) -> Record:
    """What is kept of what was sent. Of `extra`, which may have secrets, only what it says of events."""
    kept = {name: sent[name] for name in SENT if name in sent}
    extra = sent.get("extra")
    events = (
        {name: value for name, value in extra.items() if name.startswith("events.")} if isinstance(extra, dict) else {}
    )
    return {**kept, "extra": events} if events else kept
