"""S3 through boto3: one client for the same AWS settings, and what S3 refuses as one sentence."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from runtime.environment import is_local
from runtime.errors import PipelineError

OPTIONS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "total_max_attempts": 4}}


class S3Error(PipelineError):
    """The bucket cannot be listed."""


def connect_s3(environment: Mapping[str, str]) -> Any:
    """A boto3 client from the AWS chain; made once for the same `AWS_…` variables.

    The variables may come from `.env`, where boto3 does not look. Without any credentials, requests are not signed.
    Raises `S3Error` where a variable cannot be used.
    """
    return _make_s3_client(
        tuple(sorted((name, value) for name, value in environment.items() if name.startswith("AWS_")))
    )


def connect_open_s3(endpoint_url: str) -> Any:
    """A boto3 client for a server on this machine that asks for no credentials, whatever AWS settings there are."""
    return _make_s3_client((("AWS_ENDPOINT_URL_S3", endpoint_url),), open_server=True)


@functools.lru_cache(maxsize=1)
def _make_s3_client(aws: tuple[tuple[str, str], ...], open_server: bool = False) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    variables = dict(aws)
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or ""
    options: dict[str, Any] = {**OPTIONS}
    if is_local(endpoint):
        options["proxies"] = {}
    place = {"endpoint_url": endpoint} if endpoint else {}
    try:
        session = boto3.Session(botocore_session=_make_session(variables))
        if open_server:
            place["region_name"] = "us-east-1"
        if open_server or session.get_credentials() is None:
            options["signature_version"] = UNSIGNED
        return session.client("s3", config=Config(**options), **place)
    except ValueError as error:
        raise S3Error(
            f"AWS_ENDPOINT_URL_S3 is no web address ({error}): write it like http://127.0.0.1:9000."
        ) from None
    except BotoCoreError as error:
        raise S3Error(f"The AWS settings cannot be used: {' '.join(str(error).split())}.") from None


def _make_session(variables: Mapping[str, str]) -> Any:
    """A botocore session in which these variables count as if they stood in the environment.

    botocore's own table says which variable stands for which of its settings. (A role by web identity is read from the
    environment only.)
    """
    from botocore.credentials import EnvProvider
    from botocore.session import Session

    session = Session()
    for setting, (_, names, _, convert) in dict(session.session_var_map).items():
        for name in [names] if isinstance(names, str) else names or ():
            if variables.get(name):
                session.set_config_variable(setting, convert(variables[name]) if convert else variables[name])
                break
    credentials = EnvProvider(variables).load()
    if credentials:
        session.set_credentials(credentials.access_key, credentials.secret_key, credentials.token)
    return session


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
