"""Bodies of the routes about credits."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from telecine_gateway.http.schemas import ResponseBody, Timestamp
from telecine_gateway.read_model.account_queries import AccountState
from telecine_gateway.read_model.entries import Period, RunningBalance, StatementLine
from telecine_gateway.read_model.statement_queries import EntryPage, StatementPart
from telecine_gateway.read_model.tables import SpendLimit

__all__ = ["STATEMENT", "BalancesBody", "Credits", "SpendLimitBody", "StatementPage"]

EntryType = Literal[
    "granted",
    "debited",
    "denied",
    "settled",
    "refunded",
    "expired",
    "adjusted",
    "closed",
    "reopened",
    "limits_set",
    "skipped",
]
_ID = "8f4f2a52-9d0c-5b1e-8a38-2f1c55ad1f0e"
_GRANTED: dict[str, Any] = {
    "entry": 1,
    "type": "granted",
    "amount": 300,
    "heldAmount": 0,
    "generation": None,
    "balances": {"available": 300, "held": 0},
    "reason": "Starter pack",
    "reference": "pay_1042",
    "time": "2026-11-23T04:00:00.000Z",
    "kind": "paid",
    "expiresAt": "2027-11-23T00:00:00Z",
}
_DEBITED: dict[str, Any] = {
    "entry": 2,
    "type": "debited",
    "amount": -50,
    "heldAmount": 50,
    "generation": _ID,
    "balances": {"available": 250, "held": 50},
    "reason": None,
    "reference": None,
    "time": "2026-11-23T04:05:06.792Z",
    "apiKey": "key_5f1c9e7a02bd",
}
_OPENING, _CLOSING = {"entry": 0, "available": 0, "held": 0}, {"entry": 2, "available": 250, "held": 50}
_CREDITS: dict[str, Any] = {
    "available": 250,
    "held": 50,
    "isClosed": False,
    "limits": {"account": {"perDay": 1000, "perGeneration": None}, "apiKey": None},
    "nextExpiry": {"at": "2027-11-23T00:00:00.000Z", "amount": 250},
    "statement": {"items": [_DEBITED, _GRANTED], "nextCursor": None},
}
_PAGE: dict[str, Any] = {
    "account": "acme",
    "period": {"from": "2026-11-01T00:00:00.000Z", "to": "2026-12-01T00:00:00.000Z"},
    "opening": _OPENING,
    "closing": _CLOSING,
    "page": {"opening": _OPENING, "closing": _CLOSING},
    "items": [_GRANTED, _DEBITED],
    "nextCursor": None,
}
_CSV = """\
entry,time,change,concerns,available_change,held_change,available,held,kind,generation,reference,reason\r
,2026-11-01T00:00:00.000Z,opening,,,,0,0,,,,\r
1,2026-11-23T04:00:00.000Z,granted,,300,0,300,0,paid,,pay_1042,Starter pack\r
2,2026-11-23T04:05:06.792Z,debited,,-50,50,250,50,,8f4f2a52-9d0c-5b1e-8a38-2f1c55ad1f0e,,\r
,2026-12-01T00:00:00.000Z,closing,,,,250,50,,,,\r
"""


class BalancesBody(ResponseBody):
    """Credits: available, and held for running generations."""

    available: int
    held: int


class StatementEntry(ResponseBody):
    """One entry of the ledger. amount: the change of the available credits; heldAmount: of the held ones."""

    entry: int
    type: EntryType
    amount: int
    held_amount: int
    generation: str | None
    balances: BalancesBody
    reason: str | None
    reference: str | None
    time: Annotated[Timestamp, Field(description="When it was decided")]
    kind: Annotated[str | None, Field(description="Of a grant: paid, promotional or plan")] = None
    expires_at: Annotated[str | None, Field(description="Of a grant; absent: never")] = None
    grant: Annotated[int | None, Field(description="Of an expiry: number of the grant's entry")] = None
    corrects: Annotated[int | None, Field(description="Of an adjustment: number of the entry")] = None
    api_key: Annotated[str | None, Field(description="Key that made the request, or that is limited")] = None
    per_day: int | None = None
    per_generation: int | None = None
    usable_until: Annotated[str | None, Field(description="Returned credits do not expire before")] = None

    @classmethod
    def of(cls, line: StatementLine) -> "StatementEntry":
        return cls(
            entry=line.entry,
            type=line.action,
            amount=line.amount,
            held_amount=line.held_amount,
            generation=line.generation,
            balances=BalancesBody(available=line.available, held=line.held),
            reason=line.reason,
            reference=line.reference,
            time=line.at,
            **_details(line.data),
        )


_DETAILS = frozenset(
    field.alias for field in StatementEntry.model_fields.values() if not field.is_required() and field.alias
)
"""The fields that only some types of entries have."""


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name in _DETAILS}


class EntryList(ResponseBody):
    """A page of entries, newest first. Without nextCursor it is the last one."""

    items: list[StatementEntry]
    next_cursor: str | None


class SpendLimitBody(ResponseBody):
    """Most credits in a day of UTC, and for one generation; null: no limit."""

    per_day: int | None
    per_generation: int | None

    @classmethod
    def of(cls, limit: SpendLimit | None) -> "SpendLimitBody | None":
        """None where there is no limit."""
        if limit is None or (limit.per_day is None and limit.per_generation is None):
            return None
        return SpendLimitBody(per_day=limit.per_day, per_generation=limit.per_generation)


class OwnLimits(ResponseBody):
    """The limits of the caller's account, and of the key that it uses. null: none."""

    account: SpendLimitBody | None
    api_key: SpendLimitBody | None


class NextExpiry(ResponseBody):
    """The next available credits to expire."""

    at: Timestamp
    amount: int


class Credits(BalancesBody):
    """An account's balance and its newest entries."""

    EXAMPLE: ClassVar[dict[str, Any]] = _CREDITS

    is_closed: Annotated[bool, Field(description="No credits are granted or charged any more")]
    limits: OwnLimits
    next_expiry: NextExpiry | None
    statement: EntryList

    @classmethod
    def of_account(
        cls, state: AccountState | None, key_id: str | None, page: EntryPage, next_cursor: str | None
    ) -> Self:
        """`state`: None for an account without entries. `key_id`: the caller's key, if it uses one."""
        limits = state.limits if state else {}
        expiry = state.next_expiry if state else None
        return cls(
            available=page.available,
            held=page.held,
            is_closed=state.balance.closed if state else False,
            limits=OwnLimits(
                account=SpendLimitBody.of(limits.get("")),
                api_key=SpendLimitBody.of(limits.get(key_id) if key_id else None),
            ),
            next_expiry=NextExpiry(at=expiry.at, amount=expiry.amount) if expiry else None,
            statement=EntryList(items=_entries(page.entries), next_cursor=next_cursor),
        )


class RunningBalanceBody(BalancesBody):
    """The balance after an entry; number 0: before the first."""

    entry: int

    @classmethod
    def of(cls, balance: RunningBalance) -> Self:
        return cls(entry=balance.entry, available=balance.available, held=balance.held)


class PeriodBody(ResponseBody):
    """From then on, before then; null: from the first entry, up to now."""

    since: Annotated[Timestamp | None, Field(alias="from")]
    to: Timestamp | None

    @classmethod
    def of(cls, period: Period) -> Self:
        return cls(since=period.since, to=period.until)


class PageBalances(ResponseBody):
    """The balance before the first entry of this page, and after the last."""

    opening: RunningBalanceBody
    closing: RunningBalanceBody


class StatementPage(ResponseBody):
    """A page of a statement, oldest entry first. opening and closing are the whole period's."""

    EXAMPLE: ClassVar[dict[str, Any]] = _PAGE

    account: str
    period: PeriodBody
    opening: RunningBalanceBody
    closing: RunningBalanceBody
    page: PageBalances
    items: list[StatementEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, part: StatementPart, next_cursor: str | None) -> Self:
        balance = RunningBalanceBody.of
        return cls(
            account=part.statement.account,
            period=PeriodBody.of(part.statement.period),
            opening=balance(part.statement.opening),
            closing=balance(part.statement.closing),
            page=PageBalances(opening=balance(part.opening), closing=balance(part.closing)),
            items=_entries(part.lines),
            next_cursor=next_cursor,
        )


def _entries(lines: Sequence[StatementLine]) -> list[StatementEntry]:
    return [StatementEntry.of(line) for line in lines]


STATEMENT: dict[str, Any] = {
    "model": StatementPage,
    "description": "A page of it as JSON, or all of it as CSV or as a page to print",
    "content": {
        "application/json": {"example": _PAGE},
        "text/csv": {"schema": {"type": "string"}, "example": _CSV},
        "text/html": {"schema": {"type": "string"}},
    },
}
"""The success response of the statement route, for the OpenAPI document."""
