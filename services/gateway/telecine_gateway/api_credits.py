"""`GET /api/credits`: what an account has, and how it came to that."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from .answers import Credits
from .auth import Auth
from .cursor import cursor
from .errors import answer
from .examples import described, failures
from .parameters import place
from .queries import Queries
from .submission import Requester
from .views import entry_view

__all__ = ["router"]


def router(auth: Auth, queries: Queries, fresh: Callable[[str], Awaitable[None]]) -> APIRouter:
    """The route of an account's credits."""
    routes = APIRouter(tags=["credits"])

    @routes.get(
        "/api/credits",
        summary="Balance and statement",
        responses={
            200: described(Credits, "The balance, and a page of the statement"),
            **failures(400, 401, 503),
        },
        response_class=Response,
    )
    async def credits(
        requester: Annotated[Requester, Depends(auth)],
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        page: Annotated[
            str | None, Query(alias="cursor", description="nextCursor of the page before")
        ] = None,
    ) -> Response:
        await fresh(requester.account)
        statement = await queries.statement(requester.account, limit, place("credits", page))
        shown = statement.entries[:limit]
        more = len(statement.entries) > limit
        items = [entry_view(entry) for entry in shown]
        next_cursor = cursor("credits", shown[-1].entry) if more else None
        return answer(
            200,
            {
                "available": statement.available,
                "held": statement.held,
                "statement": {"items": items, "nextCursor": next_cursor},
            },
        )

    return routes
