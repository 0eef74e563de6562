"""When to try again: what a handler may raise, what counts as the world's fault, and how long to wait."""

import random
from dataclasses import dataclass

import nats.errors

from telecine_chassis.eventstore.port import Unavailable, UnsupportedEvent
from telecine_contracts import UnknownEvent

__all__ = ["TRANSIENT_ERRORS", "UNSUPPORTED_ERRORS", "Permanent", "Retry", "RetryPolicy"]

TRANSIENT_ERRORS = (Unavailable, OSError, TimeoutError, nats.errors.Error)
"""The world is broken, not the message: asked for again without end."""


UNSUPPORTED_ERRORS = (UnknownEvent, UnsupportedEvent)
"""Written by a newer version: the message waits for an upgrade of this one."""


class Retry(Exception):
    """Raised by a handler: not now, ask me again in `delay` seconds."""

    def __init__(self, delay: float, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class Permanent(Exception):
    """Raised by a handler: this message can never be taken."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """After a failure wait `first` seconds, then twice as long each time up to `longest`; give up after `tries`."""

    first: float = 0.5
    longest: float = 30
    tries: int = 8

    def delay(self, tried: int) -> float:
        """Seconds to wait after the `tried`-th failure, spread so that many don't come back at once."""
        longest = min(self.longest, self.first * 2.0 ** (min(tried, 30) - 1))
        return longest * random.uniform(0.75, 1)  # noqa: S311 - spreads retries
