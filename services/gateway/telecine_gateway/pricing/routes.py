"""`GET /api/pricing`: what a video costs, before anything is asked for."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from telecine_contracts.pricing import PriceTable
from telecine_contracts.video_models import MODELS, RESOLUTIONS
from telecine_gateway.documentation.json_schema import SCHEMA
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.http.errors import json_response
from telecine_gateway.videos.request_parser import RequestRules, parse_request
from telecine_gateway.videos.schemas import Pricing

__all__ = ["router"]


_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_SECONDS: dict[str, Any] = {SCHEMA: {"type": "integer", "minimum": 1, "maximum": 60}}


def router(prices: PriceTable, rules: RequestRules) -> APIRouter:
    """The price list is public: it needs no key."""
    routes = APIRouter(tags=["credits"])
    table = _table(prices, rules)

    @routes.get(
        "/api/pricing",
        summary="The price table, the models, and a quote",
        responses={200: success_response(Pricing, "The prices in force"), **failure_responses(400)},
        response_class=Response,
    )
    async def pricing(
        resolution: Annotated[
            str | None, Query(json_schema_extra=_one_of(RESOLUTIONS), description="720p if absent")
        ] = None,
        duration: Annotated[
            str | None, Query(json_schema_extra=_SECONDS, description="Seconds; 5 if absent")
        ] = None,
        model: Annotated[
            str | None,
            Query(json_schema_extra=_one_of(rules.models), description="The default model if absent"),
        ] = None,
    ) -> Response:
        asked = {"resolution": resolution, "duration": _number(duration), "model": model}
        return json_response(200, table | {"quote": _quote(asked, prices, rules)})

    return routes


def _number(text: str | None) -> Any:
    """A query holds text where a body holds a number; what is none is refused as such later."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else text


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return {SCHEMA: {"type": "string", "enum": list(names)}}


def _quote(asked: dict[str, Any], prices: PriceTable, rules: RequestRules) -> dict[str, Any]:
    parameters = parse_request({"prompt": "a quote"} | asked, rules).parameters
    price = prices.quote(parameters.resolution, parameters.duration)
    return {
        "credits": price.credits,
        "model": parameters.model,
        "resolution": parameters.resolution,
        "duration": parameters.duration,
    }


def _table(prices: PriceTable, rules: RequestRules) -> dict[str, Any]:
    long = prices.long_after + 1
    return {
        "version": prices.version,
        "longAfter": prices.long_after,
        "prices": [
            {
                "resolution": name,
                "short": prices.quote(name, 1).credits,
                "long": prices.quote(name, long).credits,
            }
            for name in prices.resolutions
        ],
        "defaultModel": rules.default_model,
        "models": [
            {
                "name": name,
                "durations": list(MODELS[name].durations),
                "resolutions": list(MODELS[name].resolutions),
                "lastFrame": MODELS[name].last_frame,
                "cameraFixed": MODELS[name].camera_fixed,
            }
            for name in rules.models
        ],
    }
