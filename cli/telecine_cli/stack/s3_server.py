"""The embedded S3 server: rclone over a folder, on the loopback interface."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .binaries import find_rclone
from .http_probe import http_answer
from .ports import LOOPBACK
from .process import Command

__all__ = ["REGION", "EmbeddedS3"]

REGION = "us-east-1"
"""rclone takes any region, but the signature must name one."""

_FLAGS = (
    # Without this every first read of an object computes its MD5: 0.3 s for 200 MB.
    ("--etag-hash", ""),
    ("--no-checksum",),
    # The default waits 20 ms before a read that doesn't begin at the start: a range costs 23 ms, not 2.
    ("--vfs-read-wait", "0"),
    ("--buffer-size", "0"),
    # No settings of the user's own rclone.
    ("--config", ""),
)


@dataclass(frozen=True)
class EmbeddedS3:
    """One S3 server on a folder of its own, with one bucket and one key pair.

    rclone refuses an access key shorter than three characters. `program` overrides where it is
    looked for. Content types are forgotten at a restart (then guessed from the name: .mp4 is right).
    """

    folder: Path
    port: int
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "telecine"
    program: Path | None = None

    @property
    def endpoint(self) -> str:
        """The endpoint URL for an S3 client (path-style addressing)."""
        return f"http://{LOOPBACK}:{self.port}"

    def command(self, log: Path) -> Command:
        """Make the bucket and return what runs the server.

        Raises:
            ProgramNotFound: when there is no rclone.
        """
        # To rclone a bucket is a folder; one made later has to be made through S3, as it caches folders.
        (self.folder / self.bucket).mkdir(parents=True, exist_ok=True)
        flags = [word for flag in _FLAGS for word in flag]
        address = f"{LOOPBACK}:{self.port}"
        argv = (str(find_rclone(self.program)), "serve", "s3", "--addr", address, *flags, str(self.folder))
        return Command("s3", argv, log, env=self._environment())

    def _environment(self) -> dict[str, str]:
        # The keys go in by the environment because everybody can read a command line.
        own = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        return own | {"RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'}

    async def ready(self) -> bool:
        """Whether ListBuckets answers to our keys and names our bucket."""
        url = f"{self.endpoint}/"
        request = AWSRequest("GET", url)
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", REGION).add_auth(request)
        answer = await http_answer(url, dict(request.headers))
        return answer is not None and answer[0] == 200 and f"<Name>{self.bucket}</Name>".encode() in answer[1]
