"""Errors as Atlan's metastore answers them: an HTTP status, an Atlas error code and one sentence."""

from __future__ import annotations


class AtlasError(Exception):
    """A refusal that the server turns into `{"errorCode", "errorMessage", …}` with the given HTTP status."""

    def __init__(self, status: int, code: str, message: str, guid: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = f"ATLAS-{code}"
        self.message = message
        self.guid = guid

    def body(self) -> dict:
        body = {"errorCode": self.code, "errorMessage": self.message, "errorDetailsMap": {}, "errorCause": ""}
        return {**body, "entityGuid": self.guid} if self.guid else body


def unknown_type(name: object) -> AtlasError:
    return AtlasError(400, "400-00-014", f"Type ENTITY with name {name} does not exist")


def invalid_parameters(message: str) -> AtlasError:
    return AtlasError(400, "400-00-01A", f"invalid parameters: {message}")


def bad_request(message: str) -> AtlasError:
    return AtlasError(400, "400-00-029", f"Bad request: {message}")


def malformed_reference(value: object, guid: str | None = None) -> AtlasError:
    return AtlasError(400, "400-00-021", f"Object reference is malformed: {value}", guid)


def guid_not_found(guid: str) -> AtlasError:
    return AtlasError(404, "404-00-005", f"Given instance guid {guid} is invalid/not found")


def missing_attribute(type_name: str, attribute: str, guid: str | None) -> AtlasError:
    message = (
        "Invalid instance creation/updation parameters passed : "
        f"{type_name}.{attribute}: mandatory attribute value missing in type {type_name}"
    )
    return AtlasError(404, "404-00-007", message, guid)


def not_found_by_name(type_name: str, attributes: dict) -> AtlasError:
    named = ", ".join(f"{key}={value}" for key, value in attributes.items())
    return AtlasError(404, "404-00-009", f"Instance {type_name} with unique attribute {{{named}}} does not exist")


def reference_not_found(reference: object, guid: str | None) -> AtlasError:
    return AtlasError(404, "404-00-00A", f"Referenced entity {reference} is not found", guid)


def already_exists(message: str, guid: str | None = None) -> AtlasError:
    return AtlasError(409, "409-00-003", message, guid)
