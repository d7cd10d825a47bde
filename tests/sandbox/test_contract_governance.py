"""What people put on assets: certificates, announcements, owners, tags and custom metadata."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from helpers import names, new_stack, nothing_mutated, save, unique, within
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import Asset, AtlasGlossary, AtlasGlossaryTerm, Table
from pyatlan.model.core import Announcement, AtlanTag, AtlanTagName
from pyatlan.model.custom_metadata import CustomMetadataDict
from pyatlan.model.enums import AnnouncementType, AtlanCustomAttributePrimitiveType, AtlanTagColor, CertificateStatus
from pyatlan.model.fields.atlan_fields import CustomMetadataField
from pyatlan.model.fluent_search import CompoundQuery
from pyatlan.model.typedef import AtlanTagDef, AttributeDef, CustomMetadataDef


@dataclass(frozen=True)
class Saved:
    connection: str
    qualified_name: str
    guid: str
    name: str = "orders"

    def read(self, atlan) -> Table:
        return atlan.asset.get_by_guid(self.guid, Table)

    def updater(self) -> Table:
        return Table.updater(qualified_name=self.qualified_name, name=self.name)


@pytest.fixture
def table(atlan) -> Saved:
    stack = new_stack(atlan)
    asset = stack.table()
    asset.row_count = 5
    [guid] = save(atlan, asset)
    return Saved(stack.connection, asset.qualified_name, guid)


def test_certificate(atlan, table):
    atlan.asset.update_certificate(
        Table, table.qualified_name, table.name, certificate_status=CertificateStatus.VERIFIED, message="checked"
    )

    read = table.read(atlan)
    assert (read.certificate_status, read.certificate_status_message) == (CertificateStatus.VERIFIED, "checked")
    assert read.row_count == 5
    verified = within(table.connection).where(Asset.CERTIFICATE_STATUS.eq(CertificateStatus.VERIFIED.value))
    assert names(verified.execute(atlan)) == ["orders"]

    atlan.asset.remove_certificate(Table, table.qualified_name, table.name)

    read = table.read(atlan)
    assert (read.certificate_status, read.certificate_status_message) == (None, None)
    assert verified.count(atlan) == 0


def test_certificates_and_announcements_say_who_and_when(atlan, table):
    atlan.asset.update_certificate(Table, table.qualified_name, table.name, CertificateStatus.VERIFIED)
    read = table.read(atlan)
    assert (read.certificate_updated_by, read.announcement_updated_by) == ("sandbox", None)
    assert read.certificate_updated_at is not None

    updater = table.updater()
    updater.announcement_type, updater.announcement_title = AnnouncementType.WARNING, "Soon gone"
    updater.announcement_updated_by, updater.certificate_status_message = "steward", "checked"
    atlan.asset.save(updater)

    again = table.read(atlan)
    assert again.announcement_updated_by == "steward"
    assert again.announcement_updated_at is not None
    assert again.certificate_updated_at >= read.certificate_updated_at


def test_certificate_answer_holds_the_asset(atlan, table):
    answer = atlan.asset.update_certificate(
        Table, table.qualified_name, table.name, certificate_status=CertificateStatus.DRAFT
    )

    assert (type(answer), answer.guid) == (Table, table.guid)


def test_certificate_of_a_missing_asset(atlan, table):
    with pytest.raises(NotFoundError, match="ATLAS-404-00-009"):
        atlan.asset.update_certificate(
            Table, f"{table.qualified_name}x", "ordersx", certificate_status=CertificateStatus.DRAFT
        )


def test_certificate_of_a_term(atlan):
    [glossary] = save(atlan, AtlasGlossary.creator(name=unique("glossary")))
    [guid] = save(atlan, AtlasGlossaryTerm.creator(name="Customer", glossary_guid=glossary))
    term = atlan.asset.get_by_guid(guid, AtlasGlossaryTerm)

    atlan.asset.update_certificate(
        AtlasGlossaryTerm,
        term.qualified_name,
        term.name,
        certificate_status=CertificateStatus.DRAFT,
        glossary_guid=glossary,
    )

    assert atlan.asset.get_by_guid(guid, AtlasGlossaryTerm).certificate_status == CertificateStatus.DRAFT


def test_announcement(atlan, table):
    text = Announcement(
        announcement_type=AnnouncementType.WARNING, announcement_title="Closed", announcement_message="until May"
    )

    atlan.asset.update_announcement(Table, table.qualified_name, table.name, text)
    assert table.read(atlan).get_announcment() == text

    atlan.asset.remove_announcement(Table, table.qualified_name, table.name)
    assert not table.read(atlan).has_announcement()


def test_owners(atlan, table):
    change = table.updater()
    change.owner_users, change.owner_groups = {"ada", "bob"}, {"stewards"}
    atlan.asset.save(change)

    read = table.read(atlan)
    assert (read.owner_users, read.owner_groups) == ({"ada", "bob"}, {"stewards"})
    assert within(table.connection).where(Asset.OWNER_USERS.eq("ada")).count(atlan) == 1

    change = table.updater()
    change.remove_owners()
    atlan.asset.save(change)

    assert not table.read(atlan).owner_users
    assert within(table.connection).where(Asset.OWNER_USERS.has_any_value()).count(atlan) == 0


def test_same_owners_in_another_order_change_nothing(atlan, table):
    # Inferred: owners are a set on the service.
    for owners in (["a", "b"], ["b", "a"]):
        change = table.updater()
        change.owner_users = owners
        response = atlan.asset.save(change)

    assert nothing_mutated(response)


@pytest.fixture
def tag(atlan) -> str:
    name = unique("PII")
    created = atlan.typedef.create(AtlanTagDef.create(name=name, color=AtlanTagColor.RED))
    [definition] = created.atlan_tag_defs
    assert definition.display_name == name
    assert definition.name != name, "the service gives tags a name of its own"
    return name


def tags_of(atlan, table: Saved) -> list[str]:
    return sorted(str(tag.type_name) for tag in table.read(atlan).atlan_tags or [])


def test_tag_is_added_found_and_removed(atlan, table, tag):
    atlan.asset.add_atlan_tags(Table, table.qualified_name, [tag])

    assert tags_of(atlan, table) == [tag]
    tagged = within(table.connection).where(CompoundQuery.tagged(client=atlan, with_one_of=[tag]))
    [found] = tagged.execute(atlan)
    assert (found.guid, found.atlan_tag_names) == (table.guid, [tag])
    assert within(table.connection).where(CompoundQuery.tagged(client=atlan, directly=True)).count(atlan) == 1

    atlan.asset.remove_atlan_tag(Table, table.qualified_name, tag)

    assert tags_of(atlan, table) == []
    assert tagged.count(atlan) == 0


def test_tags_add_up(atlan, table, tag):
    second = unique("GDPR")
    atlan.typedef.create(AtlanTagDef.create(name=second))

    atlan.asset.add_atlan_tags(Table, table.qualified_name, [tag])
    atlan.asset.add_atlan_tags(Table, table.qualified_name, [second])
    assert tags_of(atlan, table) == sorted([tag, second])

    atlan.asset.remove_atlan_tags(Table, table.qualified_name, [tag, second])
    assert tags_of(atlan, table) == []


def test_tags_of_a_save(atlan, table, tag):
    change = table.updater()
    change.atlan_tags = [AtlanTag(type_name=AtlanTagName(tag))]

    atlan.asset.save(change)
    assert tags_of(atlan, table) == []

    atlan.asset.save(change, replace_atlan_tags=True)
    assert tags_of(atlan, table) == [tag]

    change = table.updater()
    change.description = "other"
    atlan.asset.save(change)
    assert tags_of(atlan, table) == [tag]


def test_new_asset_with_a_tag(atlan, tag):
    # Inferred: a new asset gets its tags whatever the flags of the request say.
    stack = new_stack(atlan)
    new = stack.table()
    new.atlan_tags = [AtlanTag(type_name=AtlanTagName(tag))]

    [guid] = save(atlan, new)

    assert tags_of(atlan, Saved(stack.connection, new.qualified_name, guid)) == [tag]


def test_tag_can_be_purged(atlan, tag):
    assert atlan.atlan_tag_cache.get_id_for_name(tag)

    atlan.typedef.purge(tag, AtlanTagDef)

    assert atlan.atlan_tag_cache.get_id_for_name(tag) is None


@pytest.fixture(scope="module")
def metadata(atlan) -> str:
    """The name of a set of custom metadata with the attributes "score" and "team"."""
    definition = CustomMetadataDef.create(display_name=unique("Quality"))
    definition.attribute_defs = [
        AttributeDef.create(
            client=atlan, display_name="score", attribute_type=AtlanCustomAttributePrimitiveType.INTEGER
        ),
        AttributeDef.create(client=atlan, display_name="team", attribute_type=AtlanCustomAttributePrimitiveType.STRING),
    ]
    [created] = atlan.typedef.create(definition).custom_metadata_defs
    assert created.name != created.display_name == definition.display_name
    return definition.display_name


def values(atlan, name: str, **attributes) -> CustomMetadataDict:
    filled = CustomMetadataDict(client=atlan, name=name)
    for key, value in attributes.items():
        filled[key] = value
    return filled


def with_metadata(atlan, table: Saved, name: str, **attributes) -> Table:
    change = table.updater()
    change.set_custom_metadata(client=atlan, custom_metadata=values(atlan, name, **attributes))
    return change


def metadata_of(atlan, table: Saved, name: str) -> dict:
    read = table.read(atlan).get_custom_metadata(client=atlan, name=name)
    return {key: read[key] for key in ("score", "team")}


def test_custom_metadata_is_merged(atlan, table, metadata):
    response = atlan.asset.save_merging_cm(with_metadata(atlan, table, metadata, score=3, team="core"))
    assert len(response.assets_updated(Table)) == 1
    assert metadata_of(atlan, table, metadata) == {"score": 3, "team": "core"}

    atlan.asset.save_merging_cm(with_metadata(atlan, table, metadata, score=4))
    assert metadata_of(atlan, table, metadata) == {"score": 4, "team": "core"}


def test_custom_metadata_is_replaced(atlan, table, metadata):
    atlan.asset.save_merging_cm(with_metadata(atlan, table, metadata, score=3, team="core"))

    atlan.asset.save_replacing_cm(with_metadata(atlan, table, metadata, team="other"))

    assert metadata_of(atlan, table, metadata) == {"score": None, "team": "other"}


def test_plain_save_leaves_custom_metadata_alone(atlan, table, metadata):
    atlan.asset.save_merging_cm(with_metadata(atlan, table, metadata, score=3))

    atlan.asset.save(with_metadata(atlan, table, metadata, score=9))

    assert metadata_of(atlan, table, metadata) == {"score": 3, "team": None}


def test_custom_metadata_of_one_asset(atlan, table, metadata):
    atlan.asset.update_custom_metadata_attributes(table.guid, values(atlan, metadata, score=1, team="core"))
    atlan.asset.update_custom_metadata_attributes(table.guid, values(atlan, metadata, score=2))
    assert metadata_of(atlan, table, metadata) == {"score": 2, "team": "core"}

    atlan.asset.replace_custom_metadata(table.guid, values(atlan, metadata, score=5))
    assert metadata_of(atlan, table, metadata) == {"score": 5, "team": None}

    atlan.asset.remove_custom_metadata(table.guid, metadata)
    assert metadata_of(atlan, table, metadata) == {"score": None, "team": None}


def test_search_by_custom_metadata(atlan, table, metadata):
    atlan.asset.update_custom_metadata_attributes(table.guid, values(atlan, metadata, score=7, team="core"))
    score = CustomMetadataField(atlan, metadata, "score")
    team = CustomMetadataField(atlan, metadata, "team")
    search = within(table.connection)

    wanted = search.where(score.gte(7))
    for attribute in atlan.custom_metadata_cache.get_attributes_for_search_results(metadata):
        wanted = wanted.include_on_results(attribute)
    [found] = wanted.execute(atlan)
    read = found.get_custom_metadata(client=atlan, name=metadata)
    assert (read["score"], read["team"]) == (7, "core")
    assert search.where(score.gt(7)).count(atlan) == 0
    assert search.where(team.eq("core")).count(atlan) == 1
    assert search.where(team.has_any_value()).count(atlan) == 1


def test_texts_of_custom_metadata_are_found_in_any_case_and_shown_in_their_own(atlan, table, metadata):
    team = CustomMetadataField(atlan, metadata, "team")
    atlan.asset.save_merging_cm(with_metadata(atlan, table, metadata, team="Sales"))
    for query in (team.eq("SALES"), team.startswith("sAl"), team.within(["sales"]), team.match("Sales")):
        assert within(table.connection).where(query).count(atlan) == 1
    search = within(table.connection).aggregate("teams", team.bucket_by(include_source_value=True))
    [bucket] = search.execute(atlan).aggregations["teams"].buckets
    assert (bucket.key, bucket.get_source_value(team)) == ("sales", "Sales")
