"""The ledger's aggregates, with every entry that is written here counted."""

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, CommandResult
from telecine_contracts import Event
from telecine_contracts.credits import (
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
)
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import Command

from .instruments import LedgerMeters

__all__ = ["CountedLedger"]

MOVING = (
    CreditsGranted,
    CreditsDebited,
    CreditsSettled,
    CreditsRefunded,
    CreditsExpired,
    CreditsAdjusted,
)


class CountedLedger(CommandHandler[Command, Account]):
    """See CommandHandler. `meters` is set before the first command."""

    meters: LedgerMeters

    async def handle(
        self, aggregate: str, command: Command, cause: Cause | None = None
    ) -> CommandResult[Account]:
        """See CommandHandler.handle."""
        outcome = await super().handle(aggregate, command, cause)
        if outcome.event is not None:
            self._count(outcome.event.event)
        return outcome

    def _count(self, event: Event) -> None:
        self.meters.entries.labels(event.action).inc()
        if isinstance(event, MOVING):
            self.meters.credits.labels(event.action).inc(event.amount)
        elif isinstance(event, CreditsDenied):
            self.meters.denials.labels(event.reason.value).inc()
