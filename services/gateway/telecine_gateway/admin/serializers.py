"""What administrators are told, as plain JSON values: what became of a command, and an account as it stands."""

from collections.abc import Sequence
from typing import Any

from telecine_contracts.commands import AdjustCredits, GrantCredits, LedgerAnswer
from telecine_contracts.timestamps import format_timestamp
from telecine_gateway.read_model.account_queries import AccountState
from telecine_gateway.read_model.tables import GrantRow, SpendLimit

__all__ = ["account_view", "adjusted", "changed", "granted", "limits_view"]


def granted(command: GrantCredits, answer: LedgerAnswer) -> dict[str, Any]:
    """The body of Granted."""
    return {
        "account": command.account,
        "entry": answer.entry,
        "amount": command.amount,
        "reference": command.reference,
        "kind": command.kind.value,
        "expiresAt": format_timestamp(command.expires_at),
        "balances": _balances(answer),
    }


def adjusted(command: AdjustCredits, answer: LedgerAnswer) -> dict[str, Any]:
    """The body of Adjusted."""
    return {
        "account": command.account,
        "entry": answer.entry,
        "corrects": command.corrects,
        "amount": command.amount,
        "reference": command.reference,
        "balances": _balances(answer),
    }


def changed(account: str, answer: LedgerAnswer) -> dict[str, Any]:
    """The body of Changed."""
    return {
        "account": account,
        "changed": answer.done,
        "entry": answer.entry if answer.done else None,
        "balances": _balances(answer),
    }


def _balances(answer: LedgerAnswer) -> dict[str, int] | None:
    balances = answer.balances
    return {"available": balances.available, "held": balances.held} if balances else None


def account_view(
    standing: AccountState, grants: Sequence[GrantRow], next_cursor: str | None
) -> dict[str, Any]:
    """The body of AccountBody."""
    balance = standing.balance
    keys = [limit for key, limit in sorted(standing.limits.items()) if key and limits_view(limit)]
    return {
        "account": balance.account,
        "available": balance.available,
        "held": balance.held,
        "entry": balance.entry,
        "isClosed": balance.closed,
        "limits": {
            "account": limits_view(standing.limits.get("")),
            "apiKeys": [{"apiKey": limit.api_key, **(limits_view(limit) or {})} for limit in keys],
        },
        "grants": {
            "items": [_grant(grant, exactly=balance.attributed) for grant in grants],
            "nextCursor": next_cursor,
        },
    }


def limits_view(limit: SpendLimit | None) -> dict[str, int | None] | None:
    """The body of OneLimit; None where nothing is bounded."""
    if limit is None or (limit.per_day is None and limit.per_generation is None):
        return None
    return {"perDay": limit.per_day, "perGeneration": limit.per_generation}


def _grant(grant: GrantRow, *, exactly: bool) -> dict[str, Any]:
    told = {
        "entry": grant.number,
        "amount": grant.amount,
        "kind": grant.kind,
        "reference": grant.reference,
        "reason": grant.reason,
        "grantedAt": format_timestamp(grant.granted_at),
        "expiresAt": format_timestamp(grant.expires_at),
    }
    left = {
        "usableUntil": format_timestamp(grant.usable_until),
        "available": grant.available,
        "held": grant.held,
        "spent": grant.spent,
        "expired": grant.expired,
        "takenBack": grant.taken_back,
    }
    return told | left if exactly else told
