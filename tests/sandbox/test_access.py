"""Searches by a persona or purpose, over the assets that it lets somebody see."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Stack, error_code, names, new_stack, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import (
    AtlasGlossary,
    AtlasGlossaryTerm,
    AuthPolicy,
    DataDomain,
    DataProduct,
    Persona,
    Purpose,
    Table,
)
from pyatlan.model.enums import (
    AtlanTagColor,
    AuthPolicyType,
    PersonaDomainAction,
    PersonaGlossaryAction,
    PersonaMetadataAction,
)
from pyatlan.model.fluent_search import CompoundQuery, FluentSearch
from pyatlan.model.typedef import AtlanTagDef

import sandbox

READ = {PersonaMetadataAction.READ}


def new_persona(atlan: AtlanClient) -> Persona:
    return atlan.asset.save(Persona.creator(name=unique("persona"))).assets_created(Persona)[0]


def save_policy(atlan: AtlanClient, policy: AuthPolicy) -> str:
    guid = atlan.asset.save(policy).assets_created(AuthPolicy)[0].guid
    assert guid
    return guid


def metadata_policy(
    persona: Persona, stack: Stack, *assets: str, policy_type: AuthPolicyType = AuthPolicyType.ALLOW
) -> AuthPolicy:
    return Persona.create_metadata_policy(
        name=unique("policy"),
        persona_id=persona.guid,
        policy_type=policy_type,
        actions=READ,
        connection_qualified_name=stack.connection,
        resources={f"entity:{asset}" for asset in assets},
    )


def found_by(atlan: AtlanClient, persona: Persona) -> list[str]:
    request = FluentSearch().where(CompoundQuery.active_assets()).page_size(100).to_request()
    request.persona = persona.qualified_name
    return names(atlan.asset.search(request))


def by(tenant: sandbox.Tenant, **access: Any) -> Any:
    body = {"dsl": {"query": {"match_all": {}}}, **access}
    return raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body)


@pytest.fixture
def stack(atlan: AtlanClient) -> Stack:
    stack = new_stack(atlan)
    save(atlan, stack.table("orders"), stack.table("orders_old"), stack.table("salaries"))
    return stack


def test_a_persona_without_policies_sees_nothing(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    assert found_by(atlan, new_persona(atlan)) == []


def test_what_policies_allow_and_deny(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    persona = new_persona(atlan)
    (connection,) = atlan.asset.search(
        FluentSearch().where(Table.QUALIFIED_NAME.eq(stack.connection)).to_request()
    ).current_page()
    policy = save_policy(atlan, metadata_policy(persona, stack, f"{stack.schema}/orders"))
    assert found_by(atlan, persona) == sorted([str(connection.name), "orders"])
    save_policy(atlan, metadata_policy(persona, stack, f"{stack.schema}/o*"))
    assert found_by(atlan, persona) == sorted([str(connection.name), "orders", "orders_old"])
    save_policy(atlan, metadata_policy(persona, stack, f"{stack.schema}/*"))
    everything = sorted([str(connection.name), "orders", "orders_old", "public", "salaries"])
    assert found_by(atlan, persona) == everything
    denied = metadata_policy(persona, stack, f"{stack.schema}/salaries", policy_type=AuthPolicyType.DENY)
    denial = save_policy(atlan, denied)
    assert found_by(atlan, persona) == ["orders", "orders_old", "public"]  # its connection is of what it denies
    atlan.asset.purge_by_guid(denial)
    atlan.asset.purge_by_guid(policy)
    assert found_by(atlan, persona) == everything


def test_a_glossary(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    glossary = atlan.asset.save(AtlasGlossary.creator(name=unique("glossary"))).assets_created(AtlasGlossary)[0]
    save(atlan, AtlasGlossaryTerm.creator(name="revenue", glossary_guid=glossary.guid))
    persona = new_persona(atlan)
    policy = Persona.create_glossary_policy(
        name="terms",
        persona_id=persona.guid,
        policy_type=AuthPolicyType.ALLOW,
        actions={PersonaGlossaryAction.READ},
        resources={f"entity:{glossary.qualified_name}"},
    )
    save_policy(atlan, policy)
    assert found_by(atlan, persona) == sorted([str(glossary.name), "revenue"])


def test_a_domain_with_what_it_is_in(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    top, other = (DataDomain.creator(name=unique(name)) for name in ("top", "other"))
    domain, _ = atlan.asset.save([top, other]).assets_created(DataDomain)
    assert domain.qualified_name
    below = DataDomain.creator(name="below", parent_domain_qualified_name=domain.qualified_name)
    inner = atlan.asset.save(below).assets_created(DataDomain)[0]
    assert inner.qualified_name
    selection = FluentSearch().where(Table.QUALIFIED_NAME.startswith(stack.schema)).to_request()
    product = DataProduct.creator(name="product", domain_qualified_name=inner.qualified_name, asset_selection=selection)
    save(atlan, product)

    def seen(domain_name: str, *actions: PersonaDomainAction) -> list[str]:
        persona = new_persona(atlan)
        policy = Persona.create_domain_policy(
            name="mesh", persona_id=persona.guid, actions=set(actions), resources={f"entity:{domain_name}"}
        )
        save_policy(atlan, policy)
        return found_by(atlan, persona)

    assert seen(inner.qualified_name, PersonaDomainAction.READ_DOMAIN) == sorted([str(domain.name), "below", "product"])
    assert seen(domain.qualified_name, PersonaDomainAction.READ_SUBDOMAIN) == ["below"]
    assert seen(domain.qualified_name, PersonaDomainAction.READ_PRODUCTS) == ["product"]
    assert {str(domain.name), str(other.name), "below"} <= set(seen("*/super", PersonaDomainAction.READ_DOMAIN))


def test_a_purpose(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    name = unique("tag")
    atlan.typedef.create(AtlanTagDef.create(name=name, color=AtlanTagColor.GRAY))
    atlan.asset.add_atlan_tags(Table, f"{stack.schema}/orders", [name])
    purpose = atlan.asset.save(Purpose.creator(name=unique("purpose"), atlan_tags=[name])).assets_created(Purpose)[0]
    request = FluentSearch().where(CompoundQuery.active_assets()).to_request()
    request.purpose = purpose.qualified_name
    assert names(atlan.asset.search(request)) == ["orders"]
    counted = by(tenant, purpose=purpose.qualified_name).json()
    assert counted["approximateCount"] == 1
    # A persona stands before a purpose.
    both = by(tenant, purpose=purpose.qualified_name, persona=new_persona(atlan).qualified_name).json()
    assert both["approximateCount"] == 0


def test_access_that_is_gone_or_wrong(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    persona = new_persona(atlan)
    assert by(tenant, persona=persona.qualified_name).is_success
    assert by(tenant, persona="", purpose=None).is_success
    for wrong in ("default/none", "default", "default/a/b", 3, ["default/a"]):
        answer = by(tenant, persona=wrong)
        assert answer.status_code == 400
        assert error_code(answer)
    assert by(tenant, purpose=persona.qualified_name).status_code == 400
    assert by(tenant, persona=persona.qualified_name, accessControlExclusive=True).status_code == 501
    atlan.asset.delete_by_guid(persona.guid)
    assert by(tenant, persona=persona.qualified_name).status_code == 400


def test_policies_are_named_below_their_persona(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    """`AuthPolicyPreProcessor`."""
    persona = new_persona(atlan)
    for _ in range(2):
        made = save_policy(atlan, metadata_policy(persona, stack, f"{stack.schema}/orders"))
        policy = atlan.asset.get_by_guid(made, AuthPolicy)
        assert policy.qualified_name
        assert policy.qualified_name.startswith(f"{persona.qualified_name}/")
        assert (
            raw(tenant).call("GET", f"/api/meta/entity/guid/{made}").json()["entity"]["attributes"]["isPolicyEnabled"]
        )


ANOTHER = "default/vertica/0"
FILTER = {"policyServiceName": "atlas_abac", "policyResources": []}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"policyCategory": None}, 400),
        ({"policyCategory": "system"}, 409),
        ({"policyCategory": "purpose"}, 400),
        ({"policyServiceName": None}, 400),
        ({"policyType": None}, 400),
        ({"policyActions": []}, 400),
        ({"policyActions": ["persona-asset-read", "persona-glossary-read"]}, 400),
        ({"policySubCategory": "none"}, 400),
        ({"policySubCategory": "data"}, 400),  # whose resources are of another category
        ({"policySubCategory": "data", "policyResourceCategory": "ENTITY", "policyActions": ["select"]}, 200),
        ({"policySubCategory": "data", "policyResourceCategory": "ENTITY", "policyActions": ["select"], "policyServiceName": "heka"}, 200),
        ({"policyServiceName": "heka"}, 500),  # which has no actions on metadata
        ({"policySubCategory": "domain", "policyResources": ["anything"]}, 200),
        ({"policyResourceCategory": "ENTITY"}, 400),
        ({"policyResources": []}, 400),
        ({"policyResources": ["tag:x"]}, 400),
        ({"policyResources": ["entity-type:Table"]}, 200),
        ({"policyResources": [f"entity:{ANOTHER}"]}, 400),
        ({"connectionQualifiedName": None}, 400),
        ({"connectionQualifiedName": ANOTHER, "policyResources": ["entity-type:*"]}, 404),
        ({**FILTER, "policyFilterCriteria": '{"entity": {"condition": "AND", "criterion": []}}'}, 200),
        ({**FILTER, "policyFilterCriteria": "{}"}, 400),
        ({**FILTER, "policyFilterCriteria": "{"}, 400),
        (FILTER, 400),
        ({"accessControl": None}, 500),
    ],
)  # fmt: skip
def test_policies_that_are_refused(
    tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack, changes: dict[str, Any], status: int
) -> None:
    """`AuthPolicyValidator`."""
    values = new_policy(new_persona(atlan), stack)
    policy = {"typeName": "AuthPolicy", "guid": "-1", "attributes": {**values, **changes}}
    assert raw(tenant).save(policy).status_code == status


def new_policy(persona: Persona, stack: Stack) -> dict[str, Any]:
    """The attributes of a policy that a tenant takes."""
    return {
        "name": "one", "qualifiedName": unique("policy"), "policyCategory": "persona", "policySubCategory": "metadata",
        "policyType": "allow", "policyServiceName": "atlas", "policyResourceCategory": "CUSTOM",
        "policyActions": ["persona-asset-read"], "policyResources": [f"entity:{stack.schema}"],
        "connectionQualifiedName": stack.connection, "accessControl": {"typeName": "Persona", "guid": persona.guid},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"description": "x", "policyActions": ["persona-asset-update"]}, 200),
        ({"policyServiceName": "heka"}, 409),
        ({"policySubCategory": "glossary"}, 409),
        ({"policyResourceCategory": "ENTITY"}, 409),
        ({"policyCategory": "purpose"}, 409),
        ({"connectionQualifiedName": ANOTHER}, 409),
        ({"policyActions": []}, 400),
        ({"policyActions": ["select"]}, 400),
        ({"policyResources": []}, 400),
    ],
)
def test_changes_of_policies(
    tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack, changes: dict[str, Any], status: int
) -> None:
    client, persona = raw(tenant), new_persona(atlan)
    sent = {"typeName": "AuthPolicy", "guid": "-1", "attributes": new_policy(persona, stack)}
    guid = client.save(sent).json()["guidAssignments"]["-1"]
    twice = {**sent, "attributes": new_policy(persona, stack)}
    assert client.save(twice).status_code == 400  # of the same name
    change = {**sent, "guid": guid, "attributes": {**sent["attributes"], **changes}}
    assert client.save(change).status_code == status
    other = {"typeName": "Persona", "guid": new_persona(atlan).guid}
    change["attributes"] = {**sent["attributes"], "accessControl": other}
    assert client.save(change).status_code == 409
    atlan.asset.delete_by_guid(guid)
    change["attributes"] = sent["attributes"]
    assert client.save(change).status_code == 409


def test_a_policy_of_a_purpose_is_about_its_tags(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    name = unique("tag")
    atlan.typedef.create(AtlanTagDef.create(name=name, color=AtlanTagColor.GRAY))
    tag = atlan.atlan_tag_cache.get_id_for_name(name)
    purpose = {"name": name, "qualifiedName": name, "purposeClassifications": [tag]}
    guid = (
        raw(tenant).save({"typeName": "Purpose", "guid": "-1", "attributes": purpose}).json()["guidAssignments"]["-1"]
    )
    values = {
        "name": "one", "qualifiedName": "one", "policyCategory": "purpose", "policySubCategory": "metadata", "policyType": "allow",
        "policyServiceName": "atlas_tag", "policyActions": ["entity-read"], "accessControl": {"typeName": "Purpose", "guid": guid},
    }  # fmt: skip
    for changes, status in (
        ({}, 400),
        ({"policyResourceCategory": "TAG"}, 200),
        ({"policyActions": ["persona-asset-read"]}, 400),
    ):
        values |= changes
        answer = raw(tenant).save({"typeName": "AuthPolicy", "guid": "-1", "attributes": values})
        assert answer.status_code == status
        if status == 200:
            assert answer.json()["mutatedEntities"]["CREATE"][0]["attributes"]["policyResources"] == [f"tag:{tag}"]
