"""Parts that the tests share: one sandbox tenant per session, and a pyatlan client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sandbox


@pytest.fixture(scope="session")
def tenant() -> Iterator[sandbox.Tenant]:
    with sandbox.start() as running:
        yield running


@pytest.fixture(scope="session")
def atlan(tenant: sandbox.Tenant):
    from pyatlan.client.atlan import AtlanClient

    return AtlanClient(base_url=tenant.base_url, api_key=tenant.api_token, proxy=None)
