"""What became of generations: status, history, the record with its events; and stopping them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from telecine_chassis.telemetry.tracing import here
from telecine_contracts.timestamps import InvalidTimestamp, parse_date_or_timestamp
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth
from telecine_gateway.documentation.openapi import REQUIRED, linked, needs
from telecine_gateway.documentation.responses import described, failures
from telecine_gateway.domain import UnknownGeneration
from telecine_gateway.http.errors import ApiError, NotFound, answer
from telecine_gateway.http.pagination import Cursors
from telecine_gateway.http.parameters import CURSOR_SCHEMA, TIMESTAMP_SCHEMA, generation_id, place
from telecine_gateway.read_model.queries import Filters, Queries

from .cancellation import Cancellation, Cancellations, Said
from .reader import Generations, State, Status
from .schemas import CancelBody, History, RecordWithEvents, StatusBody
from .serializers import Views, event_view
from .submission import Requester

__all__ = ["history_router", "record_router", "status_router"]

_GOES_ON = linked(("history", {"cursor": "$response.body#/nextCursor"}))
Clock = Callable[[], datetime]
_NEEDED: dict[str, Any] = {REQUIRED: True, "minLength": 1}
_HISTORY_ID = "The `id` of the answer to generate"
_TASK_ID = "The `taskId` of that answer, or the provider's own id"


def status_router(auth: Auth, generations: Generations, views: Views, clock: Clock) -> APIRouter:
    """The route that front ends poll."""
    routes = APIRouter(tags=["videos"])
    needed = auth.needing(Scope.GENERATE)

    @routes.get(
        "/api/video/status",
        summary="How far a generation is",
        responses={200: described(StatusBody, "The status"), **failures(400, 401, 403, 404, 503)},
        openapi_extra=needs(Scope.GENERATE),
        response_class=Response,
    )
    async def status(
        requester: Annotated[Requester, Depends(needed)],
        task_id: Annotated[str, Query(alias="taskId", json_schema_extra=_NEEDED, description=_TASK_ID)] = "",
        history_id: Annotated[
            str, Query(alias="historyId", json_schema_extra=_NEEDED, description=_HISTORY_ID)
        ] = "",
    ) -> Response:
        if not task_id or not history_id:
            raise ApiError(400, {"error": "taskId and historyId are required"})
        state = await generations.state(requester.account, generation_id(history_id))
        if state is None or (task_id.lower() != state.row.id and task_id != state.row.provider_task_id):
            raise NotFound
        return answer(200, views.status(state, clock()))

    return routes


def history_router(
    auth: Auth,
    queries: Queries,
    fresh: Callable[[str], Awaitable[None]],
    views: Views,
    cursors: Cursors,
    clock: Clock,
) -> APIRouter:
    """The route that lists an account's generations."""
    routes = APIRouter(tags=["videos"])
    needed = auth.needing(Scope.GENERATE)

    @routes.get(
        "/api/video/history",
        summary="An account's generations, newest first",
        responses={200: described(History, "A page") | _GOES_ON, **failures(400, 401, 403, 503)},
        openapi_extra=needs(Scope.GENERATE),
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
        filters = Filters(
            limit=limit,
            before=place(cursors, "history", requester.account, page),
            status=status,
            kind=kind,
            since=_time("from", since),
            until=_time("to", until),
        )
        await fresh(requester.account)
        found = await queries.history(requester.account, filters)
        now, shown, next_cursor = clock(), found[:limit], None
        if len(found) > limit:
            next_cursor = cursors.cursor("history", requester.account, shown[-1][0].requested_sequence)
        return answer(
            200,
            {
                "items": [views.record(State(row, charge), now) for row, charge in shown],
                "nextCursor": next_cursor,
            },
        )

    return routes


def record_router(
    auth: Auth, generations: Generations, cancellations: Cancellations, views: Views, clock: Clock
) -> APIRouter:
    """The routes of one generation."""
    routes = APIRouter(tags=["videos"])
    needed = auth.needing(Scope.GENERATE)

    @routes.get(
        "/api/video/{id}",
        summary="A generation and everything that happened to it",
        responses={200: described(RecordWithEvents, "The record"), **failures(400, 401, 403, 404, 503)},
        openapi_extra=needs(Scope.GENERATE),
        response_class=Response,
    )
    async def record(
        requester: Annotated[Requester, Depends(needed)],
        id: Annotated[str, Path(description="Generation id")],
    ) -> Response:
        generation = generation_id(id)
        state = await generations.state(requester.account, generation)
        if state is None:
            raise NotFound
        events = await generations.timeline(requester.account, generation)
        return answer(200, views.record(state, clock()) | {"events": [event_view(event) for event in events]})

    @routes.post(
        "/api/video/{id}/cancel",
        summary="Stop a generation, if it can be stopped",
        responses={
            200: described(CancelBody, "Cancelled; the credits are given back"),
            202: described(
                CancelBody,
                "Asked for; the provider is at work on it, or it is not known yet: it may well go on",
            ),
            409: described(CancelBody, "It has already finished"),
            **failures(400, 401, 403, 404, 503),
        },
        openapi_extra=needs(Scope.GENERATE),
        response_class=Response,
    )
    async def cancel(
        requester: Annotated[Requester, Depends(needed)],
        id: Annotated[str, Path(description="Generation id")],
    ) -> Response:
        generation = generation_id(id)
        try:
            done = await cancellations.cancel(requester.account, generation, here())
        except UnknownGeneration:
            raise NotFound from None
        return _cancelled(generation, done)

    return routes


def _cancelled(generation: str, done: Cancellation) -> Response:
    body = {"id": generation, "status": done.status, "cancel": done.said.value}
    match done.said:
        case Said.CANCELLED:
            return answer(200, body)
        case Said.REQUESTED if done.declined:
            text = "The generation is still running at the provider, which can't stop it; it goes on"
            return answer(202, body | {"message": text})
        case Said.REQUESTED:
            text = "Asked for. Whether it can still be stopped is not known yet; ask again to learn what came of it"
            return answer(202, body | {"message": text})
        case Said.ALREADY_FINISHED if done.status == "processing":
            return answer(409, body | {"error": "The video is made already and is being stored"})
        case _:
            return answer(409, body | {"error": "The generation has already finished"})


def _time(name: str, text: str | None) -> datetime | None:
    """A date or time; without a zone it is UTC. Raises ApiError 400."""
    try:
        return parse_date_or_timestamp(text) if text is not None else None
    except InvalidTimestamp as error:
        raise ApiError.bad(name, str(error)) from None
