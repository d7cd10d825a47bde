"""The clients of a run, made from its settings: the embedded sandbox, Atlan and S3."""

from __future__ import annotations

import atexit
import contextlib
import functools
import ipaddress
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from delta_arc.settings import SANDBOX_FOLDER, PipelineError, Settings, SettingsError, get_settings
from delta_arc.terminal import logger

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

    from sandbox import Tenant


class AtlanRequestError(PipelineError):
    """Atlan refused a request, or did not answer; `status` is None where there was no HTTP answer at all."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def concerns_items(self) -> bool:
        """Whether what was sent is at fault, so that a smaller request may pass; else the service or token is."""
        return self.status in (400, 403, 404, 406, 409, 413, 422, 500)


class S3Error(PipelineError):
    """The bucket cannot be listed."""


@functools.cache
def start_sandbox() -> Tenant:
    """Start the embedded tenant; it ends with the interpreter."""
    running = contextlib.ExitStack()
    try:
        import sandbox
        from sandbox.catalog import FolderInUse
        from sandbox.seed import InventoryError
        from sandbox.storage import StorageError

        tenant = running.enter_context(sandbox.start(SANDBOX_FOLDER))
    except ImportError as error:
        raise SettingsError(
            [
                f"The sandbox needs a package that is not installed ({error.name}): run `pip install -r "
                "requirements-dev.txt`, or let the settings point to your tenant."
            ]
        ) from None
    except FolderInUse:
        raise SettingsError(
            [
                f"{SANDBOX_FOLDER} is in use by another sandbox: stop it, or point .env to it with the lines that "
                "`python -m sandbox` printed."
            ]
        ) from None
    except (InventoryError, StorageError, OSError) as error:
        raise PipelineError(f"The sandbox did not start: {error}.") from None
    atexit.register(running.close)
    return tenant


def get_atlan_client() -> AtlanClient:
    """The pyatlan client of the configured tenant, or of the sandbox; made once per address and token."""
    settings = get_settings()
    if settings.sandbox:
        tenant = start_sandbox()
        return _make_atlan_client(tenant.base_url, tenant.api_token)
    return _make_atlan_client(settings.base_url, settings.api_token)


@functools.cache
def _make_atlan_client(base_url: str, api_token: str) -> AtlanClient:
    import httpx
    from httpx_retries import Retry
    from pyatlan.client.atlan import AtlanClient

    # pyatlan ignores NO_PROXY, so a proxy must be kept away from this machine's own addresses here.
    local = {"proxy": None} if _is_local(base_url) else {}
    client = AtlanClient(
        base_url=base_url, api_key=api_token, connect_timeout=10, read_timeout=120, retry=Retry(total=0), **local
    )
    client._session._transport = PatientTransport(client._session._transport, httpx.TransportError)  # type: ignore[assignment]
    return client


def _is_local(url: str) -> bool:
    """Whether an address is on this machine, where no proxy is of use."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PatientTransport:
    """Sends every request of a client, and again where that makes sense: the one place that retries.

    pyatlan's own policy is too short for Atlan's one-minute block, retries refusals (403) for most of a minute, and
    would multiply with a second one above it, so it is switched off.
    """

    TRIES: ClassVar = {500: 2, 502: 5, 503: 5, 504: 5}
    TRIES_WITHOUT_ANSWER = 4
    BLOCK_SECONDS = 180.0  # how long to wait in all for a limit to lift

    def __init__(self, inner: Any, no_answer: type[Exception]) -> None:
        self._inner = inner
        self._no_answer = no_answer

    def handle_request(self, request: Any) -> Any:
        waited, tries = 0.0, 0
        while True:
            tries += 1
            try:
                response = self._inner.handle_request(request)
                response.read()
            except self._no_answer:
                if tries >= self.TRIES_WITHOUT_ANSWER:
                    raise
                time.sleep(_backoff(tries))
                continue
            if response.status_code == 429 and waited < self.BLOCK_SECONDS:
                pause = _retry_after(response) or min(2.0**tries, 30.0)
                logger.warning("⚠️ Atlan's request limit is reached: waiting %.0f seconds", pause)
                time.sleep(pause)
                waited += pause
            elif tries < self.TRIES.get(response.status_code, 1):
                time.sleep(_backoff(tries))
            elif response.status_code == 503:
                # pyatlan would go on with no answer at all.
                raise AtlanRequestError("Atlan is not available (503): try again later.", 503)
            else:
                return response

    def close(self) -> None:
        self._inner.close()

    def __enter__(self) -> PatientTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _backoff(tries: int) -> float:
    return random.uniform(0.5, 1.0) * 0.5 * 2 ** (tries - 1)


def _retry_after(response: Any) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 120.0) if text.isdigit() and int(text) else None


def call_atlan(client: AtlanClient, api: Any, body: dict | None = None, query: dict | None = None) -> dict:
    """One request with pyatlan's session and headers, and plain JSON in and out; raises `AtlanRequestError`.

    pyatlan's models cost milliseconds per asset, and its errors hide the status of some answers, so neither is used.
    """
    with telling_atlan_errors(client):
        parameters = client._create_params(api, query, body)
        response = client._session.request(api.method.value, client._create_path(api), **parameters, timeout=120)
    if response.status_code != api.expected_status:
        message = _message_in(response).replace(str(client.api_key), "***")
        raise AtlanRequestError(_explain_refusal(response.status_code, message), response.status_code)
    answer = _json_of(response)
    if not isinstance(answer, dict):
        raise _not_atlan(client)
    return answer


def _json_of(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _not_atlan(client: AtlanClient) -> AtlanRequestError:
    address = urlsplit(str(client.base_url)).netloc
    return AtlanRequestError(f"{address} answered with something that is not Atlan's JSON: check ATLAN_BASE_URL.", None)


@contextlib.contextmanager
def telling_atlan_errors(client: AtlanClient) -> Iterator[None]:
    """Turn whatever pyatlan raises for a failed request into one sentence."""
    import httpx
    from pyatlan.errors import AtlanError

    try:
        yield
    except AtlanError as error:
        status = int(error.error_code.http_error_code)
        message = " ".join(str(error.args[0]).split())[:500].replace(str(client.api_key), "***")
        raise AtlanRequestError(_explain_refusal(status, message), status) from None
    except httpx.HTTPError as error:
        address = urlsplit(str(client.base_url)).netloc
        raise AtlanRequestError(
            f"Atlan does not answer at {address} ({type(error).__name__}): check ATLAN_BASE_URL and the network.", None
        ) from None
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        # What pyatlan's models raise for an answer of another shape.
        raise _not_atlan(client) from None


def _message_in(response: Any) -> str:
    """The server's own words in an error answer: Atlas' errorMessage, a gateway's message, or the start of the text."""
    body = _json_of(response)
    if isinstance(body, dict):
        causes = " ".join(str(cause.get("errorMessage")) for cause in body.get("causes") or [])
        words = body.get("errorMessage") or body.get("message")
        if words:
            return " ".join(f"{words} {causes}".split())[:500]
    return " ".join(response.text.split())[:200] or "no message"


def _explain_refusal(status: int, message: str) -> str:
    if status == 401:
        return "Atlan refused the token (401): check ATLAN_API_TOKEN, it may have expired or be of another tenant."
    if status == 403:
        return f"Atlan does not allow this (403): {message} — give the token a persona with write access."
    if status == 429:
        return "Atlan's request limit did not lift within three minutes (429): try again later."
    return f"Atlan answered {status}: {message}"


PAGE_SIZE = 1000


def search_assets(client: AtlanClient, search: Any) -> Iterator[dict]:
    """Every hit of a FluentSearch as plain JSON, page by page.

    Each page asks for the guids after the last one seen, so that any number of hits can be read (an offset ends at
    10,000) and none is skipped or seen twice while others write.
    """
    from pyatlan.client.constants import INDEX_SEARCH

    body = json.loads(search.page_size(PAGE_SIZE).to_request().json(by_alias=True, exclude_none=True))
    filters = body["dsl"]["query"]["bool"]["filter"]
    body["dsl"]["sort"] = [{"__guid": {"order": "asc"}}]
    last_guid = None
    while True:
        after: list[dict] = [{"range": {"__guid": {"gt": last_guid}}}] if last_guid else []
        body["dsl"]["query"]["bool"]["filter"] = [*filters, *after]
        page = call_atlan(client, INDEX_SEARCH, body).get("entities") or []
        yield from page
        if len(page) < PAGE_SIZE:
            return
        last_guid = page[-1]["guid"]


def read_present(
    client: AtlanClient,
    type_name: str,
    prefix: str,
    attributes: Sequence[str],
) -> dict[str, dict]:
    """The active assets of a type whose qualified name starts with `prefix`, by qualified name."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = FluentSearch(_includes_on_results=list(attributes), _includes_on_relations=["qualifiedName"])
    search = (
        search.where(CompoundQuery.active_assets())
        .where(Asset.TYPE_NAME.eq(type_name))
        .where(Asset.QUALIFIED_NAME.startswith(prefix))
    )
    return {hit["attributes"]["qualifiedName"]: hit for hit in search_assets(client, search)}


def make_s3_client(settings: Settings) -> Any:
    """A boto3 client from the AWS chain, made once for the same AWS settings; to the sandbox always unsigned."""
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    if settings.sandbox:
        aws |= {"AWS_ENDPOINT_URL_S3": start_sandbox().s3_endpoint_url, "AWS_DEFAULT_REGION": "us-east-1"}
    return _make_s3_client(settings.sandbox, tuple(sorted(aws.items())))


@functools.lru_cache(maxsize=1)
def _make_s3_client(sandbox: bool, aws: tuple[tuple[str, str], ...]) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    options: dict[str, Any] = {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"mode": "standard", "total_max_attempts": 4},
    }
    values = dict(aws)
    endpoint = values.get("AWS_ENDPOINT_URL_S3") or values.get("AWS_ENDPOINT_URL", "")
    if _is_local(endpoint):
        options["proxies"] = {}
    place = {"endpoint_url": endpoint, "region_name": values["AWS_DEFAULT_REGION"]} if sandbox else {}
    try:
        session = boto3.Session()
        if sandbox or session.get_credentials() is None:
            options["signature_version"] = UNSIGNED
        return session.client("s3", config=Config(**options), **place)
    except ValueError as error:
        raise S3Error(
            f"AWS_ENDPOINT_URL_S3 is no web address ({error}): write it like http://127.0.0.1:9000."
        ) from None
    except BotoCoreError as error:
        raise S3Error(f"The AWS settings cannot be used: {' '.join(str(error).split())}.") from None


def explain_s3_refusal(error: Any, bucket: str, client: Any) -> str:
    from botocore import UNSIGNED

    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in ("NoSuchBucket", "404"):
        return f"There is no bucket named {bucket}: check S3_BUCKET_NAME (and AWS_ENDPOINT_URL_S3, if it is no AWS bucket)."
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        return f"S3 does not accept the AWS credentials ({code}): renew them, or check AWS_PROFILE."
    if client.meta.config.signature_version is UNSIGNED and status in (400, 401, 403):
        return f"Listing the bucket {bucket} is denied to requests without AWS credentials: set up credentials, or AWS_PROFILE."
    if code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403") or status == 403:
        return f"Listing the bucket {bucket} is denied: give the AWS credentials the right s3:ListBucket on it."
    return f"The bucket {bucket} cannot be listed: S3 answered {code or status}."
