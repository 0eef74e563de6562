"""Servers that run already, named by URL. There is one of each, for one test at a time, and no test may end it.

JetStream is emptied before each test. It must be empty at the start, so that a wrong URL cannot destroy data.
Buckets and databases are made for each test and removed at the end.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from sqlalchemy.engine import make_url
from tests.support.event_loops import run_in_new_loop
from tests.support.eventually import eventually_async
from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server

from telecine_cli.output.provision import monitoring_url_of
from telecine_cli.stack.process import Probe

__all__ = ["ExternalBackend"]

_PREFIX = "TELECINE_TEST_"
_NEEDED = ("NATS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "POSTGRES_URL")
_NOT_OURS = "a given server is not ours to end"


class ExternalProcess:
    """No power at all."""

    def start(self) -> None:
        """It runs."""

    async def wait_ready(self, probe: Probe, deadline: float) -> None:
        """Raises AssertionError at the deadline."""
        await eventually_async(probe, within=deadline, what="a given server does not answer")

    async def terminate(self) -> NoReturn:
        """Raises AssertionError."""
        raise AssertionError(_NOT_OURS)

    def kill(self) -> NoReturn:
        """Raises AssertionError."""
        raise AssertionError(_NOT_OURS)


class ExternalBackend:
    """`named`: what each server's variable holds, by its name without the beginning.

    Raises ValueError when one is missing or does not answer, or when the NATS server holds streams.
    """

    able: frozenset[str] = frozenset()

    def __init__(self, named: Mapping[str, str]) -> None:
        if missing := [_PREFIX + name for name in _NEEDED if not named.get(name)]:
            raise ValueError(f"which servers are to be used is not said: {', '.join(missing)}")
        url, power = named["NATS_URL"], ExternalProcess()
        self._nats = NatsServer(
            url, named.get("NATS_MONITORING_URL") or monitoring_url_of(url), power, _no_disk_access
        )
        keys = named["S3_ACCESS_KEY"], named["S3_SECRET_KEY"]
        self._s3 = S3Server(named["S3_ENDPOINT"], *keys, named.get("S3_REGION") or "us-east-1", power)
        place = make_url(named["POSTGRES_URL"]).set(drivername="postgresql+psycopg")
        self._postgres = Postgres(place, power)
        run_in_new_loop(self._check())

    @classmethod
    def from_environment(cls) -> "ExternalBackend":
        """Those that the environment names; see the class."""
        beginning = len(_PREFIX)
        return cls({k[beginning:]: v for k, v in os.environ.items() if k.startswith(_PREFIX)})

    async def _check(self) -> None:
        probes: dict[str, Probe] = {
            "NATS_URL": self._nats.answers,
            "S3_ENDPOINT": self._s3.answers,
            "POSTGRES_URL": self._postgres.answers,
        }
        for name, answers in probes.items():
            if not await answers():
                raise ValueError(f"the server of {_PREFIX}{name} does not answer as it should")
        if streams := await self._nats.streams():
            raise ValueError(
                f"the NATS server of {_PREFIX}NATS_URL is not empty, and tests remove every stream: "
                f"it holds {', '.join(streams)}. Name another, or remove them yourself."
            )

    @contextmanager
    def nats(self, folder: Path) -> Iterator[NatsServer]:
        yield self._nats

    @contextmanager
    def s3(self, folder: Path) -> Iterator[S3Server]:
        yield self._s3

    @contextmanager
    def postgres(self) -> Iterator[Postgres]:
        yield self._postgres

    def close(self) -> None:
        """Leave the servers as they were found."""
        run_in_new_loop(self._nats.clear())
        for bucket in self._s3.made:
            _remove(self._s3, bucket)
        for database in self._postgres.made:
            self._postgres.tell("DROP DATABASE {} WITH (FORCE)", database)


def _no_disk_access(stream: str) -> NoReturn:
    raise AssertionError("the disk of an external server cannot be read")


def _remove(server: S3Server, bucket: str) -> None:
    with server.client() as client:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=found["Key"])
        with suppress(client.exceptions.NoSuchUpload):  # rclone's way to say that there is none
            for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        client.delete_bucket(Bucket=bucket)
