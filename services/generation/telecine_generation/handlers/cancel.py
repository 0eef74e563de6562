"""`generation-cancel`: cancels a generation at the user's request."""

from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.timers.port import Timer
from telecine_contracts.gateway import CancelRequested

from .bucket_poller import WAKE
from .poll import GenerationPoller


async def cancel(poller: GenerationPoller, event: CancelRequested, cause: Cause) -> None:
    """Advances the generation now instead of at its next poll."""
    # What a cancellation means depends on the generation's phase, which `wake` reads anyway.
    await poller.wake(Timer(WAKE, (event.account, event.generation)))
