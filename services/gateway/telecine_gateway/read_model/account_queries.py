"""Queries about accounts: balance, limits, grants, keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, func
from sqlalchemy import select as columns
from sqlmodel import col, select

from .queries import Queries, plain_row, table_of
from .tables import ApiKey, Balance, GrantRow, SpendLimit

__all__ = ["AccountQueries", "AccountState", "Expiry", "GrantFilters"]


@dataclass(frozen=True, slots=True)
class Expiry:
    """The next available credits to expire."""

    at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account now. `limits` are by API key; the account's own are under the empty key."""

    balance: Balance
    limits: Mapping[str, SpendLimit] = field(default_factory=dict)
    next_expiry: Expiry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFilters:
    """Which grants to list, newest first: those before number `before`, or only the one with `reference`."""

    limit: int
    before: int | None = None
    reference: str | None = None


# Building a statement takes longer than running it.
_BALANCE = columns(table_of(Balance)).where(table_of(Balance).c.account == bindparam("account"))
_LIMITS = columns(table_of(SpendLimit)).where(table_of(SpendLimit).c.account == bindparam("account"))
_UNTIL, _AVAILABLE = table_of(GrantRow).c.usable_until, table_of(GrantRow).c.available
_NEXT_EXPIRY = (
    columns(_UNTIL, func.sum(_AVAILABLE))
    .where(table_of(GrantRow).c.account == bindparam("account"))
    .where(_AVAILABLE > 0, bindparam("now", type_=_UNTIL.type) < _UNTIL)
    .group_by(_UNTIL)
    .order_by(_UNTIL)
    .limit(1)
)


class AccountQueries:
    """Runs through `queries`."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def state(self, account: str, now: datetime) -> AccountState | None:
        """The account now; None if its ledger has no entry."""

        def ask(connection: Connection) -> AccountState | None:
            wanted = {"account": account}
            row = connection.execute(_BALANCE, wanted).first()
            if row is None:
                return None
            balance = plain_row(Balance, row)
            limits = [plain_row(SpendLimit, limit) for limit in connection.execute(_LIMITS, wanted)]
            expiry = _next_expiry(connection, account, now) if balance.attributed else None
            return AccountState(balance, {limit.api_key: limit for limit in limits}, expiry)

        state = await self._queries.of_account(account, "state", ask)
        if state is not None and state.next_expiry is not None and state.next_expiry.at <= now:
            return await self._queries.read(ask)  # expired since it was read
        return state

    async def grants(self, account: str, wanted: GrantFilters) -> Sequence[GrantRow]:
        """The account's grants, one more than `limit` if there are more."""
        query = select(GrantRow).where(col(GrantRow.account) == account)
        if wanted.before is not None:
            query = query.where(col(GrantRow.number) < wanted.before)
        if wanted.reference is not None:
            query = query.where(col(GrantRow.reference) == wanted.reference)
        query = query.order_by(col(GrantRow.number).desc()).limit(wanted.limit + 1)
        return await self._queries.run(lambda session: session.exec(query).all())

    async def has_grant(self, account: str, reference: str) -> bool:
        """Whether the account has, or had, a grant of that reference."""
        query = select(GrantRow.number).where(
            col(GrantRow.account) == account, col(GrantRow.reference) == reference
        )
        return await self._queries.run(lambda session: session.exec(query).first() is not None)

    async def keys(self, account: str, now: datetime) -> Sequence[ApiKey]:
        """The account's keys that are neither revoked nor expired, the newest first."""
        query = (
            select(ApiKey)
            .where(col(ApiKey.account) == account, col(ApiKey.revoked_at).is_(None))
            .order_by(col(ApiKey.created_at).desc(), col(ApiKey.key_id))
        )
        found = await self._queries.run(lambda session: session.exec(query).all())
        return [key for key in found if key.expires_at is None or now < key.expires_at]

    async def has_key(self, account: str, key_id: str) -> bool:
        """Whether the account has, or had, a key of that id."""
        query = select(ApiKey.sha256).where(col(ApiKey.account) == account, col(ApiKey.key_id) == key_id)
        return await self._queries.run(lambda session: session.exec(query).first() is not None)


def _next_expiry(connection: Connection, account: str, now: datetime) -> Expiry | None:
    found = connection.execute(_NEXT_EXPIRY, {"account": account, "now": now}).first()
    return Expiry(found[0], int(found[1])) if found and found[0] else None
