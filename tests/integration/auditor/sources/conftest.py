"""One nats-server for the tests of a module: starting one takes longer than most of them."""

from collections.abc import Iterator

import pytest
from tests.support.servers.instances import NatsServer, shared_nats_server


@pytest.fixture(scope="module")
def shared_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server for this module."""
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def nats(shared_nats: NatsServer) -> NatsServer:
    """The module's server without any stream."""
    await shared_nats.clear()
    return shared_nats
