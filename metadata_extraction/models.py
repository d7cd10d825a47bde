"""What flows between the steps: one run in, counts and keys out. Nothing here is big or secret."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TypedDict

from runtime.errors import PipelineError

TYPENAMES = ("database", "schema", "table", "column", "procedure")
APPLICATION = "artifacts/apps/delta-arc"


@dataclass(frozen=True)
class Filters:
    """Which databases and schemas to crawl: regular expressions for whole names; empty keeps all, or excludes none."""

    include_databases: str = ""
    exclude_databases: str = ""
    include_schemas: str = ""
    exclude_schemas: str = ""

    def keeps_database(self, name: str) -> bool:
        """Whether a database of this name is crawled."""
        return _keeps(name, self.include_databases, self.exclude_databases)

    def keeps_schema(self, name: str) -> bool:
        """Whether a schema of this name is crawled, in whatever database it is."""
        return _keeps(name, self.include_schemas, self.exclude_schemas)


def _keeps(name: str, include: str, exclude: str) -> bool:
    if exclude and re.fullmatch(exclude, name):
        return False
    return not include or re.fullmatch(include, name) is not None


def prefix_of_runs(deployment: str) -> str:
    """The prefix of a deployment's runs, one folder for each workflow; those of none have Atlan's application SDK's."""
    return f"{APPLICATION}/deployments/{deployment}/workflows" if deployment else f"{APPLICATION}/workflows"


@dataclass(frozen=True)
class Run:
    """One extraction, as every step gets it. Addresses and secrets are no part of it: each worker has its own."""

    workflow_id: str
    run_id: str
    connection_name: str
    connection_qualified_name: str
    filters: Filters
    upload: bool
    deployment: str = ""

    @property
    def output_path(self) -> str:
        """The prefix of everything that the run writes."""
        return f"{prefix_of_runs(self.deployment)}/{self.workflow_id}/{self.run_id}"

    def raw_prefix(self, typename: str) -> str:
        """The prefix of a typename's rows, in Parquet."""
        return f"{self.output_path}/raw/{typename}"

    def transformed_prefix(self, typename: str) -> str:
        """The prefix of a typename's entities, in JSON lines."""
        return f"{self.output_path}/transformed/{typename}"

    @property
    def history_folder(self) -> str:
        """The prefix of the load history of the connection: each run adds what is new."""
        return (
            f"{prefix_of_runs(self.deployment).removesuffix('workflows')}load-history/{self.connection_qualified_name}"
        )

    @property
    def history_prefix(self) -> str:
        """The prefix of what this run adds to it."""
        return f"{self.history_folder}/{self.workflow_id}/{self.run_id}"


@dataclass(frozen=True)
class Preflight:
    """What is wrong with the source and the stores, one sentence for each fault; none is good.

    `upstream` is Atlan's storage, where the upload is on and it can be written. What is wrong with it is no fault, but a
    warning, as an upload fails no run.
    """

    source: str
    faults: list[str]
    upstream: str = ""
    warnings: list[str] = field(default_factory=list)


class PreflightError(PipelineError):
    """The source or the store cannot be used; one sentence for each fault."""

    def __init__(self, preflight: Preflight) -> None:
        super().__init__("\n".join(preflight.faults))
        self.faults = tuple(preflight.faults)


@dataclass(frozen=True)
class Written:
    """What one step wrote: rows of one type, in files below a prefix."""

    typename: str
    rows: int
    files: int
    bytes: int
    prefix: str


@dataclass(frozen=True)
class Transformed:
    """What the transformation wrote, type by type."""

    written: list[Written]


class Failure(TypedDict):
    """A file that did not arrive: its key, and why, in one sentence. A dictionary, as Atlan's application SDK has it."""

    file: str
    error: str


@dataclass(frozen=True)
class MigrationSummary:
    """What became of every file below the prefix: total = migrated + skipped + failed.

    `source` and `destination` are the names of the stores' components. `reason` says why nothing, or not all, could be
    tried; where the upload is off, `enabled` is False, and there is nothing else. `migrated_bytes` are those that were
    sent. Fields and defaults of `application_sdk.services.atlan_storage.MigrationSummary`, and what is ours beside them.
    """

    prefix: str = ""
    source: str = "objectstore"
    destination: str = "objectstore"
    total_files: int = 0
    migrated_files: int = 0
    skipped_files: int = 0
    failed_migrations: int = 0
    migrated_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)
    reason: str = ""
    enabled: bool = True

    @property
    def complete(self) -> bool:
        """Whether every file is there, and there was one."""
        return not self.reason and not self.failed_migrations and self.total_files > 0

    def shortened(self, most: int) -> MigrationSummary:
        """The same with at most so many failures listed; their number stays."""
        return replace(self, failures=self.failures[:most])


@dataclass(frozen=True)
class Result:
    """What a whole run did."""

    output_path: str
    written: list[Written]
    migration: MigrationSummary


def check_id(text: str) -> bool:
    """Whether a workflow or run id can be a part of a key: letters, digits and `-_.:=@`, and no dots alone."""
    return bool(re.fullmatch(r"[\w.:=@-]{1,200}", text)) and set(text) != {"."} and posixpath.normpath(text) == text
