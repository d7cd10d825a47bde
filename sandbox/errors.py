"""Errors as Atlan's metastore answers them: an HTTP status, an Atlas error code and one sentence.

Codes and statuses are those of `AtlasErrorCode` in atlanhq/atlas-metastore; each function names its constant there.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.messages import ErrorBody


class AtlasError(Exception):
    """A refusal that the server turns into `{"errorCode", "errorMessage", …}` with the given HTTP status.

    `code` comes without its prefix `ATLAS-`; `guid` is the guid or placeholder of the entity that is refused, if one is.
    """

    def __init__(self, status: int, code: str, message: str, guid: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = f"ATLAS-{code}"
        self.message = message
        self.guid = guid

    def body(self) -> ErrorBody:
        """The answer's body."""
        body: ErrorBody = {
            "errorCode": self.code,
            "errorMessage": self.message,
            "errorDetailsMap": {},
            "errorCause": "",
        }
        if self.guid:
            body["entityGuid"] = self.guid
        return body


def unknown_type(name: object, guid: str | None = None, category: str = "ENTITY") -> AtlasError:
    """400: there is no entity type, or tag, of this name (TYPE_NAME_INVALID)."""
    return AtlasError(400, "400-00-014", f"Type {category} with name {name} does not exist", guid)


def invalid_parameters(message: str, guid: str | None = None) -> AtlasError:
    """400: a request without what it is about (INVALID_PARAMETERS)."""
    return AtlasError(400, "400-00-01A", f"invalid parameters: {message}", guid)


def bad_request(message: str, guid: str | None = None) -> AtlasError:
    """400: a request that cannot be understood, or that a pre-processor refuses (BAD_REQUEST)."""
    return AtlasError(400, "400-00-029", message, guid)


def too_many_entities(most: int) -> AtlasError:
    """400: a bulk of more entities than are allowed (EXCEEDED_MAX_ENTITIES_ALLOWED)."""
    return AtlasError(400, "400-00-212", f"Request Error - Entities should be less than or equal to: {most}")


def replaced_and_changed(name: str, guid: str | None) -> AtlasError:
    """400: a relationship is both replaced and changed (ATTRIBUTE_ALREADY_EXISTS_IN_RELATIONSHIP_ATTRIBUTE)."""
    return AtlasError(400, "400-00-108", f"{name}: attribute already exists in relationshipAttributes", guid)


def invalid_label_length(label: str, most: int, guid: str | None) -> AtlasError:
    """400: a label is too long (INVALID_LABEL_LENGTH)."""
    message = f"Invalid label: {label}, label size should not be greater than {most}"
    return AtlasError(400, "400-00-08F", message, guid)


def invalid_label_characters(label: str, guid: str | None) -> AtlasError:
    """400: a label has other characters than are allowed (INVALID_LABEL_CHARACTERS)."""
    message = f"Invalid label: {label}, label should contain alphanumeric characters, '_' or '-'"
    return AtlasError(400, "400-00-090", message, guid)


def invalid_custom_key_length(name: str, most: int, guid: str | None) -> AtlasError:
    """400: the name of a custom attribute is too long (INVALID_CUSTOM_ATTRIBUTE_KEY_LENGTH)."""
    message = f"Invalid key: {name} in custom attribute, key size should not be greater than {most}"
    return AtlasError(400, "400-00-08C", message, guid)


def invalid_custom_key_characters(name: str, guid: str | None) -> AtlasError:
    """400: the name of a custom attribute has other characters than are allowed (INVALID_CUSTOM_ATTRIBUTE_KEY_CHARACTERS)."""
    message = f"Invalid key: {name} in custom attribute, key should only contain alphanumeric characters, '_' or '-'"
    return AtlasError(400, "400-00-08D", message, guid)


def invalid_custom_value(value: str, most: int, guid: str | None) -> AtlasError:
    """400: a custom attribute is too long (INVALID_CUSTOM_ATTRIBUTE_VALUE)."""
    message = f"Invalid value: {value} in custom attribute, value length is greater than {most}"
    return AtlasError(400, "400-00-08E", message, guid)


def query_rejected(message: str) -> AtlasError:
    """400: a query that Elasticsearch refuses (INDEX_SEARCH_FAILED_WITH_RESPONSE_CODE)."""
    return AtlasError(400, "400-00-503", f"ES query failed with response: {message}")


def not_supported(what: str) -> AtlasError:
    """501: a tenant would answer this, and the sandbox cannot. The code is the sandbox's own."""
    error = AtlasError(501, "", f"The sandbox does not support {what}")
    error.code = "SANDBOX-501-00-001"
    return error


def malformed_reference(value: object, guid: str | None = None) -> AtlasError:
    """400: a reference that names no entity, or one that cannot stand there (INVALID_OBJECT_ID)."""
    return AtlasError(400, "400-00-021", f"ObjectId is not valid {value}", guid)


def wrong_end(name: str, wanted: str, found: str, guid: str | None) -> AtlasError:
    """400: a relationship with an entity of a type that cannot stand there (INVALID_RELATIONSHIP_END_TYPE)."""
    return AtlasError(
        400, "400-00-036", f"invalid relationshipDef: {name}: end type 1: {wanted}, end type 2: {found}", guid
    )


def guid_not_found(guid: str) -> AtlasError:
    """404: no entity has this guid (INSTANCE_GUID_NOT_FOUND)."""
    return AtlasError(404, "404-00-005", f"Given instance guid {guid} is invalid/not found")


def invalid_attributes(message: str, guid: str | None) -> AtlasError:
    """404: an entity with a value that its attribute cannot have, or without a mandatory one (INSTANCE_CRUD_INVALID_PARAMS)."""
    return AtlasError(404, "404-00-007", f"Invalid instance creation/updation parameters passed : {message}", guid)


def not_found_by_name(type_name: str, attributes: Mapping[str, str]) -> AtlasError:
    """404: no entity of the type has these unique attributes (INSTANCE_BY_UNIQUE_ATTRIBUTE_NOT_FOUND)."""
    named = ", ".join(f"{key}={value}" for key, value in attributes.items())
    return AtlasError(404, "404-00-009", f"Instance {type_name} with unique attribute {{{named}}} does not exist")


def unknown_classification(name: object, guid: str | None = None) -> AtlasError:
    """404: there is no tag of this (hashed) name (CLASSIFICATION_NOT_FOUND, thrown by `EntityGraphMapper`)."""
    return AtlasError(404, "404-00-008", f"Given classification {name} was invalid", guid)


def reference_not_found(reference: object, guid: str | None) -> AtlasError:
    """404: what an entity refers to is not there (REFERENCED_ENTITY_NOT_FOUND); `guid` is that of the referring one."""
    return AtlasError(404, "404-00-00A", f"Referenced entity {reference} is not found", guid)


def already_exists(message: str, guid: str | None = None) -> AtlasError:
    """409: the name is taken (INSTANCE_ALREADY_EXISTS)."""
    return AtlasError(409, "409-00-003", message, guid)


def unknown_typedef(name: object) -> AtlasError:
    """404: there is no type definition of this name (TYPE_NAME_NOT_FOUND)."""
    return AtlasError(404, "404-00-001", f"Given typename {name} was invalid")


def unknown_typedef_guid(guid: str) -> AtlasError:
    """404: there is no type definition with this guid (TYPE_GUID_NOT_FOUND)."""
    return AtlasError(404, "404-00-002", f"Given type guid {guid} was invalid")


def missing_in_definition(name: object, what: str) -> AtlasError:
    """400: a type definition lacks something (MISSING_MANDATORY_ATTRIBUTE)."""
    return AtlasError(400, "400-00-02B", f"Mandatory field {name}.{what} has empty/null value")


def type_has_references(name: object) -> AtlasError:
    """409: a type is still in use (TYPE_HAS_REFERENCES)."""
    return AtlasError(409, "409-00-002", f"Given type {name} has references")


def type_already_exists(name: object) -> AtlasError:
    """409: a type of this name is there already (TYPE_ALREADY_EXISTS)."""
    return AtlasError(409, "409-00-001", f"Given type {name} already exists")


def display_name_taken(name: object) -> AtlasError:
    """409: a type of this display name is there already (TYPE_WITH_DISPLAY_NAME_ALREADY_EXISTS)."""
    return AtlasError(409, "409-00-012", f"Given type {name} already exists")


def operation_not_supported(message: str, guid: str | None = None) -> AtlasError:
    """409: the state of an entity, or its type, does not allow this (OPERATION_NOT_SUPPORTED)."""
    return AtlasError(409, "409-00-015", f"Operation not supported: {message}", guid)


def internal_error(message: str, guid: str | None = None) -> AtlasError:
    """500: what the metastore refuses with an exception that has no code (`AtlasBaseException(String)`, INTERNAL_ERROR)."""
    return AtlasError(500, "500-00-001", message, guid)
