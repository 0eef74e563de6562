"""Real servers for tests, on free ports and a folder of their own; gone when the block ends."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config

from telecine_cli.nats_part import NatsPart
from telecine_cli.ports import free_port, free_ports
from telecine_cli.process import Process
from telecine_cli.s3_part import REGION, S3Part

__all__ = ["NatsServer", "S3Server", "in_a_loop", "nats_server", "nats_server_for_many_loops", "s3_server"]

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READY_SECONDS = 20.0
T = TypeVar("T")


@dataclass(frozen=True)
class NatsServer:
    """A running nats-server with an empty JetStream, which a test may kill and start again."""

    part: NatsPart
    process: Process

    @property
    def url(self) -> str:
        return self.part.url

    @property
    def monitoring_url(self) -> str:
        return self.part.monitoring_url

    async def start(self) -> None:
        """Start (again) on the same folder and ports, and wait until JetStream answers."""
        self.process.start()
        await self.process.wait_ready(self.part.ready, _READY_SECONDS)

    async def stop(self) -> None:
        """Stop in order (SIGTERM)."""
        await self.process.terminate()

    def kill(self) -> None:
        """SIGKILL; what was acknowledged is on disk."""
        self.process.kill()


def _new_nats(folder: Path) -> NatsServer:
    port, monitoring_port = free_ports(2)
    part = NatsPart(folder / "nats", port, monitoring_port)
    return NatsServer(part, Process(part.command(folder / "logs" / "nats.log")))


@asynccontextmanager
async def nats_server(folder: Path) -> AsyncIterator[NatsServer]:
    """A fresh nats-server (about 60 ms)."""
    server = _new_nats(folder)
    try:
        await server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.part.folder, ignore_errors=True)


@contextmanager
def nats_server_for_many_loops(folder: Path) -> Iterator[NatsServer]:
    """The same for a fixture that outlives one test, hence one event loop."""
    server = _new_nats(folder)
    try:
        in_a_loop(server.start())
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.part.folder, ignore_errors=True)


@dataclass(frozen=True)
class S3Server:
    """A running S3 server with a bucket, which a test may kill and start again."""

    part: S3Part
    process: Process

    @property
    def endpoint(self) -> str:
        return self.part.endpoint

    @property
    def access_key(self) -> str:
        return self.part.access_key

    @property
    def secret_key(self) -> str:
        return self.part.secret_key

    @property
    def bucket(self) -> str:
        return self.part.bucket

    @property
    def region(self) -> str:
        return REGION

    def new_bucket(self) -> str:
        """A bucket nobody else uses, where servers are shared between tests."""
        name = f"b-{secrets.token_hex(8)}"
        with self.client() as client:
            client.create_bucket(Bucket=name)
        return name

    @contextmanager
    def client(self) -> "Iterator[S3Client]":
        """A boto3 client with the settings that rclone (and R2) need."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                signature_version="s3v4",  # else presigned URLs are signed in a way rclone refuses
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",  # else every range GET fails
                s3={"addressing_style": "path"},
            ),
        )
        try:
            yield client
        finally:
            client.close()

    def start(self) -> None:
        """Start (again) on the same folder and port, and wait until ListBuckets answers."""
        self.process.start()
        in_a_loop(self.process.wait_ready(self.part.ready, _READY_SECONDS))

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A fresh S3 server (about 100 ms), for one test or for many: it is not bound to an event loop."""
    part = S3Part(folder / "s3", free_port(), access_key="telecine", secret_key=secrets.token_urlsafe(24))
    server = S3Server(part, Process(part.command(folder / "logs" / "s3.log")))
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(part.folder, ignore_errors=True)


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work where no loop runs, e.g. in a fixture that outlives one test."""
    # Not asyncio.run: it would leave the thread without the loop that pytest-asyncio set.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
