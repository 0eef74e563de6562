"""Servers from wheels: no root, no Docker, and a new one each time."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server
from tests.support.servers.wheel_postgres import wheel_postgres

from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import free_port, free_ports
from telecine_cli.stack.process import Process
from telecine_cli.stack.s3_server import REGION, EmbeddedS3

__all__ = ["WheelBackend", "embedded_nats", "embedded_s3"]


def embedded_nats(folder: Path) -> EmbeddedNats:
    """telecine's own nats-server, not started: on free ports, and on a folder in this one."""
    port, monitoring_port = free_ports(2)
    return EmbeddedNats(folder / "nats", port, monitoring_port)


def embedded_s3(folder: Path) -> EmbeddedS3:
    """The same for its S3 server."""
    return EmbeddedS3(folder / "s3", free_port(), access_key="telecine", secret_key=secrets.token_urlsafe(24))


class WheelBackend:
    """The parts of `telecine up` (nats in 60 ms, S3 in 100 ms), and Postgres (in a second)."""

    @contextmanager
    def nats(self, folder: Path) -> Iterator[NatsServer]:
        part = embedded_nats(folder)
        process = Process(part.command(folder / "logs" / "nats.log"))

        def blocks(stream: str) -> list[bytes]:
            return [block.read_bytes() for block in part.folder.glob(f"**/{stream}/msgs/*.blk")]

        try:
            yield NatsServer(part.url, part.monitoring_url, process, blocks)
        finally:
            process.kill()
            shutil.rmtree(part.folder, ignore_errors=True)

    @contextmanager
    def s3(self, folder: Path) -> Iterator[S3Server]:
        part = embedded_s3(folder)
        process = Process(part.command(folder / "logs" / "s3.log"))
        try:
            yield S3Server(part.endpoint, part.access_key, part.secret_key, REGION, process)
        finally:
            process.kill()
            shutil.rmtree(part.folder, ignore_errors=True)

    @contextmanager
    def postgres(self) -> Iterator[Postgres]:
        with wheel_postgres() as server:
            yield server

    def close(self) -> None:
        """Nothing is kept."""
