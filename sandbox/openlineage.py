"""OpenLineage events, and the assets that Atlan makes of them: a job, its process, and one process for each column.

What is made of an event is on Atlan's pages "What does Atlan crawl from Apache Spark/OpenLineage?" (with Airflow's
beside it), "What are partial assets?" and "Event conventions", in pyatlan's `OpenLineageEvent` (which events a run needs)
and in its test `test_open_lineage`, from which the qualified names are. Where datasets are named: OpenLineage's "Naming".
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.catalog import Catalog, Entity, name_root
from sandbox.errors import bad_request
from sandbox.messages import Attributes, JsonObject, SentEntity
from sandbox.mutations import SaveOptions, save

FINAL_STATES = ("COMPLETE", "ABORT", "FAIL")
STATES = ("START", "RUNNING", *FINAL_STATES, "OTHER")
# The connector in qualified names, for a scheme that is not called like it ("Naming").
CONNECTORS = {"postgresql": "postgres", "sqlserver": "mssql", "gs": "gcs", "abfss": "adls", "wasbs": "adls"}
# What a dataset of a connector is that is no table.
OBJECT_TYPES = {"s3": "S3Object", "gcs": "GCSObject", "adls": "ADLSObject", "kafka": "KafkaTopic"}
ARN = {"s3": "arn:aws:s3:::"}  # crawlers and pyatlan name objects by it
RUNS = "openlineage"  # the kind of the documents that keep runs which have not ended


@dataclass(frozen=True)
class Dataset:
    """A dataset as an event names it: `namespace` is where it lives (`postgres://host:5432`), `name` which it is there."""

    namespace: str
    name: str

    @property
    def connector(self) -> str:
        """The connector that Atlan has for such datasets."""
        scheme = self.namespace.partition("://")[0].lower()
        return CONNECTORS.get(scheme, scheme)

    @property
    def host(self) -> str:
        """The host of a database, or the bucket of an object store."""
        return self.namespace.partition("://")[2].partition("/")[0].partition(":")[0]

    @property
    def path(self) -> str:
        """Its name below a connection: `DB/SCHEMA/TABLE`, or `bucket/key`."""
        if self.connector in OBJECT_TYPES:
            bucket = f"{self.host}/" if self.connector != "kafka" else ""
            return bucket + self.name.strip("/")
        return self.name.replace('"', "").replace(".", "/")


@dataclass
class Run:
    """What the events of one run have told so far. `columns` has, by output and its column, the input columns.

    Events may each tell a part: datasets add up, and the last word holds for everything else ("Run Cycle").
    """

    namespace: str
    job: str
    started: int | None = None
    inputs: list[Dataset] = field(default_factory=list)
    outputs: list[Dataset] = field(default_factory=list)
    columns: list[tuple[Dataset, str, list[tuple[Dataset, str]]]] = field(default_factory=list)
    sql: str = ""
    versions: tuple[str, str] = ("", "")

    def document(self) -> JsonObject:
        """The run as it is stored."""
        return {
            "namespace": self.namespace,
            "job": self.job,
            "started": self.started,
            "inputs": [_pair(dataset) for dataset in self.inputs],
            "outputs": [_pair(dataset) for dataset in self.outputs],
            "columns": [
                [_pair(output), column, [[_pair(dataset), name] for dataset, name in sources]]
                for output, column, sources in self.columns
            ],
            "sql": self.sql,
            "versions": self.versions,
        }

    @classmethod
    def read(cls, document: JsonObject) -> Run:
        """The run that `document` gave."""
        return cls(
            namespace=document["namespace"],
            job=document["job"],
            started=document["started"],
            inputs=[Dataset(*pair) for pair in document["inputs"]],
            outputs=[Dataset(*pair) for pair in document["outputs"]],
            columns=[
                (Dataset(*output), column, [(Dataset(*pair), name) for pair, name in sources])
                for output, column, sources in document["columns"]
            ],
            sql=document["sql"],
            versions=(document["versions"][0], document["versions"][1]),
        )


def _pair(dataset: Dataset) -> list[str]:
    return [dataset.namespace, dataset.name]


def is_configured(catalog: Catalog, connector: str) -> bool:
    """Whether the tenant has a connection that events of this connector can go to."""
    return any(_connections(catalog, connector))


def receive(catalog: Catalog, connector: str, body: object, user: str) -> None:
    """Take one event, or a list of them; one that ends a run makes its assets.

    Events of a job whose namespace is no connection's name are taken and left ("Event conventions"), as are those that
    describe a job or a dataset alone and not a run. Raises `AtlasError` (400) for what is no event.
    """
    for event in body if isinstance(body, list) else [body]:
        if not isinstance(event, dict):
            raise bad_request("an OpenLineage event is an object")
        if "run" in event:
            _take(catalog, connector, event, user)


def _take(catalog: Catalog, connector: str, event: JsonObject, user: str) -> None:
    run_id, state, job = _text(event["run"], "runId"), event.get("eventType"), _dataset(event.get("job"))
    if state not in STATES:
        raise bad_request(f"eventType must be one of {', '.join(STATES)}, not {state}")
    moment = _milliseconds(event.get("eventTime"))
    connection = next((found for found in _connections(catalog, connector) if found.name == job.namespace), None)
    if connection is None:
        return
    run = _stored(catalog, run_id) or Run(job.namespace, job.name)
    if state == "START":
        run.started = moment
    _add_datasets(run, event)
    if state not in FINAL_STATES or run.started is None:
        catalog.put_document(RUNS, run_id, run.document())
        return
    _Assets(catalog, connection, run, user).save(str(state), moment)
    catalog.delete_document(RUNS, run_id)


def _stored(catalog: Catalog, run_id: str) -> Run | None:
    found = list(catalog.select("SELECT value FROM document WHERE kind = ? AND name = ?", (RUNS, run_id)))
    return Run.read(orjson.loads(found[0][0])) if found else None


def _add_datasets(run: Run, event: JsonObject) -> None:
    for side, known in (("inputs", run.inputs), ("outputs", run.outputs)):
        for item in _list(event, side):
            dataset = _dataset(item)
            if dataset not in known:
                known.append(dataset)
            if side == "outputs":
                run.columns = [told for told in run.columns if told[0] != dataset or not _column_fields(item)]
                run.columns += [(dataset, column, sources) for column, sources in _column_fields(item)]
    run.sql = str(_facet(event.get("job"), "sql").get("query") or run.sql)
    versions = _facet(event.get("run"), "spark_version") or _facet(event.get("run"), "airflow_version")
    if versions:
        run.versions = (
            str(versions.get("spark-version") or versions.get("airflow-version") or ""),
            str(versions.get("openlineage-spark-version") or versions.get("openlineage-airflow-version") or ""),
        )


def _column_fields(output: JsonObject) -> list[tuple[str, list[tuple[Dataset, str]]]]:
    """Of the facet `columnLineage` of an output: its columns, each with those that it comes from."""
    fields = _facet(output, "columnLineage").get("fields")
    if not isinstance(fields, dict):
        return []
    found = []
    for column, told in fields.items():
        sources = _list(told if isinstance(told, dict) else {}, "inputFields")
        found.append((column, [(_dataset(one), _text(one, "field")) for one in sources]))
    return found


def _dataset(named: object) -> Dataset:
    return Dataset(_text(named, "namespace"), _text(named, "name"))


def _text(holder: object, name: str) -> str:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, str) or not value:
        raise bad_request(f"an OpenLineage event lacks a {name}, or has one that is no text")
    return value


def _list(event: JsonObject, name: str) -> list[Any]:
    value = event.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"{name} of an OpenLineage event is no list")
    return value


def _facet(holder: object, name: str) -> JsonObject:
    facets = holder.get("facets") if isinstance(holder, dict) else None
    facet = facets.get(name) if isinstance(facets, dict) else None
    return facet if isinstance(facet, dict) else {}


def _milliseconds(moment: object) -> int:
    # Python 3.10 reads fractions of 3 or 6 digits only.
    text = re.sub(r"\.(\d+)", lambda found: f".{found[1]:0<6.6}", str(moment)).replace("Z", "+00:00")
    try:
        found = datetime.datetime.fromisoformat(text)
        return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise bad_request(f"eventTime of an OpenLineage event is no date and time: {moment}") from None


def _connections(catalog: Catalog, connector: str) -> Iterator[Entity]:
    """The active connections of a connector, as their qualified names have it."""
    for guid in catalog.by_type["Connection"]:
        entity = catalog.entities[guid]
        if entity.active and entity.qualified_name.split("/")[1:2] == [connector]:
            yield entity


class _Assets:
    """The assets of one run that has ended, in the connection that its job names."""

    def __init__(self, catalog: Catalog, connection: Entity, run: Run, user: str) -> None:
        self.catalog = catalog
        self.connection = connection
        self.run = run
        self.user = user
        # By dataset: its entity in the tenant, or the qualified name of a partial one below the connection.
        self.known: dict[Dataset, Entity | None] = {}

    def save(self, state: str, ended: int) -> None:
        """Save what the run needs and makes: partial assets, process, job, column processes."""
        run = self.run
        if run.inputs and run.outputs:
            self._save(self._partial_assets())
            self._save([self._process()])
        self._save([self._job(state, ended)])
        if run.inputs and run.outputs:
            columns = list(self._column_processes())
            self._save(
                {column["attributes"]["qualifiedName"]: column for _, made in columns for column in made}.values()
            )
            self._save([process for process, _ in columns])

    def _save(self, entities: Iterable[SentEntity]) -> None:
        batch = list(entities)
        if batch:
            save(self.catalog, batch, SaveOptions(), self.user)

    def _entity(self, type_name: str, qualified_name: str, name: str, **attributes: Any) -> SentEntity:
        own: Attributes = {
            "name": name,
            "qualifiedName": qualified_name,
            "connectionQualifiedName": self.connection.qualified_name,
            "connectionName": self.connection.name,
            "connectorName": self.connection.qualified_name.split("/")[1],
        }
        return {"typeName": type_name, "attributes": {**own, **attributes}}

    def _job(self, state: str, ended: int) -> SentEntity:
        run = self.run
        airflow = self.connection.qualified_name.split("/")[1].startswith("airflow")
        run_attribute = "airflowRun" if airflow else "sparkRun"
        attributes: Attributes = {
            f"{run_attribute}StartTime": run.started,
            f"{run_attribute}EndTime": ended,
            f"{run_attribute}OpenLineageState": state,
            f"{run_attribute}Version": run.versions[0] or None,
            f"{run_attribute}OpenLineageVersion": run.versions[1] or None,
        }
        if airflow:
            attributes["airflowDagName"] = run.job.partition(".")[0]
        else:
            attributes["sparkAppName"] = run.job.partition(".")[0]
        if run.inputs and run.outputs:
            attributes["inputs"] = [self._reference(dataset) for dataset in run.inputs]
            attributes["outputs"] = [self._reference(dataset) for dataset in run.outputs]
            attributes["process"] = _by_name("Process", self._process_name)
        return self._entity("AirflowTask" if airflow else "SparkJob", self._job_name, run.job, **attributes)

    @property
    def _job_name(self) -> str:
        return f"{self.connection.qualified_name}/{self.run.job}"

    @property
    def _process_name(self) -> str:
        return f"{self._job_name}/process"

    def _process(self) -> SentEntity:
        inputs = [self._reference(dataset) for dataset in self.run.inputs]
        outputs = [self._reference(dataset) for dataset in self.run.outputs]
        sql = {"sql": self.run.sql, "code": self.run.sql} if self.run.sql else {}
        return self._entity("Process", self._process_name, self.run.job, inputs=inputs, outputs=outputs, **sql)

    def _partial_assets(self) -> list[SentEntity]:
        """Assets for datasets that the tenant does not have."""
        return [
            self._entity(
                OBJECT_TYPES.get(dataset.connector, "Table"),
                f"{self.connection.qualified_name}/{dataset.path}",
                dataset.path.rpartition("/")[2],
                isPartial=True,
            )
            for dataset in dict.fromkeys([*self.run.inputs, *self.run.outputs])
            if self._find(dataset) is None
        ]

    def _column_processes(self) -> Iterator[tuple[SentEntity, list[SentEntity]]]:
        """The process of each output column, with the partial columns that it needs; none where a column is not known."""
        for output, column, sources in self.run.columns:
            made: list[SentEntity] = []
            target = self._column(output, column, made)
            inputs = [self._column(dataset, name, made) for dataset, name in sources]
            found = [reference for reference in inputs if reference]
            if target and found:
                name = f"{', '.join(name for _, name in sources)} -> {column}"
                qualified_name = f"{self._process_name}/{output.path}/{column}"
                parent = _by_name("Process", self._process_name)
                process = self._entity(
                    "ColumnProcess", qualified_name, name, inputs=found, outputs=[target], process=parent
                )
                yield process, made

    def _column(self, dataset: Dataset, name: str, made: list[SentEntity]) -> JsonObject | None:
        """A reference to a column, which is added to `made` where its table is a partial asset; None if there is none."""
        if dataset.connector in OBJECT_TYPES or dataset not in (*self.run.inputs, *self.run.outputs):
            return None
        table = self._find(dataset)
        if table:
            connection, path = name_root(table.qualified_name), "/".join(table.qualified_name.split("/")[3:])
            found = self._find_named(connection, f"{path}/{name}", "Column")
            return _reference_to(found) if found else None
        qualified_name = f"{self.connection.qualified_name}/{dataset.path}"
        column = f"{qualified_name}/{name}"
        made.append(
            self._entity(
                "Column",
                column,
                name,
                isPartial=True,
                table=_by_name("Table", qualified_name),
                tableQualifiedName=qualified_name,
            )
        )
        return _by_name("Column", column)

    def _reference(self, dataset: Dataset) -> JsonObject:
        entity = self._find(dataset)
        if entity:
            return _reference_to(entity)
        type_name = OBJECT_TYPES.get(dataset.connector, "Table")
        return _by_name(type_name, f"{self.connection.qualified_name}/{dataset.path}")

    def _find(self, dataset: Dataset) -> Entity | None:
        """The asset of the tenant that a dataset is: the only one of that path in a connection of its connector.

        Of several, the one whose connection has the dataset's host.
        """
        if dataset not in self.known:
            paths = [prefix + dataset.path for prefix in ("", *ARN.get(dataset.connector, "").split())]
            found = {}
            for connection in _connections(self.catalog, dataset.connector):
                for path in paths:
                    entity = self._find_named(connection.qualified_name, path, "Catalog")
                    if entity:
                        found[entity.guid] = (connection, entity)
            hosted = [
                entity for connection, entity in found.values() if connection.attributes.get("host") == dataset.host
            ]
            all_found = [entity for _, entity in found.values()]
            chosen = all_found if len(all_found) == 1 else hosted
            self.known[dataset] = chosen[0] if len(chosen) == 1 else None
        return self.known[dataset]

    def _find_named(self, connection: str, path: str, type_name: str) -> Entity | None:
        """The active entity of this name, or in Snowflake of the name in capitals, which are what it has where none are quoted."""
        paths = [path, path.upper()] if connection.split("/")[1] == "snowflake" else [path]
        for name in paths:
            for guid in self.catalog.by_name[f"{connection}/{name}"]:
                entity = self.catalog.entities[guid]
                if entity.active and entity.type.is_a(type_name):
                    return entity
        return None


def _by_name(type_name: str, qualified_name: str) -> JsonObject:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": qualified_name}}


def _reference_to(entity: Entity) -> JsonObject:
    return _by_name(entity.type.name, entity.qualified_name)
