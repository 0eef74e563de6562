"""The emulator's ASGI application, and the uvicorn configuration that serves it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telecine_emulator.api import admin, routes
from telecine_emulator.api.errors import ApiError, error_body
from telecine_emulator.faults.connection import Protocol
from telecine_emulator.media import results, samples

from .settings import Settings
from .state import Emulator, open_emulator


def build(settings: Settings) -> Starlette:
    """The application; its scheduler runs during the lifespan."""
    emulator = open_emulator(settings)
    app = Starlette(
        routes=[*routes.routes(), *results.routes(), *samples.routes(), *admin.routes()],
        lifespan=_lifespan,
        exception_handlers={HTTPException: _no_route},
    )
    app.state.emulator = emulator
    return app


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """A uvicorn configuration whose protocol lets faults close connections."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    emulator: Emulator = app.state.emulator
    emulator.sweep()
    emulator.scheduler.resume()
    running = asyncio.create_task(emulator.scheduler.run())
    running.add_done_callback(_report)
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        await emulator.close()


def _report(scheduler: asyncio.Task[None]) -> None:
    """Ends the process if the scheduler failed."""
    # Without its scheduler the emulator would look like a provider whose tasks hang.
    if not scheduler.cancelled() and (error := scheduler.exception()):
        print(f"telecine_emulator: the scheduler stopped: {error!r}", file=sys.stderr)
        raise SystemExit(1)


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    request_id = request.app.state.emulator.new_request_id()
    problem = ApiError("NotFound.Path", "The address or the method is not one of this service", status=status)
    return JSONResponse(error_body(problem, request_id), status, headers={"X-Request-Id": request_id})
