"""Dapr component files: which object stores there are, and how to open them. The same files work under a sidecar.

The stores are opened directly: a sidecar holds whole files in memory, limits their size, and can change their bytes.
Fields: https://docs.dapr.io/reference/components-reference/supported-bindings/
References to secrets: https://docs.dapr.io/operations/components/component-secrets/
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import yaml

from metadata_extraction.stores import ENDING, LocalFolder, RemoteStore, Store, StoreError
from runtime.environment import read_environment
from runtime.errors import PipelineError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# A request may take long, as a slow line moves little, but not stand still. One blip is mended at once; what lasts
# longer is the upload's to try again.
CLIENT_OPTIONS: ClientConfig = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "6h"}
STORE_RETRY: RetryConfig = {"max_retries": 2}

# A component has a few lines. Aliases are as good as text, but each level of them can double what is below.
MOST_BYTES = 64 << 10
MOST_ALIASES = 20
DEEPEST = 20
# What is secret, however a component gives it: the fields of Dapr's references of these bindings.
SECRET_FIELDS = (
    "accessKey",
    "secretKey",
    "sessionToken",
    "accountKey",
    "storageAccessKey",
    "private_key",
    "private_key_id",
)

# Atlan's storage has two names in the field: that of its documentation of the upload, and that of the sandbox's and of
# earlier components of ours. Where a folder has the one, the other means it, too.
NAMES_OF_ATLANS_STORAGE = ("atlan-objectstore", "atlan-storage")

Values = Mapping[str, str]  # a component's metadata by name, the secrets put in


class SecretKeyRef(TypedDict, total=False):
    """Where a value is: a secret of this name in the component's secret store, and its key, where it has several."""

    name: str
    key: str


class MetadataItem(TypedDict, total=False):
    """One item of `spec.metadata`: a name with a value, or with where the value is."""

    name: str
    value: str
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

    Either of `NAMES_OF_ATLANS_STORAGE` is good for the other, where only that is there.
    Its secrets are looked up in `environment`; where none is given, in `.env` and the environment, which wins. Nothing
    is connected yet.
    """
    components = read_components(folder)
    names = (name, *NAMES_OF_ATLANS_STORAGE) if name in NAMES_OF_ATLANS_STORAGE else (name,)
    component = next((components[known] for known in names if known in components), None)
    if component is None:
        known = ", ".join(_shown(known) for known in sorted(components)) or "none"
        raise ComponentError(
            f"The object store {name} is not registered: no file in {folder}/ has this name (found: {known})."
        )
    opener = OPENERS.get(component.type)
    if opener is None:
        raise ComponentError(
            f"{component.path}: {_shown(component.type)} is no object store: use one of {', '.join(sorted(OPENERS))}."
        )
    secrets = _Secrets(components, read_environment() if environment is None else environment)
    values = _fill_in(component, secrets)
    try:
        return opener(component, values)
    except (*ENDING, PipelineError, ImportError):
        raise
    except BaseException as error:  # the library's own, a panic of its Rust code among them
        raise ComponentError(f"{component.path}: the store cannot be opened: {_summary_of(error)}") from None


def secrets_in_components(folder: Path, environment: Mapping[str, str]) -> set[str]:
    """Every value that no log may show of the components in a folder: what is referred to, and keys that stand there.

    What cannot be read has none; whoever opens it is told.
    """
    found: set[str] = set()
    try:
        components = read_components(folder)
    except ComponentError:
        return found
    secrets = _Secrets(components, environment)
    for component in components.values():
        for name, item in component.metadata.items():
            if name in SECRET_FIELDS or "secretKeyRef" in item or "envRef" in item:
                with contextlib.suppress(ComponentError):
                    found.add(_value_of(component, name, item, secrets))
    return found - {""}


def read_components(folder: Path) -> dict[str, Component]:
    """Every Dapr component in the YAML files of a folder, by name.

    Raises `ComponentError` where a file cannot be read, is no component, or has the name of another one.
    """
    found: dict[str, Component] = {}
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError) as error:
        raise ComponentError(f"{folder} cannot be read: {_summary_of(error)}") from None
    for path in (folder / name for name in names if name.endswith((".yaml", ".yml"))):
        for document in _read_documents(path):
            if isinstance(document, dict) and document.get("kind") == "Component":
                component = _make_component(document, path)
                if component.name in found:
                    raise ComponentError(
                        f"{path}: there is a component {_shown(component.name)} in {found[component.name].path} already: give "
                        "each a name of its own."
                    )
                found[component.name] = component
    return found


def _read_documents(path: Path) -> list[Any]:
    """The documents of a YAML file. Raises `ComponentError` for what cannot be read, or would take too long."""
    try:
        text = _read_small_file(path)
        depth = aliases = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            if depth > DEEPEST or aliases > MOST_ALIASES:
                raise ValueError("it is nested too deeply, or has too many aliases")
        return list(yaml.safe_load_all(text))
    except Exception as error:  # PyYAML lets out what its constructors raise
        raise ComponentError(f"{path} cannot be read as YAML: {_summary_of(error)}") from None


def _read_small_file(path: Path) -> str:
    """The text of a file, through links, as volumes have them; raises `OSError` and `ValueError`, and never waits."""
    # Without O_NONBLOCK, a named pipe would make this wait for somebody who writes into it.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ValueError("it is no regular file")
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has over {MOST_BYTES >> 10} KiB")
    return content.decode("utf-8-sig")


def _make_component(document: Mapping[str, Any], path: Path) -> Component:
    try:
        spec, name, auth = document["spec"], document["metadata"]["name"], document.get("auth") or {}
        given = {item["name"]: item for item in spec.get("metadata") or []}
        secret_store = auth.get("secretStore") or ""
        are_texts = all(isinstance(text, str) for text in (name, spec["type"], secret_store, *given))
    except (KeyError, TypeError, AttributeError):
        raise ComponentError(
            f"{path} is no Dapr component: it needs metadata.name, spec.type and spec.metadata."
        ) from None
    if not are_texts:
        raise ComponentError(f"{path} is no Dapr component: a name or a type in it is no text; put it into quotes.")
    return Component(
        name, spec["type"], path, {key: _make_item(path, key, item) for key, item in given.items()}, secret_store
    )


def _make_item(path: Path, name: str, item: Mapping[str, Any]) -> MetadataItem:
    """An item with a value in text, or with a reference whose parts are; raises `ComponentError`."""
    made: MetadataItem = {"name": name}
    reference = item.get("secretKeyRef")
    try:
        if "secretKeyRef" in item:
            made["secretKeyRef"] = {
                "name": _text_of(reference.get("name")), "key": _text_of(reference.get("key"))
            } if reference else {}  # fmt: skip
        elif "envRef" in item:
            made["envRef"] = _text_of(item["envRef"])
        else:
            made["value"] = _text_of(item.get("value"))
    except (AttributeError, TypeError, ValueError):
        raise ComponentError(
            f"{path}: {_shown(name)} has a value of another shape: write a text, or a reference."
        ) from None
    return made


def _text_of(value: object) -> str:
    """A scalar of YAML or JSON as the text that it stands for; raises `TypeError` for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (str, int, float)):
        return "" if value is None else str(value)
    raise TypeError


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
            prefix = store.metadata.get("prefix", {}).get("value", "") if store else ""
            return self.in_environment(f"{prefix}{name}")
        if store.type != "secretstores.local.file":
            raise ComponentError(
                f"{store.path}: {_shown(store.type)} cannot be read here: use secretstores.local.env or local.file."
            )
        path = Path(store.metadata.get("secretsFile", {}).get("value", ""))
        try:
            secrets = json.loads(_read_small_file(path))
            value = secrets.get(name) if isinstance(secrets, dict) else None
            if isinstance(value, dict):  # a secret with several keys
                value = value.get(key)
            return _text_of(value)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise ComponentError(
                f"{store.path}: the secrets file {_shown(str(path))} cannot be read ({type(error).__name__})."
            ) from None


def _fill_in(component: Component, secrets: _Secrets) -> dict[str, str]:
    """The metadata with the secrets put in; each value that is missing or a placeholder is told."""
    values = {}
    for name, item in component.metadata.items():
        value = _value_of(component, name, item, secrets)
        if "}}" in value.partition("{{")[2] or re.search("^<.*>$|^your-", value):
            shown = _shown(value) if "value" in item and name not in SECRET_FIELDS else "a placeholder"
            raise ComponentError(f"{component.path}: {_shown(name)} still has {shown}: put the real value there.")
        values[name] = value
    return values


def _value_of(component: Component, name: str, item: MetadataItem, secrets: _Secrets) -> str:
    """The value of an item. What is referred to often ends with a line break, which belongs to no key."""
    if "secretKeyRef" in item:
        reference = item["secretKeyRef"]
        value = secrets.in_store(component.secret_store, reference.get("name", ""), reference.get("key", "")).strip()
        if not value:
            wanted = _shown(reference.get("name", ""))
            raise ComponentError(
                f"{component.path}: the secret {wanted} for {_shown(name)} is not set: put it into the environment "
                f"variable {wanted}."
            )
        return value
    if "envRef" in item:
        value = secrets.in_environment(item["envRef"]).strip()
        if not value:
            raise ComponentError(
                f"{component.path}: the environment variable {_shown(item['envRef'])} for {_shown(name)} is not set."
            )
        return value
    return item.get("value", "").strip()


def _open_local(component: Component, values: Values) -> Store:
    path = _need(component, values, "rootPath")
    if "\0" in path:
        raise ComponentError(f"{component.path}: rootPath is no path ({_shown(path)}): check it.")
    return LocalFolder(Path(path))


def _open_s3(component: Component, values: Values) -> Store:
    from obstore.store import S3Store

    bucket, endpoint = _need_name(component, values, "bucket"), _check_endpoint(component, values)
    path_style = _is_path_style(values, endpoint)
    for name in ("region", "accessKey", "sessionToken"):  # they go into a request's head
        if not re.fullmatch("[!-~]*", values.get(name, "")):
            raise ComponentError(
                f"{component.path}: {name} has a space, a line break or a letter with an accent within."
            )
    if endpoint and not path_style and _is_ip_address(endpoint):
        raise ComponentError(
            f'{component.path}: endpoint is an IP address, which cannot have the bucket before it: set forcePathStyle to "true", or leave it out.'
        )
    # Where the component does not say so, obstore would mix in what the environment has for other stores: its
    # AWS_ENDPOINT_URL_S3 wins over an `endpoint`, and its AWS_SESSION_TOKEN joins the keys that are given.
    options: dict[str, Any] = {
        "region": values.get("region") or "us-east-1",
        "virtual_hosted_style_request": not path_style,
        # What arrives is checked by its checksum, so it need not be hashed once more to be signed.
        "unsigned_payload": True,
    }
    if endpoint:
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


def _is_path_style(values: Values, endpoint: str) -> bool:
    """Whether the bucket goes into the path: as `forcePathStyle` says.

    Where a component says nothing, which for Dapr means no, it does so where it could not work otherwise: behind an
    address with a path of its own, as Atlan's has, and behind an IP address.
    """
    if "forcePathStyle" in values:
        return values["forcePathStyle"] == "true"
    return urlsplit(endpoint).path.strip("/") != "" or _is_ip_address(endpoint)


def _abort_s3_uploads(bucket: str, endpoint: str | None, values: Values, prefix: str) -> None:
    """Abort the multipart uploads below a prefix that nobody will finish: they are not listed, but paid for."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    keys = {}
    if values.get("accessKey"):
        keys = {"aws_access_key_id": values["accessKey"], "aws_secret_access_key": values["secretKey"]}
        keys["aws_session_token"] = values.get("sessionToken") or None  # type: ignore[assignment]
    config = Config(s3={"addressing_style": "path" if _is_path_style(values, endpoint or "") else "virtual"})
    try:
        session = boto3.session.Session(region_name=values.get("region") or "us-east-1", **keys)
        client = session.client("s3", endpoint_url=endpoint, config=config)
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
            for left in page.get("Uploads", []):
                client.abort_multipart_upload(Bucket=bucket, Key=left["Key"], UploadId=left["UploadId"])
    except (BotoCoreError, ClientError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())
        raise StoreError(f"uploads that were broken off cannot be cleared away: {said}") from None


def _open_azure(component: Component, values: Values) -> Store:
    from obstore.store import AzureStore

    container = _need_name(component, values, "containerName" if values.get("containerName") else "container")
    account = _need_name(component, values, "accountName" if values.get("accountName") else "storageAccount")
    endpoint = _check_endpoint(component, values)
    options: dict[str, Any] = {"account_name": account}
    key = values.get("accountKey") or values.get("storageAccessKey")
    if key:
        options["account_key"] = key
    if endpoint:
        options["endpoint"] = endpoint
    client = {**CLIENT_OPTIONS, "allow_http": endpoint.startswith("http://")}
    store = AzureStore(container, client_options=client, retry_config=STORE_RETRY, **options)  # type: ignore[arg-type]
    return RemoteStore(store, f"azure://{account}/{container}")


def _open_gcs(component: Component, values: Values) -> Store:
    from obstore.store import GCSStore

    bucket = _need_name(component, values, "bucket")
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


def _need_name(component: Component, values: Values, name: str) -> str:
    """A name of a bucket, container or account: letters, digits and `-_.$`, as all of them allow no others."""
    given = _need(component, values, name)
    if not re.fullmatch(r"[A-Za-z0-9$][A-Za-z0-9._$-]{0,254}", given):
        raise ComponentError(f"{component.path}: {name} is no name of one ({_shown(given)}): check it.")
    return given


def _check_endpoint(component: Component, values: Values) -> str:
    """The address of a server that is not the cloud's own, if one is named; without a scheme, it is spoken to over TLS."""
    given = values.get("endpoint", "")
    endpoint = given if "://" in given or not given else f"https://{given}"
    host = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
    try:
        if endpoint and "@" in endpoint:
            raise ComponentError(
                f"{component.path}: endpoint has a user or a password in it: use accessKey and secretKey."
            )
        whole = not endpoint or re.fullmatch(
            rf"https?://{host}(?::[0-9]+)?(?:/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?", endpoint
        )
        if whole and urlsplit(endpoint).port != 0:
            return endpoint
    except ValueError:
        pass
    raise ComponentError(
        f"{component.path}: endpoint is no web address ({_shown(given)}): write it like https://storage.acme.com:9000."
    )


def _is_ip_address(endpoint: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(endpoint).hostname or "")
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """A value within a sentence: on one line, and not all of a long one."""
    line = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    return line if len(line) <= 200 else f"{line[:200]}…"


def _summary_of(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).partition("\n\nDebug source")[0].splitlines()
    return lines[0] if lines else type(error).__name__
