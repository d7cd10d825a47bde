"""The settings of the extraction: read from the environment and `.env`, and checked, all faults at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metadata_extraction.models import Filters
from metadata_extraction.sources import secrets_in
from runtime.environment import check_log_level, read_environment
from runtime.errors import SettingsError
from runtime.terminal import configure_logging

# The connection in Atlan that the sample's assets belong to.
SAMPLE_CONNECTION_NAME = "postgres-sample"
SAMPLE_CONNECTION = "default/postgres/1763700000"
TRUE, FALSE = ("true", "1", "yes", "on"), ("", "false", "0", "no", "off")


@dataclass(frozen=True)
class ExtractionSettings:
    """The settings, checked. `sample` means: no source is set, use the embedded database and, to upload, the sandbox.

    `environment` has every variable that is not blank, of `.env` and the environment: the components look up their
    secrets there.
    """

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
    environment: Mapping[str, str] = field(repr=False)

    @property
    def sample(self) -> bool:
        """Whether the source is the embedded database with the sample tables."""
        return not self.source_url

    @property
    def use_sandbox(self) -> bool:
        """Whether Atlan's storage is the embedded sandbox's: for the sample, where no component is named."""
        return self.sample and self.enable_atlan_upload and self.upstream_store == "objectstore"

    @property
    def secrets(self) -> list[str]:
        """What no log, error or history may show; longer ones first, as a short one may be a part of a long one."""
        found = {*secrets_in(self.source_url), self.environment.get("ATLAN_AUTH_CLIENT_SECRET", "")}
        return sorted(found - {""}, key=lambda secret: (-len(secret), secret))

    def without_secrets(self, text: str) -> str:
        """The text with `***` in place of each secret; ones of under 4 characters are in every other word."""
        for secret in self.secrets:
            if len(secret) >= 4:
                text = text.replace(secret, "***")
        return text

    def apply_to_log(self) -> None:
        """Let the log show what the level asks for, and none of the secrets."""
        configure_logging(self.log_level, *self.secrets)


def get_extraction_settings() -> ExtractionSettings:
    """Read `.env` in the current folder and the environment, which wins, and set the log up; raises `SettingsError`.

    A command reads them once and passes them on; what is called by hand reads them for itself.
    """
    settings = check_extraction_settings(read_environment())
    settings.apply_to_log()
    return settings


def check_extraction_settings(environment: Mapping[str, str]) -> ExtractionSettings:
    """The settings that variables make, blank ones being none; raises `SettingsError` with all faults at once."""
    values = {name: value.strip() for name, value in environment.items() if value.strip()}
    faults: list[str] = []
    source_url = values.get("SOURCE_URL", "")
    connection_name, connection = _check_connection(values, faults)
    settings = ExtractionSettings(
        source_url=source_url,
        connection_name=connection_name,
        connection_qualified_name=connection,
        filters=_check_filters(values, faults),
        every_database="INCLUDE_DATABASES" in values,
        enable_atlan_upload=_check_upload(values, faults),
        statement_timeout_seconds=_check_timeout(values, faults),
        components=_check_components(values, faults),
        deployment_store=values.get("DEPLOYMENT_OBJECT_STORE_NAME", "objectstore"),
        upstream_store=values.get("UPSTREAM_OBJECT_STORE_NAME", "objectstore"),
        temporal_address=values.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"),
        temporal_namespace=values.get("TEMPORAL_NAMESPACE", "default"),
        temporal_task_queue=values.get("TEMPORAL_TASK_QUEUE", "delta-arc-extraction"),
        log_level=check_log_level(values.get("LOG_LEVEL", "INFO"), faults),
        environment=values,
    )
    if faults:
        raise SettingsError(faults)
    return settings


def _check_connection(values: Mapping[str, str], faults: list[str]) -> tuple[str, str]:
    """The connection's name and qualified name; the sample has ones of its own."""
    name, connection = values.get("ATLAN_CONNECTION_NAME", ""), values.get("ATLAN_CONNECTION_QUALIFIED_NAME", "")
    if "SOURCE_URL" not in values:
        name, connection = name or SAMPLE_CONNECTION_NAME, connection or SAMPLE_CONNECTION
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
    return name or connection, connection


def _check_filters(values: Mapping[str, str], faults: list[str]) -> Filters:
    patterns = {}
    for name in ("INCLUDE_DATABASES", "EXCLUDE_DATABASES", "INCLUDE_SCHEMAS", "EXCLUDE_SCHEMAS"):
        patterns[name.lower()] = values.get(name, "")
        try:
            re.compile(patterns[name.lower()])
        except re.error as error:
            faults.append(f"{name} is no regular expression ({error}): write it like sales|hr_.*")
    return Filters(**patterns)


def _check_upload(values: Mapping[str, str], faults: list[str]) -> bool:
    upload = values.get("ENABLE_ATLAN_UPLOAD", "")
    if upload.lower() not in TRUE + FALSE:
        faults.append(f"ENABLE_ATLAN_UPLOAD is {upload}: use true or false.")
    return upload.lower() in TRUE


def _check_timeout(values: Mapping[str, str], faults: list[str]) -> int:
    timeout = values.get("STATEMENT_TIMEOUT_SECONDS", "300")
    if re.fullmatch(r"[1-9][0-9]{0,5}", timeout):
        return int(timeout)
    faults.append(f"STATEMENT_TIMEOUT_SECONDS is {timeout}: use whole seconds, like 300.")
    return 0


def _check_components(values: Mapping[str, str], faults: list[str]) -> Path:
    components = Path(values.get("COMPONENTS_PATH", "components"))
    if not components.is_dir():
        faults.append(f"COMPONENTS_PATH is no folder ({components}): name the folder with the Dapr component files.")
    return components
