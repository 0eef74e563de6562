"""Durable consumers through FastStream, with an acknowledgement policy of our own.

A message is acknowledged after its handler has returned, redelivered later when the handler failed temporarily, and
kept as a dead letter when it can't be processed. FastStream's own policies would drop it.
"""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import nats.errors
import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg

from telecine_chassis.eventstore.port import UnreadableMessage
from telecine_chassis.runtime.cancellation import cancel_and_wait
from telecine_chassis.runtime.supervision import start_background_task
from telecine_chassis.telemetry.instruments import HandlerInstruments, Instruments
from telecine_chassis.telemetry.metrics import Metrics
from telecine_chassis.telemetry.tracing import Tracing
from telecine_contracts import BadEnvelope, BadEvent, Registry
from telecine_contracts.streams import Consumer
from telecine_jetstream.messages import StoredMessage, from_delivery

from .dead_letters import DeadLetters
from .dispatch import Dispatch, E, EventHandler, TimerHandler
from .monitor import ConsumerMonitor
from .retry_policy import TRANSIENT_ERRORS, UNSUPPORTED_ERRORS, Permanent, Retry, RetryPolicy

__all__ = ["Permanent", "Reactor", "Retry", "RetryPolicy", "TimerHandler", "undecoded_body"]

log = structlog.get_logger(__name__)
FETCH_SIZE = 1
"""Messages per fetch. With more, nats-py may hold the first message back until the request expires."""
PULL_TIMEOUT = 2
"""Seconds that one fetch waits. A restarted server has forgotten the request: this is the longest delay it causes."""
UPGRADE_RECHECK = 60
"""Seconds between two deliveries of a message that only a newer version can decode."""
MAX_UNCOUNTED = 10_000
"""Messages per process for which uncounted deliveries are remembered."""


class Reactor:
    """The consumers of one service. Handlers of one consumer run concurrently, up to its `concurrency`."""

    def __init__(
        self,
        broker: NatsBroker,
        connection: Client,
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
        self._broker = broker
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
        self._running: set[asyncio.Task[None]] = set()
        self._held: dict[str, tuple[Msg, float]] = {}
        self._excused: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._stopping = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

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
        self._watch.add(consumer)
        slots = asyncio.Semaphore(consumer.concurrency)

        async def receive(message: NatsMessage) -> None:
            """Start a task for the message once a slot is free, so that a slow handler can't block fetching."""
            raw = message.raw_message
            assert isinstance(raw, Msg)
            self._held[raw.reply] = raw, self._watch.ack_wait(consumer.name) / 3
            if not await self._slot(slots):
                await self._hand_back(raw)
                return
            task = asyncio.create_task(self._handle(consumer, raw), name=consumer.name)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: slots.release())

        self._broker.subscriber(
            consumer.filters[0],
            durable=consumer.name,
            stream=JStream(consumer.stream, declare=False),
            pull_sub=PullSub(batch_size=FETCH_SIZE, timeout=PULL_TIMEOUT),
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=f"_INBOX.{self._service}.".encode(),
            no_reply=True,
            decoder=undecoded_body,
        )(receive)

    async def _slot(self, slots: asyncio.Semaphore) -> bool:
        """Wait for a free slot. False if the reactor stops first."""
        if slots.locked() and not self._stopping.is_set():
            free, stop = asyncio.ensure_future(slots.acquire()), asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait([free, stop], return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()
                acquired = not free.cancel()
        else:
            acquired = not self._stopping.is_set() and await slots.acquire()
        if acquired and self._stopping.is_set():
            slots.release()
        return acquired and not self._stopping.is_set()

    async def _hand_back(self, message: Msg) -> None:
        self._held.pop(message.reply, None)
        with contextlib.suppress(*TRANSIENT_ERRORS):
            await message.nak()

    async def start(self) -> None:
        """Start consuming. Raises RuntimeError when a consumer was not provisioned."""
        if missing := await self._watch.missing():
            raise RuntimeError(f"consumer {missing} does not exist: run `telecine provision` first")
        self._stopping.clear()
        await self._broker.start()
        self._keeping = start_background_task(self._extend_ack_deadlines(), name="keep-messages")
        self._watch.start()

    async def stop(self) -> None:
        """Stop fetching and give running handlers `grace` seconds; other messages are redelivered."""
        self._stopping.set()
        await self._watch.stop()
        for subscriber in self._broker.subscribers:
            with contextlib.suppress(
                nats.errors.ConnectionClosedError
            ):  # permanently: nothing is left to stop
                await subscriber.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self._grace)
            await cancel_and_wait(*late)
        if self._keeping is not None:
            self._keeping.cancel()
        await self._broker.stop()  # last: handlers acknowledge over its connection

    async def ready(self) -> str | None:
        """A readiness check: a consumer that was deleted delivers nothing and reports no error."""
        missing = await self._watch.missing()
        return f"consumer {missing} does not exist" if missing else None

    def alive(self) -> str | None:
        """A liveness check: the problem that the consumer monitor last found."""
        return self._watch.problem()

    async def _extend_ack_deadlines(self) -> None:
        """Extend the acknowledgement deadline of messages in progress, so that the server does not redeliver them."""
        loop = asyncio.get_running_loop()
        due: dict[str, float] = {}
        while True:
            await asyncio.sleep(0.5)
            now = loop.time()
            for name, (message, every) in list(self._held.items()):
                if now >= due.setdefault(name, now + every):
                    due[name] = now + every
                    try:
                        await message.in_progress()
                    except TRANSIENT_ERRORS:
                        log.warning("reactor.not_kept", subject=message.subject)
            for gone in due.keys() - self._held.keys():
                del due[gone]

    async def _handle(self, consumer: Consumer, message: Msg) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(service=self._service, consumer=consumer.name)
        record = from_delivery(message)
        meters = self._meters
        with (
            self._watch.handling(consumer.name),
            meters.running.labels(consumer.name).track_inprogress(),
            meters.seconds.labels(consumer.name).time(),
        ):
            outcome = await self._process(consumer, message, record)
        meters.messages.labels(consumer.name, outcome).inc()

    async def _process(self, consumer: Consumer, message: Msg, record: StoredMessage) -> str:
        """Process a message and acknowledge it, or not; the outcome."""
        try:
            try:
                await self._dispatch(consumer, record)
                await message.ack()
                self._excused.pop((consumer.name, record.sequence), None)
                return "done"
            except Exception as error:
                return await self._failed(consumer, message, record, error)
        except TRANSIENT_ERRORS as error:
            log.warning("reactor.not_acknowledged", subject=record.subject, error=type(error).__name__)
            return "retried"
        except Exception as error:  # neither acknowledged nor given up: the server redelivers it
            log.error("reactor.not_answered", subject=record.subject, exc_info=error)
            return "retried"
        finally:
            self._held.pop(message.reply, None)

    async def _failed(self, consumer: Consumer, message: Msg, record: StoredMessage, error: Exception) -> str:
        delivered = message.metadata.num_delivered
        tried = delivered - self._excused.get((consumer.name, record.sequence), 0)
        if isinstance(error, Retry):
            self._exclude_from_tries(consumer, record)
            await message.nak(delay=error.delay)
            return "retried"
        if isinstance(error, UNSUPPORTED_ERRORS) and not self._watch.is_congested(consumer.name):
            return await self._await_upgrade(consumer, message, record, error)
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
            await message.nak(delay=delay)
            return "retried"
        log.error("reactor.dead_letter", subject=record.subject, tried=tried, exc_info=error)
        await self._letters.keep(self._service, consumer, record, error, tried)
        await message.term()
        self._excused.pop((consumer.name, record.sequence), None)
        return "dead_lettered"

    async def _await_upgrade(
        self, consumer: Consumer, message: Msg, record: StoredMessage, error: Exception
    ) -> str:
        """Delay a message that a newer version can decode. A timer is dropped, since the sweeper sets it again."""
        log.error("reactor.not_understood", subject=record.subject, detail=str(error))
        if record.subject.startswith("timers."):
            await message.ack()
        else:
            self._exclude_from_tries(consumer, record)
            await message.nak(delay=UPGRADE_RECHECK * random.uniform(0.75, 1))  # noqa: S311 - spreads work
        return "waiting"

    def _exclude_from_tries(self, consumer: Consumer, record: StoredMessage) -> None:
        """Do not count this delivery as a try: the infrastructure failed, or the handler asked for a delay."""
        key = consumer.name, record.sequence
        self._excused[key] = self._excused.get(key, 0) + 1
        if len(self._excused) > MAX_UNCOUNTED:
            self._excused.popitem(last=False)


async def undecoded_body(message: NatsMessage) -> bytes:
    """A decoder that returns the body: FastStream silently drops messages that it can't decode."""
    return message.body
