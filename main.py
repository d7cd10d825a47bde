"""Delta Arc: PostgreSQL → S3 → Snowflake lineage in Atlan, down to the column.

The steps, in the order in which they run:

1. find_postgres_assets, find_snowflake_assets   the assets of both connections, from Atlan or a 24-hour cache
2. integration_with_S3                           the S3 connection, bucket and objects, registered in Atlan
3. create_table_lineage                          table → its objects → table, as two processes for each chain
4. create_column_lineage                         column → column, below the load process of its table
5. write_plan                                    all of it is planned first, and then written as one
6. summarise                                     what became of every asset

`python main.py` is `run_pipeline`, which calls them just so. Each can be called by itself, and then writes at once:

    >>> from main import *
    >>> tables = [row for row in find_postgres_assets() if row[2] == "Table"]

Without ATLAN_BASE_URL and a token, everything runs against the embedded sandbox.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta_arc.check import Lookups, check_everything
from delta_arc.cleanup import find_gone_objects, remove_lineage
from delta_arc.clients import get_atlan_client, get_s3_client
from delta_arc.connections import (
    find_bucket,
    find_connection,
    find_or_plan_s3_connection,
    inventory_query,
)
from delta_arc.coverage import explain_tables
from delta_arc.endings import Ending, judge
from delta_arc.entities import (
    MARKER,
    OBJECT_ATTRIBUTES,
    PROCESS_ATTRIBUTES,
    Entity,
    Flow,
    ListedObject,
    Load,
    RegisteredObject,
    connection_of,
    last_name,
    load_suffix,
    make_bucket,
    make_s3_objects,
    names_below,
    register_objects,
)
from delta_arc.evidence import Evidence, Ground, absent_columns, gather_evidence
from delta_arc.files.kept import KeptColumns
from delta_arc.flows import find_once, run_flows
from delta_arc.hops import Hop, doubted_processes, group_datasets, settle_doubtful
from delta_arc.jobs.event_files import read_events
from delta_arc.linking import Links, columns_to_find, link, wanted_hops
from delta_arc.listing import count_all_objects, known_objects, list_bucket, settle
from delta_arc.matching import (
    TARGET_TYPES,
    AssetRow,
    match_s3_objects,
    tables_in,
)
from delta_arc.openlineage import export_lineage
from delta_arc.options import RunOptions, ask_at_terminal, parse_options, run_options
from delta_arc.overrides import Overrides
from delta_arc.overrides_file import load_overrides
from delta_arc.overriding import override_tables
from delta_arc.page import describe_facts, mark_page, write_page
from delta_arc.pairing import match_tables
from delta_arc.plan import (
    MAX_REMOVE,
    Plan,
    Step,
    check_limits,
    compare,
    make_plan,
    planned_outcomes,
)
from delta_arc.processes import column_processes, table_processes
from delta_arc.report import Outcome, Report, S3Integration, TableLineage, log_lines, summarise
from delta_arc.rivals import Rivals
from delta_arc.run_report import RunRecord, explain_shortfall
from delta_arc.saved_plan import check_unchanged, describe_world, load_plan, save_plan
from delta_arc.scope import in_scope, unused_patterns
from delta_arc.settings import LARGEST_CACHE, Inventory, Settings, get_settings
from delta_arc.showing import log_plan
from delta_arc.state import AtlanState, open_state
from delta_arc.writing import apply_steps, remove_assets
from runtime.atlan import (
    AssetQuery,
    SearchHit,
    find_assets,
    read_assets,
    read_downstream,
    search_assets,
)
from runtime.embedded import SANDBOX_FOLDER
from runtime.errors import PipelineError
from runtime.files import read_small_file, replace_file
from runtime.findings import tell_findings
from runtime.parallel import side_by_side
from runtime.terminal import Progress, logger, say_error
from runtime.transport import AtlanRequestError

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

__all__ = [
    "clear_all_cache",
    "create_column_lineage",
    "create_table_lineage",
    "find_postgres_assets",
    "find_snowflake_assets",
    "get_atlan_client",
    "get_cache_status",
    "get_connection_qualified_name",
    "integration_with_S3",
    "is_cache_valid",
    "list_s3_bucket_objects",
    "load_cache_from_file",
    "match_s3_objects",
    "run_pipeline",
    "save_cache_to_file",
]

DISCOVERY_LINE_EVERY = 100  # assets of a connection, where there is no terminal for a bar

# =====================================================================================================================
# JSON cache
# =====================================================================================================================


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(isinstance(item, str) for item in row)


def _cache_time(cache: dict[str, Any]) -> datetime:
    """The time of a cache; one without a zone (the documents' format) is local time."""
    return datetime.fromisoformat(cache["timestamp"].replace("Z", "+00:00")).astimezone(timezone.utc)


def load_cache_from_file(filename: str | Path) -> dict[str, Any] | None:
    """The cache in a file: `{"timestamp": ISO time, "source": {…} or absent, "data": [[qualified_name, name, type]]}`.

    None where there is no file, or none that can be used; the log says why. A heading row is left out.
    """
    path = Path(filename)
    try:
        cache = json.loads(read_small_file(path, LARGEST_CACHE).decode("utf-8-sig"))
        if not isinstance(cache["data"], list) or not all(_is_row(row) for row in cache["data"]):
            raise ValueError("its data is no list of [qualified_name, name, type]")
        if not isinstance(cache.get("source") or {}, dict):
            raise ValueError("its source is no object")
        _cache_time(cache)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        logger.warning("⚠️ %s is no usable cache (%s: %s) and is not used", path, type(error).__name__, error)
        return None
    rows = [row for row in cache["data"] if row[:2] != ["qualified_name", "asset_name"]]
    return {**cache, "data": rows}


def _expected_source(path: Path, settings: Settings) -> dict[str, str] | None:
    """Whose assets a run expects in a file: None for one that is no cache of the settings."""
    inventories = (settings.postgres, settings.snowflake)
    return next((one.source for one in inventories if one.cache_file.resolve() == path.resolve()), None)


def save_cache_to_file(data: Iterable[AssetRow], filename: str | Path, source: Mapping[str, str] | None = None) -> bool:
    """Replace the cache file as a whole, never in part; False (and a warning) where that cannot be done.

    `source` is whose assets these are, `{"tenant", "name"}`; without it a file that the settings name as a cache is of
    the connection that they name.
    """
    if source is None:
        source = _expected_source(Path(filename), get_settings())
    path = Path(filename)
    rows = [list(row) for row in data]
    head: dict[str, Any] = {"timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    if source:
        head["source"] = dict(source)
    body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    text = json.dumps(head, indent=2)[:-2] + f',\n  "data": [\n{body}\n  ]\n}}\n'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        logger.warning("⚠️ The cache %s cannot be written (%s); the run goes on without it", path, error.strerror)
        return False
    logger.info("💾 Saved %d assets in %s", len(rows), path)
    return True


def _is_young(cache: dict[str, Any], max_age_hours: float) -> bool:
    return timedelta(0) <= datetime.now(timezone.utc) - _cache_time(cache) < timedelta(hours=max_age_hours)


def _is_of(cache: dict[str, Any], source: Mapping[str, str]) -> bool:
    return all((cache.get("source") or {}).get(name) == value for name, value in source.items())


def is_cache_valid(
    filename: str | Path, max_age_hours: float | None = None, source: Mapping[str, str] | None = None
) -> bool:
    """Whether a run would use a cache file: it is usable, young enough (CACHE_EXPIRY_HOURS), and of the right source.

    That is `source`, or else, for a file that the settings name as a cache, the connection that they name.
    """
    cache = load_cache_from_file(filename)
    if cache is None:
        return False
    if max_age_hours is None or source is None:
        settings = get_settings()
        max_age_hours = settings.cache_expiry_hours if max_age_hours is None else max_age_hours
        source = _expected_source(Path(filename), settings) if source is None else source
    return _is_young(cache, max_age_hours) and _is_of(cache, source or {})


def clear_all_cache(*, settings: Settings | None = None) -> None:
    """Delete all that is kept between runs; raises `PipelineError` where that cannot be done."""
    settings = settings or get_settings()
    assets = (settings.postgres.cache_file, settings.snowflake.cache_file)
    for path in (*assets, settings.state_cache_file, settings.file_columns_cache):
        try:
            path.unlink()
            logger.info("💾 Deleted %s", path)
        except FileNotFoundError:
            logger.info("💾 There is no %s", path)
        except OSError as error:
            raise PipelineError(f"The cache {path} cannot be deleted ({error.strerror}): delete it by hand.") from None


def _cache_status(inventory: Inventory, settings: Settings) -> dict[str, Any]:
    name, path = inventory.label, inventory.cache_file
    cache = load_cache_from_file(path)
    status: dict[str, Any] = {"name": name, "file": str(path), "assets": 0, "age_hours": None, "source": None}
    if cache is None:
        status["state"] = "unusable" if path.exists() else "absent"
        logger.info("💾 %s cache: %s (%s)", name, status["state"], path)
        return status
    age = (datetime.now(timezone.utc) - _cache_time(cache)) / timedelta(hours=1)
    is_own = _is_of(cache, inventory.source)
    state = ("valid" if is_own else "foreign") if _is_young(cache, settings.cache_expiry_hours) else "expired"
    status |= {
        "assets": len(cache["data"]), "age_hours": round(age, 1), "source": cache.get("source"), "state": state,
    }  # fmt: skip
    words = "of another tenant or connection, or it does not say of which" if state == "foreign" else state
    logger.info("💾 %s cache: %s, %d assets, %.1f hours old (%s)", name, words, status["assets"], age, path)
    return status


def get_cache_status(*, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Both caches, logged and returned: `{"name", "file", "state", "assets", "age_hours", "source"}`.

    The state is what a run makes of it: valid (it is used), foreign (it is of another tenant or connection, or does not
    say), expired, unusable or absent.
    """
    settings = settings or get_settings()
    return [_cache_status(inventory, settings) for inventory in (settings.postgres, settings.snowflake)]


# =====================================================================================================================
# 1. Discover the assets of a connection in Atlan
# =====================================================================================================================


def get_connection_qualified_name(
    connection_name: str, connector_type: Any, *, settings: Settings | None = None
) -> str:
    """The qualified name of the connection with this name (or qualified name) and connector, like `postgres`.

    Raises `PipelineError`, with the tenant's connections of that connector, where there is none or more than one.
    """
    connector = str(getattr(connector_type, "value", connector_type))
    return find_connection(get_atlan_client(settings=settings), connection_name, connector)


def _find_assets(
    inventory: Inventory, force_refresh: bool, dry_run: bool, state: AtlanState | None, settings: Settings
) -> list[list[str]]:
    label, cache_file = inventory.label, inventory.cache_file
    cache = None if force_refresh else load_cache_from_file(cache_file)
    if cache and _is_young(cache, settings.cache_expiry_hours):
        if _is_of(cache, inventory.source):
            logger.info("📊 %s: %d assets from the cache %s", label, len(cache["data"]), cache_file)
            return list(cache["data"])
        logger.info("📊 %s: the cache %s is of another tenant or connection and is not used", label, cache_file)
    logger.info("🔍 %s: reading the assets of %s from Atlan", label, inventory.connection)
    connection_qualified_name = get_connection_qualified_name(
        inventory.connection, inventory.connector, settings=settings
    )
    with Progress(f"{label} assets", line_every=DISCOVERY_LINE_EVERY) as progress:
        client, query = get_atlan_client(settings=settings), inventory_query(connection_qualified_name)
        if state:
            assets: Iterable[SearchHit] = state.read(client, query, progress=progress).values()
        else:
            assets = find_assets(client, query, progress)
        rows = sorted(
            [asset["attributes"]["qualifiedName"], asset["attributes"]["name"], asset["typeName"]] for asset in assets
        )
    logger.info("📊 %s: %d assets found in %s", label, len(rows), connection_qualified_name)
    if not dry_run:
        save_cache_to_file(rows, cache_file, {**inventory.source, "connection": connection_qualified_name})
    return rows


def find_postgres_assets(
    force_refresh: bool = False,
    *,
    dry_run: bool = False,
    state: AtlanState | None = None,
    settings: Settings | None = None,
) -> list[list[str]]:
    """Every asset of the PostgreSQL connection as `[qualified_name, name, type_name]`, sorted.

    They are from the cache if it is valid, else from Atlan (`force_refresh`: in any case) and cached, but for a dry run.
    With a `state`, only what has changed since that was kept is read. Raises `SettingsError`, and `PipelineError` where
    Atlan has no such connection or refuses.
    """
    settings = settings or get_settings()
    return _find_assets(settings.postgres, force_refresh, dry_run, state, settings)


def find_snowflake_assets(
    force_refresh: bool = False,
    *,
    dry_run: bool = False,
    state: AtlanState | None = None,
    settings: Settings | None = None,
) -> list[list[str]]:
    """Every asset of the Snowflake connection; see `find_postgres_assets`."""
    settings = settings or get_settings()
    return _find_assets(settings.snowflake, force_refresh, dry_run, state, settings)


# =====================================================================================================================
# 2. Register the S3 connection, bucket and objects
# =====================================================================================================================


def list_s3_bucket_objects(
    bucket_name: str | None = None, prefix: str | None = None, *, settings: Settings | None = None
) -> list[ListedObject]:
    """Every object of a bucket: `{"key", "size" (bytes), "last_modified" (aware datetime), "etag"}`, in key order.

    Folder markers (keys that end in `/`) are left out. With S3_INVENTORY they are those of a report, of when that was
    made; `integration_with_S3` brings what Atlan knows up to date. Raises `S3Error` where the bucket cannot be listed.
    """
    settings = settings or get_settings()
    bucket = bucket_name or settings.s3_bucket
    prefix = settings.s3_prefix if prefix is None else prefix
    return [*list_bucket(get_s3_client(settings), bucket, prefix, settings.s3_inventory).objects]


def _plan_bucket(
    client: AtlanClient, name: str, arn: str, count: int | None, settings: Settings
) -> tuple[list[Step], Entity, dict[str, SearchHit]]:
    """The steps that register the bucket, and its connection where there is none; the bucket; and what Atlan has of it."""
    found = find_bucket(client, name, arn)
    if found:
        names = found["attributes"]
        bucket = make_bucket(names["qualifiedName"], names["name"], arn, count)
        existing = {names["qualifiedName"]: found}
        return [Step("S3 bucket", compare([bucket], existing))], bucket, existing
    connection, to_create = find_or_plan_s3_connection(client, settings)
    steps = [Step("S3 connection", compare([to_create], {}))] if to_create else []
    bucket = make_bucket(f"{connection}/{arn}", name, arn, count)
    return [*steps, Step("S3 bucket", compare([bucket], {}))], bucket, {}


def _read(client: AtlanClient, query: AssetQuery, state: AtlanState | None, related: str = "") -> dict[str, SearchHit]:
    """The assets of a query, by qualified name: with a state by what has changed, else all of them. See `AtlanState.read`."""
    if state:
        return state.read(client, query, related)
    return read_assets(client, query.type_name, query.prefixes, query.attributes)


def _carry_out(steps: list[Step], into: list[Step] | None, dry_run: bool, settings: Settings) -> list[Outcome]:
    """What every step of the pipeline does with its changes: leave them with a plan, or write (dry run: show) them now."""
    if into is not None:
        into += steps
        return planned_outcomes(steps)
    return apply_steps(get_atlan_client(settings=settings), steps, dry_run)


def integration_with_S3(
    bucket_name: str | None = None,
    bucket_arn: str | None = None,
    prefix: str | None = None,
    *,
    dry_run: bool = False,
    into: list[Step] | None = None,
    state: AtlanState | None = None,
    settings: Settings | None = None,
) -> S3Integration:
    """List the bucket, and register its S3 connection, the bucket and its objects in Atlan.

    With `into`, what is to be written is added to these steps of a plan instead. Objects that could not be registered
    are left out of the result. Raises `S3Error` where the bucket cannot be listed, and `PipelineError`.
    """
    settings = settings or get_settings()
    name = bucket_name or settings.s3_bucket
    arn = bucket_arn or (settings.s3_bucket_arn if name == settings.s3_bucket else f"arn:aws:s3:::{name}")
    prefix = settings.s3_prefix if prefix is None else prefix
    s3_client = get_s3_client(settings)
    listing = list_bucket(s3_client, name, prefix, settings.s3_inventory)
    count = None if listing.report else count_all_objects(s3_client, name, prefix, listing.objects)
    client = get_atlan_client(settings=settings)
    steps, bucket, existing = _plan_bucket(client, name, arn, count, settings)
    guid, below = existing[bucket["attributes"]["qualifiedName"]]["guid"] if existing else "", names_below(bucket)
    existing |= _read(client, AssetQuery("S3Object", (below,), OBJECT_ATTRIBUTES), state, guid)
    if listing.report:
        listing = settle(s3_client, name, prefix, listing, known_objects(existing.values(), below, prefix))
    objects = make_s3_objects(bucket, listing.objects)
    steps.append(Step("S3 objects", compare(objects, existing)))
    report = Report(_carry_out(steps, into, dry_run, settings), existing=existing)
    registered = register_objects(listing.objects, bucket, name, prefix)
    absent = report.absent
    s3_objects = [item for item in registered if item["qualified_name"] not in absent]
    return {
        "connection_qualified_name": bucket["attributes"]["connectionQualifiedName"],
        "bucket_qualified_name": bucket["attributes"]["qualifiedName"],
        "s3_objects": s3_objects,
        "object_count": len(s3_objects),
        "bucket_object_count": count,
        "inventory": f"{listing.report.place} of {listing.report.moment.isoformat()}" if listing.report else "",
        "report": report,
    }


# =====================================================================================================================
# 3. Table lineage
# =====================================================================================================================


def _registered(given: S3Integration | Sequence[ListedObject], settings: Settings) -> list[RegisteredObject]:
    """The objects as they are registered in Atlan, whether they were given so or only as they are listed."""
    objects = given["s3_objects"] if isinstance(given, Mapping) else given
    if all("qualified_name" in item for item in objects):
        return list(objects)  # type: ignore[arg-type]
    client = get_atlan_client(settings=settings)
    _, bucket, _ = _plan_bucket(client, settings.s3_bucket, settings.s3_bucket_arn, None, settings)
    registered = register_objects(objects, bucket, settings.s3_bucket, settings.s3_prefix)
    existing = read_assets(client, "S3Object", [names_below(bucket)], ())
    missing = sum(item["qualified_name"] not in existing for item in registered)
    if missing:
        raise PipelineError(
            f"{missing} of these {len(registered)} objects are not registered in Atlan (yet): call "
            "integration_with_S3() first, and pass what it returns."
        )
    return registered


def _in_scope(
    postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow], settings: Settings
) -> tuple[list[AssetRow], list[AssetRow]]:
    """The assets of both sides that POSTGRES_SCOPE and SNOWFLAKE_SCOPE let in; patterns that fit nothing are told."""
    sides = []
    for name, rows, scope in (
        ("POSTGRES_SCOPE", postgres_assets, settings.postgres_scope),
        ("SNOWFLAKE_SCOPE", snowflake_assets, settings.snowflake_scope),
    ):
        log_lines(f"⚠️ {name}: {pattern} fits no table" for pattern in unused_patterns(rows, scope))
        sides.append(in_scope(rows, scope))
    return sides[0], sides[1]


def _read_evidence(
    links: Links,
    datasets: Mapping[str, Sequence[RegisteredObject]],
    assets: Sequence[AssetRow],
    kept: KeptColumns | None,
    settings: Settings,
) -> dict[str, Evidence]:
    """What the objects of each dataset tell. What is decided of an object, its header cannot contradict."""
    if not settings.read_file_headers:
        return {table: Evidence(Ground.NAMES, reason="READ_FILE_HEADERS is false") for table in datasets}
    if not datasets:
        return {}
    bucket, columns = next(iter(datasets.values()))[0]["bucket_name"], columns_to_find(links.pairs, assets)
    rivals, s3 = Rivals(columns, assets, links.pairs), get_s3_client(settings)
    return gather_evidence(s3, bucket, datasets, columns, links.decided, links.doubtful, kept, rivals)


def _read_processes(flow: Flow, state: AtlanState | None, settings: Settings) -> dict[str, SearchHit]:
    """The extract and load processes of a flow that Atlan has, by qualified name."""
    client = get_atlan_client(settings=settings)
    if state and state.is_used:  # what processes refer to comes before them
        for connection in (flow.postgres_connection, flow.snowflake_connection):
            state.read(client, inventory_query(connection))
    prefixes = f"{flow.postgres_connection}/{flow.marker}/extract/", f"{flow.snowflake_connection}/{flow.marker}/load/"
    return _read(client, AssetQuery("Process", prefixes, PROCESS_ATTRIBUTES), state)


def create_table_lineage(
    postgres_assets: Sequence[AssetRow],
    s3_objects: S3Integration | Sequence[ListedObject],
    snowflake_assets: Sequence[AssetRow],
    *,
    min_ground: str = "named",
    dry_run: bool = False,
    into: list[Step] | None = None,
    state: AtlanState | None = None,
    kept: KeptColumns | None = None,
    settings: Settings | None = None,
) -> TableLineage:
    """Match tables and objects, and create an extract and a load process for each complete chain.

    `s3_objects` is what `integration_with_S3` returns, or its objects; those that `list_s3_bucket_objects` lists have to
    be registered already. Only hops that stand on `min_ground` at least are wanted: named, read (in a file's header) or
    told (by a job). With `into`, the changes are added to these steps of a plan instead. Files whose columns are `kept`
    are not read again. The report has an outcome for each process, what did not match and why, and what
    `create_column_lineage` builds on. Raises `SettingsError` where a line of the overrides is wrong, and `PipelineError`.
    """
    settings = settings or get_settings()
    objects = _registered(s3_objects, settings)
    by_key, prefix = {item["key"]: item for item in objects}, objects[0]["prefix"] if objects else ""
    postgres, snowflake = _in_scope(postgres_assets, snowflake_assets, settings)
    overrides = load_overrides(settings.overrides_file, postgres, snowflake)
    told = read_events(settings, postgres, snowflake, by_key)
    links = link(by_key, prefix, postgres_assets, postgres, snowflake, overrides, told)
    log_lines(f"⚠️ {sentence}" for sentence in links.remarks)
    datasets = group_datasets(links.matches, by_key, settings.read_file_headers)
    evidence = _read_evidence(links, datasets, [*postgres, *snowflake], kept, settings)
    links = replace(links, matches=settle_doubtful(links.matches, evidence))
    report = TableLineage(evidence=evidence, told=told, overrides=overrides)
    hops: list[Hop] = []
    sources, targets = tables_in(postgres), tables_in(snowflake, TARGET_TYPES)
    # Where a whole side is missing, there is nothing to connect, and nothing to conclude from it either.
    if sources and targets and objects:
        flow = Flow(connection_of(sources[0][0]), objects[0]["bucket"], prefix, connection_of(targets[0][0]))
        existing = _read_processes(flow, state, settings)
        hops = wanted_hops(flow, links, datasets, evidence, existing, min_ground)
        extracts, loads, ends = table_processes(flow, hops, [*postgres, *snowflake])
        steps = [
            Step("Extract processes", compare(extracts, existing)),
            Step("Load processes", compare(loads, existing)),
        ]
        report.flow, report.existing, report.outcomes = flow, existing, _carry_out(steps, into, dry_run, settings)
        report.doubted = doubted_processes(flow, links.pairs, evidence)
        absent = report.absent
        report.loads = {name: load for name, load in ends.items() if name not in absent}
    coverage = explain_tables(links.pairs, links.matches, postgres, snowflake, evidence, hops, overrides)
    report.unmatched = [*coverage.unmatched, *links.disagreeing]
    report.coverage = replace(coverage, unmatched=(*report.unmatched,))
    return report


# =====================================================================================================================
# 4. Column lineage
# =====================================================================================================================


def _read_loads(
    client: AtlanClient,
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    overrides: Overrides,
) -> dict[str, Load]:
    """The load processes that Atlan has for the pairs of tables, whatever bucket and prefix they are of."""
    pairs, _ = override_tables(overrides, match_tables(postgres_assets, snowflake_assets, overrides.forbidden))
    chains = {load_suffix(pair.source, pair.target): (pair.source, pair.target) for pair in pairs if pair.target}
    loads = {}
    connections = sorted({connection_of(target) for _, target in chains.values()})
    prefixes = [f"{connection}/{MARKER}/" for connection in connections]
    existing = read_assets(client, "Process", prefixes, ("additionalEtlContext",)) if prefixes else {}
    for name, hit in existing.items():
        suffix = name.partition("/load/")[2]
        if suffix in chains:
            loads[name] = Load(*chains[suffix], absent_columns(hit["attributes"].get("additionalEtlContext")))
    if not loads:
        raise PipelineError("Atlan has no load process of these tables (yet): run create_table_lineage() first.")
    return loads


def create_column_lineage(
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    *,
    tables: TableLineage | None = None,
    dry_run: bool = False,
    into: list[Step] | None = None,
    state: AtlanState | None = None,
    settings: Settings | None = None,
) -> Report:
    """Create a column process for each matched pair of columns, with the load process of its table as parent.

    `tables` is the report of `create_table_lineage`; without it the load processes are read from Atlan, which finds
    a new one only after some seconds. With `into`, the changes are added to these steps of a plan instead. Raises
    `SettingsError` where a line of the overrides is wrong, and `PipelineError`.
    """
    settings = settings or get_settings()
    client = get_atlan_client(settings=settings)
    if tables and tables.overrides:
        overrides, loads = tables.overrides, tables.loads
    else:
        postgres, snowflake = _in_scope(postgres_assets, snowflake_assets, settings)
        overrides = load_overrides(settings.overrides_file, postgres, snowflake)
        loads = _read_loads(client, postgres, snowflake, overrides)
    wanted, unmatched, used, doubted = column_processes(loads, postgres_assets, snowflake_assets, overrides)
    log_lines(f"⚠️ {sentence}" for sentence in overrides.unused(used, "column"))
    prefixes = {load.partition("/load/")[0] for load in loads}
    if tables and tables.flow:  # also those below load processes that are wanted no more
        prefixes.add(f"{tables.flow.snowflake_connection}/{tables.flow.marker}")
    folders = tuple(f"{prefix}/load/" for prefix in sorted(prefixes))
    existing = _read(client, AssetQuery("ColumnProcess", folders, PROCESS_ATTRIBUTES), state) if folders else {}
    outcomes = _carry_out([Step("Column processes", compare(wanted, existing))], into, dry_run, settings)
    return Report(outcomes, unmatched, existing, doubted)


# =====================================================================================================================
# 5. Write
# =====================================================================================================================


def read_back(table_qualified_name: str, *, settings: Settings | None = None) -> list[str]:
    """What Atlan's lineage shows downstream of a table, hop by hop, as one line in the log; raises `PipelineError`."""
    from pyatlan.model.assets import Table
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    client = get_atlan_client(settings=settings)
    search = FluentSearch().where(CompoundQuery.active_assets()).where(Table.QUALIFIED_NAME.eq(table_qualified_name))
    found = list(search_assets(client, search))
    if not found:
        return []
    reached = [hit for hit in read_downstream(client, found[0]["guid"]) if hit["typeName"] != "Process"]
    hops = [f"{last_name(table_qualified_name)} ({found[0]['typeName']})"]
    for type_name, group in itertools.groupby(reached, key=lambda hit: hit["typeName"]):
        names = [hit["attributes"].get("name") for hit in group]
        hops.append(f"{names[0]} ({type_name})" if len(names) == 1 else f"{len(names)} × {type_name}")
    logger.info("🔗 Read back from Atlan: %s", " → ".join(hops))
    return hops


def write_plan(plan: Plan, *, noted: dict[str, Outcome] | None = None, settings: Settings | None = None) -> Report:
    """Write what a plan says, and read one chain back. What became of each asset goes into `noted` at once, by its name.

    Stale processes go last, and none where something failed: that may be why they seem so.
    """
    client = get_atlan_client(settings=settings)
    report = Report(apply_steps(client, plan.steps, noted=noted), [*plan.coverage.unmatched], plan.existing)
    if plan.prune and plan.stale and report.failed:
        say_error("Nothing is removed, as something failed in this run: run it again.")
    elif plan.prune:
        if plan.removals:
            report.outcomes += remove_assets(client, "Stale processes", plan.removals, noted=noted)
        if plan.gone and not report.failed:  # a process that could not be removed uses them still
            report.outcomes += remove_assets(client, "S3 objects that are gone", plan.gone, noted=noted)
    if plan.coverage.complete:
        try:
            read_back(min(plan.coverage.complete), settings=settings)
        except AtlanRequestError as error:
            logger.warning("⚠️ The lineage cannot be read back: %s", error)
    return report


# =====================================================================================================================
# The run
# =====================================================================================================================


def _plan_lineage(
    options: RunOptions, document: dict[str, Any] | None, record: RunRecord, settings: Settings
) -> tuple[Plan, list[AssetRow], Flow | None]:
    """Steps 1 to 4, of which each leaves what it would write with the plan: the plan, the assets of both sides, the flow.

    `document` is the saved plan that is to be carried out, if there is one.
    """
    dry_run = not options.writes
    steps: list[Step] = []
    state = open_state(settings, afresh=options.force_refresh, read_only=dry_run, shared=record.readings)
    # Importing pyatlan takes seconds, in which the bucket is listed.
    _, postgres, snowflake, s3 = side_by_side(
        partial(get_atlan_client, settings=settings),
        partial(find_once, find_postgres_assets, settings.postgres, options, record, state, settings),
        partial(find_once, find_snowflake_assets, settings.snowflake, options, record, state, settings),
        partial(record.timed, integration_with_S3, into=steps, state=state, settings=settings),
    )
    common: dict[str, Any] = {"into": steps, "state": state, "settings": settings}
    kept = KeptColumns(settings.file_columns_cache, (settings.tenant, settings.s3_bucket), afresh=options.force_refresh)
    # A saved plan says itself what it is to make.
    prune, min_ground = (document["prune"], document["min_ground"]) if document else (options.prune, options.min_ground)
    tables = record.timed(create_table_lineage, postgres, s3, snowflake, min_ground=min_ground, kept=kept, **common)
    columns = record.timed(create_column_lineage, postgres, snowflake, tables=tables, **common)
    state.save()
    if not dry_run:
        kept.save()
    assets = [*postgres, *snowflake]
    world = describe_world(assets, s3, tables, columns, settings, with_atlan=dry_run or document is not None)
    gone = find_gone_objects(get_atlan_client(settings=settings), s3, settings)
    return make_plan(steps, tables, columns, world, prune, gone, min_ground), assets, tables.flow


def run_pipeline(
    options: RunOptions | None = None,
    *,
    record: RunRecord | None = None,
    settings: Settings | None = None,
    **named: Any,
) -> Report:
    """Plan every step, and then write all of it; returns what became of every asset, or what would.

    The options can be named one by one, too, as in `run_pipeline(dry_run=True)`. `force_refresh` reads the assets from
    Atlan in any case. A dry run writes nothing, nor does one that saves the plan (`save_to`, a file). A `saved` plan is
    carried out just as it is, or not at all. `prune` archives what is wanted no more, but never more than `max_remove`;
    never more than `max_unmatched` new objects that are in no chain are registered. `min_ground` is that of
    `create_table_lineage`, and `export_to` a file for the lineage as OpenLineage events. Where fewer than `min_coverage`
    in a hundred source tables have a complete chain, the report says so.

    `record` is told how far the run is, so that something is known of one that ends in an error. Raises `PipelineError`
    where a step cannot go on.
    """
    options = replace(options or RunOptions(), **named)
    settings, record = settings or get_settings(), record or RunRecord()
    document = load_plan(options.saved) if options.saved else None
    dry_run = not options.writes
    if settings.sandbox:
        logger.info("🏖️ No tenant is set: using the embedded sandbox (its state is in %s)", SANDBOX_FOLDER)
    get_cache_status(settings=settings)
    began = time.monotonic()
    mark_page(settings.lineage_page)
    plan, assets, flow = _plan_lineage(options, document, record, settings)
    record.plan = plan
    if document:
        check_unchanged(document, plan)
    log_plan(plan, dry_run)
    if not dry_run:
        check_limits(plan, options.max_remove, options.max_unmatched)
    if options.save_to:
        save_plan(plan, options.save_to)
    if options.export_to:
        export_lineage(plan, assets, options.export_to, flow, settings)
    report = record.report = (
        plan.report() if dry_run else record.timed(write_plan, plan, noted=record.noted, settings=settings)
    )
    report.changes = not plan.nothing_to_do
    report.without_chains = not plan.coverage.complete
    report.shortfall = explain_shortfall(plan.coverage, options.min_coverage)
    facts = describe_facts(options, settings, time.monotonic() - began)
    write_page(settings.lineage_page, plan, report, dry_run, facts)
    summarise(report, dry_run, settings.place)
    return report


# =====================================================================================================================
# The command line
# =====================================================================================================================


def run_flow(options: argparse.Namespace, record: RunRecord, settings: Settings) -> Ending:
    """Do with one flow what the command line asks for, and say how that ended; raises `PipelineError`."""
    if options.clear_cache:
        clear_all_cache(settings=settings)
        return Ending.UNCHANGED
    if options.cache_status:
        get_cache_status(settings=settings)
        open_state(settings).log_status()
        return Ending.UNCHANGED
    if options.check:
        lookups = Lookups(
            partial(_find_assets, force_refresh=False, dry_run=True, state=None, settings=settings),
            partial(_cache_status, settings=settings),
        )
        record.findings = check_everything(settings, lookups)
        return Ending.CHECKED if tell_findings(record.findings) else Ending.FAILED
    if options.remove_lineage:
        report = record.report = remove_lineage(
            options.dry_run,
            options.with_s3,
            options.all_flows,
            MAX_REMOVE if options.max_remove is None else options.max_remove,
            ask=(lambda question: True) if options.yes else ask_at_terminal,
            noted=record.noted,
            settings=settings,
        )
        summarise(report, options.dry_run, settings.place)
    else:
        report = run_pipeline(run_options(options, record.name), record=record, settings=settings)
    return judge(report, options.dry_run or options.plan is not None)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return run_flows(parse_options(sys.argv[1:] if argv is None else argv), run_flow)


if __name__ == "__main__":
    sys.exit(main())
