"""S3 through boto3: one client for the same AWS settings, and what S3 refuses as one sentence."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

from runtime.clocks import time_of
from runtime.environment import is_local, shown, without_passwords
from runtime.errors import PipelineError
from runtime.parallel import interleave

T = TypeVar("T")

LARGEST_SIZE = 2**63 - 1  # bytes that Atlan's long can count
MOST_EMPTY_PAGES = 100  # one after the other
OPTIONS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "total_max_attempts": 4}}


class S3Error(PipelineError):
    """The bucket cannot be listed."""


def connect_s3(environment: Mapping[str, str]) -> Any:
    """A boto3 client from the AWS chain; made once for the same `AWS_…` variables.

    The variables may come from `.env`, where boto3 does not look; they count as if they stood in the environment.
    Without any credentials, requests are not signed. Raises `S3Error` where a variable cannot be used.
    """
    return _make_s3_client(
        # A secret that was made from a file often ends with its line break.
        tuple(sorted((name, value.strip()) for name, value in environment.items() if name.startswith("AWS_")))
    )


def connect_keyed_s3(endpoint_url: str, key: tuple[str, str]) -> Any:
    """A boto3 client for a server on this machine with a key (its id and secret) of its own, whatever AWS settings there are."""
    return _make_s3_client((("AWS_ACCESS_KEY_ID", key[0]), ("AWS_SECRET_ACCESS_KEY", key[1])), endpoint_url)


@functools.lru_cache(maxsize=1)
def _make_s3_client(aws: tuple[tuple[str, str], ...], own_endpoint: str = "") -> Any:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = _make_session(dict(aws), read_files=not own_endpoint)
        endpoint = own_endpoint or _endpoint_of(session, dict(aws))
        options: dict[str, Any] = {**OPTIONS}
        if is_local(endpoint):
            options["proxies"] = {}
        if session.get_credentials() is None:
            options["signature_version"] = UNSIGNED
        place = {"region_name": "us-east-1"} if own_endpoint else {}
        return _make_client(session, endpoint, Config(**options), place)
    except BotoCoreError as error:
        raise S3Error(f"The AWS settings cannot be used: {words_of(error).rstrip('.')}.") from None


def _make_client(session: Any, endpoint: str, config: Any, place: Mapping[str, str]) -> Any:
    import boto3

    try:
        # Without an endpoint, a profile may still name one.
        return boto3.Session(botocore_session=session).client(
            "s3", endpoint_url=endpoint or None, config=config, **place
        )
    except ValueError as error:
        words = shown(endpoint) if "@" in endpoint else words_of(error)
        raise S3Error(
            f"AWS_ENDPOINT_URL_S3 is no web address ({words}): write it like http://127.0.0.1:9000."
        ) from None


def _endpoint_of(session: Any, variables: Mapping[str, str]) -> str:
    """The address of a server that is not AWS', where a variable names one.

    As in the AWS SDKs' reference guide ("Service-specific endpoints"): the service's own variable wins, and one more
    turns both off.
    """
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return ""
    return variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or ""


def _make_session(variables: Mapping[str, str], read_files: bool = True) -> Any:
    """A botocore session in which these variables count, and not those of the environment.

    botocore's own table says which variable stands for which of its settings: `Session.SESSION_VARIABLES`. The role of a
    container or of a web identity is still read from the environment, where the platform puts it.

    Raises `S3Error` for a value that is none, and botocore's errors for credentials that are not whole.
    """
    from botocore.session import Session

    table = {}
    for setting, (key_in_file, names, default, convert) in Session.SESSION_VARIABLES.items():
        named = [name for name in ([names] if isinstance(names, str) else names or ()) if variables.get(name)]
        if named:
            table[setting] = (None, None, _converted(named[0], variables[named[0]], convert), None)
        elif read_files:
            table[setting] = (key_in_file, None, default, convert)
        else:
            table[setting] = (
                None,
                None,
                os.devnull if setting in ("config_file", "credentials_file") else default,
                None,
            )
    session = Session(session_vars=table)
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        session.get_component("credential_provider").remove("iam-role")  # botocore looks in the environment only
    _set_credentials(session, variables)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_read_time)
    return session


# How S3 writes the time of an object in a listing (Amazon S3 API Reference, Object: 2009-10-12T17:50:30.000Z); others leave
# out zeros at its end.
_S3_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z", re.ASCII)


def _read_time(text: Any) -> datetime:
    """A time of an answer, as botocore's own `parse_timestamp` reads it. That tries one format after the other, which is
    three quarters of the processor time of a listing.
    """
    from botocore.utils import parse_timestamp

    if isinstance(text, str) and (told := _S3_TIME.fullmatch(text)):
        second, fraction = told.groups(default="")
        return datetime.fromisoformat(f"{second}.{fraction:0<6}+00:00")  # Python 3.10 reads no other number of digits
    found: datetime = parse_timestamp(text)
    return found


def _converted(name: str, text: str, convert: Callable[[str], Any] | None) -> Any:
    try:
        return convert(text) if convert else text
    except ValueError:
        raise S3Error(f"The AWS settings cannot be used: {name} is {shown(text)}, which is no number.") from None


def _set_credentials(session: Any, variables: Mapping[str, str]) -> None:
    """Use the keys that the variables have, if they do; they win over a profile, as they do in the environment."""
    from botocore.credentials import EnvProvider

    try:
        found = EnvProvider(variables).load()
        if found:
            keys = found.get_frozen_credentials()
            session.set_credentials(keys.access_key, keys.secret_key, keys.token)
    except (RuntimeError, ValueError):  # it is over, or no time at all
        raise S3Error(
            "The AWS settings cannot be used: by AWS_CREDENTIAL_EXPIRATION the credentials have expired; renew them."
        ) from None


def words_of(error: Exception) -> str:
    """What an error of botocore says, on one line, and without what stands before the host in an address."""
    from botocore.exceptions import HTTPClientError

    if type(error) is HTTPClientError:  # around whatever error: its words may have a key in them
        return "a request could not be sent, or its answer not be read"
    return without_passwords(" ".join(str(error).split()))


def list_objects(
    client: Any,
    bucket: str,
    prefix: str,
    make: Callable[[dict[str, Any]], T],
    advance: Callable[[int], None] = lambda count: None,
) -> list[T]:
    """What `make` makes of each object that `list_pages` lists, in that order; `advance` is told how many there are more.

    Behind the first pages, which are enough for most buckets, several parts of the bucket are listed side by side. Raises
    `S3Error`.
    """
    found: list[T] = []
    pages, keys = list_pages(client, bucket, prefix), list[str]()
    for page in itertools.islice(pages, FIRST_PAGES):
        keys += [item["Key"] for item in page]
        found += [make(item) for item in page]
        advance(len(page))
    if len(keys) > (FIRST_PAGES - 1) * KEYS_A_PAGE and keys == sorted(keys):
        ends = _find_parts(client, bucket, prefix, keys[-1])
        parts: list[list[T]] = [[] for _ in (*ends, None)]
        readers = [
            _read_part(client, bucket, prefix, number, start, end)
            for number, (start, end) in enumerate(zip([keys[-1], *ends], [*ends, None], strict=True))
        ]
        try:
            for number, page in interleave(readers) if ends else ():
                parts[number] += [make(item) for item in page]
                advance(len(page))
            if ends:
                return [*found, *itertools.chain(*parts)]
        except _UnorderedError:  # S3 lists by key, other servers may not; then one page tells where the next begins
            advance(-sum(map(len, parts)))
    for page in pages:
        found += [make(item) for item in page]
        advance(len(page))
    return found


FIRST_PAGES = 4
KEYS_A_PAGE = 1000  # at the most (Amazon S3 API Reference, ListObjectsV2, MaxKeys)
MOST_PARTS = 8
DEEPEST_FOLDER = 16


class _UnorderedError(Exception):
    """What answers as S3 does not list by key, or not from the key on that it was asked for."""


def _find_parts(client: Any, bucket: str, prefix: str, after: str) -> list[str]:
    """Folders behind a key that part what comes behind it, in their order; none where it is all in one."""
    folder = prefix
    with contextlib.suppress(S3Error):
        for _ in range(DEEPEST_FOLDER):
            with _explaining(client, bucket):
                answer = client.list_objects_v2(Bucket=bucket, Prefix=folder, Delimiter="/", StartAfter=after)
            folders = sorted(item["Prefix"] for item in answer.get("CommonPrefixes", []))
            if any(item["Key"] <= after for item in answer.get("Contents", [])):
                return []
            behind = [name for name in folders if name > after]
            if behind:
                step = -(-len(behind) // (MOST_PARTS - 1))
                return behind[::step]
            inner, slash, _ = after[len(folder) :].partition("/")
            if not slash:
                return []
            folder += inner + slash
    return []


def _read_part(
    client: Any, bucket: str, prefix: str, number: int, start: str, end: str | None
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The pages of the objects behind a key and up to another one, each with the number of the part."""
    last = start
    for page in list_pages(client, bucket, prefix, start):
        keys = [item["Key"] for item in page]
        if keys and (keys[0] <= last or keys != sorted(keys)):
            raise _UnorderedError
        last = keys[-1] if keys else last
        if end is not None and last > end:
            yield number, [item for item in page if item["Key"] <= end]
            return
        yield number, page


def list_pages(
    client: Any, bucket: str, prefix: str, after: str = "", setting: str = "S3_BUCKET_NAME"
) -> Iterator[list[dict[str, Any]]]:
    """The objects of a bucket page by page, as boto3 gives them, without folder markers (keys that end in `/`); with
    `after` only those whose keys come behind it.

    All of them, each with `Key`, `Size` (bytes) and `LastModified`, or an error: what is missing in a listing would be
    taken for gone. Raises `S3Error` where the bucket, which this `setting` names, cannot be listed, or the listing is not
    whole.
    """
    with _explaining(client, bucket, setting):
        yield from _read_pages(client, bucket, prefix, after)


@contextlib.contextmanager
def _explaining(client: Any, bucket: str, setting: str = "S3_BUCKET_NAME") -> Iterator[None]:
    """Raises as one sentence what botocore says of a listing."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        raise S3Error(_explain_s3_refusal(error, bucket, client, setting)) from None
    except ParamValidationError:
        raise S3Error(f"{setting} has no name of a bucket ({shown(bucket)}): check it.") from None
    except BotoCoreError as error:
        raise S3Error(
            f"S3 cannot be reached: {words_of(error)} — check AWS_ENDPOINT_URL_S3, AWS_PROFILE and the network."
        ) from None


def _read_pages(client: Any, bucket: str, prefix: str, after: str) -> Iterator[list[dict[str, Any]]]:
    start = {"StartAfter": after} if after else {}
    pages = iter(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start))
    begun: set[str] = set()
    empty = 0
    while True:
        page = _next_page(pages, bucket)
        if page is None:
            return
        if "Name" not in page:
            raise S3Error("What answers as S3 is no S3 server: check AWS_ENDPOINT_URL_S3.")
        items = page.get("Contents", [])
        fault = _fault_of(page) or next(filter(None, (fault_of_item(item, prefix) for item in items)), "")
        empty = 0 if items else empty + 1
        if not fault and (empty > MOST_EMPTY_PAGES or (items and items[0]["Key"] in begun)):
            fault = "it begins again and again"
        if fault:
            raise _not_whole(bucket, fault)
        begun.update(item["Key"] for item in items[:1])
        yield [item for item in items if not item["Key"].endswith("/")]


def _next_page(pages: Iterator[dict[str, Any]], bucket: str) -> dict[str, Any] | None:
    """The next page of a listing, or None after the last one."""
    from botocore.parsers import ResponseParserError

    try:
        return next(pages, None)
    # What botocore's parser and urllib3 raise for answers of another shape; their words may have a key in them.
    except (
        ResponseParserError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise _not_whole(bucket, f"it cannot be read, {type(error).__name__}") from None


def _not_whole(bucket: str, fault: str) -> S3Error:
    return S3Error(
        f"The bucket {bucket} cannot be listed as a whole ({fault}): check AWS_ENDPOINT_URL_S3, or try again later."
    )


def _fault_of(page: Mapping[str, Any]) -> str:
    """Why a page is no part of a whole listing, or an empty text.

    A page is the last one or says how to go on: "NextContinuationToken is sent when isTruncated is true", "KeyCount is
    the number of keys returned with this request" (Amazon S3 API Reference, ListObjectsV2). boto3 ends in silence.
    """
    if bool(page.get("IsTruncated")) != bool(page.get("NextContinuationToken")):
        return "S3 does not say whether and where it goes on"
    listed = len(page.get("Contents", [])) + len(page.get("CommonPrefixes", []))
    if page.get("KeyCount", 0) > listed:
        return f"S3 tells {page['KeyCount']} objects and names {listed}"
    return ""


def fault_of_item(item: Mapping[str, Any], prefix: str) -> str:
    """Why something in a listing is no object below a prefix, or an empty text."""
    key, size, time = item.get("Key"), item.get("Size"), item.get("LastModified")
    if not isinstance(key, str) or not key:
        return "S3 does not tell the key of an object"
    if not key.startswith(prefix):
        return f"S3 names {key}, which is not below {prefix}"
    if not isinstance(size, int) or not 0 <= size <= LARGEST_SIZE:
        return f"S3 does not tell the size of {key}"
    try:
        if isinstance(time, datetime):
            time.astimezone(timezone.utc)
            return ""
    except OverflowError:  # in the year 1 or 9999
        pass
    return f"S3 does not tell the time of {key}"


def find_object(client: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """An object as the bucket has it now, as `list_pages` gives it, or None. Asked by a listing, which needs no right but
    s3:ListBucket; of the keys that begin with this one S3 lists it first. Raises `S3Error`.
    """
    first = next(filter(None, list_pages(client, bucket, key)), [])
    return first[0] if first and first[0]["Key"] == key else None


def read_server_time(client: Any, bucket: str) -> datetime | None:
    """What time it is for S3, by the Date header of its answer, also where it refuses; None where there is none."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except (BotoCoreError, ResponseParserError, ValueError, LookupError, TypeError, AttributeError):  # as for a listing
        return None
    return time_of(str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")))


def _explain_s3_refusal(error: Any, bucket: str, client: Any, setting: str) -> str:
    """What botocore's `ClientError` for listing a bucket means, and what to do, in one sentence."""
    from botocore import UNSIGNED

    code = str(error.response.get("Error", {}).get("Code", ""))[:100]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in ("NoSuchBucket", "404"):
        return f"There is no bucket named {bucket}: check {setting} (and AWS_ENDPOINT_URL_S3, if it is no AWS bucket)."
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        return f"S3 does not accept the AWS credentials ({code}): renew them, or check AWS_PROFILE."
    if code in ("RequestTimeTooSkewed", "RequestExpired"):
        return f"S3 refuses the time of this machine's clock ({code}): set the clock, as S3 allows 15 minutes."
    if client.meta.config.signature_version is UNSIGNED and status in (400, 401, 403):
        return f"Listing the bucket {bucket} is denied to requests without AWS credentials: set up credentials, or AWS_PROFILE."
    if code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403") or status == 403:
        return f"Listing the bucket {bucket} is denied: give the AWS credentials the right s3:ListBucket on it."
    return f"The bucket {bucket} cannot be listed: S3 answered {code or status}."
