"""Fixtures over tests/support, and a mark for every test from the folder it lies in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.parts import NatsServer, nats_server

_TESTS = Path(__file__).parent
_TIERS = frozenset({"unit", "contract", "integration", "chaos", "tidy"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
        if tier in _TIERS:
            item.add_marker(tier)


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A fresh nats-server for this test, which the test may kill and start again."""
    async with nats_server(tmp_path) as server:
        yield server


@pytest.fixture
def nats_url(nats: NatsServer) -> str:
    """The URL of a fresh nats-server for this test."""
    return nats.url
