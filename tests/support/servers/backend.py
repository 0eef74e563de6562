"""Where the servers of this run come from: wheels, containers, or servers that already run."""

import os
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server

__all__ = ["CONTAINERS", "EXTERNAL", "WHEELS", "ServerBackend", "backend_name", "maker"]

WHEELS, CONTAINERS, EXTERNAL = "wheels", "containers", "given"
_VARIABLE = "TELECINE_TEST_PARTS"


class ServerBackend(Protocol):
    """Lends servers. A server may have been used before and may not be running: the borrower starts it.

    `able`: what tests may do with them (tests/support/plugins/server_capabilities.py).
    """

    able: frozenset[str]

    def nats(self, folder: Path) -> AbstractContextManager[NatsServer]:
        """A nats-server. `folder` is the borrower's own."""
        ...

    def s3(self, folder: Path) -> AbstractContextManager[S3Server]:
        """An S3 server."""
        ...

    def postgres(self) -> AbstractContextManager[Postgres]:
        """A Postgres."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


def backend_name() -> str:
    """The name of this run's maker. Raises ValueError where there is none of that name."""
    name = os.environ.get(_VARIABLE, WHEELS)
    if name not in (WHEELS, CONTAINERS, EXTERNAL):
        raise ValueError(f"{_VARIABLE} is {WHEELS}, {CONTAINERS} or {EXTERNAL}, not {name}")
    return name


@cache
def maker() -> ServerBackend:
    """This run's maker. Raises ValueError if it lacks something."""
    if backend_name() == CONTAINERS:
        from tests.support.servers.container_backend import ContainerBackend

        return ContainerBackend()
    if backend_name() == EXTERNAL:
        from tests.support.servers.external_backend import ExternalBackend

        return ExternalBackend.from_environment()
    from tests.support.servers.wheel_backend import WheelBackend

    return WheelBackend()
