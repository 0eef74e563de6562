"""Sample pictures for image-to-video: `GET /samples/{name}.png`, rendered at the first request."""

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from telecine_emulator.state import Emulator

from .scene import Scene

SAMPLE_NAMES = ("harbour", "mountains", "street")


def routes() -> list[Route]:
    return [Route("/samples/{name}.png", sample, methods=["GET"])]


async def sample(request: Request) -> Response:
    """The same picture at every request; 404 for an unknown name."""
    emulator: Emulator = request.app.state.emulator
    name = request.path_params["name"]
    if name not in SAMPLE_NAMES:
        return JSONResponse({"error": f"unknown sample, expected one of {', '.join(SAMPLE_NAMES)}"}, 404)
    path = emulator.settings.data / "samples" / f"{name}.png"
    if not path.exists():
        await asyncio.to_thread(_render, name, path)
    return FileResponse(path, media_type="image/png")


def _render(name: str, path: Path) -> None:
    # Loading PyAV takes 0.2 s; imported here, it does not delay the start of the server.
    from .video import write_last_frame

    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    write_last_frame(Scene(width=1280, height=720, frame_count=1, text=name, picture=name), part)
    part.replace(path)
