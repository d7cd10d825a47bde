"""Before the first run, and when something is wrong: what a run needs, tried one after the other. Nothing is written.

Each check goes on after another has failed, as far as it does not need what that one looked for; what was not, or cannot be
checked is told as such.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta_arc.clients import get_atlan_client, get_s3_client
from delta_arc.connections import find_bucket, find_connection, find_or_plan_s3_connection, inventory_query
from delta_arc.entities import MARKER
from delta_arc.evidence import read_columns
from delta_arc.jobs.event_files import read_documents
from delta_arc.jobs.events import fault_of_event, is_static
from delta_arc.listing import advise_where_nothing_is, describe_age
from delta_arc.matching import TABLE_TYPES, TARGET_TYPES, AssetRow, tables_in
from delta_arc.overrides_file import parse_overrides, read_overrides
from delta_arc.scope import in_scope, unused_patterns
from delta_arc.settings import Inventory, Settings
from delta_arc.state import open_state
from runtime import atlan, s3
from runtime.atlan import Permission
from runtime.clocks import seconds_ahead
from runtime.embedded import start_sandbox
from runtime.errors import PipelineError, SettingsError
from runtime.files import why_not_writable
from runtime.findings import Finding, State, collect_findings
from runtime.parallel import side_by_side
from runtime.s3 import list_pages
from runtime.s3_inventory import find_report
from runtime.terminal import MOST_OF_A_NAME, visible
from runtime.transport import AtlanRequestError
from runtime.version import unmet_requirements

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

# Requests a minute that Atlan allows all users of a tenant together, by its documentation (API limits).
TENANT_LIMIT = 400
EXPIRES_SOON = timedelta(days=14)
# S3 refuses a request whose time is off by more than 15 minutes ("RequestTimeTooSkewed" in its list of error codes).
CLOCK_OFF, CLOCK_REFUSED = 5 * 60, 15 * 60  # seconds
# What a run makes in either connection.
MADE_IN = {"postgres": ("Process",), "snowflake": ("Process", "ColumnProcess")}
MOST_PAGES = 10  # of a listing, until one has an object
MOST_TOKEN = 1 << 16  # characters


@dataclass(frozen=True)
class Lookups:
    """How a run reads the assets of a connection, and what it makes of a cache, for the checks to do just the same."""

    read_inventory: Callable[[Inventory], Sequence[AssetRow]]
    cache_status: Callable[[Inventory], Mapping[str, Any]]


def check_everything(settings: Settings, lookups: Lookups) -> list[Finding]:
    """What a run with these settings would find, in a fixed order: this machine, then Atlan and S3, which are asked side
    by side. Nothing is written, but by the embedded sandbox, which starts where no tenant is set; raises `PipelineError`, as a
    run does, where that cannot start."""
    if settings.sandbox:
        start_sandbox()
    local = collect_findings(_check_machine, settings, lookups)
    remote = side_by_side(
        partial(collect_findings, _check_atlan, settings, lookups), partial(collect_findings, _check_s3, settings)
    )
    return [*local, *(finding for findings in remote for finding in findings)]


# =====================================================================================================================
# This machine
# =====================================================================================================================


def _check_machine(settings: Settings, lookups: Lookups) -> Iterator[Finding]:
    yield Finding("settings", State.FINE, f"Settings: all can be used, for {settings.place}")
    yield _check_versions()
    yield _check_limit(settings)
    for inventory in (settings.postgres, settings.snowflake):
        yield _check_cache(inventory, lookups)
    yield _check_state(settings)
    yield _check_page(settings.lineage_page)


def _check_versions() -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    unmet = unmet_requirements()
    if unmet is None:
        return Finding(
            "versions", State.UNKNOWN, f"Versions: Python {python}; which packages are needed is written nowhere here"
        )
    if unmet:
        told = "; ".join(unmet)
        return Finding("versions", State.WRONG, f"Versions: {told}: pip install -r requirements.lock")
    return Finding("versions", State.FINE, f"Versions: Python {python}, and every package as requirements.txt has it")


def _check_limit(settings: Settings) -> Finding:
    limit = settings.max_requests_per_minute
    if settings.sandbox or limit <= TENANT_LIMIT:
        return Finding("request limit", State.FINE, f"Request limit: at most {limit} a minute are sent")
    return Finding(
        "request limit",
        State.DOUBTFUL,
        f"Request limit: {limit} a minute are more than the {TENANT_LIMIT} that Atlan allows all users together: lower "
        "ATLAN_MAX_REQUESTS_PER_MINUTE, unless Atlan has told you another limit",
    )


CACHE_WORDS = {
    "absent": "there is none yet, a run makes it",
    "expired": "it has expired, a run reads the assets anew",
    "foreign": "it is of another tenant or connection, or does not say of which; a run replaces it",
    "unusable": "it is damaged; a run replaces it",
}


def _check_cache(inventory: Inventory, lookups: Lookups) -> Finding:
    name, path = f"{inventory.connector} cache", inventory.cache_file
    state = str(lookups.cache_status(inventory)["state"])
    told = f"{inventory.label} cache {path}: {CACHE_WORDS.get(state, 'it is valid, and a run uses it')}"
    if reason := why_not_writable(path, makes_folders=True):
        return Finding(name, State.DOUBTFUL, f"{told}, but it cannot be written ({reason}): let it be a file of yours")
    return Finding(name, State.DOUBTFUL if state in ("foreign", "unusable") else State.FINE, told)


def _check_state(settings: Settings) -> Finding:
    path = settings.state_cache_file
    told = f"What Atlan holds: {open_state(settings).status} ({path})"
    for file in (path, settings.file_columns_cache):
        if reason := why_not_writable(file, makes_folders=True):
            told += f", but {file} cannot be written ({reason}): let it be a file of yours"
            return Finding("state", State.DOUBTFUL, told)
    return Finding("state", State.FINE, told)


def _check_page(path: Path | None) -> Finding:
    if path is None:
        return Finding("page", State.FINE, "Page: none is written, as LINEAGE_PAGE is empty")
    if reason := why_not_writable(path):
        return Finding("page", State.DOUBTFUL, f"Page: {path} cannot be written ({reason}): check LINEAGE_PAGE")
    return Finding("page", State.FINE, f"Page: {path} can be written")


# =====================================================================================================================
# Atlan
# =====================================================================================================================


def _check_atlan(settings: Settings, lookups: Lookups) -> Iterator[Finding]:
    if not settings.sandbox:
        yield check_token(settings.api_token, datetime.now(timezone.utc))
    try:
        client = get_atlan_client(settings=settings)
        user = atlan.read_user_name(client)
    except PipelineError as error:
        yield Finding("atlan", State.WRONG, f"Atlan: {error}")
        yield Finding(
            "connections", State.UNKNOWN, "Atlan: connections, rights, bucket, scope and overrides were not looked at"
        )
        return
    yield Finding("atlan", State.FINE, f"Atlan: it answers, and knows the token as {visible(user, MOST_OF_A_NAME)}")
    yield from _guarded("atlan clock", lambda: [check_clock("Atlan", atlan.read_server_time(client))])
    found: dict[str, str] = {}
    for inventory in (settings.postgres, settings.snowflake):
        yield from _guarded(f"{inventory.connector} connection", _check_connection, client, inventory, found)
    wanted = [
        Permission("ENTITY_CREATE", kind, f"{connection}/{MARKER}/check")
        for connector, connection in found.items()
        for kind in MADE_IN[connector]
    ]
    yield from _guarded("bucket in atlan", _check_bucket_in_atlan, client, settings, wanted)
    yield from _check_rights(client, wanted)
    yield from _check_names(settings, lookups, found)


def _guarded(check: str, run: Callable[..., Iterable[Finding]], *arguments: Any) -> Iterator[Finding]:
    """What a check finds; what ends it is a finding, too, and does not end the others."""
    try:
        yield from list(run(*arguments))
    except SettingsError as error:
        yield from (Finding(check, State.WRONG, fault) for fault in error.faults)
    except PipelineError as error:
        yield Finding(check, State.WRONG, str(error))


def check_token(token: str, now: datetime) -> Finding:
    """How long a token is valid, as far as it tells."""
    expires = expiry_of(token)
    if expires is None:
        return Finding("token", State.UNKNOWN, "Token: it does not say until when it is valid")
    day, left = f"{expires:%Y-%m-%d}", expires - now
    if left <= timedelta(0):
        return Finding(
            "token", State.WRONG, f"Token: it has expired, on {day}: make a new one under Admin > API tokens"
        )
    told = f"Token: it expires in {left.days} days, on {day}"
    if left < EXPIRES_SOON:
        return Finding("token", State.DOUBTFUL, f"{told}: make a new one under Admin > API tokens")
    return Finding("token", State.FINE, told)


def expiry_of(token: str) -> datetime | None:
    """From when on a JSON Web Token is not to be accepted ("exp", RFC 7519, 4.1.4); None for what does not say."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MOST_TOKEN:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), timezone.utc)
    except (ValueError, LookupError, TypeError, OverflowError, OSError, RecursionError):
        return None


def check_clock(whose: str, theirs: datetime | None) -> Finding:
    """How far this machine's clock is from another's that told its time just now."""
    name = f"{whose.lower()} clock"
    if theirs is None:
        return Finding(name, State.UNKNOWN, f"Clock: {whose} does not tell its time")
    ahead = seconds_ahead(theirs)
    if abs(ahead) < CLOCK_OFF:
        return Finding(name, State.FINE, f"Clock: it agrees with that of {whose}")
    where = "ahead of" if ahead > 0 else "behind"
    told = f"Clock: this machine's is {abs(ahead) / 60:.0f} minutes {where} that of {whose}: set it"
    if abs(ahead) < CLOCK_REFUSED:
        return Finding(name, State.DOUBTFUL, f"{told}, as S3 refuses what is off by 15")
    return Finding(name, State.WRONG, f"{told}, as S3 refuses what is off by 15, and tokens and caches go by it")


def _check_connection(client: AtlanClient, inventory: Inventory, found: dict[str, str]) -> Iterator[Finding]:
    name = f"{inventory.connector} connection"
    connection = find_connection(client, inventory.connection, inventory.connector)
    count = atlan.count_assets(client, inventory_query(connection))
    found[inventory.connector] = connection
    told = f"{inventory.label}: the connection {visible(inventory.connection)} is {visible(connection)}"
    if count:
        yield Finding(name, State.FINE, f"{told}, with {count} assets")
    else:
        yield Finding(
            name,
            State.WRONG,
            f"{told}, without any asset that the token may see: crawl it, or give the token a persona that may read it",
        )


def _check_bucket_in_atlan(client: AtlanClient, settings: Settings, wanted: list[Permission]) -> Iterator[Finding]:
    """Where the bucket is, or will be; what has to be made there is added to what is wanted."""
    name, arn = "bucket in atlan", settings.s3_bucket_arn
    bucket = find_bucket(client, settings.s3_bucket, arn)
    if bucket:
        qualified_name = bucket["attributes"]["qualifiedName"]
        wanted.append(Permission("ENTITY_CREATE", "S3Object", f"{qualified_name}/check"))
        yield Finding(name, State.FINE, f"S3 in Atlan: the bucket is {visible(qualified_name)}")
        return
    connection, to_make = find_or_plan_s3_connection(client, settings)
    if to_make:
        wanted.append(Permission("ENTITY_CREATE", "Connection", connection))
        told = f"there is no connection {visible(settings.s3_connection)} and no bucket: a run makes both, the connection as {connection}"
    else:
        told = f"there is no bucket with the ARN {visible(arn)}: a run makes it below {visible(connection)}"
    wanted.append(Permission("ENTITY_CREATE", "S3Bucket", f"{connection}/{arn}"))
    wanted.append(Permission("ENTITY_CREATE", "S3Object", f"{connection}/{arn}/check"))
    yield Finding(name, State.FINE, f"S3 in Atlan: {told}")


def _check_rights(client: AtlanClient, wanted: Sequence[Permission]) -> Iterator[Finding]:
    if not wanted:
        yield Finding("rights", State.UNKNOWN, "Rights: they were not asked for, as no connection was found")
        return
    try:
        allowed = atlan.read_permissions(client, wanted)
    except AtlanRequestError as error:
        told = str(error).rstrip(".")
        yield Finding(
            "rights", State.UNKNOWN, f"Rights: what the token may write cannot be asked ({told}); the first run tells"
        )
        return
    denied = [one for one, is_allowed in zip(wanted, allowed, strict=True) if not is_allowed]
    for one in denied:
        below = one.qualified_name.removesuffix("/check").removesuffix(f"/{MARKER}")
        yield Finding(
            "rights",
            State.WRONG,
            f"Rights: the token may not create a {one.type_name} in {visible(below)}: give it a persona with write access",
        )
    if not denied:
        kinds = ", ".join(dict.fromkeys(one.type_name for one in wanted))
        yield Finding("rights", State.FINE, f"Rights: the token may create what a run makes ({kinds})")


def _check_names(settings: Settings, lookups: Lookups, found: Mapping[str, str]) -> Iterator[Finding]:
    """Scope and overrides, which name tables: only where there are any are the assets read."""
    text = ""
    try:
        text = read_overrides(settings.overrides_file)
        if not text.strip():
            yield Finding("overrides", State.FINE, f"Overrides: there are none in {settings.overrides_file}")
    except SettingsError as error:
        yield from (Finding("overrides", State.WRONG, f"Overrides: {fault}") for fault in error.faults)
    if not (text.strip() or settings.postgres_scope.text or settings.snowflake_scope.text):
        return
    sides = (
        (settings.postgres, settings.postgres_scope, TABLE_TYPES),
        (settings.snowflake, settings.snowflake_scope, TARGET_TYPES),
    )
    if len(found) < len(sides):
        yield Finding("overrides", State.UNKNOWN, "Scope and overrides were not looked at, as a connection is missing")
        return
    rows: list[list[AssetRow]] = []
    for inventory, scope, types in sides:
        try:
            assets = lookups.read_inventory(inventory)
        except PipelineError as error:
            yield Finding(f"{inventory.connector} scope", State.WRONG, str(error))
            return
        rows.append(in_scope(assets, scope))
        if scope.text:
            yield from _check_scope(inventory, unused_patterns(assets, scope), len(tables_in(rows[-1], types)))
    if text.strip():
        yield from _guarded("overrides", _check_overrides, settings.overrides_file, text, *rows)


def _check_scope(inventory: Inventory, unused: Sequence[str], tables: int) -> Iterator[Finding]:
    name, setting = f"{inventory.connector} scope", f"{inventory.connector.upper()}_SCOPE"
    for pattern in unused:
        yield Finding(name, State.DOUBTFUL, f"{setting}: {visible(pattern)} fits no table")
    state = State.FINE if tables else State.WRONG
    yield Finding(name, state, f"{setting}: {tables} tables are in scope" + ("" if tables else ": let it fit some"))


def _check_overrides(path: Path, text: str, postgres: list[AssetRow], snowflake: list[AssetRow]) -> Iterator[Finding]:
    overrides = parse_overrides(str(path), text, postgres, snowflake)
    for note in overrides.notes:
        yield Finding("overrides", State.DOUBTFUL, f"Overrides: {note}")
    lines = len(overrides.written)
    yield Finding(
        "overrides", State.FINE, f"Overrides: the {lines} lines of {path} can be used, and name what is there"
    )


# =====================================================================================================================
# S3
# =====================================================================================================================


def _check_s3(settings: Settings) -> Iterator[Finding]:
    bucket, prefix = settings.s3_bucket, settings.s3_prefix
    place = visible(f"s3://{bucket}/{prefix}")
    objects: list[dict[str, Any]] = []
    try:
        client = get_s3_client(settings)
        # First, as it tells why S3 may refuse all else.
        yield check_clock("S3", s3.read_server_time(client, bucket))
        objects = _first_objects(client, bucket, prefix)
        if objects:
            first = visible(objects[0]["Key"], MOST_OF_A_NAME)
            yield Finding("s3", State.FINE, f"S3: {place} can be listed, from {first} on")
        else:
            yield Finding(
                "s3", State.WRONG, f"S3: there are no objects in {place}{_what_there_is(client, bucket, prefix)}"
            )
    except PipelineError as error:
        yield Finding("s3", State.WRONG, f"S3: {error}")
    if settings.s3_inventory:
        yield from _guarded("s3 inventory", _check_inventory, settings)
    if not settings.read_file_headers:
        yield Finding("file header", State.FINE, "File headers: none are read, as READ_FILE_HEADERS is false")
    elif full := [item for item in objects if item["Size"]]:
        yield _check_header(client, bucket, max(full, key=lambda item: item["LastModified"]))
    else:
        yield Finding("file header", State.UNKNOWN, "File headers: none was read, as there is no object to read")
    if settings.lineage_events:
        yield from _guarded("events", _check_events, settings)


def _check_inventory(settings: Settings) -> Iterator[Finding]:
    now = datetime.now(timezone.utc)
    report = find_report(get_s3_client(settings), settings.s3_inventory, settings.s3_bucket, now)
    told = f"S3 Inventory: {visible(report.place, MOST_OF_A_NAME)} is of {describe_age(report, now)}"
    yield Finding("s3 inventory", State.FINE, f"{told}, with {len(report.files)} files")


def _first_objects(client: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """The first page of a listing that has any object."""
    pages = list_pages(client, bucket, prefix)
    return next((page for page, _ in zip(pages, range(MOST_PAGES), strict=False) if page), [])


def _what_there_is(client: Any, bucket: str, prefix: str) -> str:
    """What to look at, where there is nothing below the prefix."""
    try:
        others = _first_objects(client, bucket, "")
    except PipelineError:
        others = []
    if not others:
        return f": {advise_where_nothing_is(prefix)}"
    named = ", ".join(visible(item["Key"], MOST_OF_A_NAME) for item in others[:3])
    return f": check S3_PREFIX, as the bucket has {named}"


def _check_header(client: Any, bucket: str, item: Mapping[str, Any]) -> Finding:
    key = visible(item["Key"], MOST_OF_A_NAME)
    found = read_columns(client, bucket, item["Key"], item["Size"])
    if found.unread:
        return Finding(
            "file header",
            State.WRONG,
            f"File headers: {key} was not read, as {found.reason}: give the AWS credentials the right s3:GetObject on it, "
            "or set READ_FILE_HEADERS=false",
        )
    told = f"{len(found.names)} columns" if found.names else f"which tells no columns, as {found.reason}"
    return Finding("file header", State.FINE, f"File headers: {key} can be read, {told}")


def _check_events(settings: Settings) -> Iterator[Finding]:
    place = visible(settings.lineage_events)
    documents = read_documents(settings.lineage_events, partial(get_s3_client, settings))
    first = next(documents, None)
    if first is None:
        yield Finding("events", State.DOUBTFUL, f"LINEAGE_EVENTS: there is no event in {place}")
        return
    fault = first.fault or ("" if is_static(first.value) else fault_of_event(first.value))
    where = visible(first.place, MOST_OF_A_NAME)
    if fault:
        yield Finding("events", State.DOUBTFUL, f"LINEAGE_EVENTS: {where} has no event, as {fault}")
    else:
        yield Finding("events", State.FINE, f"LINEAGE_EVENTS: {place} can be read; {where} has an event")
