"""Authentication: an API key in `Authorization: Bearer` or `X-API-Key`, or an issuer's token in the former.

Either acts for one account.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.telemetry.tracing import bind_context
from telecine_contracts.access import ApiKeyUsed
from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.read_model.queries import Queries
from telecine_gateway.read_model.tables import ApiKey

from .api_keys import PREFIX, Scope, fingerprint, is_well_formed

__all__ = ["CHALLENGE", "Auth", "Requester", "check_scope", "has_credentials", "unauthorized"]

MAX_CACHED_KEYS = 10_000
"""Keys that are cached between two changes of the ACCESS stream."""
CHALLENGE = 'Bearer realm="telecine"'


@dataclass(frozen=True, slots=True)
class Requester:
    """The caller: an account, what it may do, and the key that it used; None if it used an issuer's token.

    `expires_at`: when the key expires.
    """

    account: str
    key_id: str | None
    scopes: frozenset[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that is not revoked."""

    owner: Requester
    key_id: str
    used_at: datetime | None


class Auth:
    """A FastAPI dependency: the caller of a request.

    Valid keys are cached until the ACCESS projection advances, so that a revoked key stops working at once. For an
    unknown key, `catch_up` waits until the tables have what the stream has: a key works from its creation. `on_use` is
    called with each use of a key: its account, its id, and its last use as far as the tables know. `tokens` is asked
    about what is not a key, if an issuer is configured.
    """

    def __init__(
        self,
        queries: Queries,
        catch_up: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        on_use: Callable[[str, str, datetime | None], None],
        tokens: Callable[[str], Awaitable[Requester]] | None = None,
    ) -> None:
        self._queries = queries
        self._catch_up = catch_up
        self._clock = clock
        self._on_use = on_use
        self._tokens = tokens
        self._known: dict[str, _Known] = {}
        self._epoch = 0

    async def __call__(self, request: Request) -> Requester:
        """The caller. Raises ApiError 401, with the same body for every reason; 403 or 503 for a token."""
        secret, bearer = _secret(request)
        if bearer and self._tokens is not None and not secret.startswith(PREFIX):
            requester = await self._tokens(secret)
        else:
            requester = await self._key_owner(secret)
        bind_context(account=requester.account)
        return requester

    def require_scope(self, scope: Scope) -> Callable[[Request], Awaitable[Requester]]:
        """A dependency for routes that require a scope. Raises ApiError 401 or 403."""

        async def requester(request: Request) -> Requester:
            return check_scope(await self(request), scope)

        return requester

    def forget_keys(self, events: Sequence[RecordedEvent]) -> None:
        """Clear the cache: the ACCESS projection has advanced, unless all that is new is that keys were used."""
        if events and all(isinstance(recorded.event, ApiKeyUsed) for recorded in events):
            return
        self._epoch += 1
        self._known.clear()

    async def _key_owner(self, secret: str) -> Requester:
        known = await self._find(secret) if is_well_formed(secret) else None
        if known is None:
            raise unauthorized()
        owner = known.owner
        if owner.expires_at is not None and owner.expires_at <= self._clock():
            raise unauthorized()
        self._on_use(owner.account, known.key_id, known.used_at)
        return owner

    async def _find(self, secret: str) -> _Known | None:
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
        known = _known(key)
        if epoch == self._epoch:
            if len(self._known) >= MAX_CACHED_KEYS:
                self._known.clear()
            self._known[sha256] = known
        return known


def check_scope(requester: Requester, scope: Scope) -> Requester:
    """The caller, if its key or token has the scope. Raises ApiError 403."""
    if scope not in requester.scopes:
        text = f"This key or token does not have the scope {scope.value}, which this needs"
        raise ApiError(403, ErrorCode.MISSING_SCOPE, text, scope=scope.value)
    return requester


def unauthorized(challenge: str = CHALLENGE) -> ApiError:
    """The response to missing and invalid credentials, with the same body for every reason."""
    return ApiError(401, ErrorCode.UNAUTHORIZED, "Unauthorized", {"WWW-Authenticate": challenge})


def has_credentials(request: Request) -> bool:
    """Whether the request has a header for a key or a token, valid or not."""
    return bool(_secret(request)[0])


def _secret(request: Request) -> tuple[str, bool]:
    """The key or token, empty if there is none, and whether it is a bearer's: only that may be a token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), bool(token.strip())
    return request.headers.get("x-api-key", ""), False


def _known(key: ApiKey) -> _Known:
    owner = Requester(key.account, key.key_id, frozenset(key.scopes), key.expires_at)
    return _Known(owner, key.key_id, key.last_used_at)
