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


def unknown_type(name: object) -> AtlasError:
    """400: there is no entity type of this name (TYPE_NAME_INVALID)."""
    return AtlasError(400, "400-00-014", f"Type ENTITY with name {name} does not exist")


def invalid_parameters(message: str) -> AtlasError:
    """400: a request without what it is about (INVALID_PARAMETERS)."""
    return AtlasError(400, "400-00-01A", f"invalid parameters: {message}")


def bad_request(message: str) -> AtlasError:
    """400: a request that cannot be understood (BAD_REQUEST)."""
    return AtlasError(400, "400-00-029", f"Bad request: {message}")


def query_rejected(message: str) -> AtlasError:
    """400: a query that Elasticsearch refuses (INDEX_SEARCH_FAILED_WITH_RESPONSE_CODE)."""
    return AtlasError(400, "400-00-503", f"Elasticsearch query failed: {message}")


def malformed_reference(value: object, guid: str | None = None) -> AtlasError:
    """400: a reference that names no entity, or one that cannot stand there (INVALID_OBJECT_ID)."""
    return AtlasError(400, "400-00-021", f"Object reference is malformed: {value}", guid)


def guid_not_found(guid: str) -> AtlasError:
    """404: no entity has this guid (INSTANCE_GUID_NOT_FOUND)."""
    return AtlasError(404, "404-00-005", f"Given instance guid {guid} is invalid/not found")


def missing_attribute(type_name: str, attribute: str, guid: str | None) -> AtlasError:
    """404: a new entity without a mandatory attribute (INSTANCE_CRUD_INVALID_PARAMS)."""
    message = (
        "Invalid instance creation/updation parameters passed : "
        f"{type_name}.{attribute}: mandatory attribute value missing in type {type_name}"
    )
    return AtlasError(404, "404-00-007", message, guid)


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
