"""`/docs`, `/events` and the AsyncAPI document, created at the first request."""

from functools import cache

from fastapi import APIRouter, Response

from telecine_contracts import EVENTS
from telecine_contracts.asyncapi import document
from telecine_gateway.http.errors import json_response

from .openapi import Api
from .pages import CONTENT_SECURITY_POLICY, events_page, routes_page

__all__ = ["router"]

_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}


def router(api: Api) -> APIRouter:
    """Pages that need no key and load nothing."""
    routes = APIRouter(include_in_schema=False)

    @cache
    def routes_html() -> str:
        return routes_page(api.openapi())

    @cache
    def events_html() -> str:
        return events_page(EVENTS)

    @routes.get("/docs")
    async def docs() -> Response:
        return Response(routes_html(), headers=_HEADERS, media_type="text/html")

    @routes.get("/events")
    async def events() -> Response:
        return Response(events_html(), headers=_HEADERS, media_type="text/html")

    @routes.get("/events/asyncapi.json")
    async def asyncapi() -> Response:
        return json_response(200, document())

    return routes
