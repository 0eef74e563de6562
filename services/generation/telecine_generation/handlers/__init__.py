"""One module per durable consumer; `register_consumers` lists them."""

from functools import partial

from telecine_chassis.consumers.reactor import Reactor
from telecine_contracts.credits import CreditsDebited, CreditsDenied
from telecine_contracts.dispatch import GenerationDispatched
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.generation import GenerationEvent
from telecine_contracts.streams import (
    GENERATION_CANCEL,
    GENERATION_DENY,
    GENERATION_DISPATCH,
    GENERATION_RELEASE,
    GENERATION_SUBMIT,
    GENERATION_TIMERS,
)

from .bucket_poller import POLL, WAKE, BucketPoller
from .cancel import cancel
from .deny import deny
from .dispatch import CANCEL_AFTER, DISPATCH, Dispatcher, dispatched, released
from .poll import GenerationPoller
from .submit import Generations, Submitter, submit


def register_consumers(
    reactor: Reactor,
    generations: Generations,
    submitter: Submitter,
    poller: GenerationPoller,
    buckets: BucketPoller,
    dispatcher: Dispatcher,
) -> None:
    """Binds every consumer of the service to its handler."""
    reactor.on(
        GENERATION_SUBMIT,
        CreditsDebited,
        partial(submit, submitter, dispatcher.admit, dispatcher.limit_wait, poller.follow),
    )
    on_place = partial(dispatched, dispatcher, submitter, generations, poller.follow)
    reactor.on(GENERATION_DISPATCH, GenerationDispatched, on_place)
    reactor.on(GENERATION_RELEASE, GenerationEvent, partial(released, dispatcher, generations))
    reactor.on(GENERATION_DENY, CreditsDenied, partial(deny, generations))
    reactor.on(GENERATION_CANCEL, CancelRequested, partial(cancel, poller))
    reactor.on_timers(
        GENERATION_TIMERS,
        {
            WAKE: poller.wake,
            POLL: buckets.poll_bucket,
            DISPATCH: dispatcher.check,
            CANCEL_AFTER: dispatcher.cancel_waiting,
        },
        {
            WAKE: ("account", "generation"),
            POLL: ("bucket",),
            DISPATCH: ("model",),
            CANCEL_AFTER: ("account", "generation"),
        },
    )
