"""Mappings of the groups of an identity provider to the tenant's groups, as Keycloak keeps them.

The requests are those of pyatlan's `SSOClient`, the rules those of Keycloak's `IdentityProviderResource`. The sandbox signs
nobody on; it has every provider that Atlan knows (pyatlan's `AtlanSSO`).
"""

from __future__ import annotations

import uuid

from sandbox.catalog import Catalog
from sandbox.errors import AtlasError, bad_request
from sandbox.messages import JsonObject, Record
from sandbox.requests import as_object

KIND = "identity_provider_mapper"
PROVIDERS = ("google", "azure", "okta", "jumpcloud", "onelogin")


def mappings(catalog: Catalog, provider: str) -> list[Record]:
    """All mappings of a provider. Raises `AtlasError` (404) if there is no such provider."""
    if provider not in PROVIDERS:
        raise AtlasError(404, "404-00-005", f"there is no identity provider {provider}")
    return [record for record in catalog.documents(KIND).values() if record["identityProviderAlias"] == provider]


def create(catalog: Catalog, provider: str, sent: JsonObject) -> Record:
    """Keep a new mapping. Raises `AtlasError`: 400 for one that is malformed, or whose name is taken, 404 as `mappings`."""
    record = _read(provider, str(uuid.uuid4()), sent)
    if any(other["name"] == record["name"] for other in mappings(catalog, provider)):
        raise bad_request(f"Failed to add mapper '{record['name']}' to identity provider [{provider}].")
    catalog.put_document(KIND, record["id"], record)
    return record


def update(catalog: Catalog, provider: str, guid: str, sent: JsonObject) -> Record:
    """Put another mapping in the place of one. Raises `AtlasError`: 400 for one that is malformed, 404 if there is none."""
    find(catalog, provider, guid)
    record = _read(provider, guid, sent)
    catalog.put_document(KIND, guid, record)
    return record


def find(catalog: Catalog, provider: str, guid: str) -> Record:
    """One mapping. Raises `AtlasError` (404) if there is none."""
    found = next((record for record in mappings(catalog, provider) if record["id"] == guid), None)
    if found is None:
        raise AtlasError(404, "404-00-005", f"there is no mapping {guid}")
    return found


def remove(catalog: Catalog, provider: str, guid: str) -> None:
    """Forget a mapping. Raises `AtlasError` (404) if there is none."""
    find(catalog, provider, guid)
    catalog.delete_document(KIND, guid)


def _read(provider: str, guid: str, sent: JsonObject) -> Record:
    """A mapping as it is kept; what is empty of its `config` is not (pyatlan's `_assert_sso_group_mapping`)."""
    config = as_object(sent.get("config"), "config")
    named = {name: sent.get(name) for name in ("name", "identityProviderMapper")}
    for name, value in [*named.items(), *config.items()]:
        if not isinstance(value, str) and (value is not None or name in named):
            raise bad_request(f"{name} of a mapping must be a text")
    kept = {name: value for name, value in config.items() if value}
    return {"id": guid, **named, "identityProviderAlias": provider, "config": kept}
