"""The settings of the extraction: read from the environment and `.env`, and checked, all faults at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from delta_arc.settings import LOG_LEVELS, SettingsError, read_env_file
from metadata_extraction.models import Filters
from runtime.terminal import configure_logging

# The connection in Atlan that the sample's assets belong to.
SAMPLE_CONNECTION_NAME = "postgres-sample"
SAMPLE_CONNECTION = "default/postgres/1763700000"
TRUE, FALSE = ("true", "1", "yes", "on"), ("", "false", "0", "no", "off")


@dataclass(frozen=True)
class Settings:
    """The settings, checked. `sample` means: no source is set, use the embedded database and, to upload, the sandbox."""

    source_url: str = field(repr=False)
    connection_name: str
    connection_qualified_name: str
    filters: Filters
    every_database: bool
    statement_timeout_seconds: int
    enable_atlan_upload: bool
    components: Path
    deployment_store: str
    upstream_store: str
    temporal_address: str
    temporal_namespace: str
    temporal_task_queue: str
    log_level: str

    @property
    def sample(self) -> bool:
        return not self.source_url

    @property
    def use_sandbox(self) -> bool:
        """Whether Atlan's storage is the embedded sandbox's: for the sample, where no component is named."""
        return self.sample and self.enable_atlan_upload and self.upstream_store == "objectstore"


def get_settings() -> Settings:
    """Read `.env` in the current folder and the environment, which wins; raises `SettingsError`."""
    in_file = read_env_file()
    for name in ("ATLAN_AUTH_CLIENT_ID", "ATLAN_AUTH_CLIENT_SECRET"):
        if in_file.get(name):
            os.environ.setdefault(name, in_file[name])  # the components' secrets are looked up there
    settings = read_settings({**in_file, **os.environ})
    secrets = [*_passwords(settings.source_url), os.environ.get("ATLAN_AUTH_CLIENT_SECRET", "")]
    configure_logging(settings.log_level, *secrets)
    return settings


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Check every setting and tell all faults at once."""
    values = {name: value.strip() for name, value in environment.items() if value.strip()}
    faults: list[str] = []
    source_url = values.get("SOURCE_URL", "")
    connection_name = values.get("ATLAN_CONNECTION_NAME", "")
    connection = values.get("ATLAN_CONNECTION_QUALIFIED_NAME", "")
    if not source_url:
        connection_name, connection = connection_name or SAMPLE_CONNECTION_NAME, connection or SAMPLE_CONNECTION
    if not connection:
        faults.append(
            "ATLAN_CONNECTION_QUALIFIED_NAME is not set: put the qualified name of the connection in Atlan that the "
            "assets belong to, like default/postgres/1757530687."
        )
    elif not re.fullmatch(r"default/[a-z0-9-]+/[^/\s]+", connection):
        faults.append(
            f"ATLAN_CONNECTION_QUALIFIED_NAME is no qualified name of a connection ({connection}): write it like "
            "default/postgres/1757530687."
        )
    patterns = {}
    for name in ("INCLUDE_DATABASES", "EXCLUDE_DATABASES", "INCLUDE_SCHEMAS", "EXCLUDE_SCHEMAS"):
        patterns[name.lower()] = values.get(name, "")
        try:
            re.compile(patterns[name.lower()])
        except re.error as error:
            faults.append(f"{name} is no regular expression ({error}): write it like sales|hr_.*")
    upload = values.get("ENABLE_ATLAN_UPLOAD", "").lower()
    if upload not in TRUE + FALSE:
        faults.append(f"ENABLE_ATLAN_UPLOAD is {values['ENABLE_ATLAN_UPLOAD']}: use true or false.")
    timeout = values.get("STATEMENT_TIMEOUT_SECONDS", "300")
    if not re.fullmatch(r"[1-9]\d{0,5}", timeout):
        faults.append(f"STATEMENT_TIMEOUT_SECONDS is {timeout}: use whole seconds, like 300.")
    components = Path(values.get("COMPONENTS_PATH", "components"))
    if not components.is_dir():
        faults.append(f"COMPONENTS_PATH is no folder ({components}): name the folder with the Dapr component files.")
    log_level = values.get("LOG_LEVEL", "INFO").upper()
    if log_level not in LOG_LEVELS:
        faults.append(f"LOG_LEVEL is {values['LOG_LEVEL']}: use one of {', '.join(LOG_LEVELS)}.")
    if faults:
        raise SettingsError(faults)
    return Settings(
        source_url=source_url,
        connection_name=connection_name or connection,
        connection_qualified_name=connection,
        filters=Filters(**patterns),
        every_database="INCLUDE_DATABASES" in values,
        statement_timeout_seconds=int(timeout),
        enable_atlan_upload=upload in TRUE,
        components=components,
        deployment_store=values.get("DEPLOYMENT_OBJECT_STORE_NAME", "objectstore"),
        upstream_store=values.get("UPSTREAM_OBJECT_STORE_NAME", "objectstore"),
        temporal_address=values.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"),
        temporal_namespace=values.get("TEMPORAL_NAMESPACE", "default"),
        temporal_task_queue=values.get("TEMPORAL_TASK_QUEUE", "delta-arc-extraction"),
        log_level=log_level,
    )


def _passwords(url: str) -> list[str]:
    """The password within a source's address, as it stands there and as it is meant, so that the log can leave it out."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        password = ""
    in_words = re.search(r"password\s*=\s*(?:'([^']*)'|(\S+))", url)
    if in_words and not password:
        password = in_words.group(1) or in_words.group(2)
    return [password, unquote(password)]
