"""One module per durable consumer; `register_consumers` lists them."""

from functools import partial

from telecine_chassis.consumers.reactor import Reactor
from telecine_contracts.credits import CreditsDebited, CreditsDenied
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.streams import (
    GENERATION_CANCEL,
    GENERATION_DENY,
    GENERATION_SUBMIT,
    GENERATION_TIMERS,
)

from .cancel import cancel
from .deny import deny
from .poll import WAKE, GenerationPoller
from .submit import Generations, Submitter, submit


def register_consumers(
    reactor: Reactor, generations: Generations, submitter: Submitter, poller: GenerationPoller
) -> None:
    """Binds every consumer of the service to its handler."""
    reactor.on(GENERATION_SUBMIT, CreditsDebited, partial(submit, submitter, poller.set_timer))
    reactor.on(GENERATION_DENY, CreditsDenied, partial(deny, generations))
    reactor.on(GENERATION_CANCEL, CancelRequested, partial(cancel, poller))
    reactor.on_timers(GENERATION_TIMERS, {WAKE: poller.wake}, {WAKE: ("account", "generation")})
