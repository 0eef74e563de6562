"""Messages of a durable consumer arrive without a request for each, and never more of them than there are slots."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_jetstream import pull_consumer
from telecine_jetstream.client import NatsClient
from telecine_jetstream.pull_consumer import Delivery, PullConsumer

STREAM, CONSUMER = "WORK", "worker"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[NatsClient]:
    """A connection to a server with an empty stream and a consumer of it."""
    client = NatsClient()
    await client.connect(server.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name=STREAM, subjects=["work"]))
    config = ConsumerConfig(durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT, ack_wait=30)
    await jetstream.add_consumer(STREAM, config)
    yield client
    await jetstream.delete_stream(STREAM)
    await client.close()


@dataclass
class Worker:
    """A program that takes messages; with `keeps` it holds on to all of them."""

    client: NatsClient
    slots: int
    keeps: bool = False
    taken: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pull = PullConsumer(self.client, STREAM, CONSUMER, self.take, slots=self.slots)

    def take(self, delivery: Delivery) -> None:
        self.taken.append(delivery)
        if not self.keeps:
            self.finish(delivery)

    def finish(self, delivery: Delivery) -> None:
        delivery.ack()
        self.pull.release(delivery)

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.taken]


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    await worker.pull.start()
    try:
        yield worker
    finally:
        await worker.pull.stop()


async def publish(client: NatsClient, count: int, first: int = 0) -> list[bytes]:
    bodies = [str(number).encode() for number in range(first, first + count)]
    for body in bodies:
        await client.jetstream().publish("work", body, headers={"number": body.decode()})
    return bodies


@dataclass
class Requests:
    """The requests that the server has received, by their size."""

    sizes: list[int] = field(default_factory=list)

    async def receive(self, message: Msg) -> None:
        self.sizes.append(json.loads(message.data)["batch"])


async def observed(client: NatsClient) -> Requests:
    requests = Requests()
    await client.subscribe(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}", cb=requests.receive)
    return requests


async def test_a_message_comes_as_it_is_stored(client: NatsClient) -> None:
    async with working(Worker(client, slots=4)) as worker:
        await publish(client, 2)
        await eventually(lambda: len(worker.taken) == 2)
    second = worker.taken[1]
    assert (second.sequence, second.delivered, second.body) == (2, 1, b"1")
    assert dict(second.stored().headers) == {"number": "1"}


async def test_many_messages_come_for_one_request(client: NatsClient) -> None:
    requests = await observed(client)
    async with working(Worker(client, slots=100)) as worker:
        bodies = await publish(client, 1000)
        await eventually(lambda: worker.bodies == bodies)
        await client.flush()
        assert len(requests.sizes) <= 25
        assert max(requests.sizes) <= 100


async def test_no_more_is_requested_than_there_are_free_slots(client: NatsClient) -> None:
    requests = await observed(client)
    await publish(client, 20)
    async with working(Worker(client, slots=4, keeps=True)) as worker:
        for turn in range(1, 6):
            await eventually(lambda turn=turn: len(worker.taken) == 4 * turn)  # type: ignore[misc]
            await client.flush()
            assert sum(requests.sizes) == 4 * turn
            for delivery in worker.taken[-4:]:
                worker.finish(delivery)


async def test_one_free_slot_is_enough_for_the_next_message(client: NatsClient) -> None:
    async with working(Worker(client, slots=4, keeps=True)) as worker:
        await publish(client, 6)
        await eventually(lambda: len(worker.taken) == 4)
        worker.finish(worker.taken[0])
        await eventually(lambda: len(worker.taken) == 5)


async def test_a_program_without_free_slots_holds_nothing_back_from_another(
    client: NatsClient, server: NatsServer
) -> None:
    other = NatsClient()
    await other.connect(server.url)
    async with working(Worker(client, slots=2, keeps=True)) as busy:
        await publish(client, 2)
        await eventually(lambda: len(busy.taken) == 2)
        async with working(Worker(other, slots=2)) as idle:
            bodies = await publish(client, 20, first=2)
            await eventually(lambda: idle.bodies == bodies)
    await other.close()


async def test_when_requests_expire_others_follow(
    client: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_consumer, "EXPIRES", 0.1)
    monkeypatch.setattr(pull_consumer, "HEARTBEAT", 0.03)
    requests = await observed(client)
    async with working(Worker(client, slots=4)) as worker:
        await eventually(lambda: len(requests.sizes) >= 4)
        bodies = await publish(client, 3)
        await eventually(lambda: worker.bodies == bodies)
    assert max(requests.sizes) == 4


async def test_a_silent_server_is_asked_again(client: NatsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a change of the consumer's leader: the request is lost, the connection is not."""
    monkeypatch.setattr(pull_consumer, "SILENCE", -1)
    requests = await observed(client)
    async with working(Worker(client, slots=4)) as worker:
        await eventually(lambda: len(requests.sizes) == 1)
        worker.pull.tend(extend_every=60)
        worker.pull.tend(extend_every=60)
        await eventually(lambda: requests.sizes == [4, 4])
        bodies = await publish(client, 20)
        await eventually(lambda: worker.bodies == bodies)


async def test_what_is_held_is_extended_when_it_is_due_and_not_before(client: NatsClient) -> None:
    extensions = await client.subscribe(f"$JS.ACK.{STREAM}.{CONSUMER}.>")
    async with working(Worker(client, slots=4, keeps=True)) as worker:
        await publish(client, 2)
        await eventually(lambda: len(worker.taken) == 2)
        worker.pull.tend(extend_every=60)
        worker.pull.tend(extend_every=0)
        await client.flush()
        await eventually(lambda: extensions.pending_msgs == 2)
        assert {(await extensions.next_msg()).data for _ in range(2)} == {b"+WPI"}


async def test_what_comes_while_it_stops_is_given_to_the_listener(client: NatsClient) -> None:
    """So that it can be handed back: else it would wait for its acknowledgement deadline."""
    worker = Worker(client, slots=10, keeps=True)
    await publish(client, 10)
    await worker.pull.start()
    await worker.pull.stop()

    async def all_known() -> bool:
        info = await client.jetstream().consumer_info(STREAM, CONSUMER)
        return bool(info.num_ack_pending == len(worker.taken))

    await eventually_async(all_known)
    for delivery in worker.taken:
        delivery.nak()
    async with working(Worker(client, slots=10)) as next_one:
        await eventually(lambda: len(next_one.taken) == 10)
