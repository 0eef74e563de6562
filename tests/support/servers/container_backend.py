"""Servers in containers, on the images and the configuration of docker-compose.yml, listening on loopback alone.

A container is kept for the next borrower: one of each kind and test process, and one more while a test has two.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from sqlalchemy.engine import URL
from tests.support.servers.docker_container import Container, ContainerSpec
from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server
from tests.support.servers.wheel_postgres import QUICK

from telecine_cli.stack.ports import LOOPBACK, free_port, free_ports

__all__ = ["ContainerBackend", "image"]

_ROOT = Path(__file__).parents[3]
_USERS = "# Tests connect without credentials.\n"
Server = TypeVar("Server", NatsServer, S3Server, Postgres)


@dataclass
class _ContainerPool(Generic[Server]):
    """Servers of one kind that are not lent."""

    make: Callable[[], Server]
    free: list[Server] = field(default_factory=list)

    @contextmanager
    def lent(self) -> Iterator[Server]:
        server = self.free.pop() if self.free else self.make()
        try:
            yield server
        finally:
            self.free.append(server)


class ContainerBackend:
    """What testcontainers starts (half a second each), and reuses."""

    def __init__(self) -> None:
        self._made: list[Container] = []
        self._nats = _ContainerPool(self._new_nats)
        self._s3 = _ContainerPool(self._new_s3)
        self._postgres = _ContainerPool(self._new_postgres)

    @contextmanager
    def nats(self, folder: Path) -> Iterator[NatsServer]:
        with self._nats.lent() as server:
            yield server

    @contextmanager
    def s3(self, folder: Path) -> Iterator[S3Server]:
        with self._s3.lent() as server:
            yield server

    @contextmanager
    def postgres(self) -> Iterator[Postgres]:
        with self._postgres.lent() as server:
            yield server

    def close(self) -> None:
        """Remove every container."""
        while self._made:
            self._made.pop().remove()

    def _container(self, recipe: ContainerSpec) -> Container:
        container = Container(recipe)
        self._made.append(container)
        return container

    def _new_nats(self) -> NatsServer:
        port, monitoring_port = free_ports(2)
        config = (_ROOT / "deploy" / "compose" / "nats.conf").read_text(encoding="utf-8")
        container = self._container(
            ContainerSpec(
                image=image("nats"),
                command=("-c", "/etc/nats/nats.conf"),
                ports={4222: port, 8222: monitoring_port},
                environment={
                    "SERVER_NAME": "telecine",
                    "MAX_FILE_STORE": "20GB",
                    "MONITORING": "0.0.0.0:8222",
                },
                files={"/etc/nats/nats.conf": config, "/etc/nats/users/nats-users.conf": _USERS},
            )
        )

        def blocks(stream: str) -> list[bytes]:
            folder = f"/data/jetstream/$G/streams/{stream}/msgs"
            return [body for path, body in container.files(folder) if path.endswith(".blk")]

        monitoring_url = f"http://{LOOPBACK}:{monitoring_port}"
        return NatsServer(f"nats://{LOOPBACK}:{port}", monitoring_url, container, blocks)

    def _new_s3(self) -> S3Server:
        port, access_key, secret_key = free_port(), "telecine", secrets.token_urlsafe(24)
        recipe = ContainerSpec(
            image=image("rclone/rclone"),
            command=("serve", "s3", "--addr", ":9000", "--vfs-cache-mode", "off", "/data"),
            ports={9000: port},
            environment={"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'},
        )
        return S3Server(
            f"http://{LOOPBACK}:{port}", access_key, secret_key, "us-east-1", self._container(recipe)
        )

    def _new_postgres(self) -> Postgres:
        port, password = free_port(), secrets.token_urlsafe(24)
        recipe = ContainerSpec(
            image=image("postgres"),
            command=("postgres", "-c", "listen_addresses=*", *QUICK),
            ports={5432: port},
            environment={"POSTGRES_PASSWORD": password},
        )
        place = URL.create("postgresql+psycopg", "postgres", password, LOOPBACK, port, "postgres")
        return Postgres(place, self._container(recipe))


def image(name: str) -> str:
    """The image of this name, with its tag, that docker-compose.yml has where .env names no other."""
    compose = (_ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    found = re.search(rf"^ +image: \$\{{\w+:-({name}:\S+)\}}$", compose, re.MULTILINE)
    assert found, f"docker-compose.yml has no image {name}"
    return found[1]
