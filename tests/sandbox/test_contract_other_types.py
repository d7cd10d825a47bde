"""Other kinds of assets, and batches that only update."""

from __future__ import annotations

import pytest
from helpers import names, new_connection, new_stack, process_between, save, unique, within
from pyatlan.client.asset import Batch, CustomMetadataHandling
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import (
    BI,
    AirflowDag,
    AirflowTask,
    APIPath,
    APISpec,
    Asset,
    CustomEntity,
    DataDomain,
    DataProduct,
    File,
    KafkaConsumerGroup,
    KafkaTopic,
    PowerBIPage,
    PowerBIReport,
    PowerBIWorkspace,
    Table,
    TableauDashboard,
    TableauProject,
    TableauSite,
    TableauWorkbook,
    TablePartition,
    View,
)
from pyatlan.model.enums import AtlanConnectorType, FileType, LineageDirection
from pyatlan.model.fluent_search import CompoundQuery


def below(connection: str, kind: type[Asset], name: str, **attributes: object) -> Asset:
    """An asset of a type that has no creator."""
    asset = kind.updater(qualified_name=f"{connection}/{name}", name=name)
    asset.connection_qualified_name = connection
    asset.connector_name = connection.split("/")[1]
    for key, value in attributes.items():
        setattr(asset, key, value)
    return asset


def test_tableau(atlan):
    connection = new_connection(atlan, AtlanConnectorType.TABLEAU)
    site = below(connection, TableauSite, "site")
    project = below(connection, TableauProject, "project", site=TableauSite.ref_by_guid(site.guid))
    workbook = below(connection, TableauWorkbook, "book", project=TableauProject.ref_by_guid(project.guid))
    dashboard = below(connection, TableauDashboard, "board", workbook=TableauWorkbook.ref_by_guid(workbook.guid))

    guids = save(atlan, dashboard, workbook, project, site)

    read = atlan.asset.get_by_guid(guids[1], TableauWorkbook, ignore_relationships=False)
    assert read.project.guid == guids[2]
    assert [d.guid for d in read.dashboards] == [guids[0]]
    assert within(connection).where(CompoundQuery.super_types(BI)).count(atlan) == 4


def test_power_bi(atlan):
    connection = new_connection(atlan, AtlanConnectorType.POWERBI)
    workspace = below(connection, PowerBIWorkspace, "workspace")
    report = below(
        connection, PowerBIReport, "report", page_count=3, workspace=PowerBIWorkspace.ref_by_guid(workspace.guid)
    )
    page = below(connection, PowerBIPage, "page", report=PowerBIReport.ref_by_guid(report.guid))

    guids = save(atlan, page, report, workspace)

    read = atlan.asset.get_by_guid(guids[1], PowerBIReport, ignore_relationships=False)
    assert (read.page_count, read.workspace.guid, [p.guid for p in read.pages]) == (3, guids[2], [guids[0]])


def test_lineage_from_a_table_to_a_dashboard(atlan):
    stack = new_stack(atlan)
    [table] = save(atlan, stack.table())
    connection = new_connection(atlan, AtlanConnectorType.TABLEAU)
    [dashboard] = save(atlan, below(connection, TableauDashboard, "board"))
    process = process_between(
        connection, "extract", [Table.ref_by_guid(table)], [TableauDashboard.ref_by_guid(dashboard)]
    )
    save(atlan, process)

    upstream = atlan.asset.get_lineage_list(Asset.lineage(dashboard).direction(LineageDirection.UPSTREAM).request)

    assert [asset.name for asset in upstream] == ["extract", "orders"]


def test_kafka(atlan):
    connection = new_connection(atlan, AtlanConnectorType.KAFKA)
    topic = KafkaTopic.creator(name="orders", connection_qualified_name=connection)
    topic.kafka_topic_partitions_count = 12
    [topic_guid] = save(atlan, topic)
    group = KafkaConsumerGroup.creator(name="loaders", kafka_topic_qualified_names=[topic.qualified_name])

    [group_guid] = save(atlan, group)

    read = atlan.asset.get_by_guid(topic_guid, KafkaTopic, ignore_relationships=False)
    assert (read.qualified_name, read.kafka_topic_partitions_count) == (f"{connection}/topic/orders", 12)
    assert [g.guid for g in read.kafka_consumer_groups] == [group_guid]


def test_airflow(atlan):
    connection = new_connection(atlan, AtlanConnectorType.AIRFLOW)
    dag = AirflowDag.creator(name="nightly", connection_qualified_name=connection)
    [dag_guid] = save(atlan, dag)

    [task] = save(atlan, AirflowTask.creator(name="load", airflow_dag_qualified_name=dag.qualified_name))

    read = atlan.asset.get_by_guid(dag_guid, AirflowDag, ignore_relationships=False)
    assert [t.guid for t in read.airflow_tasks] == [task]


def test_api_file_and_custom_entity(atlan):
    connection = new_connection(atlan, AtlanConnectorType.API)
    spec = APISpec.creator(name="shop", connection_qualified_name=connection)
    save(atlan, spec)
    path = APIPath.creator(path_raw_uri="/orders", spec_qualified_name=spec.qualified_name)
    document = File.creator(name="terms.pdf", connection_qualified_name=connection, file_type=FileType.PDF)
    custom = CustomEntity.creator(name="thing", connection_qualified_name=connection)

    guids = save(atlan, path, document, custom)

    assert atlan.asset.get_by_guid(guids[0], APIPath, ignore_relationships=False).api_spec.display_text == "shop"
    assert atlan.asset.get_by_guid(guids[1], File).file_type == FileType.PDF
    assert atlan.asset.get_by_guid(guids[2], CustomEntity).name == "thing"


def test_table_partition(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    [guid] = save(atlan, table)

    part = TablePartition.creator(name="p1", table_qualified_name=table.qualified_name)
    part.parent_table = Table.ref_by_guid(guid)

    [partition] = save(atlan, part)

    read = atlan.asset.get_by_guid(guid, Table, ignore_relationships=False)
    assert [p.guid for p in read.partitions] == [partition]


@pytest.fixture
def domain(atlan) -> DataDomain:
    [guid] = save(atlan, DataDomain.creator(name=unique("Sales")))
    return atlan.asset.get_by_guid(guid, DataDomain)


def test_the_service_names_domains(atlan, domain):
    # From the server's code: default/domain/<id>/super, and <domain>/domain/<id> below it.
    parts = domain.qualified_name.split("/")
    assert (parts[:2], parts[3:]) == (["default", "domain"], ["super"])

    sub = DataDomain.creator(name="Orders", parent_domain_qualified_name=domain.qualified_name)
    [guid] = save(atlan, sub)

    read = atlan.asset.get_by_guid(guid, DataDomain, ignore_relationships=False)
    assert read.qualified_name.startswith(f"{domain.qualified_name}/domain/")
    assert (read.parent_domain.guid, read.parent_domain_qualified_name) == (domain.guid, domain.qualified_name)
    assert read.super_domain_qualified_name == domain.qualified_name


def test_find_a_domain(atlan, domain):
    assert atlan.asset.find_domain_by_name(domain.name).guid == domain.guid
    with pytest.raises(NotFoundError):
        atlan.asset.find_domain_by_name(unique("none"))


def test_data_product(atlan, domain):
    stack = new_stack(atlan)
    [table] = save(atlan, stack.table())
    selection = within(stack.connection).where(CompoundQuery.asset_type(Table)).to_request()
    name = unique("Orders")
    product = DataProduct.creator(name=name, domain_qualified_name=domain.qualified_name, asset_selection=selection)

    [guid] = save(atlan, product)

    read = atlan.asset.get_by_guid(guid, DataProduct, ignore_relationships=False)
    assert read.qualified_name.startswith(f"{domain.qualified_name}/product/")
    assert read.data_domain.guid == domain.guid
    assert [asset.guid for asset in read.get_assets(atlan)] == [table]
    assert atlan.asset.find_product_by_name(name).guid == guid
    domain = atlan.asset.get_by_guid(domain.guid, DataDomain, ignore_relationships=False)
    assert [p.guid for p in domain.data_products] == [guid]


def test_batch_that_only_updates(atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("old"))
    batch = Batch(client=atlan, max_size=20, update_only=True, track=True)
    for name in ("old", "new"):
        table = stack.table(name)
        table.description = "from the batch"
        batch.add(table)

    batch.flush()

    assert (batch.num_created, batch.num_updated, batch.num_skipped) == (0, 1, 1)
    assert names(batch.skipped) == ["new"]
    found = within(stack.connection).where(CompoundQuery.asset_type(Table)).execute(atlan)
    assert [(t.name, t.description) for t in found] == [("old", "from the batch")]


def test_batch_that_only_updates_whatever_the_case(atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("Orders"))
    batch = Batch(client=atlan, max_size=20, update_only=True, case_insensitive=True)
    table = stack.table("ORDERS")
    table.description = "found"
    batch.add(table)

    batch.flush()

    assert (batch.num_updated, batch.num_skipped) == (1, 0)
    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/Orders", Table).description == "found"


def test_batch_that_takes_a_view_for_a_table(atlan):
    stack = new_stack(atlan)
    save(atlan, View.creator(name="v", schema_qualified_name=stack.schema))
    batch = Batch(client=atlan, max_size=20, update_only=True, table_view_agnostic=True)
    table = Table.updater(qualified_name=f"{stack.schema}/v", name="v")
    table.description = "found"
    batch.add(table)

    batch.flush()

    assert batch.num_updated == 1
    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/v", View).description == "found"


def test_batch_that_merges_custom_metadata_saves_the_assets(atlan):
    stack = new_stack(atlan)
    batch = Batch(client=atlan, max_size=2, custom_metadata_handling=CustomMetadataHandling.MERGE)
    for name in "abc":
        batch.add(stack.table(name))
    batch.flush()

    assert batch.num_created == 3


def test_batch_keeps_failures(atlan):
    stack = new_stack(atlan)
    batch = Batch(client=atlan, max_size=20, capture_failures=True)
    batch.add(Table.creator(name="t", schema_qualified_name=f"{stack.database}/nowhere"))

    batch.flush()

    [failure] = batch.failures
    assert isinstance(failure.failure_reason, NotFoundError)
    assert names(failure.failed_assets) == ["t"]
