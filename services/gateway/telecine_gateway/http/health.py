"""`/healthz` and `/readyz`, for supervisors and load balancers."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Response

from telecine_gateway.documentation.responses import success_response

from .errors import json_response
from .schemas import ErrorCode, ResponseBody

__all__ = ["router"]


class Health(ResponseBody):
    """ok, or unavailable with what is missing."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"status": "ok"}

    status: Literal["ok", "unavailable"]
    error: str | None = None
    code: Literal[ErrorCode.UNAVAILABLE] | None = None


def router(ready: Callable[[], Awaitable[str | None]]) -> APIRouter:
    """`ready` says what is missing, or None."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/healthz",
        summary="The process runs",
        responses={200: success_response(Health, "It does")},
        response_class=Response,
    )
    async def healthz() -> Response:
        return json_response(200, Health(status="ok"))

    @routes.get(
        "/readyz",
        summary="Every part works: a JetStream call succeeds, the projections have caught up",
        responses={
            200: success_response(Health, "They do"),
            503: success_response(Health, "Something is missing"),
        },
        response_class=Response,
    )
    async def readyz() -> Response:
        problem = await ready()
        if problem:
            return json_response(503, Health(status="unavailable", error=problem, code=ErrorCode.UNAVAILABLE))
        return json_response(200, Health(status="ok"))

    return routes
