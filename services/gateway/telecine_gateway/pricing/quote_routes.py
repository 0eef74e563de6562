"""`POST /api/quotes`: what a request would cost, and a token that makes the price binding."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import request_body
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.http.request_body import parse_json_object, read_body
from telecine_gateway.videos.request.schemas import GenerateBody, generate_schema
from telecine_gateway.videos.request_rules import RequestRules

from .request_prices import RequestPrices
from .schemas import QuoteBody

__all__ = ["router"]

QUOTED_AGAIN = "must be left out: the answer has a new one"


def router(auth: Auth, prices: RequestPrices, rules: RequestRules, *, max_body: int) -> APIRouter:
    """The route that gives quotes."""
    routes = APIRouter(tags=["credits"])
    needed = auth.require_scope(Scope.GENERATE)

    @routes.post(
        "/api/quotes",
        summary="What a request would cost, binding for some minutes",
        responses={
            200: success_response(QuoteBody, "The price, and a token for the field quote of the request"),
            **failure_responses(400, 401, 403, 408, 413, 415, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE)
        | request_body(GenerateBody, GenerateBody.EXAMPLES, schema=_without_quote(generate_schema(rules))),
        response_class=Response,
    )
    async def quote(request: Request, requester: Annotated[Requester, Depends(needed)]) -> Response:
        video = GenerateBody.parse(parse_json_object(await read_body(request, max_body)), rules)
        if video.quote is not None:
            raise ApiError.invalid_field("quote", QUOTED_AGAIN)
        price, token, expires_at = await prices.offer(requester.account, video)
        inputs = video.model_dump(by_alias=True, exclude_none=True, exclude={"quote"})
        body = QuoteBody(
            credits=price.credits, table=price.table, inputs=inputs, quote=token, expires_at=expires_at
        )
        return json_response(200, body)

    return routes


def _without_quote(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: value for name, value in schema["properties"].items() if name != "quote"}
    return schema | {"properties": properties}
