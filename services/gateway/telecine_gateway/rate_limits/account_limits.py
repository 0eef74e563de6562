"""The limits of accounts: their own, which the operator has set, or those of the settings."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.access import RateLimit, RateLimitsSet

from .rules import Policy

__all__ = ["AccountLimits", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of an account, for all its requests and for those for videos; None: no limit."""

    requests: Policy | None
    generations: Policy | None


class AccountLimits:
    """`read` reads the limits of all accounts that have their own. They are read again when any has changed."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Iterable[RateLimitsSet]]],
        default: Limits,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._default = default
        self._on_change = on_change
        self._own: Mapping[str, Limits] = {}
        self._stale = True

    def forget(self, events: Sequence[RecordedEvent]) -> None:
        """The ACCESS projection has advanced."""
        if any(isinstance(recorded.event, RateLimitsSet) for recorded in events):
            self.forget_all()

    def forget_all(self) -> None:
        """Other tables are read from now on."""
        self._stale = True

    async def find(self, account: str) -> Limits:
        """The limits of `account`."""
        while self._stale:
            # If limits change while they are read, they are read once more.
            self._stale = False
            try:
                own = {each.account: self._limits(each) for each in await self._read()}
            except BaseException:
                self._stale = True
                raise
            if own != self._own:
                self._own = own
                self._on_change()
        return self._own.get(account, self._default)

    def _limits(self, own: RateLimitsSet) -> Limits:
        return Limits(
            _policy("account", own.requests, self._default.requests),
            _policy("generations", own.generations, self._default.generations),
        )


def _policy(name: str, own: RateLimit | None, default: Policy | None) -> Policy | None:
    if own is None:
        return default
    return Policy(name, own.limit, own.seconds) if own.limit else None
