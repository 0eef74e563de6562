"""An S3 server, as tests know it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.support.event_loops import run_in_new_loop
from tests.support.servers.lifecycle import READY_SECONDS, ServerProcess

from telecine_chassis.s3_client import S3Access, s3_client
from telecine_cli.stack.http_probe import http_answer

__all__ = ["S3Server"]

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class S3Server:
    """A running S3 server. `made`: the buckets that tests have made in it."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    power: ServerProcess
    made: list[str] = field(default_factory=list)

    def new_bucket(self) -> str:
        """A bucket for this caller alone, because servers are shared between tests."""
        name = f"b-{secrets.token_hex(8)}"
        with self.client() as client:
            client.create_bucket(Bucket=name)
        self.made.append(name)
        return name

    @contextmanager
    def client(self) -> "Iterator[S3Client]":
        """A client of its own, as services have it."""
        client = s3_client(
            S3Access(
                endpoint=self.endpoint,
                access_key=self.access_key,
                secret_key=self.secret_key,
                region=self.region,
            )
        )
        try:
            yield client
        finally:
            client.close()

    def start(self) -> None:
        """Start (again) on the same data and port, and wait until ListBuckets answers."""
        self.power.start()
        run_in_new_loop(self.power.wait_ready(self.answers, READY_SECONDS))

    def kill(self) -> None:
        """SIGKILL."""
        self.power.kill()

    async def answers(self) -> bool:
        """Whether ListBuckets does, to our keys."""
        request = AWSRequest("GET", f"{self.endpoint}/")
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", self.region).add_auth(request)
        answer = await http_answer(f"{self.endpoint}/", dict(request.headers))
        return answer is not None and answer[0] == 200
