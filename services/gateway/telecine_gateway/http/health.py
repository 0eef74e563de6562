"""`/healthz` and `/readyz`, for whatever watches over this process."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from telecine_gateway.documentation.responses import success_response
from telecine_gateway.videos.schemas import Health

from .errors import json_response
from .schemas import ErrorCode

__all__ = ["router"]


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
        return json_response(200, {"status": "ok"})

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
            return json_response(
                503, {"status": "unavailable", "error": problem, "code": ErrorCode.UNAVAILABLE}
            )
        return json_response(200, {"status": "ok"})

    return routes
