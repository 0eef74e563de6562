"""The provider's four API operations: create, get, list, delete."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telecine_emulator.faults.connection import EmptyReply
from telecine_emulator.faults.registry import error_of_fault, matches_route, parse_error_target
from telecine_emulator.state import Emulator
from telecine_emulator.tasks import creation
from telecine_emulator.tasks import task as tasks
from telecine_emulator.tasks.store import Entry, Page
from telecine_emulator.tasks.task import STATUSES, Task

from .errors import ApiError, error_body
from .strict_json import parse_json
from .validation import without_nulls
from .wire import without_timestamps

BASE = "/api/v3"
PATH = f"{BASE}/contents/generations/tasks"
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_PAGE_SIZE = 500
MAX_NUMBER_DIGITS = 9
"""Digits. Python raises ValueError for numbers with thousands of them."""
KEPT_HEADERS = ("user-agent", "content-type", "x-client-request-id", "idempotency-key", "traceparent")

Handler = Callable[[Emulator, Request], Awaitable[Response]]


def routes() -> list[Route]:
    """As at Ark, a POST below a task, such as `…/cancel`, is a create request."""
    return [
        Route(PATH, _api(create), methods=["POST"]),
        Route(PATH, _api(list_tasks), methods=["GET"]),
        Route(f"{PATH}/{{id}}", _api(get), methods=["GET"]),
        Route(f"{PATH}/{{id}}", _api(delete), methods=["DELETE"]),
        Route(f"{PATH}/{{rest:path}}", _api(create), methods=["POST"]),
    ]


async def create(emulator: Emulator, request: Request) -> Response:
    asked = creation.Request(None, kept_headers(request), base_url(request))
    try:
        _authenticate(emulator, request)
        body = without_nulls(await _json(request))
    except ApiError as error:
        # The journal contains all create requests, also those that fail before their validation.
        creation.write_journal_entry(emulator, asked, f"refused:{error.code}")
        raise
    accepted = creation.create(emulator, creation.Request(body, asked.headers, asked.base_url))
    answer = {"id": accepted.task.id, "safety_identifier": accepted.task.spec.safety_identifier}
    good = JSONResponse(without_nulls(answer))
    match accepted.fault:
        case None:
            return good
        case fault if fault.name == "drop_after_accept":
            return EmptyReply()
        case fault if fault.name == "error_after_accept":
            raise error_of_fault(
                fault, "InternalServiceError", "The service met an unexpected internal error"
            )
        case fault if fault.name == "slow_accept":
            await asyncio.sleep(fault.seconds(5))
            return good
        case fault:
            return _garbage(fault.value)


async def get(emulator: Emulator, request: Request) -> Response:
    _authenticate(emulator, request)
    task = _known(emulator, request)
    _refuse_by_fault(emulator, "get", task.spec.prompt)
    if fault := emulator.faults.take("garbage_body", task.spec.prompt, matches_route("get", "get")):
        return _garbage(fault.value)
    return JSONResponse(_shown(emulator, task, request))


async def list_tasks(emulator: Emulator, request: Request) -> Response:
    _authenticate(emulator, request)
    _refuse_by_fault(emulator, "list", "")
    if fault := emulator.faults.take("garbage_body", "", matches_route("list", "list")):
        return _garbage(fault.value)
    total, found = emulator.store.page(_page(request), emulator.clock.now())
    items = [_shown(emulator, task, request) for task in found]
    no_slice = not items and emulator.faults.take("null_items")
    return JSONResponse({"total": total, "items": None if no_slice else items})


async def delete(emulator: Emulator, request: Request) -> Response:
    _authenticate(emulator, request)
    outcome = "deleted"
    try:
        task = _known(emulator, request)
        _refuse_by_fault(emulator, "delete", task.spec.prompt)
        gone = tasks.delete(task, emulator.clock.now())
        emulator.store.save(gone)
    except ApiError as error:
        outcome = f"refused:{error.code}"
        raise
    finally:
        entry = Entry(
            emulator.clock.now(), "delete", request.path_params["id"], outcome, None, kept_headers(request)
        )
        emulator.store.append_journal(entry)
    return JSONResponse({})


def base_url(request: Request) -> str:
    """The base address that the client used."""
    return str(request.base_url).rstrip("/")


def kept_headers(request: Request) -> dict[str, str]:
    """The headers for the journal; the API key is not among them."""
    return {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}


def _api(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Ark: every response has X-Request-Id, and all errors have the same form."""

    async def handle(request: Request) -> Response:
        emulator: Emulator = request.app.state.emulator
        request_id = emulator.new_request_id()
        try:
            response = await handler(emulator, request)
        except ApiError as error:
            response = JSONResponse(error_body(error, request_id), error.status)
        response.headers["X-Request-Id"] = request_id
        return response

    return handle


def _authenticate(emulator: Emulator, request: Request) -> None:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    keys = emulator.settings.api_keys
    known = any(secrets.compare_digest(key.encode(), one.encode()) for one in keys) if keys else bool(key)
    if kind.lower() != "bearer" or not known:
        raise ApiError("AuthenticationError", "The API key in the request is missing or invalid")


async def _json(request: Request) -> Any:
    # Checked before the body is read, so that a huge one is never in memory.
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise ApiError("InvalidParameter", "The request's body is larger than 64 MB", status=413)
    raw = await request.body()
    try:
        return parse_json(raw) if raw else {}
    except ValueError:
        raise ApiError("InvalidParameter", "The request's body is not valid JSON") from None


def _known(emulator: Emulator, request: Request) -> Task:
    task = emulator.store.find(request.path_params["id"])
    if task is None or not tasks.visible(task, emulator.clock.now()):
        raise ApiError("NotFound.Task", "The specified task does not exist", param="id")
    return task


def _refuse_by_fault(emulator: Emulator, route: str, prompt: str) -> None:
    if fault := emulator.faults.take("rate_limit", prompt, matches_route(route, "create")):
        raise error_of_fault(fault, creation.RATE_LIMITED, "The requests come too fast")
    if fault := emulator.faults.take("refuse", prompt, matches_route(route, "create")):
        raise error_of_fault(fault, "InternalServiceError", "The request was refused")


def _shown(emulator: Emulator, task: Task, request: Request) -> dict[str, Any]:
    shown = emulator.show(task, base_url(request))
    if fault := emulator.faults.take("unknown_status", task.spec.prompt):
        shown["status"] = fault.value or "paused"
    if fault := emulator.faults.take("timeless", task.spec.prompt):
        own = emulator.settings.public_url or base_url(request)
        return without_timestamps(task, shown, fault.value or "", emulator.signed_urls, own)
    return shown


def _garbage(value: str | None) -> Response:
    """A 200 with an invalid body: an HTML page, truncated JSON, or JSON with wrong types."""
    match parse_error_target(value).word:
        case "json":
            return Response('{"id": "cgt-', media_type="application/json")
        case "types":
            wrong = {"id": 7, "status": ["running"], "error": "none", "total": "many", "items": {}}
            return JSONResponse({**wrong, "content": "https://", "usage": False, "created_at": {}})
        case _:
            return Response("<html><body>502 Bad Gateway</body></html>", media_type="text/html")


def _page(request: Request) -> Page:
    query = request.query_params
    status = query.get("filter.status")
    if status is not None and status not in STATUSES:
        raise ApiError("InvalidParameter", "filter.status is not a status", param="filter.status")
    tier = query.get("filter.service_tier", "default")
    if tier not in ("default", "flex"):
        raise ApiError("InvalidParameter", "filter.service_tier is not a tier", param="filter.service_tier")
    return Page(
        number=_number(request, "page_num", 1),
        size=_number(request, "page_size", 20),
        ids=query.getlist("filter.task_ids"),
        status=status,
        model=query.get("filter.model"),
        tier=tier,
    )


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    known = text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_DIGITS
    if not known or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise ApiError("InvalidParameter", f"{name} must be from 1 to {MAX_PAGE_SIZE}", param=name)
    return int(text)
