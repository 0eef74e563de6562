"""`GET /api/credits`: an account's balance, limits and newest entries."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.http.errors import json_response
from telecine_gateway.http.pagination import CURSOR_SCHEMA, CursorCodec, decode_cursor
from telecine_gateway.read_model.account_queries import AccountQueries
from telecine_gateway.read_model.statement_queries import StatementQueries

from .schemas import Credits

__all__ = ["router"]


def router(
    auth: Auth,
    statements: StatementQueries,
    accounts: AccountQueries,
    fresh: Callable[[str], Awaitable[None]],
    cursors: CursorCodec,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The route; any key sees its own account."""
    routes = APIRouter(tags=["credits"])

    @routes.get(
        "/api/credits",
        summary="Balance, limits, and the newest entries",
        responses={
            200: success_response(Credits, "The balance, and a page of entries"),
            **failure_responses(400, 401, 503),
        },
        response_class=Response,
    )
    async def credits(
        requester: Annotated[Requester, Depends(auth)],
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        page: Annotated[
            str | None,
            Query(
                alias="cursor", json_schema_extra=CURSOR_SCHEMA, description="nextCursor of the page before"
            ),
        ] = None,
    ) -> Response:
        before = decode_cursor(cursors, "credits", requester.account, page)
        await fresh(requester.account)
        state = await accounts.state(requester.account, clock())
        found = await statements.newest(requester.account, limit, before)
        next_cursor = None
        if found.more:
            next_cursor = cursors.encode("credits", requester.account, found.entries[-1].entry)
        return json_response(200, Credits.of_account(state, requester.key_id, found, next_cursor))

    return routes
