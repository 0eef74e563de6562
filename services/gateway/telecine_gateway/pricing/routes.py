"""`GET /api/pricing`: the price table in force, the models, and the price of a clip."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from telecine_contracts.price_catalog import PricesPublished
from telecine_contracts.pricing import Condition, NotSold, PricedInputs, PriceTable
from telecine_contracts.video_models import MODELS, RESOLUTIONS, VideoModel
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import SCHEMA
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import RequestRules

from .current_prices import CurrentPrices
from .schemas import FactorBody, ModelBody, NextTable, PriceBody, Pricing, Quote, RateBody

__all__ = ["router"]


_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_SECONDS: dict[str, Any] = {SCHEMA: {"type": "integer", "minimum": 1, "maximum": 60}}


def router(prices: CurrentPrices, rules: RequestRules) -> APIRouter:
    """The price list is public: it needs no key."""
    routes = APIRouter(tags=["credits"])

    @routes.get(
        "/api/pricing",
        summary="The price table, the models, and a quote",
        responses={200: success_response(Pricing, "The prices in force"), **failure_responses(400, 503)},
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
        published = await prices.in_force()
        following = (await prices.catalog()).after(prices.now())
        body = _pricing(published, rules, _quote(sent, published.table, rules), following)
        return json_response(200, body)

    return routes


def _number(text: str | None) -> Any:
    """The number in a query parameter; other texts stay texts, which validation refuses as in a body."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else text


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return {SCHEMA: {"type": "string", "enum": list(names)}}


def _pricing(
    published: PricesPublished, rules: RequestRules, quote: Quote, following: Sequence[PricesPublished]
) -> Pricing:
    table = published.table
    long_after = next((each.longer_than for each in table.factors if each.longer_than is not None), None)
    return Pricing(
        version=table.version,
        effective_from=published.effective_from,
        long_after=long_after,
        prices=list(_prices(table, MODELS[rules.default_model], long_after)),
        default_model=rules.default_model,
        models=[_model(name) for name in rules.models],
        rates=[
            RateBody(**_conditions(rate), per_clip=float(rate.per_clip), per_second=float(rate.per_second))
            for rate in table.rates
        ],
        factors=[FactorBody(**_conditions(each), factor=float(each.factor)) for each in table.factors],
        next=NextTable(version=following[0].table.version, effective_from=following[0].effective_from)
        if following
        else None,
        quote=quote,
    )


def _prices(table: PriceTable, model: VideoModel, long_after: int | None) -> Iterator[PriceBody]:
    shortest, longest = model.durations
    for resolution in model.resolutions:
        long = longest if long_after is None else min(long_after + 1, longest)
        try:
            short_price, long_price = (
                table.credits(PricedInputs(model=model.name, resolution=resolution, seconds=seconds))
                for seconds in (shortest, long)
            )
        except NotSold:
            continue
        yield PriceBody(resolution=resolution, short=short_price, long=long_price)


def _conditions(line: Condition) -> dict[str, Any]:
    return {name: getattr(line, name) for name in Condition.model_fields if getattr(line, name) is not None}


def _model(name: str) -> ModelBody:
    model = MODELS[name]
    return ModelBody(
        name=name,
        durations=model.durations,
        resolutions=list(model.resolutions),
        last_frame=model.last_frame,
        camera_fixed=model.camera_fixed,
    )


def _quote(sent: dict[str, Any], table: PriceTable, rules: RequestRules) -> Quote:
    parameters = GenerateBody.parse({"prompt": "a quote"} | sent, rules).parameters
    try:
        price = table.quote(parameters.priced_inputs())
    except NotSold as error:
        raise ApiError.invalid_field("resolution", f"is not sold: {error}") from None
    return Quote(
        credits=price.credits,
        model=parameters.model,
        resolution=parameters.resolution,
        duration=parameters.duration,
    )
