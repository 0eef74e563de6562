"""Transfers one result in a separate process and prints the growth of its memory in bytes."""

import asyncio
import sys
from pathlib import Path

from telecine_storage.bucket.s3 import S3Bucket, S3Config
from telecine_storage.source.http import HttpSource, SourcePolicy
from telecine_storage.transfer.transfer import TransferLimits, transfer


def resident_bytes(line: str) -> int:
    """Bytes from /proc/self/status: VmRSS is the current resident size, VmHWM its maximum."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(entry.split()[1]) * 1024 for entry in status if entry.startswith(f"{line}:"))


async def main(url: str, endpoint: str, bucket_name: str, access_key: str) -> None:
    # The secret comes from standard input, because other users can read a command line.
    secret_key = sys.stdin.readline().strip()
    bucket = S3Bucket(S3Config(endpoint, bucket_name, access_key, secret_key))
    source = HttpSource(SourcePolicy(allow_private=True))
    await bucket.start()
    idle = resident_bytes("VmRSS")
    copied = await transfer(source, bucket, url=url, key="videos/a/video_1.mp4", limits=TransferLimits())
    print(resident_bytes("VmHWM") - idle, copied.bytes)
    await source.aclose()
    await bucket.aclose()


asyncio.run(main(*sys.argv[1:]))
