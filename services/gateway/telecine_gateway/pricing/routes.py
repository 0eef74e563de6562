"""`GET /api/pricing`: the price table, the models, and a quote."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from telecine_contracts.pricing import PriceTable
from telecine_contracts.video_models import MODELS, RESOLUTIONS
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import SCHEMA
from telecine_gateway.http.errors import json_response
from telecine_gateway.videos.request_rules import RequestRules
from telecine_gateway.videos.schemas import GenerateBody

from .schemas import ModelBody, PriceBody, Pricing, Quote

__all__ = ["router"]


_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_SECONDS: dict[str, Any] = {SCHEMA: {"type": "integer", "minimum": 1, "maximum": 60}}


def router(prices: PriceTable, rules: RequestRules) -> APIRouter:
    """The price list is public: it needs no key."""
    routes = APIRouter(tags=["credits"])

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
        sent = {"resolution": resolution, "duration": _number(duration), "model": model}
        return json_response(200, _pricing(prices, rules, _quote(sent, prices, rules)))

    return routes


def _number(text: str | None) -> Any:
    """The number in a query parameter; other texts stay texts, which validation refuses as in a body."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else text


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return {SCHEMA: {"type": "string", "enum": list(names)}}


def _pricing(prices: PriceTable, rules: RequestRules, quote: Quote) -> Pricing:
    long = prices.long_after + 1
    return Pricing(
        version=prices.version,
        long_after=prices.long_after,
        prices=[
            PriceBody(
                resolution=name, short=prices.quote(name, 1).credits, long=prices.quote(name, long).credits
            )
            for name in prices.resolutions
        ],
        default_model=rules.default_model,
        models=[_model(name) for name in rules.models],
        quote=quote,
    )


def _model(name: str) -> ModelBody:
    model = MODELS[name]
    return ModelBody(
        name=name,
        durations=model.durations,
        resolutions=list(model.resolutions),
        last_frame=model.last_frame,
        camera_fixed=model.camera_fixed,
    )


def _quote(sent: dict[str, Any], prices: PriceTable, rules: RequestRules) -> Quote:
    parameters = GenerateBody.parse({"prompt": "a quote"} | sent, rules).parameters
    return Quote(
        credits=prices.quote(parameters.resolution, parameters.duration).credits,
        model=parameters.model,
        resolution=parameters.resolution,
        duration=parameters.duration,
    )
