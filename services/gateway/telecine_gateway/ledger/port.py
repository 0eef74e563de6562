"""The ledger port: commands that the credits service carries out, and its answers."""

from collections.abc import Mapping
from typing import Protocol

from telecine_chassis.eventstore.port import Unavailable
from telecine_contracts.commands import (
    ADJUST_CREDITS,
    CLOSE_ACCOUNT,
    GRANT_CREDITS,
    REOPEN_ACCOUNT,
    SET_SPEND_LIMITS,
    SKIP_MESSAGE,
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerAnswer,
    LedgerCommand,
    ReopenAccount,
    SetSpendLimits,
    SkipMessage,
)

__all__ = ["SUBJECTS", "Ledger", "LedgerUnavailable"]

SUBJECTS: Mapping[type[LedgerCommand], str] = {
    GrantCredits: GRANT_CREDITS,
    AdjustCredits: ADJUST_CREDITS,
    CloseAccount: CLOSE_ACCOUNT,
    ReopenAccount: REOPEN_ACCOUNT,
    SetSpendLimits: SET_SPEND_LIMITS,
    SkipMessage: SKIP_MESSAGE,
}
"""Where the credits service takes each command."""


class LedgerUnavailable(Unavailable):
    """The credits service did not answer; whether the command was carried out is not known."""


class Ledger(Protocol):
    """Port to the credits service."""

    async def execute(self, command: LedgerCommand) -> LedgerAnswer:
        """Send a command; its outcome, which may be a refusal. Safe to repeat. Raises LedgerUnavailable."""
        ...
