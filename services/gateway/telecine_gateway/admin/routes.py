"""`/api/admin`: grants and corrections of credits, for payment providers' webhooks and administrators."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from telecine_contracts.commands import LedgerCommand
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import request_body, response_links
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.http.pagination import CURSOR_SCHEMA, CursorCodec, decode_cursor
from telecine_gateway.http.parameters import ACCOUNT_SCHEMA, AccountNotFound, parse_account_name
from telecine_gateway.http.request_body import parse_json_object, read_body
from telecine_gateway.http.schemas import RequestBody
from telecine_gateway.http.validation import validate_body
from telecine_gateway.read_model.account_queries import AccountQueries, GrantFilters

from .failures import REFUSALS
from .ledger_commands import LedgerCommands
from .schemas import (
    MAX_REFERENCE,
    AccountBody,
    AdjustBody,
    Adjusted,
    Changed,
    GrantBody,
    Granted,
    LimitsBody,
    ReasonBody,
)

__all__ = ["AdminDependencies", "router"]

Body = TypeVar("Body", bound=RequestBody)
_ADMIN = scope_requirement(Scope.ADMIN)
_FAILURES = failure_responses(400, 401, 403, 408, 409, 413, 415, 503, told=REFUSALS)
_READ_FAILURES = {status: told for status, told in REFUSALS.items() if status < 409}
_IDEMPOTENCE = (
    "The reference makes it safe to repeat: once the request was carried out, the same request is answered 200 with "
    "the result of the first one, and another request with the same reference 409. No Idempotency-Key is needed; one "
    "is ignored."
)
Account = Annotated[str, Path(json_schema_extra=ACCOUNT_SCHEMA, description="The account's name")]


_LINKS = response_links(
    ("show", {"account": "$response.body#/account", "reference": "$response.body#/reference"}),
    ("statement", {"account": "$response.body#/account"}),
    ("close", {"account": "$response.body#/account"}),
)


@dataclass(frozen=True, slots=True)
class AdminDependencies:
    """What the routes use. `fresh` waits until the tables have an account's last entries."""

    ledger_commands: LedgerCommands
    accounts: AccountQueries
    fresh: Callable[[str], Awaitable[None]]
    cursors: CursorCodec
    clock: Callable[[], datetime]
    max_body: int

    async def body(self, request: Request, model: type[Body], *, required: bool = True) -> Body:
        """The body of the request; `{}` where it is absent and not `required`. Raises ApiError, InvalidRequest."""
        content = await read_body(request, self.max_body)
        return validate_body(model, parse_json_object(content) if required or content.strip() else {})

    async def change_account(self, requester: Requester, command: LedgerCommand) -> Response:
        """Set the state of an account; the response is the same if it was in that state before. Raises ApiError."""
        answer = await self.ledger_commands.execute(requester, command)
        return json_response(200, Changed.of(command.account, answer))


def router(auth: Auth, dependencies: AdminDependencies) -> APIRouter:
    """Every route needs a key with the scope admin, of any account."""
    routes = APIRouter(tags=["administration"])
    authorized = auth.require_scope(Scope.ADMIN)
    _entries(routes, authorized, dependencies)
    _states(routes, authorized, dependencies)
    _limits(routes, authorized, dependencies)
    _reads(routes, authorized, dependencies)
    return routes


Authorized = Callable[[Request], Awaitable[Requester]]


def _entries(routes: APIRouter, authorized: Authorized, dependencies: AdminDependencies) -> None:
    @routes.post(
        "/api/admin/grants",
        summary="Give credits to an account",
        description=_IDEMPOTENCE,
        responses={
            201: success_response(Granted, "Granted") | _LINKS,
            200: success_response(Granted, "Granted before, under this reference"),
            **_FAILURES,
        },
        openapi_extra=_ADMIN | request_body(GrantBody, GrantBody.EXAMPLES),
        response_class=Response,
    )
    async def grant(request: Request, requester: Annotated[Requester, Depends(authorized)]) -> Response:
        command = (await dependencies.body(request, GrantBody)).command()
        answer = await dependencies.ledger_commands.execute(requester, command)
        return json_response(201 if answer.done else 200, Granted.of(command, answer))

    @routes.post(
        "/api/admin/adjustments",
        summary="Correct an entry: take back a grant, give back what was spent or has expired",
        description=_IDEMPOTENCE,
        responses={
            201: success_response(Adjusted, "Adjusted"),
            200: success_response(Adjusted, "Adjusted before, under this reference"),
            **_FAILURES,
        },
        openapi_extra=_ADMIN | request_body(AdjustBody, AdjustBody.EXAMPLES),
        response_class=Response,
    )
    async def adjust(request: Request, requester: Annotated[Requester, Depends(authorized)]) -> Response:
        command = (await dependencies.body(request, AdjustBody)).command()
        answer = await dependencies.ledger_commands.execute(requester, command)
        return json_response(201 if answer.done else 200, Adjusted.of(command, answer))


def _states(routes: APIRouter, authorized: Authorized, dependencies: AdminDependencies) -> None:
    note = _ADMIN | request_body(ReasonBody, ReasonBody.EXAMPLES, required=False)

    @routes.post(
        "/api/admin/accounts/{account}/close",
        summary="Close an account: no credits are granted or charged any more; running generations continue",
        responses={200: success_response(Changed, "It is closed"), **_FAILURES},
        openapi_extra=note,
        response_class=Response,
    )
    async def close(
        request: Request, requester: Annotated[Requester, Depends(authorized)], account: Account
    ) -> Response:
        name = parse_account_name(account)
        body = await dependencies.body(request, ReasonBody, required=False)
        return await dependencies.change_account(requester, body.close(name))

    @routes.post(
        "/api/admin/accounts/{account}/reopen",
        summary="Reopen a closed account",
        responses={200: success_response(Changed, "It is open"), **_FAILURES},
        openapi_extra=note,
        response_class=Response,
    )
    async def reopen(
        request: Request, requester: Annotated[Requester, Depends(authorized)], account: Account
    ) -> Response:
        name = parse_account_name(account)
        body = await dependencies.body(request, ReasonBody, required=False)
        return await dependencies.change_account(requester, body.reopen(name))


def _limits(routes: APIRouter, authorized: Authorized, dependencies: AdminDependencies) -> None:
    @routes.put(
        "/api/admin/accounts/{account}/limits",
        summary="Set the spend limits of the account, or of one API key of it",
        responses={200: success_response(Changed, "They are in force"), **_FAILURES},
        openapi_extra=_ADMIN | request_body(LimitsBody, LimitsBody.EXAMPLES),
        response_class=Response,
    )
    async def limits(
        request: Request, requester: Annotated[Requester, Depends(authorized)], account: Account
    ) -> Response:
        name = parse_account_name(account)
        command = (await dependencies.body(request, LimitsBody)).command(name)
        if command.api_key is not None and not await dependencies.accounts.has_key(account, command.api_key):
            raise ApiError.invalid_field("apiKey", f"is not the id of a key of account {account}")
        return await dependencies.change_account(requester, command)


def _reads(routes: APIRouter, authorized: Authorized, dependencies: AdminDependencies) -> None:
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
        requester: Annotated[Requester, Depends(authorized)],
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
        state = await dependencies.accounts.state(account, dependencies.clock())
        if state is None:
            raise AccountNotFound(account)
        found = await dependencies.accounts.grants(account, wanted)
        shown, next_cursor = found[:limit], None
        if len(found) > limit:
            next_cursor = dependencies.cursors.encode("grants", account, shown[-1].number)
        return json_response(200, AccountBody.of(state, shown, next_cursor))
