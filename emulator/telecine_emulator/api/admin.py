"""Admin routes, without authentication: clock, faults, journal, tasks, bill."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telecine_emulator.faults.registry import as_json
from telecine_emulator.state import Emulator
from telecine_emulator.tasks.task import to_record

from .bill import bill_as_csv
from .strict_json import parse_json

MAX_CLOCK_ADVANCE = 1_000_000_000
"""Seconds (about thirty years) by which one call may advance the clock."""


def routes() -> list[Route]:
    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/admin/clock", clock, methods=["GET"]),
        Route("/admin/clock", advance, methods=["POST"]),
        Route("/admin/faults", faults, methods=["GET"]),
        Route("/admin/faults", add_fault, methods=["POST"]),
        Route("/admin/faults", clear_faults, methods=["DELETE"]),
        Route("/admin/journal", journal, methods=["GET"]),
        Route("/admin/tasks", all_tasks, methods=["GET"]),
        Route("/admin/bill", bill, methods=["GET"]),
    ]


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def clock(request: Request) -> Response:
    return JSONResponse({"now": _emulator(request).clock.now()})


async def advance(request: Request) -> Response:
    """Responds after all changes that became due have happened."""
    emulator, body = _emulator(request), await _object(request)
    seconds = body.get("advance_seconds")
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds <= MAX_CLOCK_ADVANCE
    ):
        return _bad(f"advance_seconds must be a number from 0 to {MAX_CLOCK_ADVANCE}")
    emulator.clock.advance(seconds)
    emulator.store.save_setting("clock_offset", repr(emulator.clock.offset))
    await emulator.scheduler.run_due()
    emulator.sweep()
    return JSONResponse({"now": emulator.clock.now()})


async def faults(request: Request) -> Response:
    return JSONResponse({"faults": [as_json(fault) for fault in _emulator(request).faults]})


async def add_fault(request: Request) -> Response:
    body = await _object(request)
    name, value, times, match = (body.get(key) for key in ("name", "value", "times", "match"))
    times_fit = times is None or (isinstance(times, int) and not isinstance(times, bool) and times >= 1)
    if not isinstance(name, str) or not times_fit or not isinstance(match, str | None):
        return _bad("a fault needs a name, and may have a value, times (1 or more) and match (a string)")
    text = None if value is None or value is True else str(value)
    try:
        fault = _emulator(request).faults.add(name, text, times=times, match=match)
    except ValueError as error:
        return _bad(str(error))
    return JSONResponse(as_json(fault), 201)


async def clear_faults(request: Request) -> Response:
    _emulator(request).faults.clear()
    return JSONResponse({})


async def journal(request: Request) -> Response:
    """All create and delete requests, oldest first; `?action=create` or `?action=delete` selects one kind."""
    action = request.query_params.get("action")
    entries = [asdict(entry) for entry in _emulator(request).store.journal()]
    return JSONResponse({"entries": [entry for entry in entries if action in (None, entry["action"])]})


async def all_tasks(request: Request) -> Response:
    """All task records, oldest first, including deleted and flex tasks."""
    return JSONResponse({"tasks": [to_record(task) for task in _emulator(request).store.everything()]})


async def bill(request: Request) -> Response:
    """The bill of all succeeded tasks, as CSV."""
    return Response(bill_as_csv(_emulator(request).store.everything()), media_type="text/csv")


def _emulator(request: Request) -> Emulator:
    emulator: Emulator = request.app.state.emulator
    return emulator


async def _object(request: Request) -> Mapping[str, Any]:
    try:
        body = parse_json(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _bad(message: str) -> Response:
    return JSONResponse({"error": message}, 400)
