"""The settings of the extraction: read from the environment and `.env`, and checked, all faults at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metadata_extraction.components import secrets_in_components
from metadata_extraction.models import Filters, check_id
from metadata_extraction.sources import secrets_of_address
from runtime.environment import (
    check_log_file,
    check_log_level,
    read_environment,
    secrets_in,
    warn_of_unknown_settings,
)
from runtime.errors import SettingsError
from runtime.terminal import configure_logging

# The connection in Atlan that the sample's assets belong to.
SAMPLE_CONNECTION_NAME = "postgres-sample"
SAMPLE_CONNECTION = "default/postgres/1763700000"
# What is secret of the sources' and stores' libraries, beside what `secrets_in` knows.
SECRET_VARIABLES = re.compile(r"(?:SNOWFLAKE|AZURE|PG)\w*(?:TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY)")
TEMPORAL_TLS_FILES = ("TEMPORAL_TLS_CA", "TEMPORAL_TLS_CERT", "TEMPORAL_TLS_KEY")
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
    deployment: str
    components: Path
    deployment_store: str
    upstream_store: str
    temporal_address: str
    temporal_namespace: str
    temporal_task_queue: str
    temporal_tls: bool
    temporal_api_key: str = field(repr=False)
    temporal_tls_files: Mapping[str, Path]  # by setting
    log_level: str
    log_file: Path | None
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
        """What no log, error or history may show: passwords, keys, and every value that a component refers to."""
        named = {value for name, value in self.environment.items() if SECRET_VARIABLES.fullmatch(name)}
        found = {
            *secrets_in(self.environment),
            *named,
            *secrets_of_address(self.source_url),
            *secrets_in_components(self.components, self.environment),
        }
        return sorted(found - {""})

    def apply_to_log(self) -> None:
        """Let the log show what the level asks for, and let it and `mask` show none of the secrets."""
        configure_logging(self.log_level, *self.secrets, file=self.log_file)


def get_extraction_settings() -> ExtractionSettings:
    """Read `.env` in the current folder and the environment, which wins, and set the log up; raises `SettingsError`.

    A command reads them once and passes them on; what is called by hand reads them for itself.
    """
    environment = read_environment()
    # What is told of wrong settings has to be masked, and to be in the log's file, too.
    file = check_log_file(environment.get("LOG_FILE", ""), [])
    configure_logging("INFO", *secrets_in(environment), file=file)
    settings = check_extraction_settings(environment)
    settings.apply_to_log()
    warn_of_unknown_settings(environment)
    return settings


def check_extraction_settings(environment: Mapping[str, str]) -> ExtractionSettings:
    """The settings that variables make, blank ones being none; raises `SettingsError` with all faults at once."""
    values = {name: value.strip() for name, value in environment.items() if value.strip()}
    faults: list[str] = []
    source_url = values.get("SOURCE_URL", "")
    connection_name, connection = _check_connection(values, faults)
    tls_files = _check_tls_files(values, faults)
    settings = ExtractionSettings(
        source_url=source_url,
        connection_name=connection_name,
        connection_qualified_name=connection,
        filters=_check_filters(values, faults),
        every_database="INCLUDE_DATABASES" in values,
        enable_atlan_upload=_check_switch("ENABLE_ATLAN_UPLOAD", values, faults),
        deployment=_check_deployment(values, faults),
        statement_timeout_seconds=_check_timeout(values, faults),
        components=_check_components(values, faults),
        deployment_store=values.get("DEPLOYMENT_OBJECT_STORE_NAME", "objectstore"),
        upstream_store=values.get("UPSTREAM_OBJECT_STORE_NAME", "objectstore"),
        temporal_address=values.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"),
        temporal_namespace=values.get("TEMPORAL_NAMESPACE", "default"),
        temporal_task_queue=values.get("TEMPORAL_TASK_QUEUE", "delta-arc-extraction"),
        temporal_tls=_check_temporal_tls(values, tls_files, faults),
        temporal_api_key=values.get("TEMPORAL_API_KEY", ""),
        temporal_tls_files=tls_files,
        log_level=check_log_level(values.get("LOG_LEVEL", "INFO"), faults),
        log_file=check_log_file(values.get("LOG_FILE", ""), faults),
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


def _check_deployment(values: Mapping[str, str], faults: list[str]) -> str:
    name = values.get("ATLAN_DEPLOYMENT_NAME", "")
    if name and not check_id(name):
        faults.append(f"ATLAN_DEPLOYMENT_NAME is {name}: use letters, digits, and any of - _ . : = @")
    return name


def _check_filters(values: Mapping[str, str], faults: list[str]) -> Filters:
    patterns = {}
    for name in ("INCLUDE_DATABASES", "EXCLUDE_DATABASES", "INCLUDE_SCHEMAS", "EXCLUDE_SCHEMAS"):
        patterns[name.lower()] = values.get(name, "")
        try:
            re.compile(patterns[name.lower()])
        except re.error as error:
            faults.append(f"{name} is no regular expression ({error}): write it like sales|hr_.*")
    return Filters(**patterns)


def _check_switch(name: str, values: Mapping[str, str], faults: list[str]) -> bool:
    given = values.get(name, "")
    if given.lower() not in TRUE + FALSE:
        faults.append(f"{name} is {given}: use true or false.")
    return given.lower() in TRUE


def _check_tls_files(values: Mapping[str, str], faults: list[str]) -> dict[str, Path]:
    files = {name: Path(values[name]) for name in TEMPORAL_TLS_FILES if name in values}
    for name, path in files.items():
        if not os.path.isfile(path):
            faults.append(f"{name} is no file ({path}): name a file in PEM.")
    if ("TEMPORAL_TLS_CERT" in files) != ("TEMPORAL_TLS_KEY" in files):
        faults.append("TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together: set both, or none.")
    return files


def _check_temporal_tls(values: Mapping[str, str], files: Mapping[str, Path], faults: list[str]) -> bool:
    """Whether Temporal is spoken to over TLS: where it is asked for, and where there is a key or a certificate."""
    needed = "TEMPORAL_API_KEY" in values or bool(files)
    if "TEMPORAL_TLS" not in values:
        return needed
    wanted = _check_switch("TEMPORAL_TLS", values, faults)
    if needed and not wanted:
        faults.append(
            "TEMPORAL_TLS is off, but there is a TEMPORAL_API_KEY or a certificate, which needs it: set TEMPORAL_TLS=true."
        )
    return wanted


def _check_timeout(values: Mapping[str, str], faults: list[str]) -> int:
    timeout = values.get("STATEMENT_TIMEOUT_SECONDS", "300")
    if re.fullmatch(r"[1-9][0-9]{0,5}", timeout):
        return int(timeout)
    faults.append(f"STATEMENT_TIMEOUT_SECONDS is {timeout}: use whole seconds, like 300.")
    return 0


def _check_components(values: Mapping[str, str], faults: list[str]) -> Path:
    components = Path(values.get("COMPONENTS_PATH", "components"))
    if not os.path.isdir(components):
        faults.append(f"COMPONENTS_PATH is no folder ({components}): name the folder with the Dapr component files.")
    return components
