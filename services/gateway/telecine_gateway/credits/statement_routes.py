"""`GET /api/credits/statement`: an account's statement as JSON pages, as CSV, and as a page to print."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester, check_scope
from telecine_gateway.admin.failures import REFUSALS
from telecine_gateway.documentation.responses import failure_responses
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.http.negotiation import preferred_media_type
from telecine_gateway.http.pagination import CURSOR_SCHEMA, UNKNOWN_CURSOR, CursorCodec, decode_cursor
from telecine_gateway.http.parameters import (
    ACCOUNT_SCHEMA,
    TIMESTAMP_SCHEMA,
    AccountNotFound,
    parse_account_name,
    parse_time_parameter,
)
from telecine_gateway.read_model.account_queries import AccountQueries
from telecine_gateway.read_model.entries import Period, Statement
from telecine_gateway.read_model.statement_queries import StatementPart, StatementQueries

from . import statement_csv
from .schemas import STATEMENT, StatementPage

__all__ = ["StatementDependencies", "router"]

Format = Literal["json", "csv", "html"]
_MEDIA_TYPES: dict[str, Format] = {"application/json": "json", "text/csv": "csv", "text/html": "html"}
_ADMIN_FAILURES = {status: REFUSALS[status] for status in (403, 404)}
DEFAULT_LIMIT = 100
"""Entries in a JSON page, unless the caller names another number."""
_FROM = "First day or time, e.g. 2026-11-01; without a zone it is UTC"
_TO = "Day or time before which the statement ends; absent: now"


@dataclass(frozen=True, slots=True)
class StatementDependencies:
    """What the route uses. `fresh` waits until the tables have an account's last entries."""

    statements: StatementQueries
    accounts: AccountQueries
    fresh: Callable[[str], Awaitable[None]]
    cursors: CursorCodec
    clock: Callable[[], datetime]

    async def resolve_account(self, requester: Requester, account: str | None) -> str:
        """The account that the caller may see, once the tables have its last entries. Raises ApiError."""
        if account is None or account == requester.account:
            await self.fresh(requester.account)
            return requester.account
        check_scope(requester, Scope.ADMIN)
        name = parse_account_name(account)
        await self.fresh(name)
        if await self.accounts.state(name, self.clock()) is None:
            raise AccountNotFound(name)
        return name


def router(auth: Auth, dependencies: StatementDependencies) -> APIRouter:
    """The route; any key sees its own account."""
    routes = APIRouter(tags=["credits"])

    @routes.get(
        "/api/credits/statement",
        summary="Opening balance, every entry, closing balance",
        responses={200: STATEMENT, **failure_responses(400, 401, 403, 404, 503, told=_ADMIN_FAILURES)},
        response_class=Response,
    )
    async def statement(
        request: Request,
        requester: Annotated[Requester, Depends(auth)],
        since: Annotated[
            str | None, Query(alias="from", json_schema_extra=TIMESTAMP_SCHEMA, description=_FROM)
        ] = None,
        until: Annotated[
            str | None, Query(alias="to", json_schema_extra=TIMESTAMP_SCHEMA, description=_TO)
        ] = None,
        limit: Annotated[
            int | None, Query(ge=1, le=1000, description="Entries in a JSON page; 100 if absent")
        ] = None,
        page: Annotated[
            str | None,
            Query(
                alias="cursor",
                json_schema_extra=CURSOR_SCHEMA,
                description="nextCursor of the JSON page before",
            ),
        ] = None,
        format: Annotated[Format | None, Query(description="Else as Accept says, else json")] = None,
        account: Annotated[
            str | None,
            Query(json_schema_extra=ACCOUNT_SCHEMA, description="Another account's; needs the scope admin"),
        ] = None,
    ) -> Response:
        wanted = format or preferred_media_type(request.headers.getlist("accept"), _MEDIA_TYPES) or "json"
        period = _period(since, until)
        if wanted != "json" and (limit or page):
            raise ApiError.invalid_field(
                "limit" if limit else "cursor", f"is for JSON pages: {wanted} is always whole"
            )
        name = await dependencies.resolve_account(requester, account)
        if wanted == "json":
            after = decode_cursor(dependencies.cursors, "statement", name, page)
            found = await dependencies.statements.page(name, period, after, limit or DEFAULT_LIMIT)
            if found is None:
                raise ApiError.invalid_field("cursor", f"{UNKNOWN_CURSOR}: it is outside the period")
            return json_response(200, _page(found, dependencies.cursors))
        return _whole(await dependencies.statements.statement(name, period), dependencies, wanted)

    return routes


def _period(since: str | None, until: str | None) -> Period:
    period = Period(parse_time_parameter("from", since), parse_time_parameter("to", until))
    if period.since and period.until and period.since >= period.until:
        raise ApiError.invalid_field("to", "must be later than from: the statement ends before it")
    return period


def _page(part: StatementPart, cursors: CursorCodec) -> StatementPage:
    next_cursor = None
    if part.more:
        next_cursor = cursors.encode("statement", part.statement.account, part.closing.entry)
    return StatementPage.of(part, next_cursor)


def _whole(
    statement: Statement, dependencies: StatementDependencies, form: Literal["csv", "html"]
) -> Response:
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{_file_name(statement)}.csv"'}
        media_type = "text/csv; charset=utf-8; header=present"
        return StreamingResponse(_csv(statement, dependencies), headers=headers, media_type=media_type)
    # Imported when a page is asked for: Jinja and its templates take 2 MB.
    from . import statement_html

    headers = {"Content-Security-Policy": statement_html.CONTENT_SECURITY_POLICY}
    return StreamingResponse(
        _html(statement, dependencies), headers=headers, media_type="text/html; charset=utf-8"
    )


async def _csv(statement: Statement, dependencies: StatementDependencies) -> AsyncIterator[bytes]:
    yield statement_csv.begin(statement)
    async for part in dependencies.statements.render(statement, statement_csv.lines):
        yield part
    yield statement_csv.end(statement)


async def _html(statement: Statement, dependencies: StatementDependencies) -> AsyncIterator[bytes]:
    from . import statement_html

    yield statement_html.begin(statement, dependencies.clock())
    async for part in dependencies.statements.render(statement, statement_html.lines):
        yield part
    yield statement_html.end(statement)


def _file_name(statement: Statement) -> str:
    times = (statement.period.since, statement.period.until)
    return "_".join(["statement", statement.account, *(f"{time:%Y-%m-%d}" for time in times if time)])
