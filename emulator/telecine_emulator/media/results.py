"""Downloads of results: signed URLs, byte ranges, and download faults."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from telecine_emulator.api.wire import LAST_FRAME, video_name
from telecine_emulator.faults.connection import TruncatedResponse
from telecine_emulator.state import Emulator
from telecine_emulator.tasks.task import Task

CHUNK = 256 * 1024
CORRUPT_FROM = 64
MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".png": "image/png"}
FLIPPED = bytes(255 - value for value in range(256))


class Download(FileResponse):
    chunk_size = CHUNK


def routes() -> list[Route]:
    return [Route("/results/{id}/{name}", result, methods=["GET"])]


async def result(request: Request) -> Response:
    """GET and HEAD of a result file; faults apply to GET only."""
    emulator: Emulator = request.app.state.emulator
    task = emulator.store.find(request.path_params["id"])
    path = _path(emulator, task, request.path_params["name"]) if task else None
    if task is None or path is None:
        return _refusal(404, "NoSuchKey", "The specified key does not exist")
    good = emulator.signed_urls.is_valid(request.url.path, request.query_params)
    if not good or emulator.clock.now() >= task.url_expires_at:
        return _refusal(403, "AccessDenied", "Request has expired" if good else "The signature is wrong")
    if _not_ready(emulator, task):
        return _refusal(400, "video_not_ready", "The video is not ready yet")
    spoilt = _faulty_download(emulator, task, path) if request.method == "GET" else None
    return spoilt or Download(path, media_type=_type(path))


def _path(emulator: Emulator, task: Task, name: str) -> Path | None:
    """The file of a succeeded task under this name."""
    if task.status != "succeeded":
        return None
    if name == video_name(task):
        path = emulator.renders.video(task)
    elif name == LAST_FRAME and task.spec.return_last_frame:
        path = emulator.renders.last_frame(task)
    else:
        return None
    # A file is removed after its URL has expired; the response must then be 403 and not 404.
    return path if path.exists() or emulator.clock.now() >= task.url_expires_at else None


def _type(path: Path) -> str:
    return MEDIA_TYPES[path.suffix]


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"Code": code, "Message": message}, status)


def _not_ready(emulator: Emulator, task: Task) -> bool:
    """Ark: right after success a result may be unavailable for a while."""
    if emulator.clock.now() < task.updated_at + emulator.settings.not_ready_seconds:
        return True
    answers = emulator.not_ready_answers.get(task.id, 0)

    def fits(value: float) -> bool:
        return answers < value

    fault = emulator.faults.take("result_not_ready", task.spec.prompt, lambda fault: fits(fault.seconds(1)))
    if fault:
        emulator.not_ready_answers[task.id] = answers + 1
    return fault is not None


DownloadFault = Callable[[Path, str], Response]


def _faulty_download(emulator: Emulator, task: Task, path: Path) -> Response | None:
    for name, spoil in DOWNLOAD_FAULTS.items():
        if fault := emulator.faults.take(name, task.spec.prompt):
            return spoil(path, fault.value or "")
    return None


def _forbidden(path: Path, value: str) -> Response:
    return _refusal(403, "AccessDenied", "Access Denied")


def _truncated(path: Path, value: str) -> Response:
    """The right Content-Length, but half of the bytes."""
    headers = {"Content-Length": str(path.stat().st_size), "Accept-Ranges": "bytes"}
    return TruncatedResponse(_read(path, path.stat().st_size // 2), headers=headers, media_type=_type(path))


def _truncated_chunked(path: Path, value: str) -> Response:
    """No Content-Length and half of the bytes; with `clean` the chunked encoding ends correctly."""
    half = _read(path, path.stat().st_size // 2)
    if value == "clean":
        return StreamingResponse(half, media_type=_type(path))
    return TruncatedResponse(half, headers={}, media_type=_type(path))


def _html(path: Path, value: str) -> Response:
    return Response("<html><body>Please sign in</body></html>", media_type="text/html")


def _wrong_type(path: Path, value: str) -> Response:
    return Download(path, media_type=value or "text/plain")


def _not_mp4(path: Path, value: str) -> Response:
    return Response(os.urandom(64 * 1024), media_type=_type(path))


def _corrupt(path: Path, value: str) -> Response:
    """The right length and the right first bytes, followed by inverted bytes."""
    size = path.stat().st_size
    headers = {"Content-Length": str(size)}
    return StreamingResponse(_flipped(path, size), headers=headers, media_type=_type(path))


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


async def _flipped(path: Path, size: int) -> AsyncIterator[bytes]:
    kept = CORRUPT_FROM
    async for chunk in _read(path, size):
        yield chunk[:kept] + chunk[kept:].translate(FLIPPED)
        kept = 0
