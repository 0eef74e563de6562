"""A reactor with a consumer of its own on real streams, and a look at what the server thinks of it."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nats.js.api import AckPolicy, ConsumerConfig

from telecine_chassis.consumers.dead_letters import DeadLetter, DeadLetters
from telecine_chassis.consumers.monitor import ConsumerMonitor
from telecine_chassis.consumers.reactor import Reactor, RetryPolicy, TimerHandler
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_chassis.telemetry.instruments import HandlerInstruments, Instruments
from telecine_chassis.telemetry.metrics import Metrics
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.streams import Consumer
from telecine_jetstream.client import NatsClient

__all__ = ["ReactorEnvironment", "reactor_environment"]

Handler = Callable[[Event, Cause], Awaitable[None]]
QUICK = RetryPolicy(first=0.05, longest=0.4, tries=3)


@dataclass
class ReactorEnvironment:
    """One account, whose events go to one consumer; `service` owns it and its timers."""

    url: str
    client: NatsClient
    store: JetStreamEventStore
    account: str = field(default_factory=lambda: f"a{secrets.token_hex(4)}")
    service: str = field(default_factory=lambda: f"s{secrets.token_hex(4)}")
    meters: HandlerInstruments = field(default_factory=lambda: Instruments(Metrics()).handlers)
    running: list[Reactor] = field(default_factory=list)
    last: int = 0
    """The stream sequence of what was published last."""

    @property
    def letters(self) -> DeadLetters:
        return DeadLetters(self.client)

    def _consumer(self, stream: str, concurrency: int, ack_wait: float) -> Consumer:
        filters = (f"video.{self.account}.*.*",) if stream == "VIDEO" else (f"timers.due.{self.service}.>",)
        name = f"{self.service}-{stream.lower()}"
        return Consumer(
            name=name,
            service=self.service,
            stream=stream,
            filters=filters,
            concurrency=concurrency,
            ack_wait=ack_wait,
        )

    async def react(
        self,
        handler: Handler,
        *,
        timers: dict[str, TimerHandler] | None = None,
        retries: RetryPolicy = QUICK,
        concurrency: int = 8,
        ack_wait: float = 2,
        grace: float = 5,
        look_every: float = 10,
        stuck_after: float = 300,
    ) -> Reactor:
        """A reactor that hands the account's events to `handler`, started."""
        reactor = Reactor(
            self.client,
            registry(),
            service=self.service,
            retries=retries,
            grace=grace,
            meters=self.meters,
            watch=ConsumerMonitor(self.client, self.meters, every=look_every, stuck_after=stuck_after),
        )
        events, due = await self.provision_consumers(concurrency, ack_wait)
        reactor.on(events, Event, handler)
        reactor.on_timers(due, timers or {})
        await reactor.start()
        self.running.append(reactor)
        return reactor

    async def provision_consumers(
        self, concurrency: int = 8, ack_wait: float = 2
    ) -> tuple[Consumer, Consumer]:
        """The consumers of the account's events and of the service's due timers, created if they do not exist."""
        events = self._consumer("VIDEO", concurrency, ack_wait)
        due = self._consumer("TIMERS", concurrency, ack_wait)
        for consumer in (events, due):
            await self._create(consumer)
        return events, due

    async def _create(self, consumer: Consumer) -> None:
        config = ConsumerConfig(
            durable_name=consumer.name,
            filter_subjects=list(consumer.filters),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=consumer.ack_wait,
            max_ack_pending=1000,
        )
        await self.client.jetstream().add_consumer(consumer.stream, config)

    async def stop(self, reactor: Reactor) -> None:
        """Stop one reactor."""
        self.running.remove(reactor)
        await reactor.stop()

    async def publish(self, *generations: str) -> Sequence[int]:
        """One event for each generation; their stream sequences."""
        return [await self._publish(generation) for generation in generations]

    async def _publish(self, generation: str) -> int:
        event = CancelRequested(account=self.account, generation=generation)
        envelope = Envelope(
            id=secrets.token_hex(8),
            source="telecine/tests",
            type=event.type,
            time=datetime.now(UTC),
            subject=subjects.of_event(event),
            correlation=generation,
            causation=generation,
        )
        aggregate = subjects.video(self.account, generation)
        self.last = await self.store.append(event, envelope, aggregate=aggregate, expected=0)
        return self.last

    async def publish_raw(self, body: bytes, headers: dict[str, str] | None) -> int:
        """A message that no store of ours would write; its stream sequence."""
        subject = f"video.{self.account}.raw.cancel_requested"
        ack = await self.client.jetstream().publish(subject, body, stream="VIDEO", headers=headers)
        self.last = ack.seq
        return ack.seq

    async def consumer(self, stream: str = "VIDEO") -> Any:
        """What the server knows of the consumer."""
        return await self.client.jetstream().consumer_info(stream, f"{self.service}-{stream.lower()}")

    async def outstanding(self) -> int:
        """Messages that are not acknowledged yet, delivered or not.

        The server acknowledges a publish before it notifies consumers, so their counts may lag.
        """
        info = await self.consumer()
        unheard = int(info.delivered.stream_seq < self.last)
        return int(info.num_pending) + int(info.num_ack_pending) or unheard

    async def kept(self) -> list[DeadLetter]:
        """The dead letters of this world."""
        return [letter for letter in await self.letters.list() if letter.service == self.service]


@asynccontextmanager
async def reactor_environment(url: str) -> AsyncIterator[ReactorEnvironment]:
    """A world on a server whose streams are provisioned here; reactors are stopped at its end."""
    client = await connect(url, "tests")
    await provision(client)
    world = ReactorEnvironment(url, client, JetStreamEventStore(client, registry()))
    try:
        yield world
    finally:
        for reactor in world.running:
            await reactor.stop()
        await client.close()
