"""Rules of closing and reopening an account, pure."""

from __future__ import annotations

from datetime import datetime

from telecine_contracts import Event
from telecine_contracts.commands import CloseAccount, Refusal, ReopenAccount
from telecine_contracts.credits import AccountClosed, AccountReopened

from .account import Account
from .errors import LedgerRefused
from .postings import entry_fields_without_postings

__all__ = ["close", "reopen"]


def close(command: CloseAccount, account: Account, at: datetime) -> Event | None:
    """The account takes neither debits nor grants; None if it is closed already."""
    if account.is_closed:
        return None
    if account.entry == 0:
        raise LedgerRefused(
            Refusal.INVALID,
            f"account {command.account} does not exist: an account is created by its first grant",
            "account",
        )
    return AccountClosed(**entry_fields_without_postings(command, account, at), reason=command.reason)


def reopen(command: ReopenAccount, account: Account, at: datetime) -> Event | None:
    """The account takes debits and grants again; None if it is open."""
    if not account.is_closed:
        return None
    return AccountReopened(**entry_fields_without_postings(command, account, at), reason=command.reason)
