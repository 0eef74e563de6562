"""Timers on the TIMERS stream: one scheduled message (ADR-51) per timer, delivered to a work queue when due.

The message also carries when it is due and the trace it belongs to.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import nats.errors
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.telemetry.trace_context import DUE_HEADER
from telecine_chassis.telemetry.tracing import timer_trace_headers
from telecine_contracts.subjects import timer_at, timer_due
from telecine_jetstream.client import NatsClient
from telecine_jetstream.publishing import publish_stored

from .port import Timer

__all__ = ["JetStreamTimers"]

STREAM = "TIMERS"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class JetStreamTimers:
    """Timers of `service`. `timeout` is in seconds, per call; `lead`: how far the server's clock, by which timers fire,

    is ahead of the clock of the given times.
    """

    def __init__(
        self,
        connection: NatsClient,
        service: str,
        *,
        timeout: float = 5,
        lead: Callable[[], timedelta] = timedelta,
    ) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream(timeout=timeout)
        self._timeout = timeout
        self._service = service
        self._lead = lead

    async def set(self, timer: Timer, at: datetime) -> None:
        await self._publish(self._at(timer), timer.data, self._schedule(timer, at))

    async def set_if_absent(self, timer: Timer, at: datetime) -> bool:
        try:
            await self._publish(self._at(timer), timer.data, self._schedule(timer, at) | {EXPECTED: "0"})
        except _Exists:
            return False
        return True

    async def bring_forward(self, timer: Timer, at: datetime, *, latest: datetime) -> bool:
        waiting = await self._waiting(timer)
        if waiting is None or _due(waiting) <= latest + self._lead():
            return False
        headers = self._schedule(timer, at) | {EXPECTED: str(waiting.seq)}
        try:
            await self._publish(self._at(timer), waiting.data or b"", headers)
        except _Exists:
            return False
        return True

    async def _waiting(self, timer: Timer) -> RawStreamMsg | None:
        try:
            return await self._jetstream.get_last_msg(STREAM, self._at(timer), direct=True)
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"timer not read: {type(error).__name__}") from error

    async def fire(self, timer: Timer) -> None:
        await self._publish(
            timer_due(self._service, timer.kind, *timer.key), timer.data, timer_trace_headers()
        )

    def _at(self, timer: Timer) -> str:
        return timer_at(self._service, timer.kind, *timer.key)

    def _schedule(self, timer: Timer, at: datetime) -> dict[str, str]:
        moment = (at.astimezone(UTC) + self._lead()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        target = timer_due(self._service, timer.kind, *timer.key)
        return {
            "Nats-Schedule": f"@at {moment}",
            "Nats-Schedule-Target": target,
            DUE_HEADER: moment,
            **timer_trace_headers(),
        }

    async def _publish(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        try:
            await publish_stored(self._connection, subject, data, head, stream=STREAM, timeout=self._timeout)
        except APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise _Exists from None
            raise Unavailable(f"timer not set: {error.description}") from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"timer not set: {type(error).__name__}") from error


def _due(waiting: RawStreamMsg) -> datetime:
    """When a waiting timer fires; far in the future without a header, so that it is set again."""
    try:
        return datetime.fromisoformat((waiting.headers or {})[DUE_HEADER])
    except (LookupError, ValueError):
        return _NEVER


_NEVER = datetime.max.replace(tzinfo=UTC)
WRONG_LAST_SEQUENCE = {10071, 10164}
"""Server error codes; the second one while another message on the subject is being stored."""


class _Exists(Exception):
    """A timer of this kind and key is already waiting."""
