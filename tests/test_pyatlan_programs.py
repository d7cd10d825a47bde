"""Other people's pyatlan programs against the sandbox: what they do on a tenant works, and is refused, the same here."""

from __future__ import annotations

import asyncio
import itertools
import time

import httpx
import pytest
from pyatlan.client.aio import AsyncAtlanClient
from pyatlan.client.asset import Batch
from pyatlan.client.atlan import AtlanClient
from pyatlan.errors import AtlanError, AuthenticationError, InvalidRequestError, NotFoundError
from pyatlan.model.assets import (
    ADLSAccount,
    ADLSContainer,
    ADLSObject,
    Asset,
    AtlasGlossary,
    AtlasGlossaryCategory,
    AtlasGlossaryTerm,
    Column,
    ColumnProcess,
    Connection,
    Database,
    DataDomain,
    DataProduct,
    GCSBucket,
    GCSObject,
    KafkaTopic,
    MaterialisedView,
    Process,
    Readme,
    S3Bucket,
    S3Object,
    Schema,
    Table,
    View,
)  # fmt: skip
from pyatlan.model.custom_metadata import CustomMetadataDict
from pyatlan.model.enums import (
    AtlanConnectorType,
    AtlanCustomAttributePrimitiveType,
    AtlanTagColor,
    CertificateStatus,
    EntityStatus,
    LineageDirection,
)  # fmt: skip
from pyatlan.model.fluent_search import CompoundQuery, FluentSearch
from pyatlan.model.lineage import FluentLineage
from pyatlan.model.typedef import AtlanTagDef, AttributeDef, CustomMetadataDef

import sandbox

_numbers = itertools.count(1_600_000_000)


def make_connection(atlan: AtlanClient, connector: AtlanConnectorType = AtlanConnectorType.VERTICA) -> str:
    """A new connection with a qualified name of its own; pyatlan's would repeat within a second."""
    role = atlan.role_cache.get_id_for_name("$admin")
    connection = Connection.creator(
        client=atlan, name=f"c{next(_numbers)}", connector_type=connector, admin_roles=[role]
    )
    connection.qualified_name = f"default/{connector.value}/{next(_numbers)}"
    (created,) = atlan.asset.save(connection).assets_created(Connection)
    return created.qualified_name


class Stack:
    """A Vertica database with a schema, a table, a view, a materialised view, and a column in each."""

    def __init__(self, atlan: AtlanClient) -> None:
        self.connection = make_connection(atlan)
        database = Database.creator(name="DB", connection_qualified_name=self.connection)
        schema = Schema.creator(name="PUBLIC", database_qualified_name=database.qualified_name)
        self.schema = schema.qualified_name
        self.table = Table.creator(name="orders", schema_qualified_name=self.schema)
        self.view = View.creator(name="recent_orders", schema_qualified_name=self.schema)
        self.mview = MaterialisedView.creator(name="OrdersByDay", schema_qualified_name=self.schema)
        self.columns = [
            Column.creator(name="id", parent_qualified_name=parent.qualified_name, parent_type=type(parent), order=1)
            for parent in (self.table, self.view, self.mview)
        ]
        # References by qualified name find what was there before a request; to its own assets they go by guid.
        schema.database = Database.ref_by_guid(database.guid)
        for table in (self.table, self.view, self.mview):
            table.atlan_schema = Schema.ref_by_guid(schema.guid)
        of_table, of_view, of_mview = self.columns
        of_table.table = Table.ref_by_guid(self.table.guid)
        of_view.view = View.ref_by_guid(self.view.guid)
        of_mview.materialised_view = MaterialisedView.ref_by_guid(self.mview.guid)
        assets = [*self.columns, self.mview, self.view, self.table, schema, database]
        self.response = atlan.asset.save(assets)
        for asset in assets:
            asset.guid = self.response.guid_assignments[asset.guid]

    def connect(
        self, atlan: AtlanClient, left: Asset, right: Asset, columns: tuple[Column, Column] | None = None
    ) -> Process:
        process = Process.creator(
            name=f"{left.name} -> {right.name}",
            connection_qualified_name=self.connection,
            process_id=f"job/{left.name}/{right.name}",
            inputs=[type(left).ref_by_guid(left.guid)],
            outputs=[type(right).ref_by_guid(right.guid)],
        )
        (created,) = atlan.asset.save(process).assets_created(Process)
        if columns:
            atlan.asset.save(
                ColumnProcess.creator(
                    name="id -> id",
                    connection_qualified_name=self.connection,
                    process_id=f"job/{left.name}/{right.name}/column/id",
                    inputs=[Column.ref_by_guid(columns[0].guid)],
                    outputs=[Column.ref_by_guid(columns[1].guid)],
                    parent=Process.ref_by_guid(created.guid),
                )
            )
        return created


@pytest.fixture
def stack(atlan: AtlanClient) -> Stack:
    return Stack(atlan)


@pytest.fixture
def chain(atlan: AtlanClient, stack: Stack) -> Stack:
    """table → mview → view, with column processes."""
    table, view, mview = stack.columns
    stack.first = stack.connect(atlan, stack.table, stack.mview, (table, mview))
    stack.second = stack.connect(atlan, stack.mview, stack.view, (mview, view))
    return stack


# Saving


def test_one_bulk_request_in_any_order(atlan: AtlanClient, stack: Stack) -> None:
    assert len(stack.response.assets_created(Asset)) == 8
    table = atlan.asset.get_by_qualified_name(stack.table.qualified_name, Table, ignore_relationships=False)
    assert table.schema_name == "PUBLIC"
    assert [column.guid for column in table.columns] == [stack.columns[0].guid]
    assert table.atlan_schema.display_text == "PUBLIC"


def test_the_same_again_mutates_nothing_and_a_change_updates(atlan: AtlanClient, stack: Stack) -> None:
    again = Table.creator(name="orders", schema_qualified_name=stack.schema)
    response = atlan.asset.save(again)
    assert response.mutated_entities is None
    assert response.guid_assignments == {again.guid: stack.table.guid}
    change = Table.updater(qualified_name=stack.table.qualified_name, name="orders")
    change.description, change.user_description = "first", "kept"
    assert [asset.guid for asset in atlan.asset.save(change).assets_updated(Table)] == [stack.table.guid]
    change = Table.updater(qualified_name=stack.table.qualified_name, name="orders")
    change.description = None
    atlan.asset.save(change)
    held = atlan.asset.get_by_guid(stack.table.guid, Table)
    assert (held.description, held.user_description) == (None, "kept")


def test_side_effects_are_listed_as_updates(atlan: AtlanClient, stack: Stack) -> None:
    response = atlan.asset.save(Table.creator(name="more", schema_qualified_name=stack.schema))
    assert [asset.type_name for asset in response.assets_updated(Asset)] == ["Schema"]
    process = stack.connect(atlan, stack.table, stack.view)
    column_process = ColumnProcess.creator(
        name="id -> id", connection_qualified_name=stack.connection, process_id="x/column/id",
        inputs=[Column.ref_by_guid(stack.columns[0].guid)], outputs=[Column.ref_by_guid(stack.columns[1].guid)],
        parent=Process.ref_by_guid(process.guid),
    )  # fmt: skip
    response = atlan.asset.save(column_process)
    assert [asset.guid for asset in response.assets_updated(Process)] == [process.guid]


def test_a_missing_reference_refuses_the_whole_request(atlan: AtlanClient, stack: Stack) -> None:
    good = Table.creator(name="good", schema_qualified_name=stack.schema)
    bad = Table.creator(name="bad", schema_qualified_name=f"{stack.schema}_NONE")
    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save([good, bad])
    with pytest.raises(NotFoundError):
        atlan.asset.get_by_qualified_name(good.qualified_name, Table)


def test_lists_are_replaced_appended_and_removed(atlan: AtlanClient, stack: Stack) -> None:
    term_names = ("one", "two", "three")
    (glossary,) = atlan.asset.save(AtlasGlossary.creator(name=f"G{next(_numbers)}")).assets_created(AtlasGlossary)
    terms = [AtlasGlossaryTerm.creator(name=name, anchor=glossary) for name in term_names]
    terms = atlan.asset.save(terms).assets_created(AtlasGlossaryTerm)
    assert all(term.qualified_name.endswith(f"@{glossary.qualified_name}") for term in terms)
    where = {"asset_type": Table, "qualified_name": stack.table.qualified_name}

    def assigned() -> set[str]:
        table = atlan.asset.get_by_guid(stack.table.guid, Table, ignore_relationships=False)
        return {term.display_text for term in table.assigned_terms}

    atlan.asset.append_terms(**where, terms=terms[:2])
    atlan.asset.append_terms(**where, terms=terms[2:])
    assert assigned() == set(term_names)
    atlan.asset.remove_terms(**where, terms=terms[:1])
    assert assigned() == {"two", "three"}
    atlan.asset.replace_terms(**where, terms=terms[:1])
    assert assigned() == {"one"}
    category = AtlasGlossaryCategory.creator(name="top", anchor=glossary)
    atlan.asset.save(category)
    assert [found.name for found in atlan.asset.get_hierarchy(glossary).breadth_first] == ["top"]


def test_batches_and_the_async_client(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack) -> None:
    batch = Batch(atlan, max_size=4, track=True)
    for number in range(10):
        batch.add(Table.creator(name=f"T{number}", schema_qualified_name=stack.schema))
    batch.flush()
    assert batch.num_created == 10

    async def count() -> int:
        async with AsyncAtlanClient(base_url=tenant.base_url, api_key=tenant.api_token) as client:
            search = (
                FluentSearch()
                .where(Table.SCHEMA_QUALIFIED_NAME.eq(stack.schema))
                .where(CompoundQuery.asset_type(Table))
            )
            return (await client.asset.search(search.to_request())).count

    assert asyncio.run(count()) == 11


# Reading and searching


def test_search_by_many_fields(atlan: AtlanClient, stack: Stack) -> None:
    here = FluentSearch().where(Asset.CONNECTION_QUALIFIED_NAME.eq(stack.connection))

    def names(search: FluentSearch) -> list[str]:
        return sorted(asset.name for asset in atlan.asset.search(search.to_request()))

    assert names(here.where(Asset.NAME.eq("ORDERS"))) == ["orders"]  # a lower-casing normaliser
    assert names(here.where(Asset.QUALIFIED_NAME.eq(stack.table.qualified_name.upper()))) == []
    assert names(here.where(Asset.QUALIFIED_NAME.eq(stack.table.qualified_name.upper(), case_insensitive=True))) == [
        "orders"
    ]
    assert names(here.where(Asset.NAME.startswith("recent"))) == ["recent_orders"]
    assert names(here.where(Asset.NAME.match("ordersbyday"))) == ["OrdersByDay"]  # one word to its analyser
    assert names(here.where(Asset.NAME.wildcard("*orders"))) == ["orders", "recent_orders"]
    assert names(here.where(Asset.TYPE_NAME.within(["View", "MaterialisedView"]))) == ["OrdersByDay", "recent_orders"]
    assert len(names(here.where(Asset.SUPER_TYPE_NAMES.eq("SQL")))) == 8
    assert len(names(here.where_not(CompoundQuery.asset_type(Column)).where(Column.SCHEMA_NAME.has_any_value()))) == 3
    assert names(here.where(Column.ORDER.gte(1)).where(Column.ORDER.lt(2))) == ["id", "id", "id"]
    either = here.where_some(Asset.NAME.eq("DB")).where_some(Asset.NAME.eq("public")).min_somes(1)
    assert names(either) == ["DB", "PUBLIC"]


@pytest.mark.parametrize("bulk", [False, True])
def test_paging_reads_every_hit_once(atlan: AtlanClient, stack: Stack, bulk: bool) -> None:
    search = FluentSearch().where(Asset.CONNECTION_QUALIFIED_NAME.eq(stack.connection)).page_size(2).to_request()
    results = atlan.asset.search(search, bulk=bulk)
    guids = [asset.guid for asset in results]
    assert (len(guids), len(set(guids)), results.count) == (8, 8, 8)


def test_aggregations(atlan: AtlanClient, stack: Stack) -> None:
    search = FluentSearch().where(Asset.CONNECTION_QUALIFIED_NAME.eq(stack.connection))
    search = search.aggregate("types", Asset.TYPE_NAME.bucket_by()).aggregate("orders", Column.ORDER.sum())
    results = atlan.asset.search(search.to_request())
    assert {bucket.key: bucket.doc_count for bucket in results.aggregations["types"].buckets}["column"] == 3
    assert results.aggregations["orders"].value == 3


def test_attributes_of_a_hit_and_of_its_relations(atlan: AtlanClient, stack: Stack) -> None:
    table = atlan.asset.get_by_guid(
        stack.table.guid, Table, attributes=[Table.SCHEMA_NAME, Table.COLUMNS], related_attributes=[Column.NAME]
    )
    assert table.schema_name == "PUBLIC"
    assert [column.name for column in table.columns] == ["id"]
    (found,) = atlan.asset.find_connections_by_name(
        atlan.asset.get_by_qualified_name(stack.connection, Connection).name, AtlanConnectorType.VERTICA
    )
    assert found.qualified_name == stack.connection


# Lineage


def test_lineage_in_order_with_neighbours(atlan: AtlanClient, chain: Stack) -> None:
    request = FluentLineage(
        starting_guid=chain.table.guid, size=1, immediate_neighbors=True, includes_on_results="name"
    )
    seen = {asset.guid: asset for asset in atlan.asset.get_lineage_list(request.request)}
    order = [chain.table.guid, chain.first.guid, chain.mview.guid, chain.second.guid, chain.view.guid]
    assert list(seen) == order
    assert [seen[guid].depth for guid in order] == [0, 1, 1, 2, 2]

    def names(neighbours: list | None) -> list[str] | None:
        return None if neighbours is None else [neighbour.guid for neighbour in neighbours]

    shown = [(names(seen[guid].immediate_upstream), names(seen[guid].immediate_downstream)) for guid in order]
    table, first, mview, second, view = order
    assert shown == [(None, [mview]), ([], [second]), ([table], [view]), ([first], []), ([mview], None)]


def test_lineage_upstream_and_by_depth(atlan: AtlanClient, chain: Stack) -> None:
    up = FluentLineage(starting_guid=chain.view.guid, direction=LineageDirection.UPSTREAM, size=2).request
    assert [asset.guid for asset in atlan.asset.get_lineage_list(up)] == [
        chain.second.guid, chain.mview.guid, chain.first.guid, chain.table.guid,
    ]  # fmt: skip
    near = FluentLineage(starting_guid=chain.table.guid, depth=1).request
    assert [asset.guid for asset in atlan.asset.get_lineage_list(near)] == [chain.first.guid, chain.mview.guid]


def test_has_lineage_follows_the_processes(atlan: AtlanClient, chain: Stack) -> None:
    search = (
        FluentSearch().where(Asset.CONNECTION_QUALIFIED_NAME.eq(chain.connection)).where(Asset.HAS_LINEAGE.eq(True))
    )
    assets = search.where(Asset.SUPER_TYPE_NAMES.eq("SQL"))
    assert assets.count(atlan) == 6
    deleted = atlan.asset.delete_by_guid([chain.first.guid])
    assert [asset.guid for asset in deleted.assets_deleted(Process)] == [chain.first.guid]
    assert atlan.asset.get_by_guid(chain.table.guid, Table).has_lineage is False
    assert [a.guid for a in atlan.asset.get_lineage_list(Asset.lineage(chain.table.guid).request)] == []
    assert atlan.asset.restore(Process, chain.first.qualified_name)
    assert assets.count(atlan) == 6


# Delete, restore, purge


def test_an_archived_asset_stays_so_until_it_is_restored(atlan: AtlanClient, stack: Stack) -> None:
    atlan.asset.delete_by_guid(stack.view.guid)
    assert atlan.asset.get_by_guid(stack.view.guid, View).status == EntityStatus.DELETED
    again = View.creator(name="recent_orders", schema_qualified_name=stack.schema)
    atlan.asset.save(again)
    assert atlan.asset.get_by_guid(stack.view.guid, View).status == EntityStatus.DELETED
    again.status = EntityStatus.ACTIVE
    atlan.asset.save(again)
    assert atlan.asset.get_by_guid(stack.view.guid, View).status == EntityStatus.ACTIVE


def test_a_purged_asset_is_gone_and_its_name_is_free(atlan: AtlanClient, stack: Stack) -> None:
    atlan.asset.purge_by_guid(stack.table.guid)
    with pytest.raises(NotFoundError):
        atlan.asset.get_by_guid(stack.table.guid, Table)
    again = Table.creator(name="orders", schema_qualified_name=stack.schema)
    assert atlan.asset.save(again).guid_assignments[again.guid] != stack.table.guid


# Object stores and others


def test_gcs_and_adls_objects_in_lineage(atlan: AtlanClient, stack: Stack) -> None:
    gcs, adls = make_connection(atlan, AtlanConnectorType.GCS), make_connection(atlan, AtlanConnectorType.ADLS)
    bucket = GCSBucket.creator(name="b", connection_qualified_name=gcs)
    gcs_object = GCSObject.creator(name="o", gcs_bucket_name="b", gcs_bucket_qualified_name=bucket.qualified_name)
    account = ADLSAccount.creator(name="a", connection_qualified_name=adls)
    container = ADLSContainer.creator(name="c", adls_account_qualified_name=account.qualified_name)
    adls_object = ADLSObject.creator(
        name="o", adls_container_name="c", adls_container_qualified_name=container.qualified_name
    )
    saved = [atlan.asset.save(level) for level in ([bucket, account], [gcs_object, container], adls_object)]
    assert [len(response.assets_created(Asset)) for response in saved] == [2, 2, 1]
    process = Process.creator(
        name="move", connection_qualified_name=gcs, process_id="move",
        inputs=[GCSObject.ref_by_qualified_name(gcs_object.qualified_name)],
        outputs=[ADLSObject.ref_by_qualified_name(adls_object.qualified_name), Table.ref_by_guid(stack.table.guid)],
    )  # fmt: skip
    atlan.asset.save(process)
    start = saved[1].guid_assignments[gcs_object.guid]
    reached = {asset.type_name for asset in atlan.asset.get_lineage_list(FluentLineage(starting_guid=start).request)}
    assert reached == {"Process", "ADLSObject", "Table"}


def test_an_arn_is_used_once_in_a_tenant(atlan: AtlanClient) -> None:
    first, second = make_connection(atlan, AtlanConnectorType.S3), make_connection(atlan, AtlanConnectorType.S3)
    arn = f"arn:aws:s3:::bucket-{next(_numbers)}"
    bucket = S3Bucket.creator(name="bucket", connection_qualified_name=first, aws_arn=arn)
    atlan.asset.save(bucket)
    with pytest.raises(AtlanError):
        atlan.asset.save(S3Bucket.creator(name="bucket", connection_qualified_name=second, aws_arn=arn))
    plain = S3Bucket.creator(name="bucket", connection_qualified_name=first)
    by_prefix = S3Object.creator_with_prefix(
        name="f.csv", connection_qualified_name=first, prefix="a/b", s3_bucket_name="bucket",
        s3_bucket_qualified_name=plain.qualified_name,
    )  # fmt: skip
    created = [*atlan.asset.save(plain).assets_created(Asset), *atlan.asset.save(by_prefix).assets_created(Asset)]
    assert [asset.qualified_name for asset in created] == [f"{first}/bucket", f"{first}/bucket/a/b/f.csv"]


def test_tags_custom_metadata_certificates_and_readme(atlan: AtlanClient, stack: Stack) -> None:
    tag, metadata = f"PII {next(_numbers)}", f"RACI {next(_numbers)}"
    atlan.typedef.create(AtlanTagDef.create(name=tag, color=AtlanTagColor.RED))
    where = {"asset_type": Table, "qualified_name": stack.table.qualified_name}
    atlan.asset.add_atlan_tags(**where, atlan_tag_names=[tag])
    assert FluentSearch().where(CompoundQuery.tagged(atlan, with_one_of=[tag])).count(atlan) == 1
    atlan.asset.remove_atlan_tag(**where, atlan_tag_name=tag)
    assert not atlan.asset.get_by_guid(stack.table.guid, Table).atlan_tags

    definition = CustomMetadataDef.create(display_name=metadata)
    text = AtlanCustomAttributePrimitiveType.STRING
    definition.attribute_defs = [AttributeDef.create(client=atlan, display_name="Owner", attribute_type=text)]
    atlan.typedef.create(definition)
    values = CustomMetadataDict(client=atlan, name=metadata)
    values["Owner"] = "Ada"
    atlan.asset.update_custom_metadata_attributes(stack.table.guid, values)
    table = atlan.asset.get_by_guid(stack.table.guid, Table)
    assert table.get_custom_metadata(client=atlan, name=metadata)["Owner"] == "Ada"

    atlan.asset.update_certificate(**where, name="orders", certificate_status=CertificateStatus.VERIFIED)
    atlan.asset.save(
        Readme.creator(asset=Table.ref_by_guid(stack.table.guid), content="<p>Hi</p>", asset_name="orders")
    )
    table = atlan.asset.get_by_guid(stack.table.guid, Table, ignore_relationships=False)
    assert table.certificate_status == CertificateStatus.VERIFIED
    assert table.readme is not None


def test_domains_products_and_topics(atlan: AtlanClient) -> None:
    (domain,) = atlan.asset.save(DataDomain.creator(name=f"D{next(_numbers)}")).assets_created(DataDomain)
    everything = FluentSearch().where(Asset.NAME.eq("orders")).to_request()
    product = DataProduct.creator(name="P", domain_qualified_name=domain.qualified_name, asset_selection=everything)
    (product,) = atlan.asset.save(product).assets_created(DataProduct)
    assert product.qualified_name.startswith(f"{domain.qualified_name}/product/")
    kafka = make_connection(atlan, AtlanConnectorType.KAFKA)
    (topic,) = atlan.asset.save(KafkaTopic.creator(name="t", connection_qualified_name=kafka)).assets_created(
        KafkaTopic
    )
    assert topic.qualified_name == f"{kafka}/topic/t"


def test_people(atlan: AtlanClient) -> None:
    assert atlan.user.get_current().username == "sandbox"
    assert atlan.user.get_by_username("steward").email == "steward@example.com"
    assert atlan.group_cache.get_id_for_name("data_engineering")
    with pytest.raises(ValueError, match="nobody"):
        Connection.creator(
            client=atlan, name="x", connector_type=AtlanConnectorType.VERTICA, admin_users=["nobody"], admin_roles=[]
        )


# Refusals, as the service words them


def test_a_wrong_token_is_refused_at_once(tenant: sandbox.Tenant) -> None:
    started = time.monotonic()
    with pytest.raises(AuthenticationError):
        AtlanClient(base_url=tenant.base_url, api_key="wrong", proxy=None).user.get_current()
    assert time.monotonic() - started < 5


def test_bodies_of_refusals(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    client = httpx.Client(base_url=tenant.base_url, headers={"authorization": f"Bearer {tenant.api_token}"})
    bulk, search, lineage = "/api/meta/entity/bulk/", "/api/meta/search/indexsearch", "/api/meta/lineage/list"
    nameless = {"typeName": "Table", "guid": "-1", "attributes": {"qualifiedName": f"{stack.schema}/x"}}
    unknown_type = {"typeName": "Tabel", "attributes": {"name": "x", "qualifiedName": "y"}}
    refused = [
        (client.post(bulk, json={"entities": []}), 400, "ATLAS-400-00-01A"),
        (client.post(bulk, json={"entities": [nameless]}), 404, "ATLAS-404-00-007"),
        (client.post(bulk, json={"entities": [unknown_type]}), 400, "ATLAS-400-00-014"),
        (client.get("/api/meta/entity/guid/none"), 404, "ATLAS-404-00-005"),
        (client.get("/api/meta/entity/uniqueAttribute/type/Table", params={"attr:qualifiedName": "x"}), 404, "ATLAS-404-00-009"),
        (client.post(search, json={"dsl": {"query": {"nonsense": {}}}}), 400, "ATLAS-400-00-503"),
        (client.post(lineage, json={"guid": "none", "direction": "OUTPUT", "depth": 1, "from": 0, "size": 1}), 404, "ATLAS-404-00-005"),
        (client.post(lineage, json={"guid": stack.table.guid, "direction": "BOTH"}), 400, "ATLAS-400-00-029"),
    ]  # fmt: skip
    for answer, status, code in refused:
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert client.delete(bulk, params={"guid": "none"}).json() == {}
    nothing = client.post(search, json={"dsl": {"query": {"term": {"name.keyword": {"value": "no such name"}}}}}).json()
    assert nothing["approximateCount"] == 0
    assert "entities" not in nothing
    with pytest.raises(InvalidRequestError):
        atlan.asset.get_lineage_list(
            FluentLineage(starting_guid=stack.table.guid, direction=LineageDirection.BOTH).request
        )
