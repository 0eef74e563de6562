"""The ledger port: commands that the credits service carries out, and its answers."""

from typing import Protocol

from telecine_chassis.eventstore.port import Unavailable
from telecine_contracts.commands import LedgerAnswer, LedgerCommand

__all__ = ["Ledger", "LedgerUnavailable"]


class LedgerUnavailable(Unavailable):
    """The credits service did not answer; whether the command was carried out is not known."""


class Ledger(Protocol):
    """Port to the credits service."""

    async def execute(self, command: LedgerCommand) -> LedgerAnswer:
        """Send a command; its outcome, which may be a refusal. Safe to repeat. Raises LedgerUnavailable."""
        ...
