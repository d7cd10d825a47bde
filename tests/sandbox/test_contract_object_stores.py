"""Buckets, containers and objects of S3, Google Cloud Storage and Azure Data Lake Storage."""

from __future__ import annotations

import pytest
from helpers import (
    names,
    new_connection,
    new_stack,
    nothing_mutated,
    process_between,
    raw,
    save,
    unique,
    within,
)
from pyatlan.model.assets import (
    ADLSAccount,
    ADLSContainer,
    ADLSObject,
    Asset,
    GCSBucket,
    GCSObject,
    ObjectStore,
    Process,
    S3Bucket,
    S3Object,
    Table,
)
from pyatlan.model.enums import AtlanConnectorType, LineageDirection
from pyatlan.model.fluent_search import CompoundQuery, FluentSearch


@pytest.fixture
def s3(atlan) -> str:
    return new_connection(atlan, AtlanConnectorType.S3)


def bucket_with_arn(connection: str) -> tuple[S3Bucket, str]:
    name = unique("bucket")
    arn = f"arn:aws:s3:::{name}"
    return S3Bucket.creator(name=name, connection_qualified_name=connection, aws_arn=arn), arn


def test_bucket_with_arn(atlan, s3):
    bucket, arn = bucket_with_arn(s3)

    [created] = atlan.asset.save(bucket).assets_created(S3Bucket)

    read = atlan.asset.get_by_guid(created.guid, S3Bucket)
    assert (read.qualified_name, read.name, read.aws_arn) == (f"{s3}/{arn}", bucket.name, arn)


def test_bucket_without_arn(atlan, s3):
    bucket = S3Bucket.creator(name="lake", connection_qualified_name=s3)

    [created] = atlan.asset.save(bucket).assets_created(S3Bucket)

    read = atlan.asset.get_by_guid(created.guid, S3Bucket)
    assert (read.qualified_name, read.aws_arn) == (f"{s3}/lake", None)
    assert nothing_mutated(atlan.asset.save(S3Bucket.creator(name="lake", connection_qualified_name=s3)))


def test_buckets_without_arn_do_not_collide(atlan):
    for _ in range(2):
        connection = new_connection(atlan, AtlanConnectorType.S3)
        response = atlan.asset.save(S3Bucket.creator(name="lake", connection_qualified_name=connection))
        assert len(response.assets_created(S3Bucket)) == 1


def test_same_bucket_with_arn_again(atlan, s3):
    bucket, arn = bucket_with_arn(s3)
    [guid] = save(atlan, bucket)

    again = S3Bucket.creator(name=bucket.name, connection_qualified_name=s3, aws_arn=arn)
    response = atlan.asset.save(again)

    assert nothing_mutated(response)
    assert response.guid_assignments == {again.guid: guid}


def test_bucket_with_arn_stands_beside_one_without(atlan, s3):
    with_arn, _ = bucket_with_arn(s3)
    without = S3Bucket.creator(name=with_arn.name, connection_qualified_name=s3)

    first, second = save(atlan, with_arn, without)

    assert first != second


def object_entity(connection: str, type_name: str, name: str, arn: str, qualified_name: str) -> dict:
    return {
        "typeName": type_name,
        "guid": "-1",
        "attributes": {
            "name": name,
            "qualifiedName": qualified_name,
            "connectorName": "s3",
            "connectionQualifiedName": connection,
            "awsArn": arn,
        },
    }


def buckets_with(atlan, arn: str) -> list[str]:
    found = FluentSearch.select().where(S3Bucket.AWS_ARN.eq(arn)).execute(atlan)
    return [bucket.qualified_name for bucket in found]


def test_same_arn_under_another_connection_is_an_error(tenant, atlan, s3):
    bucket, arn = bucket_with_arn(s3)
    save(atlan, bucket)
    other = new_connection(atlan, AtlanConnectorType.S3)

    answer = raw(tenant).save(object_entity(other, "S3Bucket", bucket.name, arn, f"{other}/{arn}"))

    # The real status is not known: the index refuses, which may surface as either.
    assert answer.status_code in (409, 500)
    assert answer.json()
    assert buckets_with(atlan, arn) == [bucket.qualified_name]


def test_arn_added_to_a_bucket_saved_by_name_makes_no_second_bucket(tenant, atlan, s3):
    # Inferred: the look-up by name and ARN finds nothing, and the index refuses to create.
    name = unique("bucket")
    [guid] = save(atlan, S3Bucket.creator(name=name, connection_qualified_name=s3))

    raw(tenant).save(object_entity(s3, "S3Bucket", name, f"arn:aws:s3:::{name}", f"{s3}/{name}"))

    found = within(s3).where(Asset.QUALIFIED_NAME.eq(f"{s3}/{name}")).execute(atlan)
    assert [bucket.guid for bucket in found] == [guid]


def test_arn_collision_within_one_request_writes_nothing(tenant, atlan, s3):
    arn = f"arn:aws:s3:::{unique('bucket')}"
    first, second = (object_entity(s3, "S3Bucket", name, arn, f"{s3}/{name}") for name in ("one", "two"))

    answer = raw(tenant).save(first, {**second, "guid": "-2"})

    assert answer.status_code in (409, 500)
    assert buckets_with(atlan, arn) == []


def test_object_with_arn(atlan, s3):
    bucket, arn = bucket_with_arn(s3)
    [bucket_guid] = save(atlan, bucket)
    item = S3Object.creator(
        name="orders.csv",
        connection_qualified_name=s3,
        aws_arn=f"{arn}/in/orders.csv",
        s3_bucket_name=bucket.name,
        s3_bucket_qualified_name=bucket.qualified_name,
    )

    response = atlan.asset.save(item)

    assert [b.guid for b in response.assets_updated(S3Bucket)] == [bucket_guid]
    read = atlan.asset.get_by_guid(response.guid_assignments[item.guid], S3Object, ignore_relationships=False)
    assert (read.bucket.guid, read.s3_bucket_name) == (bucket_guid, bucket.name)
    read = atlan.asset.get_by_guid(bucket_guid, S3Bucket, ignore_relationships=False)
    assert [o.guid for o in read.objects] == [response.guid_assignments[item.guid]]


def test_object_with_prefix(atlan, s3):
    bucket = S3Bucket.creator(name="lake", connection_qualified_name=s3)
    save(atlan, bucket)
    item = S3Object.creator_with_prefix(
        name="orders.csv",
        connection_qualified_name=s3,
        s3_bucket_name="lake",
        s3_bucket_qualified_name=bucket.qualified_name,
        prefix="in/2024",
    )

    [guid] = save(atlan, item)

    read = atlan.asset.get_by_guid(guid, S3Object)
    assert (read.qualified_name, read.s3_object_key) == (f"{s3}/lake/in/2024/orders.csv", "in/2024/orders.csv")
    found = within(s3).where(S3Object.S3BUCKET_QUALIFIED_NAME.eq(bucket.qualified_name)).execute(atlan)
    assert names(found) == ["orders.csv"]


def test_object_of_a_missing_bucket(atlan, s3):
    item = S3Object.creator_with_prefix(
        name="x", connection_qualified_name=s3, s3_bucket_name="none", s3_bucket_qualified_name=f"{s3}/none"
    )

    with pytest.raises(Exception, match="ATLAS-404-00-00A"):
        atlan.asset.save(item)


def test_google_bucket_and_objects(atlan):
    connection = new_connection(atlan, AtlanConnectorType.GCS)
    bucket = GCSBucket.creator(name="lake", connection_qualified_name=connection)
    [bucket_guid] = save(atlan, bucket)
    plain = GCSObject.creator(name="a.csv", gcs_bucket_name="lake", gcs_bucket_qualified_name=bucket.qualified_name)
    prefixed = GCSObject.creator_with_prefix(
        name="b.csv",
        connection_qualified_name=connection,
        gcs_bucket_name="lake",
        gcs_bucket_qualified_name=bucket.qualified_name,
        prefix="in",
    )

    guids = save(atlan, plain, prefixed)

    read = atlan.asset.get_by_guid(bucket_guid, GCSBucket, ignore_relationships=False)
    assert {o.guid for o in read.gcs_objects} == set(guids)
    read = atlan.asset.get_by_guid(guids[1], GCSObject, ignore_relationships=False)
    assert (read.gcs_object_key, read.gcs_bucket.guid) == ("in/b.csv", bucket_guid)


def test_azure_account_container_and_object(atlan):
    connection = new_connection(atlan, AtlanConnectorType.ADLS)
    account = ADLSAccount.creator(name="account", connection_qualified_name=connection)
    [account_guid] = save(atlan, account)
    container = ADLSContainer.creator(name="container", adls_account_qualified_name=account.qualified_name)
    [container_guid] = save(atlan, container)
    item = ADLSObject.creator(
        name="a.csv", adls_container_name="container", adls_container_qualified_name=container.qualified_name
    )
    [object_guid] = save(atlan, item)

    read = atlan.asset.get_by_guid(container_guid, ADLSContainer, ignore_relationships=False)
    assert read.adls_account.guid == account_guid
    assert [o.guid for o in read.adls_objects] == [object_guid]
    read = atlan.asset.get_by_guid(object_guid, ADLSObject, ignore_relationships=False)
    assert (read.adls_container.guid, read.adls_account_name) == (container_guid, "account")


def test_object_stores_share_a_super_type(atlan, s3):
    save(atlan, S3Bucket.creator(name="lake", connection_qualified_name=s3))

    assert within(s3).where(CompoundQuery.super_types(ObjectStore)).count(atlan) == 1


def test_process_from_a_google_object_to_a_table(atlan):
    connection = new_connection(atlan, AtlanConnectorType.GCS)
    bucket = GCSBucket.creator(name="lake", connection_qualified_name=connection)
    save(atlan, bucket)
    item = GCSObject.creator(name="a.csv", gcs_bucket_name="lake", gcs_bucket_qualified_name=bucket.qualified_name)
    [source] = save(atlan, item)
    stack = new_stack(atlan, AtlanConnectorType.BIGQUERY)
    [target] = save(atlan, stack.table())

    response = atlan.asset.save(
        process_between(stack.connection, "load", [GCSObject.ref_by_guid(source)], [Table.ref_by_guid(target)])
    )

    assert len(response.assets_created(Process)) == 1
    assert {a.guid for a in response.assets_updated(Asset)} == {source, target}
    found = atlan.asset.get_lineage_list(Asset.lineage(target).direction(LineageDirection.UPSTREAM).request)
    assert [(type(a), a.name) for a in found] == [(Process, "load"), (GCSObject, "a.csv")]
    assert atlan.asset.get_by_guid(source, GCSObject).has_lineage
