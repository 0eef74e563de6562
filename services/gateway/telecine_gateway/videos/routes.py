"""Status, history, record and cancel of generations."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from telecine_chassis.telemetry.tracing import current_traceparent
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import REQUIRED_TEXT, response_links
from telecine_gateway.domain import Status, UnknownGeneration
from telecine_gateway.http.errors import ApiError, NotFound, json_response
from telecine_gateway.http.pagination import CURSOR_SCHEMA, CursorCodec, decode_cursor
from telecine_gateway.http.parameters import TIMESTAMP_SCHEMA, parse_generation_id, parse_time_parameter
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.read_model.queries import HistoryFilters, Queries

from .cancellation import Cancellation, Cancellations, CancelResult
from .queue_positions import QueuePositions
from .reader import GenerationReader, GenerationState
from .schemas import CancelBody, History, RecordWithEvents, StatusBody
from .serializers import VideoSerializer

__all__ = ["history_router", "record_router", "status_router"]

_LINKS = response_links(("history", {"cursor": "$response.body#/nextCursor"}))
RUNNING = "The generation is still running at the provider, which can't stop it; it goes on"
REQUESTED = "Requested. Whether it can still be stopped is not known yet; ask again to learn the outcome"
STORING = "The video is made already and is being stored"
FINISHED = "The generation has already finished"
Clock = Callable[[], datetime]
_HISTORY_ID = "The `id` of the answer to generate"
_TASK_ID = "The `taskId` of that answer, or the provider's own id"


def status_router(
    auth: Auth,
    generations: GenerationReader,
    positions: QueuePositions,
    views: VideoSerializer,
    clock: Clock,
) -> APIRouter:
    """The status route, which front ends poll."""
    routes = APIRouter(tags=["videos"])
    needed = auth.require_scope(Scope.GENERATE)

    @routes.get(
        "/api/video/status",
        summary="How far a generation is",
        responses={
            200: success_response(StatusBody, "The status"),
            **failure_responses(400, 401, 403, 404, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE),
        response_class=Response,
    )
    async def status(
        requester: Annotated[Requester, Depends(needed)],
        task_id: Annotated[
            str, Query(alias="taskId", json_schema_extra=REQUIRED_TEXT, description=_TASK_ID)
        ] = "",
        history_id: Annotated[
            str, Query(alias="historyId", json_schema_extra=REQUIRED_TEXT, description=_HISTORY_ID)
        ] = "",
    ) -> Response:
        if not task_id or not history_id:
            raise ApiError(400, ErrorCode.INVALID, "taskId and historyId are required")
        state = await generations.state(requester.account, parse_generation_id(history_id))
        if state is None or (task_id.lower() != state.row.id and task_id != state.row.provider_task_id):
            raise NotFound
        return json_response(200, views.status(state, clock(), await positions.of(state)))

    return routes


def history_router(
    auth: Auth,
    queries: Queries,
    wait_until_current: Callable[[str], Awaitable[None]],
    views: VideoSerializer,
    cursors: CursorCodec,
    clock: Clock,
) -> APIRouter:
    """The history route."""
    routes = APIRouter(tags=["videos"])
    needed = auth.require_scope(Scope.GENERATE)

    @routes.get(
        "/api/video/history",
        summary="An account's generations, newest first",
        responses={
            200: success_response(History, "A page") | _LINKS,
            **failure_responses(400, 401, 403, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE),
        response_class=Response,
    )
    async def history(
        requester: Annotated[Requester, Depends(needed)],
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        page: Annotated[
            str | None,
            Query(
                alias="cursor", json_schema_extra=CURSOR_SCHEMA, description="nextCursor of the page before"
            ),
        ] = None,
        status: Annotated[Status | None, Query()] = None,
        kind: Annotated[Literal["text-to-video", "image-to-video"] | None, Query()] = None,
        type: Annotated[Literal["video"] | None, Query()] = None,
        since: Annotated[
            str | None,
            Query(alias="from", json_schema_extra=TIMESTAMP_SCHEMA, description="Requested then or later"),
        ] = None,
        until: Annotated[
            str | None,
            Query(alias="to", json_schema_extra=TIMESTAMP_SCHEMA, description="Requested before then"),
        ] = None,
    ) -> Response:
        filters = HistoryFilters(
            limit=limit,
            before=decode_cursor(cursors, "history", requester.account, page),
            status=status,
            kind=kind,
            since=parse_time_parameter("from", since),
            until=parse_time_parameter("to", until),
        )
        await wait_until_current(requester.account)
        found = await queries.history(requester.account, filters)
        now, shown, next_cursor = clock(), found[:limit], None
        if len(found) > limit:
            next_cursor = cursors.encode("history", requester.account, shown[-1][0].requested_sequence)
        items = [views.record(GenerationState(row, charge), now) for row, charge in shown]
        return json_response(200, History(items=items, next_cursor=next_cursor))

    return routes


def record_router(
    auth: Auth,
    generations: GenerationReader,
    cancellations: Cancellations,
    positions: QueuePositions,
    views: VideoSerializer,
    clock: Clock,
) -> APIRouter:
    """The record and cancel routes."""
    routes = APIRouter(tags=["videos"])
    needed = auth.require_scope(Scope.GENERATE)

    @routes.get(
        "/api/video/{id}",
        summary="A generation and everything that happened to it",
        responses={
            200: success_response(RecordWithEvents, "The record"),
            **failure_responses(400, 401, 403, 404, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE),
        response_class=Response,
    )
    async def record(
        requester: Annotated[Requester, Depends(needed)],
        id: Annotated[str, Path(description="Generation id")],
    ) -> Response:
        generation = parse_generation_id(id)
        state = await generations.state(requester.account, generation)
        if state is None:
            raise NotFound
        events = await generations.timeline(requester.account, generation)
        position = await positions.of(state)
        return json_response(200, views.record_with_events(state, events, clock(), position))

    @routes.post(
        "/api/video/{id}/cancel",
        summary="Stop a generation, if it can be stopped",
        responses={
            200: success_response(CancelBody, "Cancelled; the credits are refunded"),
            202: success_response(
                CancelBody,
                "Requested; the provider has started, or the outcome is not known yet: the generation may go on",
            ),
            409: success_response(CancelBody, "It has already finished"),
            **failure_responses(400, 401, 403, 404, 503),
        },
        openapi_extra=scope_requirement(Scope.GENERATE),
        response_class=Response,
    )
    async def cancel(
        requester: Annotated[Requester, Depends(needed)],
        id: Annotated[str, Path(description="Generation id")],
    ) -> Response:
        generation = parse_generation_id(id)
        try:
            done = await cancellations.cancel(requester.account, generation, current_traceparent())
        except UnknownGeneration:
            raise NotFound from None
        return _cancelled(generation, done)

    return routes


def _cancelled(generation: str, done: Cancellation) -> Response:
    fields = {"id": generation, "status": done.status, "cancel": done.result.value}
    match done.result:
        case CancelResult.CANCELLED:
            return json_response(200, CancelBody(**fields))
        case CancelResult.REQUESTED:
            return json_response(202, CancelBody(**fields, message=RUNNING if done.declined else REQUESTED))
        case CancelResult.ALREADY_FINISHED:
            error = STORING if done.status == "processing" else FINISHED
            return json_response(409, CancelBody(**fields, error=error, code=ErrorCode.GENERATION_ENDED))
