"""Timers on the TIMERS stream: a scheduled message (ADR-51) per timer, delivered to a work queue when due.

Other headers than those of the schedule arrive with the timer: when it was due, and the trace it belongs to.
"""

from datetime import UTC, datetime

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError

from telecine_contracts.subjects import timer_at, timer_due

from .store import Unavailable
from .timers import Timer
from .trace import DUE
from .tracing import carried

__all__ = ["JetStreamTimers"]

STREAM = "TIMERS"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class JetStreamTimers:
    """Timers of `service`. `timeout` is in seconds, per call."""

    def __init__(self, connection: Client, service: str, *, timeout: float = 5) -> None:
        self._jetstream = connection.jetstream(timeout=timeout)
        self._service = service

    async def set(self, timer: Timer, at: datetime) -> None:
        await self._publish(self._at(timer), timer.data, self._schedule(timer, at))

    async def set_if_absent(self, timer: Timer, at: datetime) -> bool:
        try:
            await self._publish(self._at(timer), timer.data, self._schedule(timer, at) | {EXPECTED: "0"})
        except _Exists:
            return False
        return True

    async def fire(self, timer: Timer) -> None:
        await self._publish(timer_due(self._service, timer.kind, *timer.key), timer.data, carried())

    def _at(self, timer: Timer) -> str:
        return timer_at(self._service, timer.kind, *timer.key)

    def _schedule(self, timer: Timer, at: datetime) -> dict[str, str]:
        moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        target = timer_due(self._service, timer.kind, *timer.key)
        return {"Nats-Schedule": f"@at {moment}", "Nats-Schedule-Target": target, DUE: moment, **carried()}

    async def _publish(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        try:
            await self._jetstream.publish(subject, data, stream=STREAM, headers=headers or None)
        except APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise _Exists from None
            raise Unavailable(f"timer not set: {error.description}") from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"timer not set: {type(error).__name__}") from error


WRONG_LAST_SEQUENCE = {10071, 10164}
"""Also while another one is being set: server error codes."""


class _Exists(Exception):
    """Such a timer is already waiting."""
