"""When a failed message is retried: which errors are temporary, what a handler may raise, and how long to wait."""

import random
from dataclasses import dataclass

import nats.errors

from telecine_chassis.eventstore.port import Unavailable, UnsupportedEvent
from telecine_contracts import UnknownEvent

__all__ = ["TRANSIENT_ERRORS", "UNSUPPORTED_ERRORS", "Permanent", "Retry", "RetryPolicy"]

TRANSIENT_ERRORS = (Unavailable, OSError, TimeoutError, nats.errors.Error)
"""Transient infrastructure errors: the message is redelivered without limit."""
UNSUPPORTED_ERRORS = (UnknownEvent, UnsupportedEvent)
"""The message was written by a newer version: it waits for an upgrade of this service."""


class Retry(Exception):
    """Raised by a handler that wants the message again in `delay` seconds."""

    def __init__(self, delay: float, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class Permanent(Exception):
    """Raised by a handler that can never process this message."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off: `first` seconds after a failure, doubled up to `longest`; give up after `tries`."""

    first: float = 0.5
    longest: float = 30
    tries: int = 8

    def delay(self, tried: int) -> float:
        """Seconds to wait after the `tried`-th failure, with jitter so that many messages do not return at once."""
        longest = min(self.longest, self.first * 2.0 ** (min(tried, 30) - 1))
        return longest * random.uniform(0.75, 1)  # noqa: S311 - spreads retries
