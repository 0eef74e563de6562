"""One module per durable consumer; `register_consumers` lists them."""

from functools import partial

from telecine_chassis.consumers.reactor import Reactor
from telecine_contracts.erasure import AccountErased
from telecine_contracts.generation import VideoReady
from telecine_contracts.streams import STORAGE_COPY, STORAGE_ERASE, STORAGE_TIMERS

from .copy import COPY, RECOPY, CopyHandler, copy
from .erase import Erasures, erase


def register_consumers(reactor: Reactor, copier: CopyHandler, erasures: Erasures) -> None:
    """Binds every consumer of the service to its handler."""
    reactor.on(STORAGE_COPY, VideoReady, partial(copy, copier))
    reactor.on(STORAGE_ERASE, AccountErased, partial(erase, erasures))
    key = ("account", "generation")
    reactor.on_timers(STORAGE_TIMERS, {COPY: copier.retry, RECOPY: copier.recopy}, {COPY: key, RECOPY: key})
