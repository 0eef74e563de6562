"""`credits-close`: the end of a generation settles or refunds its hold."""

from collections.abc import Callable
from datetime import datetime

from telecine_chassis.consumers.reactor import Permanent
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_contracts import Event, subjects
from telecine_contracts.generation import GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import Refund, Settle, TimedCommand
from telecine_credits.rules.errors import NotDebited

__all__ = ["SettlementHandler", "ending_command"]


class SettlementHandler:
    """Ends the holds of generations that have ended."""

    def __init__(self, ledger: CommandHandler[TimedCommand, Account], clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock

    async def settle(self, event: Event, cause: Cause) -> None:
        """Settle or refund. Raises Permanent for a delivery that was never debited."""
        command = ending_command(event)
        timed = TimedCommand(command, self._clock())
        try:
            await self._ledger.handle(subjects.ledger(command.account), timed, cause)
        except NotDebited as error:
            raise Permanent(str(error)) from None


def ending_command(event: Event) -> Settle | Refund:
    """Settle if there is a video to deliver, otherwise refund with the reason."""
    account, generation = event.about["account"], event.about["generation"]
    match event:
        case VideoStored(duration=seconds):
            return Settle(account=account, generation=generation, seconds=seconds)
        case VideoStorageFailed(stopgap_url=url, duration=seconds) if url:
            return Settle(account=account, generation=generation, seconds=seconds)
        case VideoStorageFailed():
            reason = "video_not_stored"
        case GenerationFailed(code=code):
            reason = code.value
        case _:
            reason = "cancelled"
    return Refund(account=account, generation=generation, reason=reason)
