"""How a generation is paid for, after each ledger event of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from telecine_contracts import Event
from telecine_contracts.credits import CreditsDebited, CreditsDenied, CreditsRefunded, CreditsSettled

__all__ = ["Charge", "apply_to_charge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """How a generation is paid for. `available`: the balance right after it was debited or denied.

    `limit`: the spend limit that it was denied for: scope, per, limit, used.
    """

    generation: str
    account: str
    state: str
    amount: int
    available: int
    reason: str | None = None
    limit: Mapping[str, Any] | None = None


def apply_to_charge(charge: Charge | None, event: Event) -> Charge | None:
    """The charge after a ledger event of the generation."""
    match event:
        case CreditsDebited():
            return Charge(
                generation=event.generation,
                account=event.account,
                state="debited",
                amount=event.amount,
                available=event.balances.available,
            )
        case CreditsDenied():
            return Charge(
                generation=event.generation,
                account=event.account,
                state="denied",
                amount=event.needed,
                available=event.available,
                reason=event.reason.value,
                limit=event.limit.model_dump(mode="json") if event.limit else None,
            )
        case CreditsSettled() | CreditsRefunded() if charge is not None:
            return replace(charge, state=event.action, amount=event.amount)
        case _:
            return charge
