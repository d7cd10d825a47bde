"""Dapr component files: which object stores there are, and how to open them. The same files work under a sidecar.

The stores are opened directly: a sidecar holds whole files in memory, limits their size, and can change their bytes.
Fields: https://docs.dapr.io/reference/components-reference/supported-bindings/
References to secrets: https://docs.dapr.io/operations/components/component-secrets/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import yaml

from metadata_extraction.stores import LocalFolder, RemoteStore, Store, StoreError
from runtime.environment import read_environment
from runtime.errors import PipelineError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# A request may take long, as a slow line moves little, but not stand still. One blip is mended at once; what lasts
# longer is the upload's to try again.
CLIENT_OPTIONS: ClientConfig = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "6h"}
STORE_RETRY: RetryConfig = {"max_retries": 2}

Values = Mapping[str, str]  # a component's metadata by name, the secrets put in


class SecretKeyRef(TypedDict, total=False):
    """Where a value is: a secret of this name in the component's secret store, and its key, where it has several."""

    name: str
    key: str


class MetadataItem(TypedDict, total=False):
    """One item of `spec.metadata`: a name with a value, or with where the value is."""

    name: str
    value: Any
    secretKeyRef: SecretKeyRef
    envRef: str  # an environment variable


class ComponentError(PipelineError):
    """A component is missing, or not filled in; told with its file."""


@dataclass(frozen=True)
class Component:
    """One component file: its name, its type, and its metadata with the secrets still to be looked up."""

    name: str
    type: str
    path: Path
    metadata: Mapping[str, MetadataItem]
    secret_store: str


def open_store(name: str, folder: Path, environment: Mapping[str, str] | None = None) -> Store:
    """The object store that a component of this name describes. Raises `ComponentError`; there is no second choice.

    Its secrets are looked up in `environment`; where none is given, in `.env` and the environment, which wins. Nothing
    is connected yet.
    """
    components = read_components(folder)
    component = components.get(name)
    if component is None:
        known = ", ".join(sorted(components)) or "none"
        raise ComponentError(
            f"The object store {name} is not registered: no file in {folder}/ has this name (found: {known})."
        )
    opener = OPENERS.get(component.type)
    if opener is None:
        raise ComponentError(
            f"{component.path}: {component.type} is no object store: use one of {', '.join(sorted(OPENERS))}."
        )
    secrets = _Secrets(components, read_environment() if environment is None else environment)
    return opener(component, _fill_in(component, secrets))


def read_components(folder: Path) -> dict[str, Component]:
    """Every Dapr component in the YAML files of a folder, by name. Raises `ComponentError` where a file cannot be read."""
    found: dict[str, Component] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ComponentError(f"{path} cannot be read as YAML: {_summary_of(error)}") from None
        for document in documents:
            if isinstance(document, dict) and document.get("kind") == "Component":
                component = _make_component(document, path)
                found[component.name] = component
    return found


def _make_component(document: Mapping[str, Any], path: Path) -> Component:
    try:
        spec = document["spec"]
        metadata = {item["name"]: item for item in spec.get("metadata") or []}
        secret_store = (document.get("auth") or {}).get("secretStore", "")
        return Component(str(document["metadata"]["name"]), str(spec["type"]), path, metadata, secret_store)
    except (KeyError, TypeError, AttributeError):
        raise ComponentError(
            f"{path} is no Dapr component: it needs metadata.name, spec.type and spec.metadata."
        ) from None


class _Secrets:
    """Where the values of references are: the secret stores among the components, and the environment."""

    def __init__(self, components: Mapping[str, Component], environment: Mapping[str, str]) -> None:
        self._components = components
        self._environment = environment

    def in_environment(self, name: str) -> str:
        """The value of an environment variable; empty where there is none."""
        return self._environment.get(name, "")

    def in_store(self, name_of_store: str, name: str, key: str) -> str:
        """A secret from a secret store: a JSON file, or the environment; empty where it is not there.

        Where no store is named, it is the environment (Dapr's default on Kubernetes would be the cluster's store).
        """
        store = self._components.get(name_of_store)
        if store is None or store.type == "secretstores.local.env":
            prefix = str(store.metadata.get("prefix", {}).get("value", "")) if store else ""
            return self.in_environment(f"{prefix}{name}")
        if store.type != "secretstores.local.file":
            raise ComponentError(
                f"{store.path}: {store.type} cannot be read here: use secretstores.local.env or local.file."
            )
        path = Path(str(store.metadata.get("secretsFile", {}).get("value", "")))
        try:
            secrets = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ComponentError(
                f"{store.path}: the secrets file {path} cannot be read ({type(error).__name__})."
            ) from None
        value = secrets.get(name) if isinstance(secrets, dict) else None
        if isinstance(value, dict):  # a secret with several keys
            value = value.get(key)
        return "" if value is None else str(value)


def _fill_in(component: Component, secrets: _Secrets) -> dict[str, str]:
    """The metadata with the secrets put in; each value that is missing or a placeholder is told."""
    values = {}
    for name, item in component.metadata.items():
        value = _value_of(component, name, item, secrets)
        if re.search(r"\{\{.*\}\}|^<.*>$|^your-", value):
            shown = "a placeholder" if "secretKeyRef" in item else value
            raise ComponentError(f"{component.path}: {name} still has {shown}: put the real value there.")
        values[name] = value
    return values


def _value_of(component: Component, name: str, item: MetadataItem, secrets: _Secrets) -> str:
    if "secretKeyRef" in item:
        reference = item["secretKeyRef"] or {}
        value = secrets.in_store(component.secret_store, str(reference.get("name", "")), str(reference.get("key", "")))
        if not value:
            raise ComponentError(
                f"{component.path}: the secret {reference.get('name')} for {name} is not set: "
                f"put it into the environment variable {reference.get('name')}."
            )
        return value
    if "envRef" in item:
        value = secrets.in_environment(item["envRef"])
        if not value:
            raise ComponentError(f"{component.path}: the environment variable {item['envRef']} for {name} is not set.")
        return value
    given = item.get("value")
    return "" if given is None else str(given).lower() if isinstance(given, bool) else str(given)


def _open_local(component: Component, values: Values) -> Store:
    return LocalFolder(Path(_need(component, values, "rootPath")))


def _open_s3(component: Component, values: Values) -> Store:
    from obstore.store import S3Store

    bucket, endpoint = _need(component, values, "bucket"), values.get("endpoint", "")
    path_style = values.get("forcePathStyle") == "true"
    # Where the component does not say so, obstore would mix in what the environment has for other stores: its
    # AWS_ENDPOINT_URL_S3 wins over an `endpoint`, and its AWS_SESSION_TOKEN joins the keys that are given.
    options: dict[str, Any] = {
        "region": values.get("region") or "us-east-1",
        "virtual_hosted_style_request": not path_style,
        # What arrives is checked by its checksum, so it need not be hashed once more to be signed.
        "unsigned_payload": True,
    }
    if endpoint:
        endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
        options["aws_endpoint_url_s3"] = endpoint if path_style else endpoint.replace("://", f"://{bucket}.", 1)
    if values.get("accessKey"):
        credential = {
            "access_key_id": values["accessKey"],
            "secret_access_key": _need(component, values, "secretKey"),
            "token": values.get("sessionToken") or None,
            "expires_at": None,
        }
        options |= {"credential_provider": lambda: credential, "skip_signature": False}
    client = {**CLIENT_OPTIONS, "allow_http": endpoint.startswith("http://")}
    if values.get("insecureSSL") == "true":
        client["allow_invalid_certificates"] = True
    store = S3Store(bucket, client_options=client, retry_config=STORE_RETRY, **options)  # type: ignore[arg-type]
    address = f"s3://{bucket}{f' at {endpoint}' if endpoint else ''}"
    return RemoteStore(store, address, lambda prefix: _abort_s3_uploads(bucket, endpoint or None, values, prefix))


def _abort_s3_uploads(bucket: str, endpoint: str | None, values: Values, prefix: str) -> None:
    """Abort the multipart uploads below a prefix that nobody will finish: they are not listed, but paid for."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    keys = {}
    if values.get("accessKey"):
        keys = {"aws_access_key_id": values["accessKey"], "aws_secret_access_key": values["secretKey"]}
        keys["aws_session_token"] = values.get("sessionToken") or None  # type: ignore[assignment]
    config = Config(s3={"addressing_style": "path" if values.get("forcePathStyle") == "true" else "virtual"})
    session = boto3.session.Session(region_name=values.get("region") or "us-east-1", **keys)
    client = session.client("s3", endpoint_url=endpoint, config=config)
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
            for left in page.get("Uploads", []):
                client.abort_multipart_upload(Bucket=bucket, Key=left["Key"], UploadId=left["UploadId"])
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"uploads that were broken off cannot be cleared away: {error}") from None


def _open_azure(component: Component, values: Values) -> Store:
    from obstore.store import AzureStore

    container = values.get("containerName") or _need(component, values, "container")
    account = values.get("accountName") or _need(component, values, "storageAccount")
    options: dict[str, Any] = {"account_name": account}
    key = values.get("accountKey") or values.get("storageAccessKey")
    if key:
        options["account_key"] = key
    if values.get("endpoint"):
        options["endpoint"] = values["endpoint"]
    client = {**CLIENT_OPTIONS, "allow_http": values.get("endpoint", "").startswith("http://")}
    store = AzureStore(container, client_options=client, retry_config=STORE_RETRY, **options)  # type: ignore[arg-type]
    return RemoteStore(store, f"azure://{account}/{container}")


def _open_gcs(component: Component, values: Values) -> Store:
    from obstore.store import GCSStore

    bucket = _need(component, values, "bucket")
    fields = (
        "type",
        "project_id",
        "private_key_id",
        "private_key",
        "client_email",
        "client_id",
        "auth_uri",
        "token_uri",
    )
    account = {name: values[name] for name in fields if values.get(name)}
    options: dict[str, Any] = {"service_account_key": json.dumps(account)} if account.get("private_key") else {}
    return RemoteStore(
        GCSStore(bucket, client_options=CLIENT_OPTIONS, retry_config=STORE_RETRY, **options), f"gs://{bucket}"
    )


OPENERS: dict[str, Callable[[Component, Values], Store]] = {
    "bindings.localstorage": _open_local,
    "bindings.aws.s3": _open_s3,
    "bindings.azure.blobstorage": _open_azure,
    "bindings.gcp.bucket": _open_gcs,
}


def _need(component: Component, values: Values, name: str) -> str:
    if not values.get(name):
        raise ComponentError(f"{component.path}: {name} is missing: add it to spec.metadata.")
    return values[name]


def _summary_of(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
