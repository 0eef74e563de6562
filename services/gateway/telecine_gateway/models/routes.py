"""`GET /api/models`: what each model takes, and what it costs."""

from fastapi import APIRouter, Response

from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.http.errors import json_response
from telecine_gateway.pricing.current_prices import CurrentPrices
from telecine_gateway.videos.request_rules import RequestRules

from .schemas import ModelList
from .serializers import list_models

__all__ = ["router"]


def router(prices: CurrentPrices, rules: RequestRules) -> APIRouter:
    """The list is public: it needs no key."""
    routes = APIRouter(tags=["videos"])
    made: dict[str, ModelList] = {}

    @routes.get(
        "/api/models",
        summary="The models: what each takes, and what it costs",
        responses={200: success_response(ModelList, "The models on offer"), **failure_responses(503)},
        response_class=Response,
    )
    async def models() -> Response:
        table = (await prices.in_force()).table
        # Hundreds of prices: computed once for each table, which never changes.
        if table.version not in made:
            made.clear()
            made[table.version] = list_models(rules, table)
        return json_response(200, made[table.version])

    return routes
