"""Applies the limits: a middleware for client addresses, and a step of authentication for keys and accounts.

Limited is what is below /api, except the content of videos, which has its own slots. An address that fails to
authenticate too often is refused there, too; who was authenticated from that address before is let through.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine_gateway.access.auth import Auth, Requester
from telecine_gateway.http.errors import ApiError, json_response
from telecine_gateway.read_model.queries import Queries

from .account_limits import AccountLimits
from .addresses import ClientAddresses
from .generation_counts import GenerationCounts
from .headers import rate_headers, too_fast
from .rules import Bucket, Policy, TokenBuckets, Use

__all__ = ["GenerationLimit", "RateLimitMiddleware", "RateLimitedAuth", "RequestLimits"]

MAX_BUCKETS = 20_000
"""Keys, accounts and addresses, of each, whose buckets are in memory."""
MAX_PROVEN = 10_000
"""Credentials that are known to work, while their address has failures."""
_STATE = "telecine.rate_limits"
FORWARDED = b"x-forwarded-for"


@dataclass(slots=True)
class _State:
    """Of one request: the client's address, whether it is limited, and the limits that it used."""

    address: str
    limited: bool
    uses: list[Use] = field(default_factory=list)


class RequestLimits:
    """Limits of this gateway alone. `address`, `key` and `failures` are those of the settings; None: no limit."""

    def __init__(
        self,
        accounts: AccountLimits,
        *,
        address: Policy | None,
        key: Policy | None,
        failures: Policy | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._accounts = accounts
        self._address = address
        self._key = key
        self._failures = failures
        self._clock = clock
        self._by_address, self._by_key, self._by_account, self._by_failures = (
            TokenBuckets(MAX_BUCKETS) for _ in range(4)
        )
        self._proven: OrderedDict[int, None] = OrderedDict()

    def take_address(self, state: _State) -> None:
        """Count a request of the client's address. Raises ApiError 429."""
        if self._address is not None:
            bucket = self._by_address.find(state.address, self._address, self._clock())
            _take(state, [(self._address, bucket)], "requests from this address")

    async def take_requester(self, state: _State, requester: Requester) -> None:
        """Count a request of the key and the account; of neither if one is refused. Raises ApiError 429."""
        now, buckets = self._clock(), []
        if self._key is not None and requester.key_id is not None:
            buckets.append((self._key, self._by_key.find(requester.key_id, self._key, now)))
        policy = (await self._accounts.find(requester.account)).requests
        if policy is not None:
            buckets.append((policy, self._by_account.find(requester.account, policy, now)))
        _take(state, buckets, "requests of this key or account")

    def has_failures(self, state: _State) -> bool:
        """Whether the address has failed to authenticate lately."""
        return self._failures is not None and state.address in self._by_failures

    def check_failures(self, state: _State, credentials: int) -> None:
        """Raises ApiError 429 if the address has failed too often, unless these credentials worked meanwhile."""
        assert self._failures is not None
        bucket = self._by_failures.find(state.address, self._failures, self._clock())
        if credentials in self._proven or bucket.admits(self._failures):
            return
        use = bucket.use(self._failures)
        state.uses.append(use)
        raise too_fast([use], "failed attempts to authenticate from this address")

    def add_failure(self, state: _State) -> None:
        """The address has failed to authenticate."""
        if self._failures is not None:
            bucket = self._by_failures.find(state.address, self._failures, self._clock())
            bucket.level += 1
            state.uses.append(bucket.use(self._failures))

    def add_proven(self, credentials: int) -> None:
        """These credentials work."""
        self._proven[credentials] = None
        self._proven.move_to_end(credentials)
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)


def _take(state: _State, buckets: list[tuple[Policy, Bucket]], what: str) -> None:
    violated = [bucket.use(policy) for policy, bucket in buckets if not bucket.admits(policy)]
    for policy, bucket in buckets:
        if not violated:
            bucket.level += 1
        state.uses.append(bucket.use(policy))
    if violated:
        raise too_fast(violated, what)


class RateLimitedAuth(Auth):
    """Authentication that counts the requests of keys and accounts, and the failures of addresses."""

    def __init__(
        self,
        limits: RequestLimits,
        queries: Queries,
        catch_up: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        on_use: Callable[[str, str, datetime | None], None],
        tokens: Callable[[str], Awaitable[Requester]] | None = None,
    ) -> None:
        super().__init__(queries, catch_up, clock, on_use, tokens)
        self._limits = limits

    async def __call__(self, request: Request) -> Requester:
        """The caller. Raises ApiError 429 beside those of Auth."""
        state: _State | None = request.scope.get(_STATE)
        if state is None:
            return await super().__call__(request)
        credentials = 0
        if suspicious := self._limits.has_failures(state):
            credentials = hash((request.headers.get("authorization"), request.headers.get("x-api-key")))
            self._limits.check_failures(state, credentials)
        try:
            requester = await super().__call__(request)
        except ApiError as error:
            if error.status == 401:
                self._limits.add_failure(state)
            raise
        if suspicious:
            self._limits.add_proven(credentials)
        if state.limited:
            await self._limits.take_requester(state, requester)
        return requester


class RateLimitMiddleware:
    """Counts the requests of addresses, and adds the headers of all limits to the responses."""

    def __init__(self, app: ASGIApp, limits: RequestLimits, addresses: ClientAddresses) -> None:
        self._app = app
        self._limits = limits
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        is_content = scope["path"].startswith("/api/video/") and scope["path"].endswith("/content")
        state = scope[_STATE] = _State(self._address(scope), limited=not is_content)

        async def send_with_headers(message: Message) -> None:
            if state.uses and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *rate_headers(state.uses)]
            await send(message)

        try:
            if state.limited:
                self._limits.take_address(state)
        except ApiError as error:
            await json_response(error.status, error.body, error.headers)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _address(self, scope: Scope) -> str:
        forwarded: tuple[str, ...] = ()
        if self._addresses.reads_header:
            headers: list[tuple[bytes, bytes]] = scope["headers"]
            forwarded = tuple(value.decode("latin-1") for name, value in headers if name == FORWARDED)
        peer: Any = scope.get("client") or ("",)
        return self._addresses.find(str(peer[0]), forwarded)


class GenerationLimit:
    """The limit of an account's requests for videos, at all gateways together."""

    def __init__(self, accounts: AccountLimits, counts: GenerationCounts) -> None:
        self._accounts = accounts
        self._counts = counts

    async def admit(self, request: Request, account: str, generation: str) -> None:
        """Count a request for a video until `answered`. Raises ApiError 429."""
        policy = (await self._accounts.find(account)).generations
        if policy is None:
            return
        admitted, use = await self._counts.admit(account, generation, policy)
        state: _State | None = request.scope.get(_STATE)
        if state is not None:
            state.uses.append(use)
        if not admitted:
            raise too_fast([use], "requests for videos of this account")

    def answered(self, generation: str) -> None:
        """The request was answered; from now on it counts only if it was recorded."""
        self._counts.answered(generation)
