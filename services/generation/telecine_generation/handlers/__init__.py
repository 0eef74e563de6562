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

from .bucket_poller import POLL, WAKE, BucketPoller
from .cancel import cancel
from .deny import deny
from .poll import GenerationPoller
from .submit import Generations, Submitter, submit


def register_consumers(
    reactor: Reactor,
    generations: Generations,
    submitter: Submitter,
    poller: GenerationPoller,
    buckets: BucketPoller,
) -> None:
    """Binds every consumer of the service to its handler."""
    reactor.on(GENERATION_SUBMIT, CreditsDebited, partial(submit, submitter, poller.follow))
    reactor.on(GENERATION_DENY, CreditsDenied, partial(deny, generations))
    reactor.on(GENERATION_CANCEL, CancelRequested, partial(cancel, poller))
    reactor.on_timers(
        GENERATION_TIMERS,
        {WAKE: poller.wake, POLL: buckets.poll_bucket},
        {WAKE: ("account", "generation"), POLL: ("bucket",)},
    )
