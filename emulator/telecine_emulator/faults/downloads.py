"""Faults of downloads: refused, truncated, or with wrong types or bytes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from .connection import TruncatedResponse
from .registry import FaultRegistry

CHUNK = 256 * 1024
CORRUPT_FROM = 64
INVERTED = bytes(255 - value for value in range(256))

DownloadFault = Callable[[Path, str, str], Response]
"""Makes the response from the file, its media type and the fault's value."""


def faulty_download(faults: FaultRegistry, prompt: str, path: Path, media_type: str) -> Response | None:
    """The response of the first download fault that matches the prompt, None without one."""
    for name, respond in DOWNLOAD_FAULTS.items():
        if fault := faults.take(name, prompt):
            return respond(path, media_type, fault.value or "")
    return None


def _forbidden(path: Path, media_type: str, value: str) -> Response:
    return JSONResponse({"Code": "AccessDenied", "Message": "Access Denied"}, 403)


def _truncated(path: Path, media_type: str, value: str) -> Response:
    """The right Content-Length, but half of the bytes."""
    size = path.stat().st_size
    headers = {"Content-Length": str(size), "Accept-Ranges": "bytes"}
    return TruncatedResponse(_read(path, size // 2), headers=headers, media_type=media_type)


def _truncated_chunked(path: Path, media_type: str, value: str) -> Response:
    """No Content-Length and half of the bytes; with `clean` the chunked encoding ends correctly."""
    half = _read(path, path.stat().st_size // 2)
    if value == "clean":
        return StreamingResponse(half, media_type=media_type)
    return TruncatedResponse(half, headers={}, media_type=media_type)


def _html(path: Path, media_type: str, value: str) -> Response:
    return Response("<html><body>Please sign in</body></html>", media_type="text/html")


def _wrong_type(path: Path, media_type: str, value: str) -> Response:
    return FileResponse(path, media_type=value or "text/plain")


def _not_mp4(path: Path, media_type: str, value: str) -> Response:
    return Response(os.urandom(64 * 1024), media_type=media_type)


def _corrupt(path: Path, media_type: str, value: str) -> Response:
    """The right length and the right first bytes, followed by inverted bytes."""
    size = path.stat().st_size
    headers = {"Content-Length": str(size)}
    return StreamingResponse(_inverted(path, size), headers=headers, media_type=media_type)


DOWNLOAD_FAULTS: dict[str, DownloadFault] = {
    "result_403": _forbidden,
    "result_truncated": _truncated,
    "result_truncated_chunked": _truncated_chunked,
    "result_html": _html,
    "result_wrong_type": _wrong_type,
    "result_not_mp4": _not_mp4,
    "result_corrupt": _corrupt,
}


async def _read(path: Path, size: int) -> AsyncIterator[bytes]:
    """The first `size` bytes in chunks."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, min(CHUNK, size)):
            size -= len(chunk)
            yield chunk


async def _inverted(path: Path, size: int) -> AsyncIterator[bytes]:
    # The first bytes remain, so that the file is recognised as an mp4 at first.
    kept = CORRUPT_FROM
    async for chunk in _read(path, size):
        yield chunk[:kept] + chunk[kept:].translate(INVERTED)
        kept = 0
