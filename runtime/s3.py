"""S3 through boto3: one client for the same AWS settings, and what S3 refuses as one sentence."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runtime.environment import is_local
from runtime.errors import PipelineError

OPTIONS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "total_max_attempts": 4}}


class S3Error(PipelineError):
    """The bucket cannot be listed."""


def connect_s3(environment: Mapping[str, str]) -> Any:
    """A boto3 client from the AWS chain; made once for the same `AWS_…` variables.

    The variables may come from `.env`, where boto3 does not look; they count as if they stood in the environment.
    Without any credentials, requests are not signed. Raises `S3Error` where a variable cannot be used.
    """
    return _make_s3_client(
        tuple(sorted((name, value) for name, value in environment.items() if name.startswith("AWS_")))
    )


def connect_open_s3(endpoint_url: str) -> Any:
    """A boto3 client for a server on this machine that asks for no credentials, whatever AWS settings there are."""
    return _make_s3_client((), endpoint_url)


@functools.lru_cache(maxsize=1)
def _make_s3_client(aws: tuple[tuple[str, str], ...], open_endpoint: str = "") -> Any:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = _make_session(dict(aws), read_files=not open_endpoint)
        endpoint = open_endpoint or _endpoint_of(session, dict(aws))
        options: dict[str, Any] = {**OPTIONS}
        if is_local(endpoint):
            options["proxies"] = {}
        if open_endpoint or session.get_credentials() is None:
            options["signature_version"] = UNSIGNED
        place = {"region_name": "us-east-1"} if open_endpoint else {}
        return _make_client(session, endpoint, Config(**options), place)
    except BotoCoreError as error:
        raise S3Error(f"The AWS settings cannot be used: {' '.join(str(error).split()).rstrip('.')}.") from None


def _make_client(session: Any, endpoint: str, config: Any, place: Mapping[str, str]) -> Any:
    import boto3

    try:
        # Without an endpoint, a profile may still name one.
        return boto3.Session(botocore_session=session).client(
            "s3", endpoint_url=endpoint or None, config=config, **place
        )
    except ValueError as error:
        raise S3Error(
            f"AWS_ENDPOINT_URL_S3 is no web address ({error}): write it like http://127.0.0.1:9000."
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
    return session


def _converted(name: str, text: str, convert: Callable[[str], Any] | None) -> Any:
    try:
        return convert(text) if convert else text
    except ValueError:
        raise S3Error(f"The AWS settings cannot be used: {name} is {text}, which is no number.") from None


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


def list_pages(client: Any, bucket: str, prefix: str) -> Iterator[list[dict[str, Any]]]:
    """The objects of a bucket page by page, as boto3 gives them, without folder markers (keys that end in `/`).

    Raises `S3Error` where the bucket cannot be listed.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            if "Name" not in page:
                raise S3Error("What answers as S3 is no S3 server: check AWS_ENDPOINT_URL_S3.")
            yield [item for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    except ClientError as error:
        raise S3Error(_explain_s3_refusal(error, bucket, client)) from None
    except ParamValidationError:
        raise S3Error(f"S3_BUCKET_NAME is no name of a bucket ({bucket}): check it.") from None
    except BotoCoreError as error:
        words = " ".join(str(error).split())
        raise S3Error(
            f"S3 cannot be reached: {words} — check AWS_ENDPOINT_URL_S3, AWS_PROFILE and the network."
        ) from None


def _explain_s3_refusal(error: Any, bucket: str, client: Any) -> str:
    """What botocore's `ClientError` for listing a bucket means, and what to do, in one sentence."""
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
