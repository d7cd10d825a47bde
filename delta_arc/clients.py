"""The clients of a run, made from its settings: of the tenant and its bucket, or of the embedded sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from delta_arc.settings import Settings, get_settings
from runtime.atlan import connect_atlan
from runtime.embedded import start_sandbox
from runtime.s3 import connect_keyed_s3, connect_s3

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient


def get_atlan_client(*, settings: Settings | None = None) -> AtlanClient:
    """The pyatlan client of the configured tenant, or of the embedded sandbox; made once.

    All its requests, from any thread, share the limit of ATLAN_MAX_REQUESTS_PER_MINUTE. Raises `SettingsError`.
    """
    settings = settings or get_settings()
    address, token = settings.base_url, settings.api_token
    if settings.sandbox:
        tenant = start_sandbox()
        address, token = tenant.base_url, tenant.api_token
    return connect_atlan(address, token, settings.max_requests_per_minute)


def get_s3_client(settings: Settings) -> Any:
    """The boto3 client of the bucket, from the AWS settings, or of the embedded sandbox; raises `S3Error`."""
    if settings.sandbox:
        tenant = start_sandbox()
        return connect_keyed_s3(tenant.s3_endpoint_url, tenant.s3_key)
    return connect_s3(settings.aws)
