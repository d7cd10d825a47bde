"""The settings of a run: read from the environment and `.env` or another file, and checked, all faults at once."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from delta_arc.scope import Scope, parse_scope
from runtime.embedded import SANDBOX_FOLDER
from runtime.environment import (
    ENV_FILE,
    LOG_LEVELS,
    check_log_file,
    check_log_level,
    check_secrets,
    read_environment,
    secrets_in,
    shown,
    warn_of_unknown_settings,
)
from runtime.errors import SettingsError
from runtime.openlineage import normal_namespace, system_of
from runtime.s3_inventory import is_place
from runtime.terminal import MOST_OF_A_NAME, configure_logging, mask, visible

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


LARGEST_CACHE = 1 << 30  # bytes of a file of cached assets: some millions of them


@dataclass(frozen=True)
class Inventory:
    """The assets of one connection of a tenant, and the file that they are cached in."""

    label: str
    connector: str
    connection: str
    cache_file: Path
    tenant: str

    @property
    def source(self) -> dict[str, str]:
        """What a cache file says of whose assets it has: `{"tenant", "name"}`."""
        return {"tenant": self.tenant, "name": self.connection}

    @property
    def key(self) -> tuple[str, ...]:
        """What two flows have alike that can share these assets."""
        return self.tenant, self.connector, self.connection


@dataclass(frozen=True)
class Settings:
    """The settings of a run, checked. `sandbox` means: no tenant is set, use the embedded one."""

    base_url: str
    api_token: str = field(repr=False)
    postgres_connection: str
    snowflake_connection: str
    s3_bucket: str
    s3_bucket_arn: str
    s3_connection: str
    s3_prefix: str
    s3_inventory: str  # the address of a manifest, or of a folder, which ends in /; empty: list the bucket
    cache_expiry_hours: float
    postgres_cache_file: Path
    snowflake_cache_file: Path
    state_cache_file: Path
    overrides_file: Path
    postgres_scope: Scope
    snowflake_scope: Scope
    lineage_events: str
    lineage_namespaces: tuple[str, ...]
    read_file_headers: bool
    max_requests_per_minute: int
    lineage_page: Path | None
    log_level: str
    log_file: Path | None
    sandbox: bool
    aws: Mapping[str, str] = field(repr=False)

    @property
    def tenant(self) -> str:
        """The address of the tenant, or `sandbox`: what tells whose assets a cache or a plan is about."""
        return "sandbox" if self.sandbox else self.base_url

    @property
    def place(self) -> str:
        """Where a run works, for people."""
        return "the embedded sandbox" if self.sandbox else self.base_url

    @property
    def file_columns_cache(self) -> Path:
        """Where it is kept what files told of their columns, see `delta_arc.files.kept`: beside what is kept of Atlan."""
        return self.state_cache_file.with_name(f"file_columns_of_{self.state_cache_file.stem}.json")

    @property
    def postgres(self) -> Inventory:
        """The PostgreSQL connection whose assets are read."""
        return Inventory("PostgreSQL", "postgres", self.postgres_connection, self.postgres_cache_file, self.tenant)

    @property
    def snowflake(self) -> Inventory:
        """The Snowflake connection whose assets are read."""
        return Inventory("Snowflake", "snowflake", self.snowflake_connection, self.snowflake_cache_file, self.tenant)


# What the sandbox's own tenant holds, where nothing else is set.
SANDBOX_DEFAULTS = {
    "POSTGRES_CONNECTION_NAME": "postgres-ary",
    "SNOWFLAKE_CONNECTION_NAME": "snowflake-ary",
    "S3_BUCKET_NAME": "atlan-tech-challenge",
    "S3_PREFIX": "2025/csa-tech-challenge-ary/",
    "ATLAN_MAX_REQUESTS_PER_MINUTE": "9999999",  # nobody else is there
}
# What belongs to one tenant and means nothing to another.
TENANT_SETTINGS = (
    "ATLAN_BASE_URL", "ATLAN_API_TOKEN", "ATLAN_API_KEY", "S3_BUCKET_ARN", "S3_CONNECTION_NAME", "S3_INVENTORY", "OVERRIDES_FILE",
    "LINEAGE_EVENTS", "LINEAGE_NAMESPACES",
    "POSTGRES_SCOPE", "SNOWFLAKE_SCOPE", "POSTGRES_CACHE_FILE", "SNOWFLAKE_CACHE_FILE", "STATE_CACHE_FILE", "REQUIRE_TENANT",
    *SANDBOX_DEFAULTS,
)  # fmt: skip


def get_settings() -> Settings:
    """The settings of `.env` in the current folder and of the environment, which wins; they also set the log up.

    Raises `SettingsError` with every setting that is missing or wrong.
    """
    environment = read_environment()
    secrets = secrets_in(environment)
    settings = settings_in(environment, masked=secrets)
    show_log(settings, secrets)
    return settings


def settings_in(
    environment: Mapping[str, str],
    sandbox: bool = False,
    require_tenant: bool = False,
    *,
    flow: str = "",
    env_file: Path = ENV_FILE,
    masked: Sequence[str] = (),
) -> Settings:
    """The settings of variables that were read from `env_file` and the environment; see `get_settings`.

    `sandbox` leaves out whatever tenant is set; `require_tenant` is as good as REQUIRE_TENANT=true. With the name of a
    `flow`, its files have names of their own. While they are checked, the log shows none of `masked`.
    """
    # What is told of wrong settings has to be masked, too.
    level = environment.get("LOG_LEVEL", "").strip().upper()
    file = check_log_file(environment.get("LOG_FILE", ""), [])
    configure_logging(level if level in LOG_LEVELS else "INFO", *masked, file=file)
    warn_of_unknown_settings(environment, env_file)
    if sandbox:
        environment = {name: value for name, value in environment.items() if name not in TENANT_SETTINGS}
    if require_tenant:
        environment = {**environment, "REQUIRE_TENANT": "true"}
    try:
        return read_settings(environment, flow)
    except SettingsError as error:
        place = visible(str(env_file), MOST_OF_A_NAME)
        raise SettingsError([fault.replace(f"into {ENV_FILE}", f"into {place}") for fault in error.faults]) from None


def show_log(settings: Settings, secrets: Sequence[str]) -> None:
    """Set the log up as the settings say; it never shows one of these secrets."""
    configure_logging(settings.log_level, settings.api_token, *secrets, file=settings.log_file)


def read_settings(environment: Mapping[str, str], flow: str = "") -> Settings:
    """Check every setting and tell all faults at once; a `flow` has its name before those of its own files."""
    values = {name: value.strip() for name, value in environment.items() if value.strip()}
    faults: list[str] = []
    base_url = values.get("ATLAN_BASE_URL", "")
    api_token = values.get("ATLAN_API_TOKEN") or values.get("ATLAN_API_KEY") or ""
    sandbox = not base_url and not api_token
    if _check_boolean(values, "REQUIRE_TENANT", "false", faults) and sandbox:
        faults.append(
            "REQUIRE_TENANT is set, and there is no tenant: put ATLAN_BASE_URL and ATLAN_API_TOKEN into .env or the "
            "environment."
        )
    if sandbox:
        values = {**SANDBOX_DEFAULTS, **values}
    else:
        base_url = _check_base_url(base_url, faults)
        _check_token(api_token, faults)
    own = partial(_own_file, flow, sandbox)
    settings = Settings(
        base_url=base_url,
        api_token=api_token,
        postgres_connection=_check_named(
            values, "POSTGRES_CONNECTION_NAME", "the name of the PostgreSQL connection in Atlan", faults
        ),
        snowflake_connection=_check_named(
            values, "SNOWFLAKE_CONNECTION_NAME", "the name of the Snowflake connection in Atlan", faults
        ),
        s3_bucket=_check_bucket(values, faults),
        s3_bucket_arn=_check_bucket_arn(values, faults),
        s3_connection=values.get("S3_CONNECTION_NAME", "delta-arc-s3"),
        s3_prefix=_check_prefix(values, faults),
        s3_inventory=_check_inventory(values, faults),
        cache_expiry_hours=_check_hours(values.get("CACHE_EXPIRY_HOURS", "24"), faults),
        postgres_cache_file=_check_path(values, "POSTGRES_CACHE_FILE", own("postgres_assets_cache.json"), faults),
        snowflake_cache_file=_check_path(values, "SNOWFLAKE_CACHE_FILE", own("snowflake_assets_cache.json"), faults),
        state_cache_file=_check_path(values, "STATE_CACHE_FILE", own("atlan_state_cache.sqlite"), faults),
        overrides_file=_check_overrides_file(values, own("overrides.txt"), faults),
        postgres_scope=_check_scope(values, "POSTGRES_SCOPE", faults),
        snowflake_scope=_check_scope(values, "SNOWFLAKE_SCOPE", faults),
        lineage_events=_check_events(values, sandbox and "LINEAGE_EVENTS" not in environment, faults),
        lineage_namespaces=_check_namespaces(values, faults),
        read_file_headers=_check_boolean(values, "READ_FILE_HEADERS", "true", faults),
        max_requests_per_minute=_check_limit(values.get("ATLAN_MAX_REQUESTS_PER_MINUTE", "300"), faults),
        lineage_page=_check_page(environment, own("lineage.html"), faults),
        log_level=check_log_level(values.get("LOG_LEVEL", "INFO"), faults),
        log_file=check_log_file(values.get("LOG_FILE", ""), faults),
        sandbox=sandbox,
        aws={name: value.strip() for name, value in environment.items() if name.startswith("AWS_")},
    )
    pasted: list[str] = []
    check_secrets(values, pasted)
    if faults or pasted:
        told = {fault.split()[0] for fault in pasted}
        raise SettingsError([*(fault for fault in faults if fault.split()[0] not in told), *pasted])
    return settings


def _own_file(flow: str, sandbox: bool, name: str) -> str:
    """Where a file of a flow is unless it is set: in the current folder, or in that of the embedded sandbox."""
    return str((SANDBOX_FOLDER if sandbox else Path()) / (f"{flow}_{name}" if flow else name))


def _check_token(api_token: str, faults: list[str]) -> None:
    if not api_token:
        faults.append("ATLAN_API_TOKEN is not set: put an API token from Atlan's Admin > API tokens into .env.")
    elif _is_placeholder(api_token):
        faults.append("ATLAN_API_TOKEN still has the placeholder of .env.example: put your API token there.")
    elif not re.fullmatch(r"[!-~]+", api_token):
        faults.append("ATLAN_API_TOKEN has characters that no token has (quotes or spaces): copy it again.")


def _check_named(values: Mapping[str, str], name: str, what: str, faults: list[str]) -> str:
    """A setting that there has to be."""
    value = values.get(name, "")
    if not value:
        faults.append(f"{name} is not set: put {what} into .env.")
    elif _is_placeholder(value):
        faults.append(f"{name} still has the placeholder of .env.example: put {what} there.")
    return value


def _check_bucket(values: Mapping[str, str], faults: list[str]) -> str:
    bucket = _check_named(values, "S3_BUCKET_NAME", "the bucket that the data passes through", faults)
    if bucket and not _is_placeholder(bucket) and not re.fullmatch(r"[\w.-]{1,255}", bucket, re.ASCII):
        faults.append(
            f"S3_BUCKET_NAME is no name of a bucket ({shown(bucket)}): use the name without s3:// and folders."
        )
    return bucket


def _check_prefix(values: Mapping[str, str], faults: list[str]) -> str:
    """What the keys begin with. A slash at its beginning is left to S3, where a key may begin so."""
    prefix = values.get("S3_PREFIX", "")
    if prefix.lower().startswith("s3://"):
        faults.append(
            f"S3_PREFIX has the bucket in it ({shown(prefix)}): write only what follows it, like shop/orders/."
        )
    return prefix


def _check_bucket_arn(values: Mapping[str, str], faults: list[str]) -> str:
    arn = values.get("S3_BUCKET_ARN") or f"arn:aws:s3:::{values.get('S3_BUCKET_NAME', '')}"
    if "S3_BUCKET_ARN" in values and not re.fullmatch(r"arn:[a-z-]+:s3:[^\s:]*:[^\s:]*:[^\s:]+", arn):
        faults.append(f"S3_BUCKET_ARN is no ARN of a bucket ({shown(arn)}): write it as arn:aws:s3:::<bucket>.")
    return arn


def _check_inventory(values: Mapping[str, str], faults: list[str]) -> str:
    """Where reports of S3 Inventory are: a manifest, or the folder of a configuration; or an empty text."""
    place = values.get("S3_INVENTORY", "")
    if place and not place.endswith(("/", "/manifest.json")):
        place += "/"
    if place and not is_place(place):
        faults.append(
            f"S3_INVENTORY is no place in S3 ({shown(place)}): write it like "
            "s3://bucket/prefix/source-bucket/configuration/."
        )
    return place


def _check_overrides_file(values: Mapping[str, str], default: str, faults: list[str]) -> Path:
    found = len(faults)
    path = _check_path(values, "OVERRIDES_FILE", default, faults)
    if "OVERRIDES_FILE" in values and len(faults) == found and not path.is_file():
        faults.append(f"OVERRIDES_FILE names a file that is not there ({shown(str(path))}): make it, or leave it out.")
    return path


def _check_events(values: Mapping[str, str], of_sandbox: bool, faults: list[str]) -> str:
    """Where OpenLineage events are: a file or folder that is there, an address in S3, or an empty text.

    `of_sandbox` are those of the embedded sandbox, whose folder is made when that starts.
    """
    place = values.get("LINEAGE_EVENTS", "")
    if of_sandbox:
        return str(SANDBOX_FOLDER / "events")
    if place.startswith("s3://"):
        if not re.fullmatch(r"s3://[\w.-]{1,255}(/.*)?", place, re.ASCII | re.DOTALL):
            faults.append(f"LINEAGE_EVENTS is no place in S3 ({shown(place)}): write it like s3://bucket/prefix/.")
    elif place:
        found = len(faults)
        path = _check_path(values, "LINEAGE_EVENTS", place, faults, may_be_folder=True)
        if len(faults) == found and not path.exists():
            faults.append(
                f"LINEAGE_EVENTS names a file or folder that is not there ({shown(place)}): make it, or leave it out."
            )
    return place


def _check_namespaces(values: Mapping[str, str], faults: list[str]) -> tuple[str, ...]:
    """Namespaces of OpenLineage, with spaces or commas between them."""
    names = tuple(filter(None, re.split(r"[\s,]+", values.get("LINEAGE_NAMESPACES", ""))))
    for name in names:
        if not system_of(normal_namespace(name)):
            faults.append(
                f"LINEAGE_NAMESPACES has one that is none of a PostgreSQL or Snowflake ({shown(name)}): write it like "
                "postgres://host:5432 or snowflake://account."
            )
    return names


def _check_path(
    values: Mapping[str, str], name: str, default: str, faults: list[str], may_be_folder: bool = False
) -> Path:
    """A path at which there may be a file, or not yet; a folder in the place of a default is told when that is used."""
    path = Path(values.get(name, default).strip())
    reason = ""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        reason = "it is a folder" if is_folder and name in values and not may_be_folder else ""
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # too long, below a file, where one may not enter, a link to itself, or NUL
        reason = getattr(error, "strerror", None) or "no file can have this name"
    if reason:
        faults.append(f"{name} cannot be used as a file ({reason}): name one in a folder of yours.")
    return path


def _check_boolean(values: Mapping[str, str], name: str, default: str, faults: list[str]) -> bool:
    text = values.get(name, default).lower()
    if text not in ("true", "false"):
        faults.append(f"{name} is {shown(values[name])}: use true or false.")
    return text == "true"


def _check_scope(values: Mapping[str, str], name: str, faults: list[str]) -> Scope:
    try:
        return parse_scope(values.get(name, ""))
    except ValueError as error:
        faults.append(
            f"{name} cannot be read ({visible(mask(str(error)), MOST_OF_A_NAME)}): write it like public/*, !*/tmp_*."
        )
        return Scope()


def _check_limit(text: str, faults: list[str]) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
        faults.append(
            f"ATLAN_MAX_REQUESTS_PER_MINUTE is {shown(text)}: use a whole number from 1 to 9999999; Atlan allows a tenant "
            "400."
        )
        return 1
    return int(text)


def _check_page(environment: Mapping[str, str], default: str, faults: list[str]) -> Path | None:
    """Where the page goes; a setting that is there but empty turns it off."""
    name = environment.get("LINEAGE_PAGE", default).strip()
    return _check_path(environment, "LINEAGE_PAGE", name, faults) if name else None


def _check_base_url(base_url: str, faults: list[str]) -> str:
    """The address of the tenant without a path; plain http only to this machine, as it would show the token."""
    if not base_url:
        faults.append("ATLAN_BASE_URL is not set: put your tenant's address into .env, like https://acme.atlan.com.")
        return ""
    if _is_placeholder(base_url):
        faults.append("ATLAN_BASE_URL still has the placeholder of .env.example: put your tenant's address there.")
        return ""
    if "@" in base_url:
        # Where it is in a password, what seems to be the host is a part of that, so nothing of it is shown or asked.
        faults.append(
            "ATLAN_BASE_URL has a user or a password in it: write the address only, like https://acme.atlan.com."
        )
        return ""
    try:
        parts = urlsplit(base_url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    address = _ip_address(host)
    is_name = host == "localhost" or re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host)
    if scheme not in ("http", "https") or not (address or is_name):
        # The value is not shown: it may be a token in the wrong line.
        faults.append("ATLAN_BASE_URL is no web address of a tenant: write it like https://acme.atlan.com.")
        return ""
    if scheme == "http" and not (host == "localhost" or (address and address.is_loopback)):
        faults.append(f"ATLAN_BASE_URL would send the token unencrypted (http://{host}): use https://{host}.")
    host = "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host  # pyatlan refuses localhost
    return f"{scheme}://{host}{f':{port}' if port else ''}"


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_hours(text: str, faults: list[str]) -> float:
    try:
        hours = float(text)
    except ValueError:
        faults.append(
            f"CACHE_EXPIRY_HOURS is no number ({shown(text)}): use hours, like 24, or 0 to never use the cache."
        )
        return 0.0
    if not 0 <= hours < 1e6:
        faults.append(
            f"CACHE_EXPIRY_HOURS is out of range ({shown(text)}): use hours, like 24, or 0 to never use the cache."
        )
    return hours


def _is_placeholder(value: str) -> bool:
    return bool(re.match(r"(https?://)?your[-_]", value))
