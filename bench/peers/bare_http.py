"""The baseline: a FastAPI POST without work, on the same HTTP server and settings as the gateway."""

import asyncio
import sys

import uvloop
from fastapi import FastAPI
from pydantic import BaseModel

from telecine_chassis.http_server.server import HttpServer


class Body(BaseModel):
    """A body like that of a generation request."""

    prompt: str
    resolution: str
    duration: int


class Response(BaseModel):
    """A response of the same size."""

    id: str
    taskId: str
    status: str
    remainingCredits: int


def build() -> FastAPI:
    """An application with one route that does nothing."""
    app = FastAPI()

    @app.post("/api/video/generate")
    async def generate(body: Body) -> Response:
        return Response(id="0" * 36, taskId="0" * 36, status="processing", remainingCredits=body.duration)

    return app


async def serve(port: int) -> None:
    """Serve until the process is killed."""
    await HttpServer(build(), "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
