"""The rules of adjustments, pure: an earlier entry is corrected by a new one, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from telecine_contracts import Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import CreditsAdjusted

from .account import Account, Movement
from .burn_order import Parts, last_taken, total
from .commands import Adjust, LedgerRefused
from .postings import check_room, entry, legs, usable_until

__all__ = ["adjust"]


def adjust(command: Adjust, account: Account) -> Event | None:
    """Back the way it came: a grant is taken back, a settlement or an expiry given back.

    None if the reference adjusted the same before.
    """
    if command.reference in account.references:
        _check_adjusted_before(command, account)
        return None
    if command.amount < 1:
        raise LedgerRefused(Refusal.INVALID, "amount must be 1 credit or more", "amount")
    movement = account.corrigible.get(command.corrects)
    return _take_back(command, account) if movement is None else _give_back(command, account, movement)


def _check_adjusted_before(command: Adjust, account: Account) -> None:
    number = account.references[command.reference].entry
    before = account.adjustments.get(number)
    if before == (command.corrects, command.amount):
        return
    told = f"an adjustment of entry {before[0]} by {before[1]} credits" if before else "a grant"
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {told}",
        "reference",
    )


def _take_back(command: Adjust, account: Account) -> Event:
    grant = account.grants.get(command.corrects)
    if grant is None:
        _refuse(
            f"entry {command.corrects} of account {command.account} is not a grant, a settlement or an expiry",
            "corrects",
        )
    if command.amount > grant.available:
        _refuse(
            f"only {grant.available} of the {grant.amount} credits of entry {command.corrects} are available",
            "amount",
        )
    parts = ((command.corrects, command.amount),)
    return _adjusted(command, account, parts, (f"{command.account}:available", "issued"))


def _give_back(command: Adjust, account: Account, movement: Movement) -> Event:
    left = total(movement.parts)
    if command.amount > left:
        _refuse(f"only {left} of the credits of entry {command.corrects} are left to be given back", "amount")
    check_room(command.amount, account)
    parts = last_taken(movement.parts, command.amount)
    until = usable_until(parts, account, command.at)
    return _adjusted(command, account, parts, (movement.target, f"{command.account}:available"), until)


def _refuse(message: str, field: str) -> NoReturn:
    raise LedgerRefused(Refusal.NOT_CORRECTABLE, message, field)


def _adjusted(
    command: Adjust, account: Account, parts: Parts, sides: tuple[str, str], until: datetime | None = None
) -> Event:
    source, target = sides
    gained = command.amount if target == f"{command.account}:available" else -command.amount
    return CreditsAdjusted(
        **entry(command, account, available=gained),
        postings=legs(parts, source, target),
        corrects=command.corrects,
        amount=command.amount,
        reference=command.reference,
        reason=command.reason,
        usable_until=until,
    )
