"""The endpoints of Atlan's API: one table of method, path and function.

A handler takes a `Call` and returns the JSON body of a 200 answer, None for the 204 of the few that Atlan answers so, or
a `Text`. It raises `AtlasError` for everything else and knows nothing of HTTP. Paths and parameters are those of `EntityREST`,
`DiscoveryREST`, `LineageREST` and `TypesREST` in atlanhq/atlas-metastore, and of pyatlan's `client/constants.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox import (
    accounts,
    contracts,
    credentials,
    errors,
    oauth,
    openlineage,
    people,
    permissions,
    signon,
    tagging,
    typedefs,
)
from sandbox.adminlog import AdminLog
from sandbox.audit import search_audit
from sandbox.catalog import UNIQUE_ATTRIBUTES, Catalog, Entity
from sandbox.files import SignedStorage
from sandbox.gate import CLIENT_TOKEN, KEYCLOAK_TOKEN
from sandbox.lineage import list_lineage
from sandbox.lineage_graph import lineage_graph
from sandbox.messages import (
    AuditSearchResult,
    BusinessAttributes,
    Classification,
    ClassificationList,
    EntitiesAnswer,
    EntityAnswer,
    EntityHeader,
    JsonObject,
    LineageGraph,
    LineageResponse,
    MutationResponse,
    Record,
    RecordPage,
    SearchLogResult,
    SearchResponse,
    TaskSearchResult,
    TypeDefinition,
    TypesDef,
)
from sandbox.mutations import (
    SaveOptions,
    check_business,
    delete,
    merge_business,
    restore,
    save,
)
from sandbox.presentation import entity_details, entity_header
from sandbox.requests import as_list, as_object, entity_type, find_unique, read_business, read_labels, read_tags
from sandbox.search import SearchCache, index_search
from sandbox.searchlog import SearchLog
from sandbox.tags import all_tags
from sandbox.tasks import search_tasks

NO_CONTENT = None
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
MAX_PARAMETER = 4096  # atlas.query.param.max.length of `AtlasConfiguration`


@dataclass(frozen=True)
class Text:
    """An answer that is no JSON."""

    status: int
    text: str


@dataclass
class Call:
    """A request, parsed: path parameters, query parameters (each a list), the JSON body, who asks, the headers, and from
    which address; before these, what the tenant has.
    """

    catalog: Catalog
    search_cache: SearchCache
    search_log: SearchLog
    admin_log: AdminLog
    files: SignedStorage
    params: dict[str, str] = field(default_factory=dict)
    query: dict[str, list[str]] = field(default_factory=dict)
    body: Any = None
    user: str = people.USER["username"]
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter, or the default."""
        return (self.query.get(name) or [default])[0]

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true, in any case."""
        return self.first(name).lower() == "true"

    def number(self, name: str, default: int) -> int:
        """The whole number of a query parameter. Raises `AtlasError` (400) for something else."""
        value = self.first(name, str(default))
        if not WHOLE_NUMBER.fullmatch(value):
            raise errors.bad_request(f"{name} must be a whole number, not {value}")
        return int(value)

    def guids(self) -> list[str]:
        """The guids of the query. Raises `AtlasError` (400) for one that is too long."""
        found = self.query.get("guid") or []
        for guid in found:
            check_length("guid", guid)
        return found

    @property
    def flat_query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        return {name: values[0] for name, values in self.query.items()}

    def json_object(self) -> JsonObject:
        """The body. Raises `AtlasError` (400) if it is no object."""
        if not isinstance(self.body, dict):
            raise errors.bad_request("the body must be a JSON object")
        return self.body

    def entity(self) -> Entity:
        """The entity of the path: by guid, or by type and unique attribute (`attr:qualifiedName`), archived or not.

        Raises `AtlasError`: 400 for an unknown type or an attribute that is not unique, 404 if nobody has it.
        """
        if "guid" in self.params:
            check_length("guid", self.params["guid"])
            entity = self.catalog.entities.get(self.params["guid"])
            if not entity:
                raise errors.guid_not_found(self.params["guid"])
            return entity
        type_name = entity_type(self.catalog, self.params["type"]).name
        unique = {
            name.removeprefix("attr:"): values[0] for name, values in self.query.items() if name.startswith("attr:")
        }
        if not unique:
            raise errors.bad_request("no unique attribute given (attr:qualifiedName)")
        check_unique(type_name, unique)
        found = find_unique(self.catalog, type_name, unique)
        if not found:
            raise errors.not_found_by_name(type_name, unique)
        return found

    def unique_attributes(self) -> list[dict[str, str]]:
        """The unique attributes of several entities (`attr_0:qualifiedName`), each by name (`EntityREST.getAttributesList`)."""
        found: dict[str, dict[str, str]] = {}
        for parameter, values in self.query.items():
            number, colon, name = parameter.removeprefix("attr_").partition(":")
            if parameter.startswith("attr_") and colon:
                found.setdefault(number, {})[name] = values[0]
        return list(found.values())


def check_unique(type_name: str, unique: Mapping[str, str]) -> None:
    """As `EntityREST.validateUniqueAttribute`."""
    for name, value in unique.items():
        check_length(f"attr:{name}", value)
        if name != "qualifiedName" and name not in UNIQUE_ATTRIBUTES:
            raise errors.AtlasError(400, "400-00-013", f"attribute {name} is not unique for the type {type_name}")


def check_length(name: str, value: str) -> None:
    """As `Servlets.validateQueryParamLength`, of parts of the path, too."""
    if len(value) > MAX_PARAMETER:
        raise errors.AtlasError(400, "400-00-057", f"Length of query parameter {name} exceeds {MAX_PARAMETER}")


Handler = Callable[[Call], Any]


# Entities


def save_entities(call: Call) -> MutationResponse:
    """Upsert `entities`; query flags say what happens to their tags and custom metadata."""
    tags = ("replaceClassifications", "replaceTags", "appendTags")
    if sum(map(call.flag, tags)) > 1:
        raise errors.bad_request(f"Only one of [{', '.join(tags)}] can be true")
    options = replace(_save_options(call), append_tags=call.flag("appendTags"))
    if call.flag("replaceTags"):
        options = replace(options, replace_tags=True)
    return _save(call, call.json_object().get("entities"), options)


def save_entity(call: Call) -> MutationResponse:
    """Upsert one `entity`; query flags are those of the bulk, but for `replaceTags` and `appendTags`."""
    return _save(call, [as_object(call.json_object().get("entity"), "entity")], _save_options(call))


def _save_options(call: Call) -> SaveOptions:
    return SaveOptions(
        replace_tags=call.flag("replaceClassifications"),
        replace_business=call.flag("replaceBusinessAttributes"),
        overwrite_business=call.flag("overwriteBusinessAttributes"),
    )


def _save(call: Call, entities: object, options: SaveOptions) -> MutationResponse:
    return save(call.catalog, contracts.number_versions(call.catalog, entities), options, call.user)


def update_by_name(call: Call) -> MutationResponse:
    """Partial update of one entity by its unique attributes."""
    entity = call.entity()
    return _update(call, entity, as_object(call.json_object().get("entity"), "entity"))


def update_attribute(call: Call) -> MutationResponse:
    """Set one attribute or relationship (`name`) of one entity to the body; a related entity may be told by its guid alone
    (`AtlasEntityStoreV2.updateEntityAttributeByGuid`).
    """
    entity, name, value = call.entity(), call.first("name"), call.body
    check_length("name", name)
    end = entity.type.relationships.get(name)
    if not end and name not in entity.type.attributes:
        raise errors.AtlasError(400, "400-00-023", f"Attribute {name} not found for type {entity.type.name}")
    kind = call.catalog.types.attributes.get(name)
    if kind in call.catalog.types.structs:
        raise errors.AtlasError(400, "400-00-027", f"{name}.{kind} : attribute update not supported")
    if end and not end.many and isinstance(value, str):
        value = {"guid": value, "typeName": end.target}
    return _update(call, entity, {"attributes": {name: value}})


def _update(call: Call, entity: Entity, sent: JsonObject) -> MutationResponse:
    """What a partial update changed is listed under PARTIAL_UPDATE as well as UPDATE."""
    known = {"guid": entity.guid, "typeName": entity.type.name}
    answer = save(call.catalog, [{**sent, **known}], SaveOptions(partial=True), call.user)
    updated = answer["mutatedEntities"].get("UPDATE") if "mutatedEntities" in answer else None
    if updated:
        answer["partialUpdatedEntities"] = updated
    return answer


def read_entity(call: Call) -> EntityAnswer:
    """One entity, with its relationships unless `ignoreRelationships` is true."""
    shown = entity_details(call.catalog, call.entity(), with_relationships=not call.flag("ignoreRelationships"))
    return {"entity": shown, "referredEntities": {}}


def read_entities(call: Call) -> EntitiesAnswer:
    """The entities with the guids of the query; one that nobody has is an error."""
    guids = call.guids()
    if not guids:
        raise errors.invalid_parameters("no guid given")
    missing = [guid for guid in guids if guid not in call.catalog.entities]
    if missing:
        raise errors.guid_not_found(missing[0])
    related = not call.flag("ignoreRelationships")
    return {
        "entities": [entity_details(call.catalog, call.catalog.entities[guid], related) for guid in guids],
        "referredEntities": {},
    }


def read_by_names(call: Call) -> EntitiesAnswer:
    """The entities of a type with the unique attributes of the query; those that nobody has are passed over."""
    type_name, found = entity_type(call.catalog, call.params["type"]).name, []
    for unique in call.unique_attributes():
        check_unique(type_name, unique)
        found.append(find_unique(call.catalog, type_name, unique))
    related = not call.flag("ignoreRelationships")
    return {
        "entities": [entity_details(call.catalog, entity, related) for entity in found if entity],
        "referredEntities": {},
    }


def read_header(call: Call) -> EntityHeader:
    """The header of one entity."""
    return entity_header(call.catalog, call.entity())


def delete_entities(call: Call) -> MutationResponse:
    """Archive or remove the entities with the guids of the query."""
    return _delete(call, call.guids())


def delete_entity(call: Call) -> MutationResponse:
    """Archive or remove one entity."""
    return _delete(call, [call.entity().guid])


def delete_by_names(call: Call) -> MutationResponse:
    """Archive or remove the entities that the body names by type and unique attributes; those that nobody has are passed
    over (`AtlasEntityStoreV2.deleteByUniqueAttributes`).
    """
    sent = as_list(call.body or [], "the body")
    if not sent:
        raise errors.invalid_parameters("no entities given")
    found = []
    for reference in sent:
        named = as_object(reference, "an entity")
        for part in ("typeName", "uniqueAttributes"):
            if not named.get(part):
                raise errors.invalid_parameters(f"{part} not specified")
        unique = as_object(named["uniqueAttributes"], "uniqueAttributes")
        found.append(find_unique(call.catalog, entity_type(call.catalog, named["typeName"]).name, unique))
    guids = list(dict.fromkeys(entity.guid for entity in found if entity))
    return _delete(call, guids) if guids else {}


def _delete(call: Call, sent: list[str]) -> MutationResponse:
    delete_type, scope = call.first("deleteType", "SOFT"), call.headers.get("x-atlan-contract-delete-scope", "all")
    guids = contracts.to_delete(call.catalog, sent, delete_type, scope)
    assets = contracts.left_without(call.catalog, guids)
    if assets:
        save(call.catalog, assets, SaveOptions(), call.user)
    return delete(call.catalog, guids, delete_type, call.user)


def restore_entities(call: Call) -> MutationResponse:
    """Make the entities with the guids of the query active again."""
    guids = call.guids()
    if not guids:
        raise errors.invalid_parameters("Guid(s) not specified")
    return restore(call.catalog, guids, call.user)


# Tags, custom metadata and labels of one entity


def list_tags(call: Call) -> ClassificationList:
    """The tags of one entity, those that reach it too, all on one page."""
    tags = all_tags(call.catalog, call.entity())
    return {"list": tags, "startIndex": 0, "pageSize": len(tags), "totalCount": len(tags)}


def read_tag(call: Call) -> Classification:
    """One tag of one entity, its own or one that reaches it; it has to be defined (`EntityREST.getClassification`)."""
    name = _tag_of(call)
    entity = call.entity()
    return tagging.find_tag(entity, name, all_tags(call.catalog, entity))


def add_tags(call: Call) -> None:
    """Add the tags of the body to one entity."""
    tagging.add_tags(call.catalog, [call.entity()], _tags_of(call), call.user)
    return NO_CONTENT


def update_tags(call: Call) -> None:
    """Change tags that are on one entity."""
    tagging.update_tags(call.catalog, call.entity(), _tags_of(call), call.user)
    return NO_CONTENT


def _tags_of(call: Call) -> list[Classification]:
    tags = read_tags(call.body)
    if not tags:
        raise errors.invalid_parameters("classifications(s) not specified")
    return tags


def remove_tag(call: Call) -> None:
    """Take a tag off one entity; it has to be defined, but need not be on it (`EntityREST.deleteClassification`)."""
    entity = call.entity()
    tagging.remove_tags(call.catalog, entity, {_tag_of(call)}, call.user)
    return NO_CONTENT


def _tag_of(call: Call) -> str:
    """The (hashed) name of a tag in the path. Raises `AtlasError` (400) if it is not defined."""
    name = call.params["tag"]
    check_length("classificationName", name)
    if name not in call.catalog.documents("classificationDefs"):
        raise errors.unknown_type(name, category="CLASSIFICATION")
    return name


def tag_many(call: Call) -> None:
    """Put one tag on many entities."""
    tagging.tag_many(call.catalog, call.json_object(), call.user)
    return NO_CONTENT


def set_tags(call: Call) -> None:
    """Set the tags of many entities, or change some of each with `overrideClassifications=false`."""
    override = call.first("overrideClassifications", "true").lower() == "true"
    tagging.set_tags(call.catalog, call.json_object(), override, call.user)
    return NO_CONTENT


def save_custom_metadata(call: Call) -> None:
    """Lay custom metadata over what one entity has, or with `isOverwrite` put it in its place."""
    name, sent = call.params.get("set"), call.json_object()
    return _lay_over(call, read_business({name: sent} if name else sent))


def save_custom_metadata_by_label(call: Call) -> None:
    """As `save_custom_metadata`, with the names that people see of sets and their attributes, or the hashed ones."""
    values = read_business(call.json_object())
    if not values:
        raise errors.invalid_parameters("businessAttributes is null/empty")
    return _lay_over(call, typedefs.translate_labels(call.catalog, values))


def _lay_over(call: Call, values: BusinessAttributes) -> None:
    entity = call.entity()
    checked = check_business(call.catalog, entity, values)
    kept = {} if call.flag("isOverwrite") else entity.business
    with call.catalog.transaction(call.user) as transaction:
        transaction.set_field(entity, "business", merge_business(kept, checked))
    return NO_CONTENT


def remove_custom_metadata(call: Call) -> None:
    """Take whole sets of custom metadata off one entity."""
    entity = call.entity()
    gone = {call.params["set"]} if "set" in call.params else set(call.json_object())
    with call.catalog.transaction(call.user) as transaction:
        left = {name: values for name, values in entity.business.items() if name not in gone}
        transaction.set_field(entity, "business", left)
    return NO_CONTENT


def change_labels(keep: bool) -> Handler:
    """A handler that sets the labels of one entity, or adds to them (`keep`)."""

    def handler(call: Call) -> None:
        entity = call.entity()
        labels = set(read_labels(call.body, entity.guid))
        if keep:
            _check_some(labels)
            labels |= set(entity.labels)
        with call.catalog.transaction(call.user) as transaction:
            transaction.set_field(entity, "labels", sorted(labels))
        return NO_CONTENT

    return handler


def remove_labels(call: Call) -> None:
    """Take labels off one entity; those that it has not are passed over."""
    entity = call.entity()
    gone = set(read_labels(call.body, entity.guid))
    _check_some(gone)
    with call.catalog.transaction(call.user) as transaction:
        transaction.set_field(entity, "labels", [label for label in entity.labels if label not in gone])
    return NO_CONTENT


def _check_some(labels: set[str]) -> None:
    """As `AtlasEntityStoreV2.addLabels` and `removeLabels`."""
    if not labels:
        raise errors.invalid_parameters("labels is null/empty")


# Search, lineage, types, people


def evaluate_policies(call: Call) -> list[Record]:
    """Whether one may do what the body asks about; nothing is done."""
    return permissions.evaluate(call.catalog, call.body)


def search_index(call: Call) -> SearchResponse:
    """A page of an index search, which is logged if it asks for that."""
    request, started = call.json_object(), time.perf_counter()

    def log(result: SearchResponse | errors.AtlasError) -> None:
        seconds = time.perf_counter() - started
        call.search_log.add(request, result, seconds, call.user, call.headers, call.address)

    try:
        answer = index_search(call.catalog, request, call.search_cache)
    except errors.AtlasError as error:
        log(error)
        raise
    log(answer)
    return answer


def search_searches(call: Call) -> SearchLogResult:
    """A page of a search over the log of searches."""
    return call.search_log.search(call.json_object())


def search_events(call: Call) -> AuditSearchResult:
    """A page of a search over the audit log, of all entities or of the one in the path."""
    return search_audit(call.catalog, call.json_object(), call.params.get("guid"))


def find_tasks(call: Call) -> TaskSearchResult:
    """A page of a search over the background tasks."""
    return search_tasks(call.catalog, call.json_object())


def read_lineage(call: Call) -> LineageResponse:
    """A page of a lineage list."""
    return list_lineage(call.catalog, call.json_object())


def read_lineage_graph(call: Call) -> LineageGraph:
    """The whole lineage that the body asks for."""
    return lineage_graph(call.catalog, call.json_object())


def read_lineage_of(call: Call) -> LineageGraph:
    """The lineage of one entity: by guid as the query asks, by unique attributes with its processes (`LineageREST`)."""
    asked: JsonObject = {"depth": call.number("depth", 3), "direction": call.first("direction", "BOTH")}
    if "guid" in call.params:
        asked |= {name: call.number(name, -1) for name in ("offset", "limit")}
        asked |= {name: call.flag(name) for name in ("hideProcess", "calculateRemainingVertexCounts")}
    return lineage_graph(call.catalog, {**asked, "guid": call.entity().guid})


def read_typedefs(call: Call) -> TypesDef:
    """All type definitions, or those of the categories in the query (`type`)."""
    return typedefs.list_typedefs(call.catalog, call.query.get("type") or [])


def create_typedefs(call: Call) -> TypesDef:
    """Create type definitions."""
    return typedefs.save_typedefs(call.catalog, call.json_object(), call.user, update=False)


def update_typedefs(call: Call) -> TypesDef:
    """Update type definitions by their hashed names."""
    return typedefs.save_typedefs(call.catalog, call.json_object(), call.user, update=True)


def read_typedef(call: Call) -> TypeDefinition:
    """One type definition."""
    return typedefs.read_typedef(call.catalog, call.params["name"])


def typedef_by_name(category: str) -> Handler:
    """A handler that reads the definition of a category by its name."""

    def handler(call: Call) -> TypeDefinition:
        check_length("name", call.params["name"])
        return typedefs.typedef_of(call.catalog, category, call.params["name"])

    return handler


def typedef_by_guid(category: str | None) -> Handler:
    """A handler that reads the definition of a category, or of any, by its guid."""

    def handler(call: Call) -> TypeDefinition:
        check_length("guid", call.params["guid"])
        return typedefs.typedef_by_guid(call.catalog, call.params["guid"], category)

    return handler


def delete_typedefs(call: Call) -> None:
    """Remove type definitions that are not in use."""
    typedefs.remove_typedefs(call.catalog, call.json_object())
    return NO_CONTENT


def delete_typedef(call: Call) -> None:
    """Remove one type definition that is not in use."""
    typedefs.remove_typedef(call.catalog, call.params["name"])
    return NO_CONTENT


def current_user(call: Call) -> Record:
    """Who asks: the sandbox's first user, or the account of an API token that was made."""
    return people.USER if call.user == people.USER["username"] else {**people.USER, "username": call.user}


def whoami(call: Call) -> Record:
    """The roles of who asks (pyatlan's `role_cache.is_api_token_user`)."""
    return {"roles": [{"name": "$admin"}], "username": people.USER["username"], "userId": people.USER["id"]}


def listing_of(find: Callable[[Catalog], list[Record]]) -> Handler:
    """A handler that lists records a page at a time."""
    return lambda call: people.list_records(find(call.catalog), call.flat_query)


def list_groups(call: Call) -> RecordPage:
    """A page of groups, with the `columns` that are asked for and those that every record has."""
    page = people.list_records(accounts.groups(call.catalog), call.flat_query)
    columns = call.query.get("columns")
    if columns:
        always = {"id", "name", *columns}
        page["records"] = [{name: group[name] for name in group if name in always} for group in page["records"]]
    return page


def listing_of_one(find: Callable[[Catalog, str], list[Record]]) -> Handler:
    """A handler that lists what belongs to the user or group of the path."""
    return lambda call: people.list_records(find(call.catalog, call.params["guid"]), call.flat_query)


def changing(change: Callable[[Catalog, str, JsonObject], object]) -> Handler:
    """A handler that changes the user or group of the path by the body; its answer says nothing."""

    def handler(call: Call) -> Record:
        change(call.catalog, call.params["guid"], call.json_object())
        return {}

    return handler


def removing(kind: str) -> Handler:
    """A handler that removes the user, group or token of the path."""

    def handler(call: Call) -> Record:
        accounts.remove(call.catalog, kind, call.params["guid"])
        return {}

    return handler


def invite_users(call: Call) -> Record:
    """Make users of addresses."""
    accounts.invite(call.catalog, call.json_object())
    return {}


def create_group(call: Call) -> Record:
    """Make a group."""
    return accounts.create_group(call.catalog, call.json_object(), call.user)


def update_user(call: Call) -> Record:
    """Change a user."""
    return accounts.update_user(call.catalog, call.params["guid"], call.json_object())


def create_token(call: Call) -> Record:
    """Make an API token."""
    return accounts.create_token(call.catalog, call.json_object(), call.user)


def update_token(call: Call) -> Record:
    """Change an API token."""
    return accounts.update_token(call.catalog, call.params["guid"], call.json_object())


def create_credential(call: Call) -> Record:
    """Keep a credential, without its secrets."""
    return credentials.create(call.catalog, call.json_object(), call.user)


def update_credential(call: Call) -> Record:
    """Change a credential."""
    return credentials.update(call.catalog, call.params["guid"], call.json_object())


def read_credential(call: Call) -> Record:
    """One credential."""
    return credentials.find(call.catalog, call.params["guid"])


def list_credentials(call: Call) -> RecordPage:
    """A page of credentials."""
    return credentials.listed(call.catalog, call.flat_query)


def remove_credential(call: Call) -> Text:
    """Forget a credential; the answer is a 200 without a body (pyatlan's `delete_credentials` in test_workflow_client.py)."""
    credentials.remove(call.catalog, call.params["guid"])
    return Text(200, "")


def create_oauth_client(call: Call) -> Record:
    """Make an OAuth client."""
    return oauth.create(call.catalog, call.json_object(), call.user)


def update_oauth_client(call: Call) -> Record:
    """Change an OAuth client."""
    return oauth.update(call.catalog, call.params["client"], call.json_object(), call.user)


def remove_oauth_client(call: Call) -> Text:
    """Forget an OAuth client."""
    oauth.remove(call.catalog, call.params["client"])
    return Text(200, "")


def read_client_secret(call: Call) -> Record:
    """The secret of an API token's client, in the shape of Keycloak's `CredentialRepresentation`."""
    return {"type": "secret", "value": accounts.client_secret(call.catalog, call.params["guid"])}


def create_mapping(call: Call) -> Record:
    """Map a group of an identity provider."""
    return signon.create(call.catalog, call.params["provider"], call.json_object())


def update_mapping(call: Call) -> Record:
    """Change the mapping of a group of an identity provider."""
    return signon.update(call.catalog, call.params["provider"], call.params["guid"], call.json_object())


def remove_mapping(call: Call) -> Text:
    """Forget a mapping; the answer has no body (pyatlan's `delete_sso_mapping` in test_sso_client.py)."""
    signon.remove(call.catalog, call.params["provider"], call.params["guid"])
    return Text(200, "")


def receive_openlineage(call: Call) -> Text:
    """Take OpenLineage events (202), or say as Atlan's gateway that nobody waits for them (pyatlan's `OpenLineageSend`)."""
    connector = call.params["connector"]
    if not openlineage.is_configured(call.catalog, connector):
        path = f"/events/openlineage/{connector}/api/v1/lineage"
        return Text(401, f"Unauthorized: url path not configured to receive data, urlPath: {path}")
    openlineage.receive(call.catalog, connector, call.body, call.user)
    return Text(202, "")


def draft_contract(call: Call) -> dict[str, str]:
    """A first contract for an asset."""
    return contracts.draft(call.catalog, call.json_object())


def presign_file(call: Call) -> dict[str, str]:
    """An address to write or read a file of the tenant's storage."""
    return call.files.presign(call.json_object())


ENTITY = "/api/meta/entity"
SERVICE = "/api/service"
TYPES = "/api/meta/types"
CATEGORIES = ("ENTITY", "CLASSIFICATION", "ENUM", "STRUCT", "BUSINESS_METADATA")
FORMS = (KEYCLOAK_TOKEN,)  # whose body is no JSON
CLIENT, MAPPERS = f"{SERVICE}/oauth-clients/{{client}}", f"{SERVICE}/idp/{{provider}}/mappers"
ONE = (f"{ENTITY}/guid/{{guid}}", f"{ENTITY}/uniqueAttribute/type/{{type}}")
ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", f"{ENTITY}/bulk", save_entities),
    ("GET", f"{ENTITY}/bulk", read_entities),
    ("DELETE", f"{ENTITY}/bulk", delete_entities),
    ("POST", f"{ENTITY}/restore/bulk", restore_entities),
    ("POST", ENTITY, save_entity),
    ("GET", f"{ENTITY}/bulk/uniqueAttribute/type/{{type}}", read_by_names),
    ("DELETE", f"{ENTITY}/bulk/uniqueAttribute", delete_by_names),
    ("POST", f"{ENTITY}/bulk/classification", tag_many),
    ("POST", f"{ENTITY}/bulk/setClassifications", set_tags),
    ("PUT", ONE[0], update_attribute),
    ("PUT", ONE[1], update_by_name),
    *[("GET", path, read_entity) for path in ONE],
    *[("DELETE", path, delete_entity) for path in ONE],
    *[("GET", f"{path}/header", read_header) for path in ONE],
    *[("GET", f"{path}/classifications", list_tags) for path in ONE],
    *[("POST", f"{path}/classifications", add_tags) for path in ONE],
    *[("PUT", f"{path}/classifications", update_tags) for path in ONE],
    ("GET", f"{ONE[0]}/classification/{{tag}}", read_tag),
    *[("DELETE", f"{path}/classification/{{tag}}", remove_tag) for path in ONE],
    *[("PUT", f"{path}/labels", change_labels(keep=True)) for path in ONE],
    *[("POST", f"{path}/labels", change_labels(keep=False)) for path in ONE],
    *[("DELETE", f"{path}/labels", remove_labels) for path in ONE],
    ("POST", f"{ONE[0]}/businessmetadata", save_custom_metadata),
    ("POST", f"{ONE[0]}/businessmetadata/displayName", save_custom_metadata_by_label),
    ("POST", f"{ONE[0]}/businessmetadata/{{set}}", save_custom_metadata),
    ("DELETE", f"{ONE[0]}/businessmetadata", remove_custom_metadata),
    ("DELETE", f"{ONE[0]}/businessmetadata/{{set}}", remove_custom_metadata),
    ("POST", f"{ENTITY}/evaluator", evaluate_policies),
    ("POST", "/api/meta/search/indexsearch", search_index),
    ("POST", "/api/meta/search/searchlog", search_searches),
    ("POST", f"{ENTITY}/auditSearch", search_events),
    ("POST", f"{ENTITY}/{{guid}}/auditSearch", search_events),
    ("POST", "/api/meta/task/search", find_tasks),
    ("POST", "/api/meta/lineage/list", read_lineage),
    ("POST", "/api/meta/lineage/getlineage", read_lineage_graph),
    ("GET", "/api/meta/lineage/{guid}", read_lineage_of),
    ("GET", "/api/meta/lineage/uniqueAttribute/type/{type}", read_lineage_of),
    ("GET", f"{TYPES}/typedefs", read_typedefs),
    ("POST", f"{TYPES}/typedefs", create_typedefs),
    ("PUT", f"{TYPES}/typedefs", update_typedefs),
    ("DELETE", f"{TYPES}/typedefs", delete_typedefs),
    (
        "GET",
        f"{TYPES}/typedefs/headers",
        lambda call: typedefs.list_headers(call.catalog, call.query.get("type") or []),
    ),
    ("GET", f"{TYPES}/typedef/name/{{name}}", read_typedef),
    ("DELETE", f"{TYPES}/typedef/name/{{name}}", delete_typedef),
    ("GET", f"{TYPES}/typedef/guid/{{guid}}", typedef_by_guid(None)),
    *[
        ("GET", f"{TYPES}/{category.replace('_', '').lower()}def/name/{{name}}", typedef_by_name(category))
        for category in CATEGORIES
    ],
    *[
        ("GET", f"{TYPES}/{category.replace('_', '').lower()}def/guid/{{guid}}", typedef_by_guid(category))
        for category in CATEGORIES
    ],
    ("GET", f"{SERVICE}/users/current", current_user),
    ("GET", f"{SERVICE}/whoami", whoami),
    ("GET", f"{SERVICE}/roles", listing_of(lambda _: people.ROLES)),
    ("GET", f"{SERVICE}/users", listing_of(accounts.users)),
    ("POST", f"{SERVICE}/users", invite_users),
    ("POST", f"{SERVICE}/users/{{guid}}", update_user),
    ("POST", f"{SERVICE}/users/{{guid}}/delete", removing(accounts.USER_KIND)),
    ("POST", f"{SERVICE}/users/{{guid}}/roles/update", changing(accounts.change_role)),
    ("GET", f"{SERVICE}/users/{{guid}}/groups", listing_of_one(accounts.groups_of)),
    ("POST", f"{SERVICE}/users/{{guid}}/groups", changing(accounts.join_groups)),
    ("GET", f"{SERVICE}/groups", list_groups),
    ("GET", f"{SERVICE}/v2/groups", list_groups),
    ("POST", f"{SERVICE}/groups", create_group),
    ("POST", f"{SERVICE}/groups/{{guid}}", changing(accounts.update_group)),
    ("POST", f"{SERVICE}/groups/{{guid}}/delete", removing(accounts.GROUP_KIND)),
    ("GET", f"{SERVICE}/groups/{{guid}}/members", listing_of_one(accounts.members)),
    ("POST", f"{SERVICE}/groups/{{guid}}/members/remove", changing(accounts.remove_members)),
    ("GET", f"{SERVICE}/apikeys", listing_of(accounts.tokens)),
    ("POST", f"{SERVICE}/apikeys", create_token),
    ("POST", f"{SERVICE}/apikeys/{{guid}}", update_token),
    ("DELETE", f"{SERVICE}/apikeys/{{guid}}", removing(accounts.TOKEN_KIND)),
    ("POST", CLIENT_TOKEN, lambda call: oauth.exchange(call.catalog, call.json_object())),
    ("POST", KEYCLOAK_TOKEN, lambda call: oauth.grant(call.catalog, call.json_object())),
    ("GET", "/auth/admin/realms/default/clients/{guid}/client-secret", read_client_secret),
    ("GET", f"{SERVICE}/oauth-clients", lambda call: oauth.listed(call.catalog, call.flat_query)),
    ("POST", f"{SERVICE}/oauth-clients", create_oauth_client),
    ("GET", CLIENT, lambda call: oauth.read(call.catalog, call.params["client"])),
    ("PUT", CLIENT, update_oauth_client),
    ("DELETE", CLIENT, remove_oauth_client),
    ("GET", MAPPERS, lambda call: signon.mappings(call.catalog, call.params["provider"])),
    ("POST", MAPPERS, create_mapping),
    (
        "GET",
        f"{MAPPERS}/{{guid}}",
        lambda call: signon.find(call.catalog, call.params["provider"], call.params["guid"]),
    ),
    ("POST", f"{MAPPERS}/{{guid}}", update_mapping),
    ("POST", f"{MAPPERS}/{{guid}}/delete", remove_mapping),
    ("GET", f"{SERVICE}/events/login", lambda call: call.admin_log.logins(call.query)),
    ("GET", f"{SERVICE}/events/main", lambda call: call.admin_log.changes(call.query)),
    ("POST", f"{SERVICE}/contracts/init", draft_contract),
    ("GET", f"{SERVICE}/credentials", list_credentials),
    ("POST", f"{SERVICE}/credentials", create_credential),
    ("GET", f"{SERVICE}/credentials/{{guid}}", read_credential),
    ("POST", f"{SERVICE}/credentials/{{guid}}", update_credential),
    ("POST", f"{SERVICE}/credentials/{{guid}}/archive", remove_credential),
    ("POST", f"{SERVICE}/files/presignedUrl", presign_file),
    ("POST", "/events/openlineage/{connector}/api/v1/lineage", receive_openlineage),
]
