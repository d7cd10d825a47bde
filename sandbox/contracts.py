"""Data contracts: versions of a contract for an asset, and the first one that Atlan drafts.

The rules are those of `ContractPreProcessor` and `DataContract` in atlanhq/atlas-metastore. A contract is sent as
`<asset>/contract`; the tenant makes `<asset>/<type>/contract/V<number>` of it. A draft is changed in place, a published one
gets a new version, and the asset leads to the latest one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import yaml

from sandbox import errors
from sandbox.bodies import MAX_DEPTH
from sandbox.catalog import Catalog, Entity
from sandbox.messages import JsonObject, SentEntity

TYPE = "DataContract"
SUFFIX = "/contract"
DATASET_TYPES = ("Table", "View", "MaterialisedView")
DRAFT, VERIFIED = "DRAFT", "VERIFIED"
MAX_LENGTH = 100_000  # as of any attribute


def number_versions(catalog: Catalog, sent: object) -> object:
    """The entities of a request with each contract as the version that it makes or changes, and its asset beside it.

    Everything else is returned as it came. Raises `AtlasError`: 400 for a contract that is none, 409
    (OPERATION_NOT_SUPPORTED) for one that may not be published.
    """
    if not isinstance(sent, list) or not any(_is_new_contract(entity) for entity in sent):
        return sent
    numbered: list[object] = []
    for entity in sent:
        numbered += _versioned(catalog, entity) if _is_new_contract(entity) else [entity]
    return numbered


def _is_new_contract(entity: object) -> bool:
    if not isinstance(entity, dict) or entity.get("typeName") != TYPE or not isinstance(entity.get("attributes"), dict):
        return False
    return str(entity["attributes"].get("qualifiedName")).endswith(SUFFIX)


def _versioned(catalog: Catalog, entity: JsonObject) -> list[SentEntity]:
    attributes: dict[str, Any] = dict(entity["attributes"])
    spec = _parse(attributes.get("dataContractSpec") or attributes.get("dataContractJson"))
    asset = _asset_of(catalog, str(attributes["qualifiedName"]).removesuffix(SUFFIX), spec)
    status = _status(attributes, spec)
    versions = versions_of(catalog, asset.guid)
    latest = versions[-1] if versions else None
    if not attributes.get("dataContractSpec"):
        attributes["dataContractSpec"] = yaml.safe_dump(spec, sort_keys=False)
    attributes["dataContractJson"] = json.dumps(spec)
    attributes["certificateStatus"] = status
    number = _number(latest) if latest else 1
    published = latest is not None and latest.attributes.get("certificateStatus") == VERIFIED
    changes = latest is None or any(
        latest.attributes.get(name) != value for name, value in attributes.items() if name != "qualifiedName"
    )
    links: dict[str, Any] = {}
    if changes and (latest is None or published):
        if status == VERIFIED:
            raise errors.AtlasError(409, "409-00-015", "Operation not supported: Can't create a new published version")
        if latest:
            number += 1
            links["dataContractPreviousVersion"] = {"typeName": TYPE, "guid": latest.guid}
    attributes["qualifiedName"] = f"{asset.qualified_name}/{asset.type.name}{SUFFIX}/V{number}"
    attributes["dataContractVersion"] = number
    attributes["dataContractAssetGuid"] = asset.guid
    links["dataContractAssetLatest"] = {"typeName": asset.type.name, "guid": asset.guid}
    if status == VERIFIED:
        links["dataContractAssetCertified"] = links["dataContractAssetLatest"]
    placeholder = entity.get("guid")
    guid = {"guid": placeholder} if placeholder and str(placeholder).startswith("-") else {}
    contract: SentEntity = {"typeName": TYPE, **guid, "attributes": {**attributes, **links}}  # type: ignore[typeddict-item]
    owner: SentEntity = {
        "typeName": asset.type.name,
        "guid": asset.guid,
        "attributes": {"name": asset.name, "qualifiedName": asset.qualified_name, "hasContract": True},
    }
    return [contract, owner]


def versions_of(catalog: Catalog, asset: str) -> list[Entity]:
    """All versions of the contract of an asset, the first one first."""
    contracts = (catalog.entities[guid] for guid in catalog.by_type[TYPE])
    found = [one for one in contracts if one.active and one.attributes.get("dataContractAssetGuid") == asset]
    return sorted(found, key=_number)


def _number(contract: Entity) -> int:
    return int(contract.attributes.get("dataContractVersion") or 1)


def to_delete(catalog: Catalog, guids: Iterable[str], delete_type: str, scope: str) -> list[str]:
    """The guids of a deletion, with all versions of each contract among them unless its `scope` is "single".

    Raises `AtlasError` (409, OPERATION_NOT_SUPPORTED): contracts can only be removed for good, and of single versions only
    the latest.
    """
    found: dict[str, None] = {}
    for guid in guids:
        contract = catalog.entities.get(guid)
        if contract is None or contract.type.name != TYPE or not contract.active:
            found[guid] = None
            continue
        if delete_type in ("SOFT", "DEFAULT"):
            message = "Soft delete is not supported for DataContract. Use hard delete (PURGE) instead."
            raise errors.AtlasError(409, "409-00-015", f"Operation not supported: {message}", guid)
        versions = versions_of(catalog, str(contract.attributes.get("dataContractAssetGuid")))
        if scope.lower() != "single":
            found |= dict.fromkeys([guid, *(version.guid for version in versions)])
            continue
        if versions and versions[-1] is not contract:
            message = "Only the latest contract version can be deleted. Delete all versions or delete the latest first."
            raise errors.AtlasError(409, "409-00-015", f"Operation not supported: {message}", guid)
        found[guid] = None
    return list(found)


def left_without(catalog: Catalog, guids: Iterable[str]) -> list[SentEntity]:
    """What to save of the assets of contracts that are about to be removed: whether they have one still, and which."""
    gone = set(guids)
    saved: list[SentEntity] = []
    assets = {
        str(catalog.entities[guid].attributes.get("dataContractAssetGuid")): None
        for guid in gone
        if _is_contract(catalog, guid)
    }
    for asset in (catalog.entities[guid] for guid in assets if guid in catalog.entities):
        kept = [version for version in versions_of(catalog, asset.guid) if version.guid not in gone]
        attributes: dict[str, Any] = {
            "name": asset.name,
            "qualifiedName": asset.qualified_name,
            "hasContract": bool(kept),
        }
        if kept:
            latest = {"typeName": TYPE, "guid": kept[-1].guid}
            attributes["dataContractLatest"] = latest
            if kept[-1].attributes.get("certificateStatus") == VERIFIED:
                attributes["dataContractLatestCertified"] = latest
        saved.append({"typeName": asset.type.name, "guid": asset.guid, "attributes": attributes})
    return saved


def _is_contract(catalog: Catalog, guid: str) -> bool:
    return guid in catalog.entities and catalog.entities[guid].type.name == TYPE


def _parse(text: object) -> JsonObject:
    """The contract that a text is, in YAML (of which JSON is a part). Raises `AtlasError` (400) for what is none."""
    if not isinstance(text, str) or not text:
        raise errors.bad_request("Missing attribute: contract.")
    if len(text) > MAX_LENGTH:
        raise errors.bad_request(f"the contract has more than {MAX_LENGTH} characters")
    try:
        _check_shape(text)
        spec = yaml.safe_load(text)
        json.dumps(spec)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise errors.bad_request(f"the contract is no YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(spec, dict) or spec.get("kind") != TYPE:
        raise errors.AtlasError(400, "400-00-028", "invalid value: the kind of a contract is DataContract")
    if not spec.get("dataset"):
        raise errors.bad_request("Field: dataset -> must not be null")
    return spec


def _check_shape(text: str) -> None:
    """Refuse what takes a reader of YAML more time or memory than it is long: many levels, and aliases."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise errors.bad_request(f"the contract has more than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            raise errors.bad_request("the contract has aliases")


def _asset_of(catalog: Catalog, qualified_name: str, spec: JsonObject) -> Entity:
    """The asset of a contract: the table or view of this name (`AbstractContractPreProcessor.getAssociatedAsset`)."""
    wanted = spec.get("type")
    types = [name for name in DATASET_TYPES if name.lower() == str(wanted).lower()] if wanted else list(DATASET_TYPES)
    if not types:
        raise errors.AtlasError(400, "400-00-028", f"invalid value: type: {wanted}. Accepted values: {DATASET_TYPES}")
    entities = [catalog.entities[guid] for guid in catalog.by_name[qualified_name]]
    found = [entity for entity in entities if entity.type.name in types]
    if len(found) != 1:
        # Of none the metastore says so with a 500 (an exception without a code).
        message = "Multiple dataset exists" if found else "Dataset doesn't exist"
        raise errors.bad_request(f"{message} for given qualified name.")
    spec["type"] = found[0].type.name
    return found[0]


def _status(attributes: JsonObject, spec: JsonObject) -> str:
    """DRAFT or VERIFIED, which wins wherever it stands (`syncContractCertificateStatus`); the contract gets it, too."""
    told = (str(attributes.get("certificateStatus")).upper(), str(spec.get("status")).upper())
    spec["status"] = VERIFIED if VERIFIED in told else DRAFT
    return str(spec["status"])


def draft(catalog: Catalog, request: JsonObject) -> dict[str, str]:
    """`{"contract": …}`, a first contract for the asset that `assetType` and `assetQualifiedName` tell, as YAML.

    What is in it is what pyatlan's `test_contact_init_spec` and `DataContractSpec` read. Raises `AtlasError`: 400 for a type
    that has no contracts, 404 if there is no such asset.
    """
    type_name, qualified_name = str(request.get("assetType")), str(request.get("assetQualifiedName"))
    if type_name not in DATASET_TYPES:
        raise errors.AtlasError(400, "400-00-028", f"invalid value: assetType: {type_name}")
    asset = catalog.find(type_name, qualified_name)
    if asset is None:
        raise errors.not_found_by_name(type_name, {"qualifiedName": qualified_name})
    connection = catalog.find("Connection", "/".join(qualified_name.split("/")[:3]))
    columns = [catalog.entities[guid] for guid in asset.related("columns") if catalog.entities[guid].active]
    columns.sort(key=lambda column: (column.attributes.get("order") or 0, column.name))
    spec: JsonObject = {
        "kind": TYPE,
        "status": DRAFT,
        "template_version": "0.0.2",
        "type": type_name,
        "dataset": asset.name,
        "data_source": connection.name if connection else "",
        "description": _description(asset),
        "owners": {
            "users": asset.attributes.get("ownerUsers") or [],
            "groups": asset.attributes.get("ownerGroups") or [],
        },
        **_labels(catalog, asset),
        "columns": [_column(catalog, column) for column in columns],
    }
    if asset.attributes.get("certificateStatus"):
        message = asset.attributes.get("certificateStatusMessage") or ""
        spec["certification"] = {"status": asset.attributes["certificateStatus"], "message": message}
    today = datetime.now(timezone.utc).date().isoformat()
    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    return {"contract": f"---\n# Generated by Atlan on {today}\n{text}"}


def _column(catalog: Catalog, column: Entity) -> JsonObject:
    told: JsonObject = {
        "name": column.name,
        "business_name": column.attributes.get("displayName") or "",
        "description": _description(column),
        "is_primary": bool(column.attributes.get("isPrimary")),
        "required": column.attributes.get("isNullable") is False,
        "data_type": column.attributes.get("dataType") or "",
    }
    return {**told, **_labels(catalog, column)}


def _labels(catalog: Catalog, entity: Entity) -> JsonObject:
    """The terms and tags of an entity, by the names that people know."""
    tags = catalog.documents("classificationDefs") if entity.tags else {}
    terms = [catalog.entities[guid] for guid in entity.related("meanings")]
    return {
        "terms": [term.name for term in terms if term.active],
        "tags": [
            {
                "name": tags.get(tag["typeName"], {}).get("displayName", tag["typeName"]),
                "propagate": tag.get("propagate", False),
            }
            for tag in entity.tags
        ],
    }


def _description(entity: Entity) -> str:
    return str(entity.attributes.get("userDescription") or entity.attributes.get("description") or "")
