"""Bodies of the routes for administrators."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerAnswer,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import GrantKind
from telecine_contracts.subjects import TOKEN
from telecine_gateway.credits.schemas import BalancesBody, SpendLimitBody
from telecine_gateway.documentation.schemas import NAME, ONE_LINE
from telecine_gateway.http.schemas import RequestBody, ResponseBody, Timestamp
from telecine_gateway.http.validation import (
    check_choice,
    check_name,
    check_text,
    check_timestamp,
    check_whole_number,
)
from telecine_gateway.read_model.account_queries import AccountState
from telecine_gateway.read_model.tables import GrantRow

__all__ = [
    "MAX_REFERENCE",
    "AccountBody",
    "AdjustBody",
    "Adjusted",
    "Changed",
    "GrantBody",
    "Granted",
    "LimitsBody",
    "ReasonBody",
]

MAX_REFERENCE = 200
"""Characters."""
_MAX_REASON = 500
"""Characters."""
_MAX_NAME = 64
"""Characters of the name of an account or of the id of a key."""
_KINDS = tuple(kind.value for kind in GrantKind)


def _account_problem(name: str) -> str | None:
    return None if TOKEN.fullmatch(name) else "must be 1 to 64 letters, digits, '_' or '-'"


# The constraints are for the document; the check before them reports their violation in our own words.
Account = Annotated[
    str, Field(pattern=f"^{TOKEN.pattern}$"), BeforeValidator(check_name(_MAX_NAME, _account_problem))
]
Whole = Annotated[int, Field(ge=1, le=MAX_CREDITS), BeforeValidator(check_whole_number(1, MAX_CREDITS))]
Amount = Annotated[Whole, Field(description="Whole credits, as a JSON integer")]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REFERENCE,
        pattern=NAME,
        description="Unique within the account, e.g. a payment id: the same one works once",
    ),
    BeforeValidator(check_name(MAX_REFERENCE)),
]
Reason = Annotated[
    str | None,
    Field(max_length=_MAX_REASON, pattern=ONE_LINE, description="A note for the statement"),
    BeforeValidator(check_text(_MAX_REASON)),
]
Limit = Annotated[
    int | None, Field(ge=0, le=MAX_CREDITS), BeforeValidator(check_whole_number(0, MAX_CREDITS))
]
KeyId = Annotated[
    str | None,
    Field(min_length=1, max_length=_MAX_NAME, pattern=NAME),
    BeforeValidator(check_name(_MAX_NAME)),
]
Kind = Literal["paid", "promotional", "plan"]


class GrantBody(RequestBody):
    """Credits for an account. The account is created by its first grant."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "a payment": {"account": "acme", "amount": 500, "reference": "pay_1042", "reason": "Starter pack"},
        "a month of a plan": {
            "account": "acme",
            "amount": 1000,
            "reference": "plan-pro-2026-11",
            "kind": "plan",
            "reason": "Pro plan, November 2026",
            "expiresAt": "2026-12-01T00:00:00Z",
        },
    }

    account: Annotated[Account, Field(description="The account that receives them")]
    amount: Amount
    reference: Reference
    kind: Annotated[
        Kind | None, BeforeValidator(check_choice(_KINDS)), Field(description="paid if absent")
    ] = None
    reason: Reason = None
    expires_at: Annotated[
        datetime | None,
        BeforeValidator(check_timestamp),
        Field(description="When the rest of them expires, with its zone; absent: never"),
    ] = None

    def command(self) -> GrantCredits:
        """The grant as a command to the ledger."""
        return GrantCredits(**self.model_dump(exclude_none=True))


class AdjustBody(RequestBody):
    """A correction: takes back (part of) a grant, or gives back (part of) what was spent or has expired."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "a payment was returned": {
            "account": "acme",
            "corrects": 1,
            "amount": 500,
            "reference": "refund-pay_1042",
            "reason": "Payment returned",
        },
        "a video was defective": {
            "account": "acme",
            "corrects": 3,
            "amount": 50,
            "reference": "ticket-4711",
            "reason": "The video was black",
        },
    }

    account: Annotated[Account, Field(description="The account of the entry")]
    corrects: Annotated[Whole, Field(description="Number of the entry: a grant, a settlement or an expiry")]
    amount: Amount
    reference: Reference
    reason: Reason = None

    def command(self) -> AdjustCredits:
        """The adjustment as a command to the ledger."""
        return AdjustCredits(**self.model_dump(exclude_none=True))


class ReasonBody(RequestBody):
    """Why; the body may be left out."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {"with a note": {"reason": "Contract ended"}}

    reason: Reason = None

    def close(self, account: str) -> CloseAccount:
        """The closing of an account as a command to the ledger."""
        return CloseAccount(account=account, **self.model_dump(exclude_none=True))

    def reopen(self, account: str) -> ReopenAccount:
        """The reopening of an account as a command to the ledger."""
        return ReopenAccount(account=account, **self.model_dump(exclude_none=True))


class LimitsBody(RequestBody):
    """All limits of the account, or of one key of it: one that is absent or null is lifted."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "the account": {"perDay": 2000, "perGeneration": 100},
        "one key": {"apiKey": "key_5f1c9e7a02bd", "perDay": 200},
        "no limit": {},
    }

    api_key: Annotated[KeyId, Field(description="Id of an API key; absent: the whole account")] = None
    per_day: Annotated[Limit, Field(description="Most credits in a day of UTC")] = None
    per_generation: Annotated[Limit, Field(description="Most credits for one generation")] = None

    def command(self, account: str) -> SetSpendLimits:
        """The limits as a command to the ledger."""
        return SetSpendLimits(account=account, **self.model_dump())


class Granted(ResponseBody):
    """A grant, new or made before. balances: those of the account now."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "account": "acme",
        "entry": 1,
        "amount": 500,
        "reference": "pay_1042",
        "kind": "paid",
        "expiresAt": None,
        "balances": {"available": 500, "held": 0},
    }

    account: str
    entry: Annotated[int, Field(description="Number of the grant's entry, which identifies the grant")]
    amount: int
    reference: str
    kind: Kind
    expires_at: Timestamp | None
    balances: BalancesBody

    @classmethod
    def of(cls, command: GrantCredits, answer: LedgerAnswer) -> Self:
        return cls(
            account=command.account,
            entry=_entry(answer),
            amount=command.amount,
            reference=command.reference,
            kind=command.kind.value,
            expires_at=command.expires_at,
            balances=_balances(answer),
        )


class Adjusted(ResponseBody):
    """An adjustment, new or made before. balances: those of the account now."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "account": "acme",
        "entry": 4,
        "corrects": 1,
        "amount": 500,
        "reference": "refund-pay_1042",
        "balances": {"available": 0, "held": 0},
    }

    account: str
    entry: int
    corrects: int
    amount: int
    reference: str
    balances: BalancesBody

    @classmethod
    def of(cls, command: AdjustCredits, answer: LedgerAnswer) -> Self:
        return cls(
            account=command.account,
            entry=_entry(answer),
            corrects=command.corrects,
            amount=command.amount,
            reference=command.reference,
            balances=_balances(answer),
        )


class Changed(ResponseBody):
    """The account is in the requested state."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "account": "acme",
        "changed": True,
        "entry": 5,
        "balances": {"available": 500, "held": 0},
    }

    account: str
    changed: Annotated[bool, Field(description="False: it was in that state before")]
    entry: Annotated[int | None, Field(description="Number of the entry that changed it")]
    balances: BalancesBody

    @classmethod
    def of(cls, account: str, answer: LedgerAnswer) -> Self:
        return cls(
            account=account,
            changed=answer.done,
            entry=answer.entry if answer.done else None,
            balances=_balances(answer),
        )


def _entry(answer: LedgerAnswer) -> int:
    assert answer.entry is not None, "only a refusal names no entry"
    return answer.entry


def _balances(answer: LedgerAnswer) -> BalancesBody:
    assert answer.balances is not None, "only a refusal has no balances"
    return BalancesBody(available=answer.balances.available, held=answer.balances.held)


class KeyLimit(SpendLimitBody):
    """The limits of one API key."""

    api_key: str


class AccountLimits(ResponseBody):
    """The limits of the account, and of single keys of it."""

    account: SpendLimitBody | None
    api_keys: list[KeyLimit]

    @classmethod
    def of(cls, state: AccountState) -> Self:
        keys = [limit for key, limit in sorted(state.limits.items()) if key and SpendLimitBody.of(limit)]
        return cls(
            account=SpendLimitBody.of(state.limits.get("")),
            api_keys=[
                KeyLimit(api_key=key.api_key, per_day=key.per_day, per_generation=key.per_generation)
                for key in keys
            ],
        )


class GrantLine(ResponseBody):
    """A grant. The last six fields are left out where it is not known exactly where its credits are."""

    entry: int
    amount: int
    kind: Kind
    reference: str
    reason: str
    granted_at: Timestamp
    expires_at: Annotated[Timestamp | None, Field(description="As granted")]
    usable_until: Annotated[
        Timestamp | None, Field(description="Later than expiresAt where credits were returned")
    ] = None
    available: int | None = None
    held: int | None = None
    spent: int | None = None
    expired: int | None = None
    taken_back: int | None = None

    @classmethod
    def of(cls, grant: GrantRow, *, exactly: bool) -> Self:
        names = ["amount", "kind", "reference", "reason", "granted_at", "expires_at"]
        if exactly:
            names += ["usable_until", "available", "held", "spent", "expired", "taken_back"]
        return cls(entry=grant.number, **{name: getattr(grant, name) for name in names})


_GRANT = {
    "entry": 1,
    "amount": 500,
    "kind": "paid",
    "reference": "pay_1042",
    "reason": "Starter pack",
    "grantedAt": "2026-11-23T04:00:00.000Z",
    "expiresAt": None,
    "usableUntil": None,
    "available": 450,
    "held": 50,
    "spent": 0,
    "expired": 0,
    "takenBack": 0,
}


class GrantPage(ResponseBody):
    """A page of grants, newest first. Without nextCursor it is the last one."""

    items: list[GrantLine]
    next_cursor: str | None


_ACCOUNT = {
    "available": 450,
    "held": 50,
    "account": "acme",
    "entry": 2,
    "isClosed": False,
    "limits": {
        "account": {"perDay": 2000, "perGeneration": 100},
        "apiKeys": [{"apiKey": "key_5f1c9e7a02bd", "perDay": 200, "perGeneration": None}],
    },
    "grants": {"items": [_GRANT], "nextCursor": None},
}


class AccountBody(BalancesBody):
    """An account as administrators see it."""

    EXAMPLE: ClassVar[dict[str, Any]] = _ACCOUNT

    account: str
    entry: Annotated[int, Field(description="Number of its last entry")]
    is_closed: bool
    limits: AccountLimits
    grants: GrantPage

    @classmethod
    def of(cls, state: AccountState, grants: Sequence[GrantRow], next_cursor: str | None) -> Self:
        balance = state.balance
        items = [GrantLine.of(grant, exactly=balance.attributed) for grant in grants]
        return cls(
            available=balance.available,
            held=balance.held,
            account=balance.account,
            entry=balance.entry,
            is_closed=balance.closed,
            limits=AccountLimits.of(state),
            grants=GrantPage(items=items, next_cursor=next_cursor),
        )
