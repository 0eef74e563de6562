"""`/docs`, `/events` and the AsyncAPI document, created at the first request."""

from functools import cache

from fastapi import APIRouter, Response

from telecine_contracts import EVENTS
from telecine_contracts.asyncapi import document
from telecine_gateway.http.errors import json_response

from .openapi import Api

__all__ = ["router"]


def router(api: Api) -> APIRouter:
    """Pages that need no key and load nothing."""
    routes = APIRouter(include_in_schema=False)

    # The pages are imported when they are created: Jinja and its templates take 2 MB.
    @cache
    def routes_html() -> str:
        from .pages import routes_page

        return routes_page(api.openapi())

    @cache
    def events_html() -> str:
        from .pages import events_page

        return events_page(EVENTS)

    @routes.get("/docs")
    async def docs() -> Response:
        return _page(routes_html())

    @routes.get("/events")
    async def events() -> Response:
        return _page(events_html())

    @routes.get("/events/asyncapi.json")
    async def asyncapi() -> Response:
        return json_response(200, document())

    return routes


def _page(html: str) -> Response:
    from .pages import CONTENT_SECURITY_POLICY

    return Response(
        html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY}, media_type="text/html"
    )
