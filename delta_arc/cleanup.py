"""What this program made in Atlan, and nothing else, to be removed: found by its own ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delta_arc.entities import MARKER, Flow, connection_of
from delta_arc.plan import GoneObject
from runtime.atlan import SearchHit, read_assets, search_assets

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from pyatlan.client.atlan import AtlanClient

USES = ("inputToProcesses", "outputFromProcesses")
MOST_ASKED = 1000  # assets by guid in one request


def find_own_lineage(
    client: AtlanClient, postgres: str, snowflake: str, flow: Flow | None = None
) -> dict[str, SearchHit]:
    """Every process of ours between two connections, of one flow or of any bucket and prefix.

    A flow is recognised by its ids, which it has in both connections.
    """
    existing: dict[str, SearchHit] = {}
    for type_name in ("Process", "ColumnProcess"):
        existing |= read_assets(client, type_name, [f"{side}/{MARKER}/" for side in (postgres, snowflake)], ())
    flows = [{_flow_of(name) for name in existing if connection_of(name) == side} for side in (postgres, snowflake)]
    shared = {flow.marker.rpartition("/")[2]} if flow else flows[0] & flows[1]
    return {name: hit for name, hit in existing.items() if _flow_of(name) in shared}


def _flow_of(process: str) -> str:
    """The part of a process' qualified name that tells its flow."""
    return process.removeprefix(f"{connection_of(process)}/{MARKER}/").partition("/")[0]


def find_own_s3(
    client: AtlanClient, bucket: str, prefix: str, lineage: Mapping[str, SearchHit]
) -> tuple[list[SearchHit], list[str]]:
    """The objects under a prefix, and the bucket, that can go together with this lineage; and why others stay.

    The bucket's qualified name has to be in the S3 connection whose number this program makes from its name: nobody
    else writes there, while in another connection a crawler may have made the same objects. What a process uses that
    is not of this lineage stays, and so does a bucket in which an object stays.
    """
    existing = read_assets(client, "S3Object", [f"{bucket}/"], ("s3ObjectKey",))
    below = [hit for hit in existing.values() if hit["attributes"].get("s3ObjectKey", "").startswith(prefix)]
    used = {name: [user for user in users if user not in lineage] for name, users in _read_users(client, below).items()}
    going = [existing[name] for name in sorted(used) if not used[name]]
    told = [f"S3 object {name} stays: {names[0]} uses it" for name, names in used.items() if names]
    buckets = read_assets(client, "S3Bucket", [bucket], ())
    if bucket not in buckets:
        return going, [*told, f"The bucket {bucket} is not in Atlan as one that Delta Arc made"]
    if len(going) < len(existing):
        return going, [*told, f"The bucket {bucket} stays: {len(existing) - len(going)} S3 objects in it stay"]
    return [*going, buckets[bucket]], told


def find_gone_objects(
    client: AtlanClient, bucket: str, prefix: str, existing: Mapping[str, SearchHit], listed: Container[str]
) -> list[GoneObject]:
    """The objects under a prefix that Atlan has (`existing`), and the bucket has no more (`listed`, by qualified name).

    Like those of `find_own_s3`, they are in the bucket of a connection that this program has to itself. Raises
    `AtlanRequestError`.
    """
    gone = [
        hit
        for name, hit in sorted(existing.items())
        if name.startswith(f"{bucket}/{prefix}") and hit["typeName"] == "S3Object" and name not in listed
    ]
    users = _read_users(client, gone)
    return [GoneObject(hit, tuple(users.get(hit["attributes"]["qualifiedName"], ()))) for hit in gone]


def _read_users(client: AtlanClient, objects: Sequence[SearchHit]) -> dict[str, list[str]]:
    """The qualified names of the active processes that read or write each of some S3 objects, by its qualified name."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import FluentSearch

    found: dict[str, list[str]] = {}
    for start in range(0, len(objects), MOST_ASKED):
        guids = [hit["guid"] for hit in objects[start : start + MOST_ASKED]]
        search = FluentSearch(_includes_on_results=[*USES]).where(Asset.GUID.within(guids))
        hits = {hit["attributes"]["qualifiedName"]: hit for hit in search_assets(client, search)}
        refs = {
            name: [ref["guid"] for use in USES for ref in hit["attributes"].get(use) or []]
            for name, hit in hits.items()
        }
        active = _active_names(client, sorted({guid for guids in refs.values() for guid in guids}))
        found |= {name: [active[guid] for guid in guids if guid in active] for name, guids in refs.items()}
    return found


def _active_names(client: AtlanClient, guids: list[str]) -> dict[str, str]:
    """The qualified names of those of these assets that are not archived."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    if not guids:
        return {}
    search = FluentSearch().where(CompoundQuery.active_assets()).where(Asset.GUID.within(guids))
    return {hit["guid"]: hit["attributes"]["qualifiedName"] for hit in search_assets(client, search)}
