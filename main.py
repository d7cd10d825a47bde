"""Delta Arc: PostgreSQL → S3 → Snowflake lineage in Atlan, down to the column.

The steps, in the order in which they run:

1. find_postgres_assets, find_snowflake_assets   the assets of both connections, from Atlan or a 24-hour cache
2. integration_with_S3                           the S3 connection, bucket and objects, registered in Atlan
3. create_table_lineage                          table → its objects → table, as two processes per chain
4. create_column_lineage                         column → column, below the load process of its table

`python main.py` runs them all: it plans every step before it writes anything. Each can be called by itself:

    >>> from main import *
    >>> tables = [row for row in find_postgres_assets() if row[2] == "Table"]

Without ATLAN_BASE_URL and a token, everything runs against the embedded sandbox.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta_arc.cleanup import find_own_lineage, find_own_s3
from delta_arc.clients import (
    S3Error,
    explain_s3_refusal,
    get_atlan_client,
    make_s3_client,
    read_present,
    search_assets,
    telling_atlan_errors,
)
from delta_arc.coverage import explain_columns, explain_tables
from delta_arc.evidence import CONTRADICTION, NAMES_ONLY, Evidence, absent_columns, gather_evidence
from runtime.files import replace_file
from delta_arc.entities import (
    BUCKET_ATTRIBUTES,
    MARKER,
    OBJECT_ATTRIBUTES,
    PROCESS_ATTRIBUTES,
    Flow,
    Load,
    connection_of,
    digest,
    last_name,
    load_suffix,
    make_bucket,
    make_column_process,
    make_connection,
    make_extract,
    make_load,
    make_s3_object,
)
from delta_arc.overrides import (
    Overrides,
    parse_overrides,
    read_overrides,
    settle_columns,
    settle_objects,
    settle_tables,
)
from delta_arc.page import write_page
from runtime.parallel import side_by_side
from delta_arc.plan import (
    Change,
    Coverage,
    Plan,
    Step,
    Unmatched,
    check_unchanged,
    compare,
    describe_world,
    load_plan,
    save_plan,
    show_coverage,
    show_grounds,
    show_removals,
    show_steps,
)
from delta_arc.settings import SANDBOX_FOLDER, TENANT_SETTINGS, PipelineError, Settings, SettingsError, get_settings
from runtime.terminal import Progress, logger, say_error
from runtime.transport import AtlanRequestError
from delta_arc.writing import Report, apply_steps, find_stale, outcomes_of, remove_assets, show, summarise
from delta_arc.matching import (
    TARGET_TYPES,
    AssetRow,
    TablePair,
    Verdict,
    columns_by_parent,
    match_columns,
    match_s3_objects,
    match_tables,
    places_of,
    tables_in,
)

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

MAX_REMOVE = 100  # how many processes --prune archives at the most, unless told otherwise

# =====================================================================================================================
# JSON cache
# =====================================================================================================================


def load_cache_from_file(filename: str | Path) -> dict | None:
    """The cache in a file: `{"timestamp": ISO time, "source": {…} or absent, "data": [[qualified_name, name, type]]}`.

    None where there is no file, or none that can be used; the log says why. A heading row is left out.
    """
    path = Path(filename)
    try:
        cache = json.loads(path.read_text(encoding="utf-8-sig"))
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


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(isinstance(item, str) for item in row)


def save_cache_to_file(data: Iterable[AssetRow], filename: str | Path, source: Mapping[str, str] | None = None) -> bool:
    """Replace the cache file as a whole, never in part; False (and a warning) where that cannot be done."""
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


def is_cache_valid(
    filename: str | Path, max_age_hours: float | None = None, source: Mapping[str, str] | None = None
) -> bool:
    """Whether a cache file is usable and young enough (CACHE_EXPIRY_HOURS), and, with `source`, of that source."""
    cache = load_cache_from_file(filename)
    if cache is None:
        return False
    if max_age_hours is None:
        max_age_hours = get_settings().cache_expiry_hours
    return _is_young(cache, max_age_hours) and (source is None or _is_of(cache, source))


def _is_young(cache: dict, max_age_hours: float) -> bool:
    return timedelta(0) <= datetime.now(timezone.utc) - _cache_time(cache) < timedelta(hours=max_age_hours)


def _is_of(cache: dict, source: Mapping[str, str]) -> bool:
    return all((cache.get("source") or {}).get(name) == value for name, value in source.items())


def clear_all_cache() -> None:
    """Delete both cache files."""
    settings = get_settings()
    for path in (settings.postgres_cache_file, settings.snowflake_cache_file):
        try:
            path.unlink()
            logger.info("💾 Deleted %s", path)
        except FileNotFoundError:
            logger.info("💾 There is no %s", path)
        except OSError as error:
            raise PipelineError(f"The cache {path} cannot be deleted ({error.strerror}): delete it by hand.") from None


def get_cache_status() -> list[dict[str, Any]]:
    """Both caches, logged and returned: `{"name", "file", "state", "assets", "age_hours", "source"}`.

    The state is valid, expired, unusable or absent. A valid cache of another tenant still is not used for writing.
    """
    settings = get_settings()
    found = []
    for name, path in (("PostgreSQL", settings.postgres_cache_file), ("Snowflake", settings.snowflake_cache_file)):
        cache = load_cache_from_file(path)
        status: dict[str, Any] = {"name": name, "file": str(path), "assets": 0, "age_hours": None, "source": None}
        if cache is None:
            status["state"] = "unusable" if path.exists() else "absent"
            logger.info("💾 %s cache: %s (%s)", name, status["state"], path)
        else:
            age = (datetime.now(timezone.utc) - _cache_time(cache)) / timedelta(hours=1)
            valid = _is_young(cache, settings.cache_expiry_hours)
            status |= {"assets": len(cache["data"]), "age_hours": round(age, 1), "source": cache.get("source")}
            status["state"] = "valid" if valid else "expired"
            logger.info(
                "💾 %s cache: %s, %d assets, %.1f hours old (%s)", name, status["state"], status["assets"], age, path
            )
        found.append(status)
    return found


def _cache_time(cache: dict) -> datetime:
    """The time of a cache; one without a zone (the documents' format) is local time."""
    return datetime.fromisoformat(cache["timestamp"].replace("Z", "+00:00")).astimezone(timezone.utc)


# =====================================================================================================================
# 1. Discover the assets of a connection in Atlan
# =====================================================================================================================


def find_postgres_assets(force_refresh: bool = False, *, dry_run: bool = False) -> list[list[str]]:
    """Every asset of the PostgreSQL connection as `[qualified_name, name, type_name]`, from the cache if it is valid."""
    settings = get_settings()
    return _find_assets(
        "PostgreSQL", "postgres", settings.postgres_connection, settings.postgres_cache_file, force_refresh, dry_run
    )


def find_snowflake_assets(force_refresh: bool = False, *, dry_run: bool = False) -> list[list[str]]:
    """Every asset of the Snowflake connection as `[qualified_name, name, type_name]`, from the cache if it is valid."""
    settings = get_settings()
    return _find_assets(
        "Snowflake", "snowflake", settings.snowflake_connection, settings.snowflake_cache_file, force_refresh, dry_run
    )


def _find_assets(
    label: str, connector: str, connection: str, cache_file: Path, force_refresh: bool, dry_run: bool
) -> list[list[str]]:
    settings = get_settings()
    source = {"tenant": "sandbox" if settings.sandbox else settings.base_url, "name": connection}
    cache = None if force_refresh else load_cache_from_file(cache_file)
    if cache and _is_young(cache, settings.cache_expiry_hours):
        if _is_of(cache, source):
            logger.info("📊 %s: %d assets from the cache %s", label, len(cache["data"]), cache_file)
            return cache["data"]
        logger.info("📊 %s: the cache %s is of another tenant or connection and is not used", label, cache_file)
    connection_qualified_name = get_connection_qualified_name(connection, connector)
    progress = Progress(f"{label} assets")
    assets = _search_inventory(connection_qualified_name, progress)
    rows = sorted(
        [asset["attributes"]["qualifiedName"], asset["attributes"]["name"], asset["typeName"]] for asset in assets
    )
    progress.finish()
    logger.info("📊 %s: %d assets found in %s", label, len(rows), connection_qualified_name)
    if not dry_run:
        save_cache_to_file(rows, cache_file, {**source, "connection": connection_qualified_name})
    return rows


def get_connection_qualified_name(connection_name: str, connector_type: Any) -> str:
    """The qualified name of the connection with this name (or qualified name) and connector, like `postgres`.

    Raises `PipelineError`, with the tenant's connections of that connector, where there is none or more than one.
    """
    connector = str(getattr(connector_type, "value", connector_type))
    return _pick_connection(_list_connections(connector), connection_name, connector)


def _pick_connection(connections: Sequence[tuple[str, str]], connection_name: str, connector: str) -> str:
    """The qualified name of the one connection of this name (or qualified name); see `get_connection_qualified_name`."""
    matching = [pair for pair in connections if connection_name in pair]
    if len(matching) == 1:
        return matching[0][1]
    listed = "; ".join(f"{name} ({qualified_name})" for name, qualified_name in matching or connections) or "none"
    if matching:
        raise PipelineError(
            f"Several {connector} connections are named {connection_name}: {listed}. "
            "Use the qualified name of one of them as its setting."
        )
    raise PipelineError(
        f"There is no {connector} connection named {connection_name}. The tenant's {connector} connections: {listed}."
    )


def _list_connections(connector: str) -> list[tuple[str, str]]:
    """The names and qualified names of the active connections of a connector, sorted."""
    client = get_atlan_client()  # first of all, as it tells what is missing before pyatlan is imported
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


def _search_inventory(connection_qualified_name: str, progress: Progress) -> Iterator[dict]:
    """Every active asset below a connection, except the processes, which are lineage and no inventory."""
    from pyatlan.model.assets import Asset, Process
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = (
        FluentSearch()
        .where(CompoundQuery.active_assets())
        .where(Asset.QUALIFIED_NAME.startswith(f"{connection_qualified_name}/"))
        .where_not(CompoundQuery.super_types([Process]))
        .where_not(CompoundQuery.asset_type(Process))
        .include_on_results(Asset.NAME)
    )
    return search_assets(get_atlan_client(), search, progress)


# =====================================================================================================================
# 2. List the bucket
# =====================================================================================================================


def list_s3_bucket_objects(bucket_name: str | None = None, prefix: str | None = None) -> list[dict[str, Any]]:
    """Every object of a bucket: `{"key", "size" (bytes), "last_modified" (aware datetime), "etag"}`, in key order.

    Folder markers (keys that end in `/`) are left out. Raises `S3Error` where the bucket cannot be listed.
    """
    settings = get_settings()
    bucket = bucket_name or settings.s3_bucket
    prefix = settings.s3_prefix if prefix is None else prefix
    objects: list[dict[str, Any]] = []
    progress = Progress(f"Objects in {bucket}")
    try:
        for listed in _list_pages(settings, bucket, prefix):
            objects += [
                {
                    "key": item["Key"],
                    "size": item["Size"],
                    "last_modified": item["LastModified"].astimezone(timezone.utc),
                    "etag": item.get("ETag", "").strip('"'),
                }
                for item in listed
            ]
            progress.advance(len(listed))
    finally:
        progress.finish()
    place = f"s3://{bucket}/{prefix}"
    if objects:
        logger.info("🪣 %d objects in %s", len(objects), place)
    else:
        logger.warning("⚠️ There are no objects in %s: check S3_BUCKET_NAME and S3_PREFIX", place)
    return objects


def _list_pages(settings: Settings, bucket: str, prefix: str) -> Iterator[list[dict]]:
    """The objects of a bucket page by page, as boto3 gives them, without folder markers."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    client = make_s3_client(settings)
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            if "Name" not in page:
                raise S3Error("What answers as S3 is no S3 server: check AWS_ENDPOINT_URL_S3.")
            yield [item for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    except ClientError as error:
        raise S3Error(explain_s3_refusal(error, bucket, client)) from None
    except ParamValidationError:
        raise S3Error(f"S3_BUCKET_NAME is no name of a bucket ({bucket}): check it.") from None
    except BotoCoreError as error:
        words = " ".join(str(error).split())
        raise S3Error(
            f"S3 cannot be reached: {words} — check AWS_ENDPOINT_URL_S3, AWS_PROFILE and the network."
        ) from None


def _count_all_objects(settings: Settings, bucket: str) -> int | None:
    """How many objects a bucket has, under any prefix; None where that is not allowed, or takes over 100 requests."""
    count = 0
    with contextlib.suppress(S3Error):
        for number, listed in enumerate(_list_pages(settings, bucket, ""), 1):
            if number > 100:
                return None
            count += len(listed)
        return count
    return None


# =====================================================================================================================
# What the lineage has to be (no I/O)
# =====================================================================================================================


def group_datasets(
    pairs: Iterable[TablePair], verdicts: Iterable[Verdict], s3_objects: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """The objects of each source table that has a target and at least one object; `s3_objects` are those by key."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for verdict in verdicts:
        if verdict.table_qualified_name:
            found.setdefault(verdict.table_qualified_name, []).append(s3_objects[verdict.key])
    return {pair.source: found[pair.source] for pair in pairs if pair.target and pair.source in found}


def plan_table_lineage(
    flow: Flow,
    pairs: Iterable[TablePair],
    datasets: Mapping[str, Sequence[Mapping[str, Any]]],
    evidence: Mapping[str, Evidence],
    assets: Sequence[AssetRow],
) -> list[tuple[dict, dict, Load]]:
    """The wanted extract process (table → objects) and load process (the same objects → table) of each chain.

    `assets` are the rows of both sides. What a file contradicts is no chain.
    """
    tables, places = {row[0]: row for row in assets}, places_of(assets)
    chains = []
    for pair in pairs:
        if pair.target and pair.source in datasets and evidence[pair.source].ground != CONTRADICTION:
            objects = sorted(datasets[pair.source], key=lambda item: item["qualified_name"])
            source, target, ground = tables[pair.source], tables[pair.target], evidence[pair.source].kept_on_process
            extract = make_extract(flow, source, places[source[0]], objects, ground)
            load = make_load(flow, source, objects, target, places[target[0]], ground)
            chains.append((extract, load, Load(pair.source, pair.target, ground)))
    return chains


def plan_column_lineage(
    loads: Mapping[str, Load],
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    overrides: Overrides,
) -> tuple[list[dict], list[Unmatched]]:
    """The wanted column processes below each load process, and the columns that get none, with the reason.

    A column needs its partner in the target, and its place in the file, unless an override says that it is there.
    """
    source_columns, target_columns = columns_by_parent(postgres_assets), columns_by_parent(snowflake_assets)
    tables = {row[0]: row for row in [*postgres_assets, *snowflake_assets]}
    wanted, unmatched = [], []
    for load, (source, target, ground) in loads.items():
        sources, targets = source_columns.get(source, []), target_columns.get(target, [])
        by_name = match_columns(sources, targets)
        absent = absent_columns(ground)
        present = [pair for pair in by_name if pair[0][1] not in absent]
        for left, right in (pairs := settle_columns(overrides, present, sources, targets)):
            wanted.append(make_column_process(load, tables[source], left, tables[target], right))
        matched = {row[0] for pair in pairs for row in pair}
        unmatched += explain_columns("Snowflake", sources, matched, absent, overrides)
        in_target = matched | {right[0] for _, right in by_name}
        unmatched += explain_columns("PostgreSQL", targets, in_target, (), overrides)
    return wanted, unmatched


# =====================================================================================================================
# 3. Register the S3 connection, bucket and objects
# =====================================================================================================================


def integration_with_S3(
    bucket_name: str | None = None, bucket_arn: str | None = None, prefix: str | None = None, *, dry_run: bool = False
) -> dict[str, Any]:
    """List the bucket and register connection, bucket and objects in Atlan.

    Returns `{"connection_qualified_name", "bucket_qualified_name", "s3_objects", "object_count", "report"}`; each of
    the objects has what `list_s3_bucket_objects` tells, with its `qualified_name`, and its `bucket`'s.
    """
    plan = plan_s3(bucket_name, bucket_arn, prefix)
    report = Report(apply_steps(get_atlan_client(), plan.steps, dry_run))
    missing = {outcome.qualified_name for outcome in report.failed} - set(plan.held)
    s3_objects = [item for item in plan.objects if item["qualified_name"] not in missing]
    return {
        "connection_qualified_name": connection_of(plan.bucket),
        "bucket_qualified_name": plan.bucket,
        "s3_objects": s3_objects,
        "object_count": len(s3_objects),
        "report": report,
    }


@dataclass(frozen=True)
class S3Plan:
    """What has to be registered of a bucket: its objects as later steps need them, and what Atlan holds already."""

    steps: list[Step]
    bucket: str
    count: int | None
    objects: list[dict[str, Any]]
    held: dict[str, dict]


def plan_s3(bucket_name: str | None = None, bucket_arn: str | None = None, prefix: str | None = None) -> S3Plan:
    settings = get_settings()
    name = bucket_name or settings.s3_bucket
    arn = bucket_arn or (settings.s3_bucket_arn if name == settings.s3_bucket else f"arn:aws:s3:::{name}")
    prefix = settings.s3_prefix if prefix is None else prefix
    listed = list_s3_bucket_objects(name, prefix)
    count = _count_all_objects(settings, name) if prefix else len(listed)
    client = get_atlan_client()
    held = _find_bucket(client, name, arn)
    steps = []
    if held:
        bucket = make_bucket(held["attributes"]["qualifiedName"], held["attributes"]["name"], arn, count)
    else:
        connection, to_create = _find_or_plan_s3_connection(client, settings)
        steps += [Step("S3 connection", [Change(to_create, "create")])] if to_create else []
        bucket = make_bucket(f"{connection}/{arn}", name, arn, count)
    bucket_qualified_name = bucket["attributes"]["qualifiedName"]
    present = {bucket_qualified_name: held} if held else {}
    steps.append(Step("S3 bucket", compare([bucket], present)))
    objects = [make_s3_object(bucket, item) for item in listed]
    prefix_of_objects = f"{connection_of(bucket_qualified_name)}/{arn}/"
    present |= read_present(client, "S3Object", [prefix_of_objects], OBJECT_ATTRIBUTES)
    steps.append(Step("S3 objects", compare(objects, present)))
    place = {"bucket": bucket_qualified_name, "bucket_name": name, "prefix": prefix}
    s3_objects = [
        {**item, "qualified_name": entity["attributes"]["qualifiedName"], **place}
        for item, entity in zip(listed, objects, strict=True)
    ]
    return S3Plan(steps, bucket_qualified_name, count, s3_objects, present)


def _find_bucket(client: AtlanClient, name: str, arn: str) -> dict | None:
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


def _find_or_plan_s3_connection(client: AtlanClient, settings: Settings) -> tuple[str, dict | None]:
    """The S3 connection by its name; if the tenant has none, also the connection that has to be created."""
    name = settings.s3_connection
    derived = _derived_connection(name, settings.base_url)
    present = _list_connections("s3")
    if any(name in pair for pair in present):
        return _pick_connection(present, name, "s3"), None
    if any(qualified_name == derived for _, qualified_name in present):
        return derived, None  # made here, and renamed by people
    with telling_atlan_errors(client):
        user, admin_role = client.user.get_current().username, client.role_cache.get_id_for_name("$admin")
    return derived, make_connection(name, derived, str(user), str(admin_role))


def _derived_connection(name: str, tenant: str) -> str:
    """A qualified name made from the connection's name instead of the clock.

    A new connection is searchable only after seconds: a run that was killed and started again in that time makes the
    same one again instead of a second one.
    """
    number = int(digest(f"{tenant}\n{name}")[:12], 16)
    return f"default/s3/{1_000_000_000 + number % 700_000_000}"


# =====================================================================================================================
# 4. Table lineage
# =====================================================================================================================


def create_table_lineage(
    postgres_assets: Sequence[AssetRow],
    s3_objects: Sequence[Mapping[str, Any]],
    snowflake_assets: Sequence[AssetRow],
    *,
    dry_run: bool = False,
) -> Report:
    """Match tables and objects, and create an extract and a load process for each complete chain.

    `s3_objects` are those of `integration_with_S3`. The report has an outcome per process, what did not match and
    why, and the load processes, which `create_column_lineage` takes as parents.
    """
    plan = plan_tables(postgres_assets, s3_objects, snowflake_assets)
    outcomes = apply_steps(get_atlan_client(), plan.steps, dry_run)
    report = Report(outcomes, [*plan.coverage.unmatched], held=plan.held, flow=plan.flow)
    missing = {outcome.qualified_name for outcome in report.failed} - set(plan.held)
    report.loads = {name: load for name, load in plan.loads.items() if name not in missing}
    return report


@dataclass(frozen=True)
class TablePlan:
    """The processes between tables and objects: steps, the load processes, what Atlan holds, and how far they reach."""

    steps: list[Step]
    loads: dict[str, Load]
    held: dict[str, dict]
    coverage: Coverage
    evidence: dict[str, Evidence]
    flow: Flow | None


def plan_tables(
    postgres_assets: Sequence[AssetRow],
    s3_objects: Sequence[Mapping[str, Any]],
    snowflake_assets: Sequence[AssetRow],
) -> TablePlan:
    client = get_atlan_client()
    overrides = _read_overrides(postgres_assets, snowflake_assets)
    sources, targets = tables_in(postgres_assets), tables_in(snowflake_assets, TARGET_TYPES)
    by_key = {item["key"]: item for item in s3_objects}
    pairs = settle_tables(overrides, match_tables(postgres_assets, snowflake_assets, overrides.forbidden))
    verdicts = settle_objects(overrides, match_s3_objects(by_key, postgres_assets))
    show(f"⚠️ {sentence}" for sentence in overrides.unused("object", "table", "never"))
    datasets = group_datasets(pairs, verdicts, by_key)
    evidence = _read_evidence(datasets, postgres_assets, verdicts)
    coverage = explain_tables(pairs, verdicts, targets, evidence, overrides)
    steps: list[Step] = []
    loads: dict[str, Load] = {}
    held: dict[str, dict] = {}
    # Where a whole side is missing, there is nothing to connect, and nothing to conclude from it either.
    flow = None
    if sources and targets and s3_objects:
        bucket, prefix = s3_objects[0]["bucket"], s3_objects[0]["prefix"]
        flow = Flow(connection_of(sources[0][0]), bucket, prefix, connection_of(targets[0][0]))
        chains = plan_table_lineage(flow, pairs, datasets, evidence, [*postgres_assets, *snowflake_assets])
        prefixes = [
            f"{flow.postgres_connection}/{flow.marker}/extract/",
            f"{flow.snowflake_connection}/{flow.marker}/load/",
        ]
        held = read_present(client, "Process", prefixes, PROCESS_ATTRIBUTES)
        steps = [
            Step("Extract processes", compare([extract for extract, _, _ in chains], held)),
            Step("Load processes", compare([load for _, load, _ in chains], held)),
        ]
        loads = {load["attributes"]["qualifiedName"]: ends for _, load, ends in chains}
    return TablePlan(steps, loads, held, coverage, evidence, flow)


def _read_overrides(postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow]) -> Overrides:
    path = get_settings().overrides_file
    return parse_overrides(str(path), read_overrides(path), postgres_assets, snowflake_assets)


def _read_evidence(
    datasets: Mapping[str, Sequence[Mapping[str, Any]]],
    postgres_assets: Sequence[AssetRow],
    verdicts: Iterable[Verdict],
) -> dict[str, Evidence]:
    """What the newest objects tell, by source table. What an override says of an object, its header cannot contradict."""
    settings = get_settings()
    if not settings.read_file_headers:
        return dict.fromkeys(datasets, Evidence(NAMES_ONLY, reason="READ_FILE_HEADERS is false"))
    if not datasets:
        return {}
    columns = {table: [row[1] for row in rows] for table, rows in columns_by_parent(postgres_assets).items()}
    bucket = next(iter(datasets.values()))[0]["bucket_name"]
    found = gather_evidence(make_s3_client(settings), bucket, datasets, columns)
    forced = {verdict.key for verdict in verdicts if verdict.rule.startswith("override")}
    for table, evidence in found.items():
        if evidence.ground == CONTRADICTION and evidence.key in forced:
            found[table] = Evidence(NAMES_ONLY, evidence.key, f"an override against its columns: {evidence.reason}")
    return found


# =====================================================================================================================
# 5. Column lineage
# =====================================================================================================================


def create_column_lineage(
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    *,
    tables: Report | None = None,
    dry_run: bool = False,
) -> Report:
    """Create a column process for each matched pair of columns, with the load process of its table as parent.

    `tables` is the report of `create_table_lineage`; without it the load processes are read from Atlan, which finds
    a new one only after some seconds.
    """
    client = get_atlan_client()
    loads = tables.loads if tables else _read_loads(client, postgres_assets, snowflake_assets)
    plan = plan_columns(loads, postgres_assets, snowflake_assets, tables.flow if tables else None)
    outcomes = apply_steps(client, plan.steps, dry_run)
    return Report(outcomes, plan.unmatched, held=plan.held)


@dataclass(frozen=True)
class ColumnPlan:
    """The processes between columns: the step, what Atlan holds, and the columns that get none."""

    steps: list[Step]
    held: dict[str, dict]
    unmatched: list[Unmatched]


def plan_columns(
    loads: Mapping[str, Load],
    postgres_assets: Sequence[AssetRow],
    snowflake_assets: Sequence[AssetRow],
    flow: Flow | None,
) -> ColumnPlan:
    """Below these load processes; with a flow, all column processes that Atlan holds of it are looked at."""
    overrides = _read_overrides(postgres_assets, snowflake_assets)
    wanted, unmatched = plan_column_lineage(loads, postgres_assets, snowflake_assets, overrides)
    show(f"⚠️ {sentence}" for sentence in overrides.unused("column"))
    prefixes = {load.partition("/load/")[0] for load in loads}
    if flow:
        prefixes.add(f"{flow.snowflake_connection}/{flow.marker}")
    folders = [f"{prefix}/load/" for prefix in sorted(prefixes)]
    held = read_present(get_atlan_client(), "ColumnProcess", folders, PROCESS_ATTRIBUTES) if folders else {}
    return ColumnPlan([Step("Column processes", compare(wanted, held))], held, unmatched)


def _read_loads(
    client: AtlanClient, postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow]
) -> dict[str, Load]:
    """The load processes that Atlan holds for the pairs of tables, whatever bucket and prefix they are of."""
    overrides = _read_overrides(postgres_assets, snowflake_assets)
    pairs = settle_tables(overrides, match_tables(postgres_assets, snowflake_assets, overrides.forbidden))
    chains = {load_suffix(pair.source, pair.target): (pair.source, pair.target) for pair in pairs if pair.target}
    loads = {}
    connections = sorted({connection_of(target) for _, target in chains.values()})
    prefixes = [f"{connection}/{MARKER}/" for connection in connections]
    held = read_present(client, "Process", prefixes, ("additionalEtlContext",)) if prefixes else {}
    for name, hit in held.items():
        suffix = name.partition("/load/")[2]
        if suffix in chains:
            loads[name] = Load(*chains[suffix], hit["attributes"].get("additionalEtlContext", ""))
    if not loads:
        raise PipelineError("Atlan has no load process of these tables (yet): run create_table_lineage() first.")
    return loads


# =====================================================================================================================
# The run
# =====================================================================================================================


def run_pipeline(
    force_refresh: bool = False,
    dry_run: bool = False,
    prune: bool = False,
    max_remove: int = MAX_REMOVE,
    save_to: Path | None = None,
    saved: Path | None = None,
) -> Report:
    """Make the plan, show it, and apply it; returns what became of every asset, or what would.

    A dry run applies nothing, nor does one that saves the plan (`save_to`). A saved plan is applied just as it is, or
    not at all. Raises `PipelineError` where a step cannot go on.
    """
    settings = get_settings()
    document = load_plan(saved) if saved else None
    if settings.sandbox:
        logger.info("🏖️ No tenant is set: using the embedded sandbox (its state is in %s)", SANDBOX_FOLDER)
    get_cache_status()
    dry_run = dry_run or save_to is not None
    plan = make_plan(force_refresh, dry_run, document["prune"] if document else prune)
    if document:
        check_unchanged(document, plan)
    elif plan.prune and len(plan.removals) > max_remove:
        show(show_removals(plan.removals))
        raise PipelineError(
            f"{len(plan.removals)} processes are stale, more than --max-remove {max_remove}: nothing is written. "
            "Look at the list above, and allow as many if it is right."
        )
    if dry_run:
        show([*show_steps(plan.steps), *show_grounds(plan.coverage)])
    if plan.removals:
        logger.warning("⚠️ %d processes are stale%s", len(plan.removals), "" if plan.prune else ": --prune removes them")
        show(show_removals(plan.removals))
    show(show_coverage(plan.coverage))
    if save_to:
        save_plan(plan, save_to)
        logger.info("💾 Saved the plan in %s", save_to)
    report = Report(outcomes_of(plan), [*plan.coverage.unmatched], held=plan.held) if dry_run else apply_plan(plan)
    report.changes = not plan.nothing_to_do
    write_page(settings.lineage_page, plan, report, dry_run)
    summarise(report, dry_run)
    return report


def make_plan(force_refresh: bool = False, dry_run: bool = False, prune: bool = False) -> Plan:
    """Everything that a run would do; reads, and writes nothing but, unless this is a dry run, the caches."""
    settings = get_settings()
    # Importing pyatlan takes seconds, in which the bucket is listed.
    _, postgres_assets, snowflake_assets, s3 = side_by_side(
        get_atlan_client,
        partial(find_postgres_assets, force_refresh, dry_run=dry_run),
        partial(find_snowflake_assets, force_refresh, dry_run=dry_run),
        plan_s3,
    )
    tables = plan_tables(postgres_assets, s3.objects, snowflake_assets)
    columns = plan_columns(tables.loads, postgres_assets, snowflake_assets, tables.flow)
    steps = [*s3.steps, *tables.steps, *columns.steps]
    held = tables.held | columns.held
    wanted = {change.qualified_name for step in steps for change in step.changes}
    coverage = replace(tables.coverage, unmatched=[*tables.coverage.unmatched, *columns.unmatched])
    world = describe_world(
        {
            "tenant": "sandbox" if settings.sandbox else settings.base_url,
            "PostgreSQL connection": settings.postgres_connection,
            "Snowflake connection": settings.snowflake_connection,
            "bucket": s3.bucket,
            "prefix": settings.s3_prefix,
            "objects in the whole bucket": str(s3.count),
            "READ_FILE_HEADERS": str(settings.read_file_headers).lower(),
        },
        read_overrides(settings.overrides_file),
        [*postgres_assets, *snowflake_assets],
        s3.objects,
        tables.evidence.values(),
        s3.held | held,
    )
    return Plan(world, steps, find_stale(held, wanted), coverage, prune, held)


def apply_plan(plan: Plan) -> Report:
    """Write what a plan says. Stale processes go last, and none where something failed: that may be why they seem so."""
    client = get_atlan_client()
    report = Report(apply_steps(client, plan.steps), [*plan.coverage.unmatched], held=plan.held)
    if plan.prune and plan.removals:
        if report.failed:
            say_error("Nothing is removed, as something failed in this run: run it again.")
        else:
            report.outcomes += remove_assets(client, "Stale processes", plan.removals)
    if plan.coverage.complete:
        try:
            read_back(min(plan.coverage.complete))
        except AtlanRequestError as error:
            logger.warning("⚠️ The lineage cannot be read back: %s", error)
    return report


def remove_lineage(dry_run: bool = False, with_s3: bool = False) -> Report:
    """Archive every process that this program made between the two configured connections, of any bucket and prefix.

    `with_s3` also archives the S3 objects under the prefix and the bucket, as far as this program made them.
    """
    settings, client = get_settings(), get_atlan_client()
    postgres = get_connection_qualified_name(settings.postgres_connection, "postgres")
    snowflake = get_connection_qualified_name(settings.snowflake_connection, "snowflake")
    report = Report(held=find_own_lineage(client, postgres, snowflake))
    bucket = f"{_derived_connection(settings.s3_connection, settings.base_url)}/{settings.s3_bucket_arn}"
    s3, kept = find_own_s3(client, bucket, settings.s3_prefix, report.held) if with_s3 else ([], [])
    report.changes = bool(report.held or s3)
    report.outcomes = remove_assets(client, "Lineage", report.stale, dry_run)
    show(f"⚠️ {sentence}" for sentence in kept)
    if with_s3 and not report.failed:
        report.outcomes += remove_assets(client, "S3 objects and bucket", s3, dry_run)
    return report


def read_back(table_qualified_name: str) -> list[str]:
    """What Atlan's lineage shows downstream of a table, hop by hop, as one line in the log."""
    from pyatlan.model.assets import Table
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch
    from pyatlan.model.lineage import FluentLineage

    client = get_atlan_client()
    search = FluentSearch().where(CompoundQuery.active_assets()).where(Table.QUALIFIED_NAME.eq(table_qualified_name))
    found = list(search_assets(client, search))
    if not found:
        return []
    with telling_atlan_errors(client):
        request = FluentLineage(starting_guid=found[0]["guid"], includes_on_results=["name"]).request
        reached = [asset for asset in client.asset.get_lineage_list(request) if asset.type_name != "Process"]
    steps = [f"{last_name(table_qualified_name)} ({found[0]['typeName']})"]
    for type_name, assets in itertools.groupby(reached, key=lambda asset: asset.type_name):
        names = [asset.name for asset in assets]
        steps.append(f"{names[0]} ({type_name})" if len(names) == 1 else f"{len(names)} × {type_name}")
    logger.info("🔗 Read back from Atlan: %s", " → ".join(steps))
    return steps


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="PostgreSQL -> S3 -> Snowflake lineage in Atlan, down to the column.",
        epilog="Settings come from the environment and .env; README.md lists them. Exit code: 0 everything is in place, "
        "1 something failed, 2 a setting is wrong.",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan, as a page, too, and write nothing else")
    plans = parser.add_mutually_exclusive_group()
    plans.add_argument("--plan", type=Path, metavar="FILE", help="save the plan, too, and write nothing to Atlan")
    plans.add_argument(
        "--apply", type=Path, metavar="FILE", help="do just what a saved plan says, or nothing if the world has changed"
    )
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit with 0 if nothing was to do, 2 if there were changes, else 1",
    )
    parser.add_argument(
        "--force-refresh", action="store_true", help="read the assets from Atlan even if the cache is valid"
    )
    parser.add_argument("--prune", action="store_true", help="archive processes made earlier that are wanted no more")
    parser.add_argument(
        "--max-remove",
        type=int,
        default=MAX_REMOVE,
        metavar="N",
        help=f"never archive more than N (default: {MAX_REMOVE})",
    )
    parser.add_argument(
        "--remove-lineage", action="store_true", help="archive all processes made between the two connections, and end"
    )
    parser.add_argument(
        "--with-s3", action="store_true", help="with --remove-lineage: also the S3 objects and bucket made here"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before --remove-lineage")
    parser.add_argument("--cache-status", action="store_true", help="show both caches and end")
    parser.add_argument("--clear-cache", action="store_true", help="delete both caches and end")
    parser.add_argument(
        "--sandbox", action="store_true", help="use the embedded sandbox and its sample, whatever tenant is set"
    )
    return parser


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("Archive all lineage that Delta Arc made between these connections? Type yes: ").strip() == "yes"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as error:
        # There, 2 means changes, and a mistyped option is none.
        raise SystemExit(1 if error.code and "--detailed-exitcode" in arguments else error.code) from None
    if options.sandbox:
        # Set, but empty, they also win over .env.
        os.environ.update(dict.fromkeys(TENANT_SETTINGS, ""))
    try:
        return _run(options)
    except SettingsError as error:
        for fault in error.faults:
            say_error(fault)
        return 1 if options.detailed_exitcode else 2
    except PipelineError as error:
        say_error(str(error))
        return 1
    except KeyboardInterrupt:
        say_error("Stopped; run it again to finish: what is written stays, and nothing is written twice.")
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.clear_cache:
        clear_all_cache()
        return 0
    if options.cache_status:
        get_cache_status()
        return 0
    if options.with_s3 and not options.remove_lineage:
        raise SettingsError(["--with-s3 belongs to --remove-lineage."])
    if options.remove_lineage and (options.plan or options.apply):
        raise SettingsError(["--remove-lineage has no plan to save or apply: --dry-run shows what it would remove."])
    if options.apply and options.prune:
        raise SettingsError(["--prune belongs to --plan: a saved plan says itself whether it removes anything."])
    if options.remove_lineage:
        if not options.dry_run and not options.yes and not _confirmed():
            say_error("Nothing is removed: --remove-lineage needs a yes, or --yes where no one can be asked.")
            return 1
        report = remove_lineage(options.dry_run, options.with_s3)
        summarise(report, options.dry_run)
    else:
        report = run_pipeline(
            options.force_refresh, options.dry_run, options.prune, options.max_remove, options.plan, options.apply
        )
    if report.failed:
        return 1
    return 2 if options.detailed_exitcode and report.changes else 0


if __name__ == "__main__":
    sys.exit(main())
