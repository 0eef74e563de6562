"""How a service reacts: durable consumers through FastStream, with an acknowledgement policy of our own.

A message is acknowledged after its handler has returned, asked for again later when the handler failed for a passing
reason, and kept as a dead letter when it can't be taken. The framework's own policies would drop it.
"""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import nats.errors
import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from telecine_contracts import BadEnvelope, BadEvent, Registry, UnknownEvent
from telecine_contracts.streams import Consumer

from .dead_letters import DeadLetters
from .records import Record, decode, from_delivery, from_stored
from .store import Recorded, Unavailable
from .timers import Timer
from .trace import fields

__all__ = ["Permanent", "Reactor", "Retries", "Retry", "undecoded"]

log = structlog.get_logger(__name__)
EventHandler = Callable[[Recorded], Awaitable[None]]
TimerHandler = Callable[[Timer], Awaitable[None]]
PASSING = (Unavailable, OSError, TimeoutError, nats.errors.Error)
"""The world is broken, not the message: asked for again without end."""
FETCHED = 1
"""Messages asked for at once. nats-py's larger fetch may hold the first message back until its request expires."""
PULL_TIMEOUT = 2
"""Seconds that one request for messages waits. A restarted server has forgotten it: this is how long nobody notices."""
LOOK_INTERVAL = 10
"""Seconds between two looks whether the consumers still exist."""
EXCUSED = 10_000
"""Messages whose deliveries without a try are counted, per process."""
REPLAY = "replay"
"""The timer kind by which an operator has a dead letter's message handled again."""


class Retry(Exception):
    """Raised by a handler: not now, ask me again in `delay` seconds."""

    def __init__(self, delay: float, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class Permanent(Exception):
    """Raised by a handler: this message can never be taken."""


@dataclass(frozen=True, slots=True)
class Retries:
    """After a failure wait `first` seconds, then twice as long each time up to `longest`; give up after `tries`."""

    first: float = 0.5
    longest: float = 30
    tries: int = 8

    def delay(self, tried: int) -> float:
        """Seconds to wait after the `tried`-th failure, spread so that many don't come back at once."""
        longest = min(self.longest, self.first * 2.0 ** (min(tried, 30) - 1))
        return longest * random.uniform(0.75, 1)  # noqa: S311 - spreads retries


class Reactor:
    """The consumers of one service. Handlers of one consumer run side by side, up to its `concurrency`."""

    def __init__(
        self,
        broker: NatsBroker,
        connection: Client,
        registry: Registry,
        *,
        service: str,
        retries: Retries | None = None,
        grace: float = 15,
        on_failure: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._broker = broker
        self._connection = connection
        self._registry = registry
        self._service = service
        self._retries = retries or Retries()
        self._grace = grace
        self._letters = DeadLetters(connection)
        self._consumers: dict[str, Consumer] = {}
        self._events: dict[str, EventHandler] = {}
        self._timers: dict[str, TimerHandler] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._on_failure = on_failure
        self._ack_wait: dict[str, float] = {}
        self._held: dict[str, tuple[Msg, float]] = {}
        self._excused: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._stopping = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def on(self, consumer: Consumer, handler: EventHandler) -> None:
        """Hand every event of `consumer` to `handler`."""
        self._events[consumer.name] = handler
        self._listen(consumer)

    def on_timers(self, consumer: Consumer, handlers: dict[str, TimerHandler]) -> None:
        """Hand every due timer of the service to the handler of its kind; replays of dead letters come here too."""
        self._timers = {**handlers, REPLAY: self._replay}
        self._listen(consumer)

    def _listen(self, consumer: Consumer) -> None:
        self._consumers[consumer.name] = consumer
        slots = asyncio.Semaphore(consumer.concurrency)

        async def receive(message: NatsMessage) -> None:
            """Returns once a slot is free: a slow handler must not keep the next batch from being fetched."""
            raw = message.raw_message
            assert isinstance(raw, Msg)
            self._held[raw.reply] = raw, self._ack_wait[consumer.name] / 3
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
            pull_sub=PullSub(batch_size=FETCHED, timeout=PULL_TIMEOUT),
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=f"_INBOX.{self._service}.".encode(),
            no_reply=True,
            decoder=undecoded,
        )(receive)

    async def _slot(self, slots: asyncio.Semaphore) -> bool:
        """Wait for a free slot; False if the reactor stops first."""
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
        with contextlib.suppress(*PASSING):
            await message.nak()

    async def start(self) -> None:
        """Begin to react. Raises RuntimeError when a consumer was not provisioned."""
        if missing := await self._missing():
            raise RuntimeError(f"consumer {missing} does not exist: run `telecine provision` first")
        self._stopping.clear()
        await self._broker.start()
        self._keeping = asyncio.create_task(self._keep(), name="keep-messages")

    async def stop(self) -> None:
        """Take nothing new, give running handlers `grace` seconds, leave the rest to be delivered again."""
        self._stopping.set()
        for subscriber in self._broker.subscribers:
            await subscriber.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self._grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._keeping is not None:
            self._keeping.cancel()
        await self._broker.stop()  # last: handlers acknowledge over its connection

    async def ready(self) -> str | None:
        """A readiness check: a consumer that was deleted would never deliver again, without any error."""
        missing = await self._missing()
        return f"consumer {missing} does not exist" if missing else None

    async def _look(self) -> None:
        """FastStream would ask a deleted consumer for ever, in a loop that eats a third of a core."""
        try:
            missing = await self._missing()
        except PASSING:
            return
        if missing is not None:
            self._on_failure(f"consumer {missing} was deleted")

    async def _missing(self) -> str | None:
        manager = self._connection.jsm()
        for consumer in self._consumers.values():
            try:
                info = await manager.consumer_info(consumer.stream, consumer.name)
            except NotFoundError:
                return consumer.name
            self._ack_wait[consumer.name] = info.config.ack_wait or consumer.ack_wait
        return None

    async def _keep(self) -> None:
        """Tell the server that messages are still worked on, so that nobody else gets them; notice lost consumers."""
        loop = asyncio.get_running_loop()
        due: dict[str, float] = {}
        look = loop.time() + LOOK_INTERVAL
        while True:
            await asyncio.sleep(0.5)
            now = loop.time()
            if now >= look:
                look = now + LOOK_INTERVAL
                await self._look()
            for name, (message, every) in list(self._held.items()):
                if now >= due.setdefault(name, now + every):
                    due[name] = now + every
                    try:
                        await message.in_progress()
                    except PASSING:
                        log.warning("reactor.not_kept", subject=message.subject)
            for gone in due.keys() - self._held.keys():
                del due[gone]

    async def _handle(self, consumer: Consumer, message: Msg) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(service=self._service, consumer=consumer.name)
        record = from_delivery(message)
        try:
            try:
                await self._dispatch(consumer, record)
                await message.ack()
                self._excused.pop((consumer.name, record.sequence), None)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await self._failed(consumer, message, record, error)
        except PASSING as error:
            log.warning("reactor.not_acknowledged", subject=record.subject, error=type(error).__name__)
        finally:
            self._held.pop(message.reply, None)

    async def _dispatch(self, consumer: Consumer, record: Record) -> None:
        if record.subject.startswith("timers."):
            _, _, _, kind, *key = record.subject.split(".")
            if kind not in self._timers:
                raise Permanent(f"no handler for timers of kind {kind}")
            await self._timers[kind](Timer(kind, tuple(key), record.body))
            return
        await self._react(consumer.name, record)

    async def _react(self, name: str, record: Record) -> None:
        recorded = decode(record, self._registry)
        envelope = recorded.envelope
        structlog.contextvars.bind_contextvars(
            event_type=envelope.type,
            correlation=envelope.correlation,
            **recorded.event.about,
            **fields(envelope.traceparent),
        )
        await self._events[name](recorded)

    async def _replay(self, timer: Timer) -> None:
        """Handle a message of the event streams again: key is the consumer and the stream sequence.

        If it fails again, the message itself is kept again, not the timer that asked for it.
        """
        name, sequence = timer.key
        if name not in self._events:
            raise Permanent(f"no consumer is called {name}")
        consumer = self._consumers[name]
        stream = consumer.stream
        try:
            found = await self._connection.jetstream().get_msg(stream, seq=int(sequence))
        except NotFoundError:
            raise Permanent(f"message {sequence} of {stream} is gone") from None
        record = from_stored(found)
        try:
            await self._react(name, record)
        except (Retry, *PASSING):
            raise
        except Exception as error:
            log.error("reactor.dead_letter", subject=record.subject, tried=1, exc_info=error)
            await self._letters.keep(self._service, consumer, record, error, 1)

    async def _failed(self, consumer: Consumer, message: Msg, record: Record, error: Exception) -> None:
        delivered = message.metadata.num_delivered
        tried = delivered - self._excused.get((consumer.name, record.sequence), 0)
        if isinstance(error, Retry):
            self._excuse(consumer, record)
            await message.nak(delay=error.delay)
            return
        passing = isinstance(error, PASSING)
        permanent = isinstance(error, BadEnvelope | BadEvent | UnknownEvent | Permanent)
        if passing or (not permanent and tried < self._retries.tries):
            if passing:
                self._excuse(consumer, record)
            delay = self._retries.delay(delivered)
            log.warning(
                "reactor.retry", subject=record.subject, tried=tried, delay=round(delay, 2), exc_info=error
            )
            await message.nak(delay=delay)
            return
        log.error("reactor.dead_letter", subject=record.subject, tried=tried, exc_info=error)
        await self._letters.keep(self._service, consumer, record, error, tried)
        await message.term()
        self._excused.pop((consumer.name, record.sequence), None)

    def _excuse(self, consumer: Consumer, record: Record) -> None:
        """This delivery is not to count as a try: the world was to blame, or the handler asked for time."""
        key = consumer.name, record.sequence
        self._excused[key] = self._excused.get(key, 0) + 1
        if len(self._excused) > EXCUSED:
            self._excused.popitem(last=False)


async def undecoded(message: NatsMessage) -> bytes:
    """A decoder that leaves the body to the handler: the framework drops what it can't decode, without a word."""
    return message.body
