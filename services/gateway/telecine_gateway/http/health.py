"""`/healthz` and `/readyz`, for whatever watches over this process."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from telecine_gateway.documentation.responses import described
from telecine_gateway.videos.schemas import Health

from .errors import answer

__all__ = ["router"]


def router(ready: Callable[[], Awaitable[str | None]]) -> APIRouter:
    """`ready` says what is missing, or None."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/healthz",
        summary="The process runs",
        responses={200: described(Health, "It does")},
        response_class=Response,
    )
    async def healthz() -> Response:
        return answer(200, {"status": "ok"})

    @routes.get(
        "/readyz",
        summary="Every part works: a JetStream call succeeds, the projections have caught up",
        responses={200: described(Health, "They do"), 503: described(Health, "Something is missing")},
        response_class=Response,
    )
    async def readyz() -> Response:
        problem = await ready()
        if problem:
            return answer(503, {"status": "unavailable", "error": problem})
        return answer(200, {"status": "ok"})

    return routes
