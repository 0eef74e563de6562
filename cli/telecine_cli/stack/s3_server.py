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
"""rclone accepts any region, but a signature must name one."""

_FLAGS = (
    # Otherwise the first read of every object computes its MD5: 0.3 s for 200 MB.
    ("--etag-hash", ""),
    ("--no-checksum",),
    # By default a read that does not begin at the start waits 20 ms: a range costs 23 ms instead of 2.
    ("--vfs-read-wait", "0"),
    ("--buffer-size", "0"),
    # Ignore the user's own rclone configuration.
    ("--config", ""),
)


@dataclass(frozen=True)
class EmbeddedS3:
    """One S3 server with its own folder, one bucket and one key pair. `program`: its path; None to search for it.

    rclone refuses access keys shorter than three characters. Content types are lost at a restart and then guessed from
    the name, which is right for .mp4.
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
        """Create the bucket and return the command that runs the server.

        Raises:
            ProgramNotFound: there is no rclone.
        """
        # For rclone a bucket is a folder. It caches the list of folders, so a later one must be created through S3.
        (self.folder / self.bucket).mkdir(parents=True, exist_ok=True)
        flags = [word for flag in _FLAGS for word in flag]
        address = f"{LOOPBACK}:{self.port}"
        argv = (str(find_rclone(self.program)), "serve", "s3", "--addr", address, *flags, str(self.folder))
        return Command("s3", argv, log, env=self._environment())

    def _environment(self) -> dict[str, str]:
        # In the environment, because every user of the machine can read a command line.
        own = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        return own | {"RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'}

    async def ready(self) -> bool:
        """Whether ListBuckets accepts the key pair and returns the bucket."""
        url = f"{self.endpoint}/"
        request = AWSRequest("GET", url)
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", REGION).add_auth(request)
        answer = await http_answer(url, dict(request.headers))
        return answer is not None and answer[0] == 200 and f"<Name>{self.bucket}</Name>".encode() in answer[1]
