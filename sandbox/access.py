"""What a persona or purpose lets somebody see, as a query.

Atlan keeps an alias of the search index for each of them, with a filter that is made of its policies or tags; a search that
names one goes over that alias (`EntityDiscoveryService.getIndexName`). The filters are those of `ESAliasStore` in
atlanhq/atlas-metastore.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.catalog import Catalog, Entity
from sandbox.errors import bad_request, not_supported, query_rejected
from sandbox.messages import JsonObject, Query

NOTHING: Query = {"match_none": {}}
METADATA, GLOSSARY, DOMAIN = "persona-asset-read", "persona-glossary-read", "persona-domain-read"
SUB_DOMAIN, PRODUCT = "persona-domain-sub-domain-read", "persona-domain-product-read"
AI = {"persona-ai-application-read", "persona-ai-model-read", "persona-ai-modelversion-read"}
ALL_DOMAINS = ("*/super", "*", "default/domain/*/super")


def scope_of(catalog: Catalog, request: JsonObject) -> Query | None:
    """The filter of the `persona` of an index search, else of its `purpose`; None where it names neither.

    Raises `AtlasError`: 400 if there is none of this qualified name, 501 for what is not supported.
    """
    type_name = "Persona" if request.get("persona") else "Purpose"
    name = request.get(type_name.lower())
    if not name:
        return None
    if request.get("accessControlExclusive"):
        raise not_supported("accessControlExclusive of a search")
    if not isinstance(name, str) or name.count("/") != 1:
        raise bad_request(f"{type_name.lower()} must be a qualified name")
    found = next((guid for guid in catalog.by_name[name] if catalog.entities[guid].type.name == type_name), None)
    if not found or not catalog.entities[found].active:
        raise query_rejected(f"no such index [{name.partition('/')[2]}]")
    access = catalog.entities[found]
    return _persona_filter(catalog, access) if type_name == "Persona" else _purpose_filter(access)


def _purpose_filter(purpose: Entity) -> Query:
    tags = purpose.attributes.get("purposeClassifications") or []
    fields = ("__traitNames", "__propagatedTraitNames")
    return {"bool": {"should": [{"terms": {field: tags}} for field in fields], "minimum_should_match": 1}}


def _persona_filter(catalog: Catalog, persona: Entity) -> Query:
    """What a policy allows and none denies; nothing where there is no policy about what can be read."""
    allowed: list[Query] = []
    denied: list[Query] = []
    for guid in persona.related("policies"):
        policy = catalog.entities[guid]
        if policy.active:
            clauses = allowed if policy.attributes.get("policyType") == "allow" else denied
            clauses.extend(_clauses(policy))
    if not allowed and not denied:
        return NOTHING
    if not allowed:
        return {"bool": {"must_not": denied}}
    return {"bool": {"should": allowed, "minimum_should_match": 1, "must_not": denied}}


def _clauses(policy: Entity) -> Iterator[Query]:
    """`ESAliasStore.personaPolicyToESDslClauses`, without the hierarchical filter that a tenant may have switched on."""
    values = policy.attributes
    actions = set(values.get("policyActions") or ())
    resources = list(values.get("policyResources") or ())
    assets = [resource.removeprefix("entity:") for resource in resources if resource.startswith("entity:")]
    if values.get("policyServiceName") == "atlas_abac":
        if METADATA in actions:
            raise not_supported("a search with a persona whose policies are made of attributes")
    elif METADATA in actions:
        yield from _metadata_clauses(policy, assets)
    elif GLOSSARY in actions:
        yield {"terms": {"qualifiedName": assets}}
        yield {"terms": {"__glossary": assets}}
    elif DOMAIN in actions:
        for asset in assets:
            if asset in ALL_DOMAINS:
                asset = ALL_DOMAINS[2]
            else:
                yield {"terms": {"qualifiedName": [asset, *_parent_domains(asset)]}}
            yield {"wildcard": {"qualifiedName": f"{asset}*"}}
    elif SUB_DOMAIN in actions or PRODUCT in actions:
        kind, path = ("DataDomain", "domain") if SUB_DOMAIN in actions else ("DataProduct", "product")
        for asset in assets:
            below: Query = {"wildcard": {"qualifiedName": f"{asset}/*{path}/*"}}
            yield {"bool": {"must": [below, {"term": {"__typeName.keyword": kind}}]}}
    elif AI & actions:
        types = [name.removeprefix("entity-type:") for name in resources if name.startswith("entity-type:")]
        if types:
            yield {"bool": {"must": [{"terms": {"__typeName.keyword": types}}]}}


def _metadata_clauses(policy: Entity, assets: list[str]) -> Iterator[Query]:
    if policy.attributes.get("policySubCategory") != "metadata":
        yield {"terms": {"qualifiedName": assets}}
        return
    for asset in assets:
        name = asset.removesuffix("/*")
        yield {"wildcard" if "*" in name or "?" in name else "term": {"qualifiedName": name}}
        yield {"wildcard": {"qualifiedName": f"{name}/*"}}
    # A policy that names no connection has that of its first asset (`getConnectionQualifiedNameFromPolicyAssets`).
    connection = policy.attributes.get("connectionQualifiedName") or "/".join("".join(assets[:1]).split("/")[:3])
    yield {"term": {"qualifiedName": connection}}


def _parent_domains(asset: str) -> Iterator[str]:
    while (cut := max(asset.rfind("/domain/"), asset.rfind("/product/"))) >= 0:
        asset = asset[:cut]
        if asset.endswith("default"):
            return
        yield asset
