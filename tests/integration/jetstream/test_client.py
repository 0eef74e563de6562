"""The client on a real server: what it writes arrives, in order, and what arrives is read, whatever a listener does."""

from collections.abc import AsyncIterator, Iterator

import pytest
from nats.errors import NoRespondersError, OutboundBufferLimitError
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_jetstream.client import NatsClient


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[NatsClient]:
    client = NatsClient()
    await client.connect(server.url)
    yield client
    await client.close()


async def test_what_was_published_before_a_flush_has_arrived_after_it(client: NatsClient) -> None:
    heard: list[bytes] = []
    await client.subscribe_raw("a", lambda subject, head, body: heard.append(body))
    client.publish_nowait("a", b"1")
    await client.publish("a", b"2")
    await client.publish_raw("a", "", b"name: value\r\n", b"3")
    await client.flush()
    assert heard == [b"1", b"2", b"3"]


async def test_messages_of_any_size_are_read_whole(client: NatsClient) -> None:
    heard: list[bytes] = []
    await client.subscribe_raw("a", lambda subject, head, body: heard.append(body))
    sent = [bytes([number]) * size for number, size in enumerate((0, 1, 70_000, 250_000, 3, 200_000))]
    for body in sent:
        await client.publish("a", body)
    await eventually(lambda: heard == sent)


async def test_a_listener_that_fails_loses_its_message_and_not_the_connection(server: NatsServer) -> None:
    errors: list[Exception] = []
    heard: list[bytes] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    def listener(subject: str, head: bytes, body: bytes) -> None:
        heard.append(body)
        if body == b"bad":
            raise ValueError(body)

    client = NatsClient()
    await client.connect(server.url, error_cb=note)
    await client.subscribe_raw("a", listener)
    for body in (b"bad", b"good"):
        await client.publish("a", body)
    await eventually(lambda: heard == [b"bad", b"good"] and len(errors) == 1)
    assert isinstance(errors[0], ValueError)
    await client.close()


async def test_a_request_that_is_served_by_no_subscriber_fails_at_once(client: NatsClient) -> None:
    with pytest.raises(NoRespondersError):
        await client.request("no.such.service", b"", timeout=60)


async def test_replies_go_to_the_request_that_they_belong_to(client: NatsClient) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    async with (
        client.replies(lambda subject, head, body: first.append(body)) as one,
        client.replies(lambda subject, head, body: second.append(body)) as other,
    ):
        await client.publish(one, b"1")
        await client.publish(other, b"2")
        await client.publish(one, b"3")
        await client.flush()
    await client.publish(one, b"late")
    await client.flush()
    assert (first, second) == ([b"1", b"3"], [b"2"])


async def test_a_closed_client_can_be_connected_again(client: NatsClient, server: NatsServer) -> None:
    for _ in range(2):
        heard: list[bytes] = []
        async with client.replies(lambda subject, head, body, heard=heard: heard.append(body)) as subject:  # type: ignore[misc]
            await client.publish(subject, b"1")
            await client.flush()
        assert heard == [b"1"]
        await client.close()
        await client.connect(server.url)


async def test_listeners_hear_again_after_a_restart_of_the_server(nats: NatsServer) -> None:
    client = NatsClient()
    await client.connect(nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    heard: list[bytes] = []
    reconnected: list[bool] = []
    await client.subscribe_raw("a", lambda subject, head, body: heard.append(body))
    client.add_reconnect_listener(lambda: reconnected.append(True))
    nats.kill()
    await eventually(lambda: not client.is_connected)
    client.publish_nowait("a", b"while away")
    with pytest.raises(OutboundBufferLimitError):
        for _ in range(30):
            client.publish_nowait("b", bytes(100_000))
    await nats.start()
    await eventually(lambda: reconnected)
    client.publish_nowait("a", b"after")
    await eventually(lambda: heard == [b"while away", b"after"])
    await client.close()
