"""Removing what this program made in Atlan, and nothing else: it is found by its own ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from delta_arc.clients import get_atlan_client
from delta_arc.connections import derived_connection, find_bucket, find_connection
from delta_arc.entities import MARKER, Flow, connection_of
from delta_arc.plan import MAX_REMOVE, GoneObject
from delta_arc.report import Outcome, Report, S3Integration, find_stale, log_lines
from delta_arc.settings import Settings, get_settings
from delta_arc.writing import remove_assets
from runtime.atlan import SearchHit, read_assets, search_assets
from runtime.errors import PipelineError

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

USES = ("inputToProcesses", "outputFromProcesses")
MOST_ASKED = 1000  # assets by guid in one request


def _find_own_lineage(client: AtlanClient, postgres: str, snowflake: str, flow: Flow | None) -> dict[str, SearchHit]:
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


def _find_own_s3(
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


def find_gone_objects(client: AtlanClient, s3: S3Integration, settings: Settings) -> list[GoneObject]:
    """The S3 objects under the prefix that Atlan has, and the bucket has no more.

    Only where this program has the S3 connection to itself: elsewhere they are a crawler's to archive. Of an empty listing
    nothing is concluded. Raises `AtlanRequestError`.
    """
    bucket, report = s3["bucket_qualified_name"], s3["report"]
    if connection_of(bucket) != derived_connection(settings) or not s3["s3_objects"]:
        return []
    listed = {outcome.qualified_name for outcome in report.outcomes}
    gone = [
        hit
        for name, hit in sorted(report.existing.items())
        if name.startswith(f"{bucket}/{settings.s3_prefix}") and hit["typeName"] == "S3Object" and name not in listed
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


def remove_lineage(
    dry_run: bool = False,
    with_s3: bool = False,
    all_flows: bool = False,
    max_remove: int = MAX_REMOVE,
    *,
    ask: Callable[[str], bool] = lambda question: True,
    noted: dict[str, Outcome] | None = None,
    settings: Settings | None = None,
) -> Report:
    """Archive every process that this program made for the configured connections, bucket and prefix.

    `all_flows` takes any bucket and prefix between the two connections; `with_s3` also the S3 objects under the prefix and
    the bucket, as far as this program made them. `ask` is given what would be archived, as a question, before anything
    is; `noted` is that of `apply_steps`. Raises `PipelineError` where a connection is not there, there is more than
    `max_remove`, or the answer is no.
    """
    settings = settings or get_settings()
    client = get_atlan_client(settings=settings)
    postgres = find_connection(client, settings.postgres_connection, "postgres")
    snowflake = find_connection(client, settings.snowflake_connection, "snowflake")
    derived = f"{derived_connection(settings)}/{settings.s3_bucket_arn}"
    found = find_bucket(client, settings.s3_bucket, settings.s3_bucket_arn)
    bucket = found["attributes"]["qualifiedName"] if found else derived
    flow = None if all_flows else Flow(postgres, bucket, settings.s3_prefix, snowflake)
    own = _find_own_lineage(client, postgres, snowflake, flow)
    s3, kept = _find_own_s3(client, derived, settings.s3_prefix, own) if with_s3 else ([], [])
    place = f"between {settings.postgres_connection} and {settings.snowflake_connection} in {settings.place}"
    place += "" if all_flows else f", through s3://{settings.s3_bucket}/{settings.s3_prefix}"
    told = f"{len(own)} processes {place}" + (f", and {len(s3)} S3 assets" if with_s3 else "")
    if not dry_run and len(own) + len(s3) > max_remove:
        raise PipelineError(f"{told} would be archived, more than --max-remove {max_remove}: nothing is removed.")
    if not dry_run and (own or s3) and not ask(f"Archive {told}?"):
        raise PipelineError(f"{told} stay: --remove-lineage needs a yes, or --yes where no one can be asked.")
    outcomes = remove_assets(client, "Lineage", find_stale(own, ()), dry_run, noted)
    report = Report(outcomes, existing=own, changes=bool(own or s3))
    log_lines(f"⚠️ {sentence}" for sentence in kept)
    if with_s3 and not report.failed:
        report.outcomes += remove_assets(client, "S3 objects and bucket", s3, dry_run, noted)
    return report
