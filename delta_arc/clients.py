"""The clients of a run, made from its settings: the embedded sandbox, Atlan and S3."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from delta_arc.parallel import interleave
from delta_arc.settings import SANDBOX_FOLDER, PipelineError, Settings, SettingsError, get_settings
from delta_arc.terminal import Progress
from delta_arc.transport import AtlanRequestError, PatientTransport

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

    from sandbox import Tenant


class S3Error(PipelineError):
    """The bucket cannot be listed."""


def start_sandbox() -> Tenant:
    """The embedded tenant, started on first use; it ends with the interpreter."""
    with _starting:
        return _start_sandbox()


_starting = threading.Lock()


@functools.cache
def _start_sandbox() -> Tenant:
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
    """The pyatlan client of the configured tenant, or of the sandbox; made once per address, token and limit.

    All its requests, from any thread, share the limit of ATLAN_MAX_REQUESTS_PER_MINUTE.
    """
    settings = get_settings()
    address, token = settings.base_url, settings.api_token
    if settings.sandbox:
        tenant = start_sandbox()
        address, token = tenant.base_url, tenant.api_token
    with _making:
        return _make_atlan_client(address, token, settings.max_requests_per_minute)


# Only one thread may import pyatlan, and there is to be one limit only.
_making = threading.Lock()


@functools.cache
def _make_atlan_client(base_url: str, api_token: str, requests_per_minute: int) -> AtlanClient:
    import httpx
    from httpx_retries import Retry
    from pyatlan.client.atlan import AtlanClient

    # pyatlan ignores NO_PROXY, so a proxy must be kept away from this machine's own addresses here.
    local = {"proxy": None} if _is_local(base_url) else {}
    client = AtlanClient(
        base_url=base_url, api_key=api_token, connect_timeout=10, read_timeout=120, retry=Retry(total=0), **local
    )
    transport = PatientTransport(client._session._transport, httpx.TransportError, requests_per_minute)
    client._session._transport = transport  # type: ignore[assignment]
    return client


def _is_local(url: str) -> bool:
    """Whether an address is on this machine, where no proxy is of use."""
    import ipaddress

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def call_atlan(client: AtlanClient, api: Any, body: dict | None = None, query: dict | None = None) -> dict:
    """One request with pyatlan's session and headers, and plain JSON in and out; raises `AtlanRequestError`.

    pyatlan's models cost milliseconds per asset, and its errors hide the status of some answers, so neither is used.
    """
    return call_atlan_timed(client, api, body, query)[0]


def call_atlan_timed(
    client: AtlanClient, api: Any, body: dict | None = None, query: dict | None = None
) -> tuple[dict, float]:
    """Like `call_atlan`, and how many seconds the server took, without those spent waiting for a turn."""
    with telling_atlan_errors(client):
        parameters = client._create_params(api, query, body)
        response = client._session.request(api.method.value, client._create_path(api), **parameters, timeout=120)
    if response.status_code != api.expected_status:
        message = _message_in(response).replace(str(client.api_key), "***")
        if PatientTransport.SEARCH_TIMEOUT in response.content:
            raise AtlanRequestError(f"Atlan's search took too long ({message}): try again later.", response.status_code)
        raise AtlanRequestError(_explain_refusal(response.status_code, message), response.status_code)
    answer = _json_of(response)
    if not isinstance(answer, dict):
        raise _not_atlan(client)
    return answer, response.extensions["seconds"]


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
        return "Atlan's request limit did not lift within five minutes (429): try again later."
    return f"Atlan answered {status}: {message}"


PAGE_SIZE = 1000
MOST_SLICES = 8
PAGES_OF_A_SLICE = 5  # at least, as a slice may end in a page that is hardly filled


def search_assets(client: AtlanClient, search: Any, progress: Progress | None = None) -> Iterator[dict]:
    """Every hit of a FluentSearch as plain JSON, page by page, in no certain order.

    Each page asks for the guids after the last one seen, so that any number of hits can be read (an offset ends at
    10,000) and none is skipped or seen twice while others write. What is left after the first page is read in several
    slices of the guids side by side, if it is much.
    """
    body = json.loads(search.page_size(PAGE_SIZE).to_request().json(by_alias=True, exclude_none=True))
    first, left = _read_page(client, body, "", "")
    if progress:
        progress.total = len(first) + left
    pages = iter([first])
    if left:
        number = max(1, min(MOST_SLICES, left // (PAGE_SIZE * PAGES_OF_A_SLICE)))
        slices = slice_guids(first[-1]["guid"], number)
        pages = itertools.chain(pages, interleave([_read_slice(client, body, *ends) for ends in slices]))
    for page in pages:
        yield from page
        if progress:
            progress.advance(len(page))


def slice_guids(after: str, number: int) -> list[tuple[str, str]]:
    """The guids after one, cut into ranges that hold about as many each (they are random): from, exclusive, and to."""
    if not re.match("[0-9a-f]{8}", after):
        return [(after, "")]
    start = int(after[:8], 16)
    cuts = [f"{start + (0x100000000 - start) * part // number:08x}" for part in range(1, number)]
    return list(zip([after, *cuts], [*cuts, ""], strict=True))


def _read_slice(client: AtlanClient, body: dict, after: str, to: str) -> Iterator[list[dict]]:
    left = 1
    while left:
        page, left = _read_page(client, body, after, to)
        if page:
            yield page
            after = page[-1]["guid"]


def _read_page(client: AtlanClient, body: dict, after: str, to: str) -> tuple[list[dict], int]:
    """The first hits whose guids are in a range, sorted by guid, and how many are left in it."""
    from pyatlan.client.constants import INDEX_SEARCH

    limits = {**({"gt": after} if after else {}), **({"lte": to} if to else {})}
    ranges = [{"range": {"__guid": limits}}] if limits else []
    query = {"bool": {**body["dsl"]["query"]["bool"], "filter": [*body["dsl"]["query"]["bool"]["filter"], *ranges]}}
    dsl = {**body["dsl"], "query": query, "sort": [{"__guid": {"order": "asc"}}]}
    answer = call_atlan(client, INDEX_SEARCH, {**body, "dsl": dsl})
    page, count = answer.get("entities") or [], answer.get("approximateCount")
    if not isinstance(count, int):
        raise _not_atlan(client)
    return page, max(0, count - len(page)) if page else 0


def read_present(
    client: AtlanClient, type_name: str, prefixes: Iterable[str], attributes: Sequence[str]
) -> dict[str, dict]:
    """The active assets of a type whose qualified names start with one of the prefixes, by qualified name."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = FluentSearch(_includes_on_results=list(attributes), _includes_on_relations=["qualifiedName"])
    search = search.where(CompoundQuery.active_assets()).where(Asset.TYPE_NAME.eq(type_name)).min_somes(1)
    for prefix in prefixes:
        search = search.where_some(Asset.QUALIFIED_NAME.startswith(prefix))
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
