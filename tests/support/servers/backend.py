"""Where the servers of this run come from: wheels or containers."""

import os
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server

__all__ = ["CONTAINERS", "WHEELS", "ServerBackend", "backend_name", "maker"]

WHEELS, CONTAINERS = "wheels", "containers"
_VARIABLE = "TELECINE_TEST_PARTS"


class ServerBackend(Protocol):
    """Lends servers. A server may have been used before and may not be running: the borrower starts it."""

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
    if name not in (WHEELS, CONTAINERS):
        raise ValueError(f"{_VARIABLE} is {WHEELS} or {CONTAINERS}, not {name}")
    return name


@cache
def maker() -> ServerBackend:
    """This run's maker. Raises ValueError if it lacks something."""
    if backend_name() == CONTAINERS:
        from tests.support.servers.container_backend import ContainerBackend

        return ContainerBackend()
    from tests.support.servers.wheel_backend import WheelBackend

    return WheelBackend()
