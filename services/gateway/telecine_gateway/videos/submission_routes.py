"""`POST /api/video/generate`: validates a request, records it, and answers with the outcome of its payment."""

import re
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from telecine_chassis.eventstore.port import AppendRejected, Unavailable
from telecine_chassis.telemetry.tracing import bind_context, current_traceparent
from telecine_contracts import derive_id
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import request_body
from telecine_gateway.domain import IdempotencyConflict
from telecine_gateway.http.errors import (
    RETRY_AFTER,
    ApiError,
    InvalidRequest,
    failure_body,
    json_response,
    mark_possibly_recorded,
)
from telecine_gateway.http.request_body import parse_json_object, read_body
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.pricing.request_prices import RequestPrices
from telecine_gateway.rate_limits.limiter import GenerationLimit

from .denials import denial_response
from .idempotency import IdempotentRequest
from .request.schemas import GenerateBody, generate_schema
from .request_rules import RequestRules
from .schemas import GENERATION_LINKS, Accepted, InsufficientCredits, Pending
from .submission import Submission, Submissions

__all__ = ["router"]

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MAX_DIGITS = 9
NOT_RECORDED = "The event store did not take the request; nothing was recorded or charged"
_RETRY_IS_SAFE = "Repeating it with the same Idempotency-Key is safe: it will never be charged twice."
_RETRY_WITH_KEY = (
    "Look for it under this id before you repeat it, and send an Idempotency-Key to make that safe."
)
_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "1 to 255 visible ASCII characters. The same key with the same body gives the same answer "
        "and is charged once, also after defaults or models have changed; with another body it is refused. Bodies are "
        "the same if they hold the same JSON members and values; a null counts as absent.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
        "example": "order-1042-clip-3",
    },
    {
        "name": "Cancel-After",
        "in": "header",
        "description": "The same as the field cancelAfter, in seconds.",
        "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,5}$"},
        "example": "600",
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "W3C trace context, carried into every event that follows.",
        "schema": {"type": "string"},
    },
]


def router(
    auth: Auth,
    submissions: Submissions,
    prices: RequestPrices,
    rules: RequestRules,
    limit: GenerationLimit,
    *,
    max_body: int,
) -> APIRouter:
    """The route that requests videos."""
    routes = APIRouter(tags=["videos"])
    needed = auth.require_scope(Scope.GENERATE)

    @routes.post(
        "/api/video/generate",
        summary="Request a video",
        responses={
            200: success_response(Accepted, "Paid for; the generation goes on") | GENERATION_LINKS,
            202: success_response(
                Pending, "Recorded, but not known in time whether it is paid for; see Location"
            ),
            402: success_response(
                InsufficientCredits, "The balance is too low, or a spend limit is reached; nothing was taken"
            ),
            **failure_responses(400, 401, 403, 408, 409, 413, 415, 422, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE)
        | request_body(GenerateBody, GenerateBody.EXAMPLES, schema=generate_schema(rules))
        | {"parameters": _PARAMETERS},
        response_class=Response,
    )
    async def generate(request: Request, requester: Annotated[Requester, Depends(needed)]) -> Response:
        key = idempotency_key(request)
        sent = IdempotentRequest(
            _with_cancel_after(parse_json_object(await read_body(request, max_body)), request)
        )
        generation = derive_id(requester.account, f"idempotency-key {key}") if key else str(uuid.uuid4())
        bind_context(generation=generation)
        advice = _RETRY_IS_SAFE if key else _RETRY_WITH_KEY
        mark_possibly_recorded(request, advice, id=generation, task_id=generation)
        try:
            submission = await _submit(request, requester, sent, generation, repeatable=key is not None)
        except IdempotencyConflict:
            text = "This Idempotency-Key was used for another request"
            raise ApiError(409, ErrorCode.IDEMPOTENCY_CONFLICT, text) from None
        except AppendRejected:
            raise ApiError(503, ErrorCode.UNAVAILABLE, NOT_RECORDED, {"Retry-After": RETRY_AFTER}) from None
        except Unavailable:
            body = failure_body(request.scope, ErrorCode.UNAVAILABLE, "The event store did not respond")
            return json_response(503, body, {"Retry-After": RETRY_AFTER})
        finally:
            limit.answered(generation)
        return _outcome(submission)

    async def _submit(
        request: Request, requester: Requester, sent: IdempotentRequest, generation: str, *, repeatable: bool
    ) -> Submission:
        try:
            video = GenerateBody.parse(sent.body, rules)
            price = await prices.price(requester.account, video)
            await limit.admit(request, requester.account, generation)
        except (InvalidRequest, ApiError):
            # The same request may have been accepted before: when a model was still offered, a quote was valid, or
            # the limit was not reached.
            earlier = await submissions.find_earlier(requester, sent, generation) if repeatable else None
            if earlier is None:
                raise
            return earlier
        return await submissions.submit(
            requester,
            sent,
            video,
            price,
            generation,
            traceparent=current_traceparent(),
            repeatable=repeatable,
        )

    return routes


def _with_cancel_after(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """The body with the header Cancel-After as its field. Raises ApiError 400 if the two differ."""
    text = request.headers.get("cancel-after")
    if text is None:
        return body
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else text
    field = GenerateBody.model_fields["cancel_after"].alias or ""
    if body.get(field) not in (None, seconds):
        raise ApiError.invalid_field("Cancel-After", f"must be the same as {field}, where both are there")
    return {**body, field: seconds}


def idempotency_key(request: Request) -> str | None:
    """The caller's key, or None. Raises ApiError 400."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise ApiError.invalid_field(
            "Idempotency-Key", "must be one value of 1 to 255 visible ASCII characters"
        )
    return keys[0]


def _outcome(submission: Submission) -> Response:
    charge, generation = submission.charge, submission.generation
    if charge is None:
        location = f"/api/video/status?taskId={generation}&historyId={generation}"
        return json_response(
            202, Pending(id=generation, task_id=generation, status="pending"), {"Location": location}
        )
    if charge.state != "denied":
        accepted = Accepted(
            id=generation, task_id=generation, status="processing", remaining_credits=charge.available
        )
        return json_response(200, accepted)
    return json_response(*denial_response(charge))
