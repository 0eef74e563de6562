"""`/api/keys`: lists, creates, rotates and revokes the keys of the caller's account."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response

from telecine_gateway.access.api_keys import Scope
from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses, success_response
from telecine_gateway.documentation.schemas import request_body, response_links
from telecine_gateway.http.errors import json_response
from telecine_gateway.http.request_body import parse_json_object, read_body
from telecine_gateway.http.schemas import RequestBody
from telecine_gateway.http.validation import validate_body
from telecine_gateway.read_model.account_queries import AccountQueries

from .account_keys import AccountKeys
from .schemas import CreatedKeyBody, CreateKeyBody, KeyBody, KeyListBody, RotateKeyBody

__all__ = ["router"]

Body = TypeVar("Body", bound=RequestBody)
KeyId = Annotated[str, Path(description="Id of a key of the account")]
_KEYS = scope_requirement(Scope.KEYS)
_CONFLICT = (
    "The account has 100 keys; or the key would expire after the one that makes it, or not, though the one that it "
    "replaces does",
    {"error": "The account has 100 keys: revoke those that are not used", "code": "too_many_keys"},
)
_FAILURES = failure_responses(400, 401, 403, 408, 409, 413, 415, 503, told={409: _CONFLICT})
_ONE_KEY = failure_responses(400, 401, 403, 404, 408, 409, 413, 415, 503, told={409: _CONFLICT})
_LINKS = response_links(
    ("rotate_key", {"id": "$response.body#/id"}), ("revoke_key", {"id": "$response.body#/id"})
)


def router(
    auth: Auth,
    keys: AccountKeys,
    accounts: AccountQueries,
    catch_up: Callable[[], Awaitable[None]],
    *,
    max_body: int,
) -> APIRouter:
    """Every route needs the scope keys. `catch_up` waits until the tables have what other gateways wrote."""
    routes = APIRouter(tags=["keys"])
    needed = auth.require_scope(Scope.KEYS)

    async def parse(request: Request, model: type[Body]) -> Body:
        content = await read_body(request, max_body)
        return validate_body(model, parse_json_object(content) if content.strip() else {})

    @routes.get(
        "/api/keys",
        summary="The keys of the account that are in force",
        responses={
            200: success_response(KeyListBody, "The keys, the newest first"),
            **failure_responses(401, 403, 503),
        },
        openapi_extra=_KEYS,
        response_class=Response,
    )
    async def list_keys(requester: Annotated[Requester, Depends(needed)]) -> Response:
        await catch_up()
        found = await accounts.keys(requester.account, keys.now())
        return json_response(200, KeyListBody(items=[KeyBody.of(key, requester.key_id) for key in found]))

    @routes.post(
        "/api/keys",
        summary="Create a key: for as long as wanted, and with no more scopes than the caller has",
        responses={201: success_response(CreatedKeyBody, "Created") | _LINKS, **_FAILURES},
        openapi_extra=_KEYS | request_body(CreateKeyBody, CreateKeyBody.EXAMPLES, required=False),
        response_class=Response,
    )
    async def create_key(request: Request, requester: Annotated[Requester, Depends(needed)]) -> Response:
        return json_response(201, await keys.create(requester, await parse(request, CreateKeyBody)))

    @routes.post(
        "/api/keys/{id}/rotate",
        summary="Replace a key by a new one with the same name and scopes; for a while both work",
        responses={201: success_response(CreatedKeyBody, "Created") | _LINKS, **_ONE_KEY},
        openapi_extra=_KEYS | request_body(RotateKeyBody, RotateKeyBody.EXAMPLES, required=False),
        response_class=Response,
    )
    async def rotate_key(
        request: Request, requester: Annotated[Requester, Depends(needed)], id: KeyId
    ) -> Response:
        return json_response(201, await keys.rotate(requester, id, await parse(request, RotateKeyBody)))

    @routes.delete(
        "/api/keys/{id}",
        summary="Revoke a key for good",
        status_code=204,
        responses={204: {"description": "It is revoked"}, **failure_responses(400, 401, 403, 404, 503)},
        openapi_extra=_KEYS,
        response_class=Response,
    )
    async def revoke_key(requester: Annotated[Requester, Depends(needed)], id: KeyId) -> Response:
        await keys.revoke(requester, id)
        return Response(status_code=204)

    return routes
