"""Decodes events and due timers and dispatches them to the registered handler, each inside a span."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import structlog
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.messages import decode
from telecine_chassis.telemetry.instruments import HandlerInstruments
from telecine_chassis.telemetry.trace_context import DUE_HEADER, SET_BY_HEADER, TRACEPARENT_HEADER
from telecine_chassis.telemetry.tracing import (
    Tracing,
    bind_context,
    current_log_fields,
    use_traceparent,
)
from telecine_chassis.timers.port import Timer
from telecine_contracts import Envelope, Event, Registry, subjects
from telecine_contracts.streams import Consumer
from telecine_jetstream.messages import StoredMessage, from_stored

from .dead_letters import DeadLetters, failures_before
from .retry_policy import TRANSIENT_ERRORS, Permanent, Retry

__all__ = ["Dispatch", "EventHandler", "TimerHandler"]

log = structlog.get_logger(__name__)
E = TypeVar("E", bound=Event)
EventHandler = Callable[[E, Cause], Awaitable[None]]
TimerHandler = Callable[[Timer], Awaitable[None]]
REPLAY = "replay"
"""The timer kind that replays a dead letter."""
SCHEDULER = "Nats-Scheduler"
"""Header in which the server names the subject on which a timer was set."""
CONSUMER = "messaging.consumer.group.name"
EVENT_TYPE = "telecine.event_type"


class Dispatch:
    """The handlers of one service, by consumer and by timer kind."""

    def __init__(
        self,
        connection: Client,
        registry: Registry,
        letters: DeadLetters,
        *,
        service: str,
        tracing: Tracing,
        meters: HandlerInstruments,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._letters = letters
        self._service = service
        self._tracing = tracing
        self._meters = meters
        self._clock = clock
        self._events: dict[str, tuple[Consumer, type[Event], EventHandler[Any]]] = {}
        self._timers: dict[str, TimerHandler] = {REPLAY: self._replay}
        self._names: dict[str, Sequence[str]] = {}
        self._delays = {REPLAY: meters.timer_delay.labels(REPLAY)}

    def on(self, consumer: Consumer, event_type: type[E], handler: EventHandler[E]) -> None:
        """Register the handler of a consumer whose events are of `event_type` or its subclasses."""
        self._events[consumer.name] = consumer, event_type, handler

    def on_timers(self, handlers: Mapping[str, TimerHandler], names: Mapping[str, Sequence[str]]) -> None:
        """Register the handlers of timers by kind."""
        self._timers |= handlers
        self._delays |= {kind: self._meters.timer_delay.labels(kind) for kind in handlers}
        self._names |= names

    async def __call__(self, consumer: Consumer, record: StoredMessage) -> None:
        """Process a message. Raises what its handler raises, or the error of decoding it."""
        if record.subject.startswith("timers."):
            await self._handle_timer(consumer, record)
        else:
            await self._handle_event(consumer.name, record)

    async def _handle_timer(self, consumer: Consumer, record: StoredMessage) -> None:
        _, _, service, kind, *key = record.subject.split(".")
        # The server does not check that the writer of a schedule may also publish on its target: without this check,
        # a service could fire the timers of another.
        if record.headers.get(SCHEDULER, own := subjects.timer_at(service, kind, *key)) != own:
            raise Permanent("this timer was set on the subject of another timer")
        if kind not in self._timers:
            raise Permanent(f"no handler for timers of kind {kind}")
        names = self._names.get(kind, ())
        with self._timer_span(consumer.name, kind, names, record.headers):
            structlog.contextvars.bind_contextvars(timer=kind, **current_log_fields())
            bind_context(**dict(zip(names, key, strict=False)))
            if (late := _lateness(record, self._clock())) is not None:
                self._delays[kind].observe(late)
            await self._timers[kind](Timer(kind, tuple(key), record.body))

    def _timer_span(
        self, consumer: str, kind: str, names: Sequence[str], headers: Mapping[str, str]
    ) -> AbstractContextManager[object]:
        parent = headers.get(TRACEPARENT_HEADER)
        if not self._tracing.records:
            return use_traceparent(parent)
        return self._tracing.entry_span(
            f"process timers.due.{self._service}.{kind}" + "".join(f".{{{name}}}" for name in names),
            parent=parent,
            link=headers.get(SET_BY_HEADER),
            attributes={CONSUMER: consumer},
            expected=(Retry,),
        )

    async def _handle_event(self, name: str, record: StoredMessage) -> None:
        recorded = decode(record, self._registry)
        event, envelope = recorded.event, recorded.envelope
        _, event_type, handler = self._events[name]
        with self._event_span(name, type(event), envelope):
            structlog.contextvars.bind_contextvars(
                event_type=envelope.type, correlation=envelope.correlation, **current_log_fields()
            )
            bind_context(**event.about)
            if not isinstance(event, event_type):
                raise Permanent(f"{name} takes {event_type.__name__}, not {envelope.type}")
            await handler(event, Cause.of(envelope))

    def _event_span(
        self, consumer: str, event_type: type[Event], envelope: Envelope
    ) -> AbstractContextManager[object]:
        if not self._tracing.records:
            return use_traceparent(envelope.traceparent)
        return self._tracing.entry_span(
            _span_name(event_type),
            parent=envelope.traceparent,
            attributes={CONSUMER: consumer, EVENT_TYPE: envelope.type},
            expected=(Retry,),
        )

    async def _replay(self, timer: Timer) -> None:
        """Process an event again; the key is the consumer and the stream sequence."""
        name, sequence = timer.key
        if name not in self._events:
            raise Permanent(f"unknown consumer {name}")
        consumer, *_ = self._events[name]
        stream = consumer.stream
        try:
            found = await self._connection.jetstream().get_msg(stream, seq=int(sequence))
        except NotFoundError:
            raise Permanent(f"message {sequence} of {stream} no longer exists") from None
        record = from_stored(found)
        try:
            await self._handle_event(name, record)
        except (Retry, *TRANSIENT_ERRORS):
            raise
        except Exception as error:
            # The dead letter is the event, not the timer that requested its replay.
            log.error("reactor.dead_letter", subject=record.subject, tried=1, exc_info=error)
            failures = failures_before(timer.data) + 1
            await self._letters.keep(self._service, consumer, record, error, 1, failures=failures)


@lru_cache(maxsize=256)
def _span_name(event_type: type[Event]) -> str:
    return f"process {subjects.template(event_type)}"


def _lateness(record: StoredMessage, now: datetime) -> float | None:
    """Seconds since a timer was due; None if it does not say."""
    try:
        due = datetime.fromisoformat(record.headers[DUE_HEADER])
    except (KeyError, ValueError):
        return None
    return max(0.0, (now - due).total_seconds())
