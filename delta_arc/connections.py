"""Connections of the tenant, by their names, and the bucket: found in Atlan, or planned where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from delta_arc.entities import BUCKET_ATTRIBUTES, Entity, digest, make_connection
from delta_arc.settings import Settings
from runtime.atlan import AssetQuery, SearchHit, read_role_guid, read_user_name, search_assets
from runtime.errors import PipelineError
from runtime.terminal import logger

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient


def _list_connections(client: AtlanClient, connector: str) -> list[tuple[str, str]]:
    """The names and qualified names of the active connections of a connector, sorted."""
    from pyatlan.model.assets import Connection
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = (
        FluentSearch()
        .where(CompoundQuery.active_assets())
        .where(CompoundQuery.asset_type(Connection))
        .where(Connection.CONNECTOR_NAME.eq(connector))
    )
    hits = search_assets(client, search)
    return sorted((hit["attributes"].get("name", ""), hit["attributes"]["qualifiedName"]) for hit in hits)


def _pick_connection(connections: Sequence[tuple[str, str]], name: str, connector: str) -> str:
    matching = [pair for pair in connections if name in pair]
    if len(matching) == 1:
        return matching[0][1]
    listed = "; ".join(f"{one} ({qualified_name})" for one, qualified_name in matching or connections) or "none"
    if matching:
        raise PipelineError(
            f"Several {connector} connections are named {name}: {listed}. "
            "Use the qualified name of one of them as its setting."
        )
    raise PipelineError(
        f"There is no {connector} connection named {name}. The tenant's {connector} connections: {listed}."
    )


def find_connection(client: AtlanClient, name: str, connector: str) -> str:
    """The qualified name of the connection with this name (or qualified name) and connector, like `postgres`.

    Raises `PipelineError`, with the tenant's connections of that connector, where there is none or more than one.
    """
    return _pick_connection(_list_connections(client, connector), name, connector)


def inventory_query(connection: str) -> AssetQuery:
    """Every active asset below a connection, by its qualified name, but the processes: they are lineage and no inventory."""
    return AssetQuery("", (f"{connection}/",))


def derived_connection(settings: Settings) -> str:
    """The qualified name of the S3 connection that this program makes, from its name instead of the clock.

    A new connection is searchable only after seconds: a run that was killed and started again in that time makes the
    same one again instead of a second one.
    """
    number = int(digest(f"{settings.base_url}\n{settings.s3_connection}")[:12], 16)
    return f"default/s3/{1_000_000_000 + number % 700_000_000}"


def find_or_plan_s3_connection(client: AtlanClient, settings: Settings) -> tuple[str, Entity | None]:
    """The S3 connection by its name; if the tenant has none, also the connection that has to be created."""
    name = settings.s3_connection
    derived = derived_connection(settings)
    present = _list_connections(client, "s3")
    if any(name in pair for pair in present):
        return _pick_connection(present, name, "s3"), None
    if any(qualified_name == derived for _, qualified_name in present):
        return derived, None  # made here, and renamed by people
    return derived, make_connection(name, derived, read_user_name(client), read_role_guid(client, "$admin"))


def find_bucket(client: AtlanClient, name: str, arn: str) -> SearchHit | None:
    """The bucket as Atlan holds it, in whatever connection. Atlan allows one bucket per ARN, so that one has to be used."""
    from pyatlan.model.assets import S3Bucket
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = (
        FluentSearch(_includes_on_results=list(BUCKET_ATTRIBUTES))
        .where(CompoundQuery.active_assets())
        .where(CompoundQuery.asset_type(S3Bucket))
        .where_some(S3Bucket.AWS_ARN.eq(arn))
        .where_some(S3Bucket.NAME.eq(name))
        .min_somes(1)
    )
    hits = list(search_assets(client, search))
    for hit in hits:
        if hit["attributes"].get("awsArn") == arn:
            return hit
    for hit in hits:
        logger.warning(
            "⚠️ A bucket named %s is in Atlan already as %s. To use that one, set S3_BUCKET_ARN to its ARN (%s)",
            name, hit["attributes"]["qualifiedName"], hit["attributes"].get("awsArn") or "it has none",
        )  # fmt: skip
    return None
