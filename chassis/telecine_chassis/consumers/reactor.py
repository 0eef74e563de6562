"""Durable consumers with an acknowledgement policy of our own.

A message is acknowledged after its handler has returned, redelivered later when the handler failed temporarily, and
kept as a dead letter when it can't be processed.
"""

import asyncio
import contextlib
import contextvars
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import nats.errors
import structlog

from telecine_chassis.eventstore.port import UnreadableMessage
from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_chassis.telemetry.instruments import HandlerInstruments, Instruments
from telecine_chassis.telemetry.metrics import Metrics
from telecine_chassis.telemetry.tracing import Tracing
from telecine_contracts import BadEnvelope, BadEvent, Registry
from telecine_contracts.streams import Consumer
from telecine_jetstream.client import NatsClient
from telecine_jetstream.messages import StoredMessage
from telecine_jetstream.pull_consumer import Delivery, PullConsumer

from .dead_letters import DeadLetters
from .dispatch import Dispatch, E, EventHandler, TimerHandler
from .monitor import ConsumerMonitor, Progress
from .retry_policy import TRANSIENT_ERRORS, UNSUPPORTED_ERRORS, Permanent, Retry, RetryPolicy

__all__ = ["Permanent", "Reactor", "Retry", "RetryPolicy", "TimerHandler"]

log = structlog.get_logger(__name__)
TEND_INTERVAL = 0.5
"""Seconds between two looks at acknowledgement deadlines and heartbeats."""
UPGRADE_RECHECK = 60
"""Seconds between two deliveries of a message that only a newer version can decode."""
MAX_UNCOUNTED = 10_000
"""Messages per process for which uncounted deliveries are remembered."""


class _Subscriber:
    """The messages of one consumer: those that are being handled, and those that wait for a slot."""

    def __init__(
        self,
        consumer: Consumer,
        connection: NatsClient,
        receive: Callable[["_Subscriber", Delivery], None],
        progress: Progress,
        meters: HandlerInstruments,
    ) -> None:
        self.consumer = consumer
        self.progress = progress
        self.pull = PullConsumer(
            connection, consumer.stream, consumer.name, partial(receive, self), slots=consumer.concurrency
        )
        self.waiting: deque[Delivery] = deque()
        self.running: set[asyncio.Task[None]] = set()
        self.context = contextvars.Context()
        self.seconds = meters.seconds.labels(consumer.name)
        self.done = meters.messages.labels(consumer.name, "done")
        meters.running.labels(consumer.name).set_function(lambda: len(self.running))


class Reactor:
    """The consumers of one service. Handlers of one consumer run concurrently, up to its `concurrency`."""

    def __init__(
        self,
        connection: NatsClient,
        registry: Registry,
        *,
        service: str,
        retries: RetryPolicy | None = None,
        grace: float = 15,
        tracing: Tracing | None = None,
        meters: HandlerInstruments | None = None,
        watch: ConsumerMonitor | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._service = service
        self._retries = retries or RetryPolicy()
        self._grace = grace
        self._meters = meters or Instruments(Metrics()).handlers
        self._letters = DeadLetters(connection, self._meters.dead_letters)
        self._watch = watch or ConsumerMonitor(connection, self._meters)
        self._dispatch = Dispatch(
            connection,
            registry,
            self._letters,
            service=service,
            tracing=tracing or Tracing(service),
            meters=self._meters,
            clock=clock,
        )
        self._subscribers: list[_Subscriber] = []
        self._excused: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._stopping = False
        self._tending: asyncio.Task[None] | None = None

    def on(self, consumer: Consumer, event_type: type[E], handler: EventHandler[E]) -> None:
        """Call `handler` with every event of `consumer`, and with the event as the cause of what it does.

        `event_type` is the type of those events, or a base class where the consumer has events of several types.
        """
        self._dispatch.on(consumer, event_type, handler)
        self._listen(consumer)

    def on_timers(
        self,
        consumer: Consumer,
        handlers: Mapping[str, TimerHandler],
        names: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Call the handler of its kind with every due timer of the service. Replays of dead letters are timers, too.

        `names`: the names of the parts of a kind's keys, for log lines and spans.
        """
        self._dispatch.on_timers(handlers, names or {})
        self._listen(consumer)

    def _listen(self, consumer: Consumer) -> None:
        progress = self._watch.add(consumer)
        self._subscribers.append(
            _Subscriber(consumer, self._connection, self._receive, progress, self._meters)
        )

    async def start(self) -> None:
        """Start consuming. Raises RuntimeError when a consumer was not provisioned."""
        if missing := await self._watch.missing():
            raise RuntimeError(f"consumer {missing} does not exist: run `telecine provision` first")
        self._stopping = False
        for subscriber in self._subscribers:
            subscriber.context = self._log_context(subscriber.consumer)
            await subscriber.pull.start()
        self._tending = start_background_task(self._tend(), name="tend-messages")
        self._watch.start()

    def _log_context(self, consumer: Consumer) -> contextvars.Context:
        """The context of the consumer's handlers, copied for each message."""
        context = contextvars.copy_context()
        context.run(structlog.contextvars.clear_contextvars)
        context.run(structlog.contextvars.bind_contextvars, service=self._service, consumer=consumer.name)
        return context

    async def stop(self) -> None:
        """Stop fetching, hand back what has not begun, and give running handlers `grace` seconds."""
        self._stopping = True
        await self._watch.stop()
        for subscriber in self._subscribers:
            while subscriber.waiting:
                self._hand_back(subscriber, subscriber.waiting.popleft())
        await asyncio.gather(*(subscriber.pull.stop() for subscriber in self._subscribers))
        if running := [task for subscriber in self._subscribers for task in subscriber.running]:
            _, late = await asyncio.wait(running, timeout=self._grace)
            await cancel_and_wait(*late)
        if self._tending is not None:
            await cancel_and_wait(self._tending)

    async def ready(self) -> str | None:
        """A readiness check: a consumer that was deleted delivers nothing and reports no error."""
        missing = await self._watch.missing()
        return f"consumer {missing} does not exist" if missing else None

    def alive(self) -> str | None:
        """A liveness check: the problem that the consumer monitor last found."""
        return self._watch.problem()

    async def _tend(self) -> None:
        """Keep the server from redelivering what is still in progress, and notice when it delivers nothing."""
        while True:
            await asyncio.sleep(TEND_INTERVAL)
            raise_if_cancelled()
            for subscriber in self._subscribers:
                with contextlib.suppress(nats.errors.Error):  # lost: the server redelivers what is held
                    subscriber.pull.tend(self._watch.ack_wait(subscriber.consumer.name) / 3)

    def _receive(self, subscriber: _Subscriber, delivery: Delivery) -> None:
        """Start a handler for the message, or let it wait for a slot."""
        if self._stopping:
            self._hand_back(subscriber, delivery)
        elif len(subscriber.running) < subscriber.consumer.concurrency:
            self._begin(subscriber, delivery)
        else:
            subscriber.waiting.append(delivery)

    def _begin(self, subscriber: _Subscriber, delivery: Delivery) -> None:
        task = asyncio.get_running_loop().create_task(
            self._handle(subscriber, delivery), context=subscriber.context.copy()
        )
        subscriber.running.add(task)
        task.add_done_callback(partial(self._ended, subscriber, delivery))

    def _ended(self, subscriber: _Subscriber, delivery: Delivery, task: asyncio.Task[None]) -> None:
        subscriber.running.discard(task)
        subscriber.pull.release(delivery)
        if subscriber.waiting and not self._stopping:
            self._begin(subscriber, subscriber.waiting.popleft())

    def _hand_back(self, subscriber: _Subscriber, delivery: Delivery) -> None:
        with contextlib.suppress(nats.errors.Error):
            delivery.nak()
        subscriber.pull.release(delivery)

    async def _handle(self, subscriber: _Subscriber, delivery: Delivery) -> None:
        progress, started = subscriber.progress, time.monotonic()
        progress.begin(delivery, started)
        try:
            outcome = await self._process(subscriber.consumer, delivery)
        finally:
            ended = time.monotonic()
            progress.end(delivery, ended)
            subscriber.seconds.observe(ended - started)
        if outcome == "done":
            subscriber.done.inc()
        else:
            self._meters.messages.labels(subscriber.consumer.name, outcome).inc()

    async def _process(self, consumer: Consumer, delivery: Delivery) -> str:
        """Process a message and acknowledge it, or not; the outcome."""
        record = delivery.stored()
        try:
            try:
                await self._dispatch(consumer, record)
                delivery.ack()
                self._excused.pop((consumer.name, record.sequence), None)
                return "done"
            except Exception as error:
                return await self._failed(consumer, delivery, record, error)
        except TRANSIENT_ERRORS as error:
            log.warning("reactor.not_acknowledged", subject=record.subject, error=type(error).__name__)
            return "retried"
        except Exception as error:  # neither acknowledged nor given up: the server redelivers it
            log.error("reactor.not_answered", subject=record.subject, exc_info=error)
            return "retried"

    async def _failed(
        self, consumer: Consumer, delivery: Delivery, record: StoredMessage, error: Exception
    ) -> str:
        delivered = delivery.delivered
        tried = delivered - self._excused.get((consumer.name, record.sequence), 0)
        if isinstance(error, Retry):
            self._exclude_from_tries(consumer, record)
            delivery.nak(delay=error.delay)
            return "retried"
        if isinstance(error, UNSUPPORTED_ERRORS) and not self._watch.is_congested(consumer.name):
            return await self._await_upgrade(consumer, delivery, record, error)
        passing = isinstance(error, TRANSIENT_ERRORS)
        permanent = isinstance(
            error, (BadEnvelope, BadEvent, UnreadableMessage, Permanent, *UNSUPPORTED_ERRORS)
        )
        if passing or (not permanent and tried < self._retries.tries):
            if passing:
                self._exclude_from_tries(consumer, record)
            delay = self._retries.delay(delivered)
            log.warning(
                "reactor.retry", subject=record.subject, tried=tried, delay=round(delay, 2), exc_info=error
            )
            delivery.nak(delay=delay)
            return "retried"
        log.error("reactor.dead_letter", subject=record.subject, tried=tried, exc_info=error)
        await self._letters.keep(self._service, consumer, record, error, tried)
        delivery.term()
        self._excused.pop((consumer.name, record.sequence), None)
        return "dead_lettered"

    async def _await_upgrade(
        self, consumer: Consumer, delivery: Delivery, record: StoredMessage, error: Exception
    ) -> str:
        """Delay a message that a newer version can decode. A timer is dropped, since the sweeper sets it again."""
        log.error("reactor.not_understood", subject=record.subject, detail=str(error))
        if record.subject.startswith("timers."):
            delivery.ack()
        else:
            self._exclude_from_tries(consumer, record)
            delivery.nak(delay=UPGRADE_RECHECK * random.uniform(0.75, 1))  # noqa: S311 - spreads work
        return "waiting"

    def _exclude_from_tries(self, consumer: Consumer, record: StoredMessage) -> None:
        """Do not count this delivery as a try: the infrastructure failed, or the handler asked for a delay."""
        key = consumer.name, record.sequence
        self._excused[key] = self._excused.get(key, 0) + 1
        if len(self._excused) > MAX_UNCOUNTED:
            self._excused.popitem(last=False)
