"""Downloads of results: signed URLs and byte ranges."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from telecine_emulator.api.wire import LAST_FRAME, video_name
from telecine_emulator.faults.downloads import faulty_download
from telecine_emulator.state import Emulator
from telecine_emulator.tasks.task import Task

CHUNK = 256 * 1024
MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".png": "image/png"}


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
    media_type = MEDIA_TYPES[path.suffix]
    prompt = task.spec.prompt
    faulty = faulty_download(emulator.faults, prompt, path, media_type) if request.method == "GET" else None
    return faulty or Download(path, media_type=media_type)


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


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"Code": code, "Message": message}, status)


def _not_ready(emulator: Emulator, task: Task) -> bool:
    """Ark: right after success a result may be unavailable for a while."""
    if emulator.clock.now() < task.updated_at + emulator.settings.not_ready_seconds:
        return True
    answers = emulator.not_ready_answers.get(task.id, 0)
    prompt = task.spec.prompt
    fault = emulator.faults.take("result_not_ready", prompt, lambda fault: answers < fault.seconds(1))
    if fault:
        emulator.not_ready_answers[task.id] = answers + 1
    return fault is not None
