"""`/api/admin`: grants and corrections of credits, for payment providers' webhooks and back offices."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from telecine_contracts.commands import LedgerCommand
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import response_links, scope_requirement
from telecine_gateway.documentation.responses import failure_responses, request_body, success_response
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.http.pagination import CURSOR_SCHEMA, CursorCodec, decode_cursor
from telecine_gateway.http.parameters import ACCOUNT_SCHEMA, AccountNotFound, parse_account_name
from telecine_gateway.http.request_body import parse_json_object, read_body
from telecine_gateway.read_model.account_queries import AccountQueries, GrantFilters

from . import request_parser
from .examples import ADJUST, GRANT, LIMITS, REASON, REFUSALS
from .ledger_commands import LedgerCommands
from .request_parser import MAX_REFERENCE
from .schemas import AccountBody, AdjustBody, Adjusted, Changed, GrantBody, Granted, LimitsBody, ReasonBody
from .serializers import account_view, adjusted, changed, granted

__all__ = ["AdminDependencies", "router"]

_ADMIN = scope_requirement(Scope.ADMIN)
_FAILURES = failure_responses(400, 401, 403, 408, 409, 413, 415, 503, told=REFUSALS)
_READ_FAILURES = {status: told for status, told in REFUSALS.items() if status < 409}
_IDEMPOTENCE = (
    "The reference makes it safe to repeat: once it was carried out, the same request is answered 200 with what was "
    "done then, and another one under the same reference 409. No Idempotency-Key is needed; one is ignored."
)
Account = Annotated[str, Path(json_schema_extra=ACCOUNT_SCHEMA, description="The account's name")]


_LINKS = response_links(
    ("show", {"account": "$response.body#/account", "reference": "$response.body#/reference"}),
    ("statement", {"account": "$response.body#/account"}),
    ("close", {"account": "$response.body#/account"}),
)


@dataclass(frozen=True, slots=True)
class AdminDependencies:
    """What the routes need. `fresh` waits until an account's last entries can be read."""

    ledger_commands: LedgerCommands
    accounts: AccountQueries
    fresh: Callable[[str], Awaitable[None]]
    cursors: CursorCodec
    clock: Callable[[], datetime]
    max_body: int

    async def body(self, request: Request, *, needed: bool = True) -> dict[str, Any]:
        """The JSON object that was sent; empty where a body is not `needed`. Raises ApiError."""
        content = await read_body(request, self.max_body)
        return parse_json_object(content) if needed or content.strip() else {}

    async def change_account(self, requester: Requester, command: LedgerCommand) -> Response:
        """Have an account's state changed; the same answer if it was so before. Raises ApiError."""
        done = await self.ledger_commands.execute(requester, command)
        return json_response(200, changed(command.account, done))


def router(auth: Auth, dependencies: AdminDependencies) -> APIRouter:
    """Every route needs a key with the scope admin, of whatever account."""
    routes = APIRouter(tags=["administration"])
    needed = auth.require_scope(Scope.ADMIN)
    _entries(routes, needed, dependencies)
    _states(routes, needed, dependencies)
    _limits(routes, needed, dependencies)
    _reads(routes, needed, dependencies)
    return routes


Needed = Callable[[Request], Awaitable[Requester]]


def _entries(routes: APIRouter, needed: Needed, dependencies: AdminDependencies) -> None:
    @routes.post(
        "/api/admin/grants",
        summary="Give credits to an account",
        description=_IDEMPOTENCE,
        responses={
            201: success_response(Granted, "Granted") | _LINKS,
            200: success_response(Granted, "Granted before, under this reference"),
            **_FAILURES,
        },
        openapi_extra=_ADMIN | {"requestBody": request_body(GrantBody, GRANT)},
        response_class=Response,
    )
    async def grant(request: Request, requester: Annotated[Requester, Depends(needed)]) -> Response:
        command = request_parser.grant(await dependencies.body(request))
        done = await dependencies.ledger_commands.execute(requester, command)
        return json_response(201 if done.done else 200, granted(command, done))

    @routes.post(
        "/api/admin/adjustments",
        summary="Correct an entry: take back a grant, give back what was spent or has expired",
        description=_IDEMPOTENCE,
        responses={
            201: success_response(Adjusted, "Adjusted"),
            200: success_response(Adjusted, "Adjusted before, under this reference"),
            **_FAILURES,
        },
        openapi_extra=_ADMIN | {"requestBody": request_body(AdjustBody, ADJUST)},
        response_class=Response,
    )
    async def adjust(request: Request, requester: Annotated[Requester, Depends(needed)]) -> Response:
        command = request_parser.adjustment(await dependencies.body(request))
        done = await dependencies.ledger_commands.execute(requester, command)
        return json_response(201 if done.done else 200, adjusted(command, done))


def _states(routes: APIRouter, needed: Needed, dependencies: AdminDependencies) -> None:
    note = _ADMIN | {"requestBody": request_body(ReasonBody, REASON) | {"required": False}}

    @routes.post(
        "/api/admin/accounts/{account}/close",
        summary="Charge and grant nothing to the account any more; what runs goes on",
        responses={200: success_response(Changed, "It is closed"), **_FAILURES},
        openapi_extra=note,
        response_class=Response,
    )
    async def close(
        request: Request, requester: Annotated[Requester, Depends(needed)], account: Account
    ) -> Response:
        name, sent = parse_account_name(account), await dependencies.body(request, needed=False)
        return await dependencies.change_account(requester, request_parser.closing(name, sent))

    @routes.post(
        "/api/admin/accounts/{account}/reopen",
        summary="Undo its closing",
        responses={200: success_response(Changed, "It is open"), **_FAILURES},
        openapi_extra=note,
        response_class=Response,
    )
    async def reopen(
        request: Request, requester: Annotated[Requester, Depends(needed)], account: Account
    ) -> Response:
        name, sent = parse_account_name(account), await dependencies.body(request, needed=False)
        return await dependencies.change_account(requester, request_parser.reopening(name, sent))


def _limits(routes: APIRouter, needed: Needed, dependencies: AdminDependencies) -> None:
    @routes.put(
        "/api/admin/accounts/{account}/limits",
        summary="Set the spend limits of the account, or of one API key of it",
        responses={200: success_response(Changed, "They are in force"), **_FAILURES},
        openapi_extra=_ADMIN | {"requestBody": request_body(LimitsBody, LIMITS)},
        response_class=Response,
    )
    async def limits(
        request: Request, requester: Annotated[Requester, Depends(needed)], account: Account
    ) -> Response:
        command = request_parser.limits(parse_account_name(account), await dependencies.body(request))
        if command.api_key is not None and not await dependencies.accounts.has_key(account, command.api_key):
            raise ApiError.invalid_field("apiKey", f"is not the id of a key of account {account}")
        return await dependencies.change_account(requester, command)


def _reads(routes: APIRouter, needed: Needed, dependencies: AdminDependencies) -> None:
    @routes.get(
        "/api/admin/accounts/{account}",
        summary="An account: its balance, limits, and grants with what is left of each",
        responses={
            200: success_response(AccountBody, "The account"),
            **failure_responses(400, 401, 403, 404, 503, told=_READ_FAILURES),
        },
        openapi_extra=_ADMIN,
        response_class=Response,
    )
    async def show(
        requester: Annotated[Requester, Depends(needed)],
        account: Account,
        limit: Annotated[int, Query(ge=1, le=1000, description="Grants in a page")] = 100,
        page: Annotated[
            str | None,
            Query(
                alias="cursor", json_schema_extra=CURSOR_SCHEMA, description="nextCursor of the page before"
            ),
        ] = None,
        reference: Annotated[
            str | None, Query(max_length=MAX_REFERENCE, description="Only the grant with this reference")
        ] = None,
    ) -> Response:
        account = parse_account_name(account)
        before = decode_cursor(dependencies.cursors, "grants", account, page)
        wanted = GrantFilters(limit=limit, before=before, reference=reference)
        await dependencies.fresh(account)
        standing = await dependencies.accounts.state(account, dependencies.clock())
        if standing is None:
            raise AccountNotFound(account)
        found = await dependencies.accounts.grants(account, wanted)
        shown, next_cursor = found[:limit], None
        if len(found) > limit:
            next_cursor = dependencies.cursors.encode("grants", account, shown[-1].number)
        return json_response(200, account_view(standing, shown, next_cursor))
