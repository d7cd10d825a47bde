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
    denied.connection_qualified_name = "default/vertica/0"
    denial = save_policy(atlan, denied)
    assert found_by(atlan, persona) == [name for name in everything if name != "salaries"]
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


def test_policies_are_named_below_their_persona(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    """`AuthPolicyPreProcessor`: two of one name are two policies."""
    persona = new_persona(atlan)
    sent = {"name": "one", "qualifiedName": "one", "policyCategory": "persona", "policyType": "allow"}
    reference = {"typeName": "Persona", "guid": persona.guid}
    policy = {"typeName": "AuthPolicy", "guid": "-1", "attributes": {**sent, "accessControl": reference}}
    answers = [raw(tenant).save(policy).json()["mutatedEntities"]["CREATE"][0] for _ in range(2)]
    assert len({policy["guid"] for policy in answers}) == 2
    for policy in answers:
        assert policy["attributes"]["qualifiedName"].startswith(f"{persona.qualified_name}/")
