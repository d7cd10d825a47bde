"""What the contract tests share: names that no other test uses, a small SQL stack, and plain HTTP."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Asset, Catalog, Column, Connection, Database, Process, Schema, Table
from pyatlan.model.enums import AtlanConnectorType
from pyatlan.model.fluent_search import FluentSearch
from pyatlan.model.response import AssetMutationResponse

VERTICA = AtlanConnectorType.VERTICA

# Far below today's epoch seconds, so that no number meets one that Connection.creator takes from the clock.
_numbers = itertools.count(random.randrange(100_000_000, 900_000_000))


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def admin_role(atlan: AtlanClient) -> str:
    guid = atlan.role_cache.get_id_for_name("$admin")
    assert guid, "the tenant has no role $admin"
    return guid


def build_connection(
    atlan: AtlanClient, connector: AtlanConnectorType = VERTICA, name: str | None = None
) -> Connection:
    connection = Connection.creator(
        client=atlan,
        name=name or unique(connector.value),
        connector_type=connector,
        admin_roles=[admin_role(atlan)],
    )
    connection.qualified_name = f"default/{connector.value}/{next(_numbers)}"
    return connection


def new_connection(atlan: AtlanClient, connector: AtlanConnectorType = VERTICA, name: str | None = None) -> str:
    """Save a connection and return its qualified name."""
    connection = build_connection(atlan, connector, name)
    assert len(atlan.asset.save(connection).assets_created(Connection)) == 1
    assert connection.qualified_name
    return connection.qualified_name


def save(atlan: AtlanClient, *assets: Asset) -> list[str]:
    """Save in one request and return the real guids, in the order of the arguments."""
    assigned = atlan.asset.save(list(assets)).guid_assignments or {}
    return [assigned[asset.guid] for asset in assets]


@dataclass(frozen=True)
class Stack:
    """A connection with one database and one schema in it, all saved."""

    connection: str
    database: str
    schema: str

    def table(self, name: str = "orders") -> Table:
        return Table.creator(name=name, schema_qualified_name=self.schema)


def new_stack(atlan: AtlanClient, connector: AtlanConnectorType = VERTICA) -> Stack:
    connection = new_connection(atlan, connector)
    database = Database.creator(name="warehouse", connection_qualified_name=connection)
    schema = Schema.creator(name="public", database_qualified_name=f"{connection}/warehouse")
    schema.database = Database.ref_by_guid(database.guid)
    save(atlan, database, schema)
    return Stack(connection, f"{connection}/warehouse", f"{connection}/warehouse/public")


def column_of(table: Table, name: str, order: int) -> Column:
    assert table.qualified_name
    return Column.creator(name=name, parent_qualified_name=table.qualified_name, parent_type=Table, order=order)


def process_between(
    connection: str, process_id: str, inputs: Iterable[Catalog], outputs: Iterable[Catalog], name: str = ""
) -> Process:
    return Process.creator(
        name=name or process_id,
        connection_qualified_name=connection,
        process_id=process_id,
        inputs=list(inputs),
        outputs=list(outputs),
    )


def within(connection: str, include_archived: bool = False) -> FluentSearch:
    """A search for everything in a connection."""
    return FluentSearch.select(include_archived=include_archived).where(Asset.CONNECTION_QUALIFIED_NAME.eq(connection))


def names(found: Iterable[Asset]) -> list[str]:
    return sorted(asset.name or "" for asset in found)


def names_in_order(found: Iterable[Asset]) -> list[str]:
    return [asset.name or "" for asset in found]


def nothing_mutated(response: AssetMutationResponse) -> bool:
    mutated = response.mutated_entities
    return mutated is None or not (mutated.CREATE or mutated.UPDATE or mutated.DELETE or mutated.PARTIAL_UPDATE)


@dataclass(frozen=True)
class Raw:
    """The tenant without pyatlan in between: no retries, no parsing."""

    base_url: str
    token: str | None

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"} if self.token is not None else {}
        with httpx.Client(base_url=self.base_url, headers=headers, trust_env=False, timeout=10) as client:
            return client.request(method, path, **options)

    def save(self, *entities: dict[str, Any]) -> httpx.Response:
        return self.call("POST", "/api/meta/entity/bulk/", json={"entities": list(entities)})

    def search(self, query: dict[str, Any], **dsl: Any) -> httpx.Response:
        body = {"dsl": {"from": 0, "size": 10, "track_total_hits": True, "query": query, **dsl}}
        return self.call("POST", "/api/meta/search/indexsearch", json=body)


def raw(tenant: Any) -> Raw:
    return Raw(tenant.base_url, tenant.api_token)


def table_entity(stack: Stack, name: str, guid: str = "-1", **attributes: Any) -> dict[str, Any]:
    return {
        "typeName": "Table",
        "guid": guid,
        "attributes": {
            "name": name,
            "qualifiedName": f"{stack.schema}/{name}",
            "connectorName": stack.connection.split("/")[1],
            "connectionQualifiedName": stack.connection,
            "schemaQualifiedName": stack.schema,
            "atlanSchema": {"typeName": "Schema", "uniqueAttributes": {"qualifiedName": stack.schema}},
            **attributes,
        },
    }


def error_code(response: httpx.Response) -> str:
    """The errorCode of an error body; an answer without one, or without a message, fails."""
    body = response.json()
    assert body.get("errorMessage"), body
    return body["errorCode"]
