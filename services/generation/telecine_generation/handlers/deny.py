"""`generation-deny`: fails a generation whose credits were denied."""

from telecine_chassis.eventstore.command_handler import Cause
from telecine_contracts import subjects
from telecine_contracts.credits import CreditsDenied, DenialReason
from telecine_contracts.descriptions import describe_denial
from telecine_generation.rules.commands import Deny

from .submit import Generations


async def deny(generations: Generations, event: CreditsDenied, cause: Cause) -> None:
    """Appends GenerationFailed, unless the generation has already ended."""
    if event.reason is not DenialReason.GENERATION_ENDED:
        aggregate = subjects.video(event.account, event.generation)
        message = describe_denial(event.reason, event.needed, event.limit)
        await generations.handle(aggregate, Deny(event.reason, message), cause)
