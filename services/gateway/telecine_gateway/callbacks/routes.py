"""The provider's callbacks: each is only a hint to poll a task now. Its content is not trusted."""

import json
import re
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic_core import from_json

from telecine_chassis.callback_tokens import is_callback_token
from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.telemetry.tracing import bind_context
from telecine_chassis.timers.port import Timer, Timers
from telecine_gateway.http.errors import NotFound
from telecine_gateway.http.parameters import parse_generation_id
from telecine_gateway.http.request_body import read_body

from .schemas import PollHint

__all__ = ["router"]

log = structlog.get_logger(__name__)
WAKE = "wake"
"""The generation service's timer that makes it poll a task."""
QUEUED = "queued"
"""The status of a task that was just accepted: polling it now would tell nothing."""
_TASK = re.compile(r"[A-Za-z0-9_-]{1,128}")


def router(secret: str, timers: Timers, *, max_body: int) -> APIRouter:
    """`timers` are the generation service's. The route is not in the OpenAPI document: it is not for clients."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/callbacks/provider/{account}/{generation}/{token}")
    async def callback(request: Request, account: str, generation: str, token: str) -> Response:
        generation = parse_generation_id(generation)
        if not is_callback_token(secret, account, generation, token):
            raise NotFound
        bind_context(account=account, generation=generation)
        told = _read(await read_body(request, max_body))
        if told.get("status") == QUEUED:
            return Response(status_code=204)
        try:
            await timers.fire(Timer(WAKE, (account, generation), _hint(told)))
        except Unavailable:
            # The provider retries twice, and the timer that is set anyway fires without a hint.
            log.warning("callback.not_passed_on", account=account, generation=generation)
            raise
        return Response(status_code=204)

    return routes


def _read(body: bytes) -> dict[str, Any]:
    """The object in the body; empty if there is none."""
    try:
        value: Any = from_json(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _hint(told: dict[str, Any]) -> bytes:
    """The provider's task id as JSON, if there is one; else nothing."""
    task = told.get("id")
    if not isinstance(task, str) or not _TASK.fullmatch(task):
        return b""
    return json.dumps(PollHint(provider_task_id=task).model_dump(by_alias=True)).encode()
