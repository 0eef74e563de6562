"""The ledger's decider, pure: the rule of every command, by name. `account` holds the state and `evolve`."""

from __future__ import annotations

from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import MessageSkipped

from .account import Account
from .account_status import close, reopen
from .adjustments import adjust
from .commands import Debit, Expire, Refund, Settle, Skip, TimedCommand
from .grants import expire, grant
from .holds import debit, refund, settle
from .limits import set_limits
from .postings import entry_fields_without_postings

__all__ = ["decide", "skipped_sequence"]


def decide(timed: TimedCommand, account: Account) -> Event | None:
    """The entry that a command leads to; None if it was carried out before or nothing is left to do.

    Raises LedgerRefused, or NotDebited for a delivery without a debit.
    """
    command, at = timed.command, timed.at
    match command:
        case GrantCredits():
            return grant(command, account, at)
        case Debit():
            return debit(command, account, at)
        case Settle():
            return settle(command, account, at)
        case Refund():
            return refund(command, account, at)
        case Expire():
            return expire(command, account, at)
        case AdjustCredits():
            return adjust(command, account, at)
        case CloseAccount():
            return close(command, account, at)
        case ReopenAccount():
            return reopen(command, account, at)
        case SetSpendLimits():
            return set_limits(command, account, at)
        case Skip(sequence=sequence, sha256=sha256, reason=reason):
            shared = entry_fields_without_postings(command, account, at)
            return MessageSkipped(**shared, skips=sequence, sha256=sha256, reason=reason)
        case _:
            assert_never(command)


def skipped_sequence(event: Event) -> int | None:
    """The sequence of the LEDGER message that this entry skips."""
    return event.skips if isinstance(event, MessageSkipped) else None
