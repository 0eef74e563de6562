"""`credits-debit`: a requested generation is debited or denied."""

from collections.abc import Callable
from datetime import datetime

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_contracts import subjects
from telecine_contracts.gateway import GenerationRequested
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import Debit, TimedCommand

__all__ = ["DebitHandler"]


class DebitHandler:
    """Reserves the price of requested generations."""

    def __init__(self, ledger: CommandHandler[TimedCommand, Account], clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock

    async def debit(self, event: GenerationRequested, cause: Cause) -> None:
        """Debit a generation, or deny it."""
        command = Debit(
            account=event.account, generation=event.generation, price=event.price, api_key=event.api_key
        )
        timed = TimedCommand(command, self._clock())
        await self._ledger.handle(subjects.ledger(event.account), timed, cause)
