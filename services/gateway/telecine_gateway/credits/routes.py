"""`GET /api/credits`: what an account has, and how it came to that."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from telecine_contracts.timestamps import format_timestamp
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.admin.serializers import limits_view
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.http.errors import json_response
from telecine_gateway.http.pagination import CURSOR_SCHEMA, CursorCodec, decode_cursor
from telecine_gateway.read_model.account_queries import AccountQueries, AccountState
from telecine_gateway.read_model.queries import Queries
from telecine_gateway.videos.serializers import serialize_entry

from .schemas import Credits

__all__ = ["router"]


def router(
    auth: Auth,
    queries: Queries,
    accounts: AccountQueries,
    fresh: Callable[[str], Awaitable[None]],
    cursors: CursorCodec,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The route of an account's credits, for any key of it."""
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
        standing = await accounts.state(requester.account, clock())
        found = await queries.entry_page(requester.account, limit, before)
        shown = found.entries[:limit]
        items = [serialize_entry(entry) for entry in shown]
        next_cursor = None
        if len(found.entries) > limit:
            next_cursor = cursors.encode("credits", requester.account, shown[-1].entry)
        return json_response(
            200,
            {
                "available": found.available,
                "held": found.held,
                **_standing(standing, requester),
                "statement": {"items": items, "nextCursor": next_cursor},
            },
        )

    return routes


def _standing(standing: AccountState | None, requester: Requester) -> dict[str, Any]:
    limits = standing.limits if standing else {}
    expiry = standing.next_expiry if standing else None
    return {
        "isClosed": standing.balance.closed if standing else False,
        "limits": {
            "account": limits_view(limits.get("")),
            "apiKey": limits_view(limits.get(requester.key_id)),
        },
        "nextExpiry": {"at": format_timestamp(expiry.at), "amount": expiry.amount} if expiry else None,
    }
