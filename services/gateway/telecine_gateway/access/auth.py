"""Authentication: an API key in `Authorization: Bearer` or `X-API-Key`, which acts for one account."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import Request

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.telemetry.tracing import bind_context
from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.read_model.queries import Queries

from .api_keys import Scope, fingerprint, is_well_formed

__all__ = ["Auth", "Requester", "check_scope", "has_credentials"]

MAX_CACHED_KEYS = 10_000
"""Keys that are cached between two changes of the ACCESS stream."""


@dataclass(frozen=True, slots=True)
class Requester:
    """The caller: an account, the key it used, and the scopes of that key."""

    account: str
    key_id: str
    scopes: frozenset[str]


class Auth:
    """A FastAPI dependency: the caller of a request.

    Valid keys are cached until the ACCESS projection advances, so that a revoked key stops working at once. For an
    unknown key, `catch_up` waits until the tables have what the stream has: a key works from its creation.
    """

    def __init__(self, queries: Queries, catch_up: Callable[[], Awaitable[None]]) -> None:
        self._queries = queries
        self._catch_up = catch_up
        self._known: dict[str, Requester] = {}
        self._epoch = 0

    async def __call__(self, request: Request) -> Requester:
        """The caller. Raises ApiError 401, with the same body for every reason."""
        secret = _secret(request)
        requester = await self._find(secret) if secret and is_well_formed(secret) else None
        if requester is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="telecine"'}
            raise ApiError(401, ErrorCode.UNAUTHORIZED, "Unauthorized", challenge)
        bind_context(account=requester.account)
        return requester

    def require_scope(self, scope: Scope) -> Callable[[Request], Awaitable[Requester]]:
        """A dependency for routes that require a scope. Raises ApiError 401 or 403."""

        async def requester(request: Request) -> Requester:
            return check_scope(await self(request), scope)

        return requester

    def forget_keys(self, events: Sequence[RecordedEvent]) -> None:
        """Clear the cache: the ACCESS projection has advanced."""
        self._epoch += 1
        self._known.clear()

    async def _find(self, secret: str) -> Requester | None:
        sha256 = fingerprint(secret)
        if sha256 in self._known:
            return self._known[sha256]
        # A key that was read before the last change must not be cached after it.
        epoch = self._epoch
        key = await self._queries.key(sha256)
        if key is None:
            await self._catch_up()
            if epoch != self._epoch:
                epoch = self._epoch
                key = await self._queries.key(sha256)
        if key is None or key.revoked_at is not None:
            return None
        requester = Requester(key.account, key.key_id, frozenset(key.scopes))
        if epoch == self._epoch:
            if len(self._known) >= MAX_CACHED_KEYS:
                self._known.clear()
            self._known[sha256] = requester
        return requester


def check_scope(requester: Requester, scope: Scope) -> Requester:
    """The caller, if its key has the scope. Raises ApiError 403."""
    if scope not in requester.scopes:
        text = f"This key does not have the scope {scope.value}, which this needs"
        raise ApiError(403, ErrorCode.MISSING_SCOPE, text, scope=scope.value)
    return requester


def has_credentials(request: Request) -> bool:
    """Whether the request has a header for a key, valid or not."""
    return bool(_secret(request))


def _secret(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key")
