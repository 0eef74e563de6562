"""Every source returns every byte of every entry in order: a NATS server and a mirror; then what is special to NATS."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.audit.nats_ledger import (
    provisioned_connection,
    publish,
    read_stream,
    small_ledger,
    write_entries,
)
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, nats_server, shared_nats_server

from telecine_auditor.errors import SourceError
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.port import Source
from telecine_auditor.sources.server import Server, connect, request

LEDGER = small_ledger(6).ledger
ODD = (
    LEDGER[0]._replace(head=b"", body=b""),
    LEDGER[0]._replace(head=b"a:1\r\nA:  2 \r\na:1\r\nnot a header\r\n", body=b"\x00\xff\r\n\r\n"),
    LEDGER[0]._replace(head=b"Nats-Stream: x\r\nNats-Sequence: 99\r\nNats-Num-Pending: 0\r\n"),
    LEDGER[0]._replace(head="name: é雨\r\n".encode(), subject="ledger.é.granted"),
    LEDGER[0]._replace(head=b"Status: 404\r\n", body=b"NATS/1.0 404\r\n\r\n"),
)
Filled = Callable[[Sequence[StoredMessage]], Awaitable[Source]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def shared_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server for this module: starting one takes longer than most of its tests."""
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def nats(shared_nats: NatsServer) -> NatsServer:
    """The module's server without any stream."""
    await shared_nats.clear()
    return shared_nats


@pytest.fixture
def nats_source(shared_nats: NatsServer, stack: AsyncExitStack) -> Filled:
    """A server whose LEDGER has these entries, with the gaps between them."""

    async def fill(entries: Sequence[StoredMessage]) -> Source:
        nats = shared_nats
        await nats.clear()
        async with provisioned_connection(nats) as connection:
            # The ledger's own stream allows no gaps.
            await ask(connection.request, "STREAM.DELETE.LEDGER")
            await ask(
                connection.request,
                "STREAM.CREATE.LEDGER",
                name="LEDGER",
                subjects=["ledger.>"],
                allow_direct=True,
            )
            there = {entry.sequence: entry for entry in entries}
            last = max(there, default=0)
            filler = StoredMessage(0, 0, "ledger.x.y", b"", b"")
            await write_entries(nats, "LEDGER", [there.get(number, filler) for number in range(1, last + 1)])
            for number in set(range(1, last + 1)) - set(there):
                await ask(connection.request, "STREAM.MSG.DELETE.LEDGER", seq=number, no_erase=True)
        source = await NatsSource.open(Server(url=nats.url))
        stack.push_async_callback(source.close)
        return source

    return fill


async def ask(request: Callable[..., Awaitable[object]], call: str, **question: object) -> None:
    answer = await request(f"$JS.API.{call}", json.dumps(question).encode() if question else b"")
    assert b'"error"' not in getattr(answer, "data", b""), answer


@pytest.fixture
def mirror_source(tmp_path: Path) -> Filled:
    """A mirror of these entries, in segments of four."""

    async def fill(entries: Sequence[StoredMessage]) -> Source:
        with open_mirror(tmp_path / "mirror", most=4) as mirror:
            mirror.stream("LEDGER").append(entries)
            mirror.stream("VIDEO")

        def refuse(breach: object) -> None:
            raise AssertionError(breach)

        return MirrorSource(tmp_path / "mirror", refuse)

    return fill


@pytest.fixture(params=[pytest.param("nats", marks=pytest.mark.server), "mirror"])
def source_with(request: pytest.FixtureRequest) -> Filled:
    source: Filled = request.getfixturevalue(f"{request.param}_source")
    return source


def without_times(entries: Sequence[StoredMessage]) -> list[StoredMessage]:
    """A server stores an entry when it gets it."""
    return [entry._replace(stored_at=0) for entry in entries]


async def test_every_byte_of_every_entry_is_read_in_order(source_with: Filled) -> None:
    source = await source_with(LEDGER)
    assert without_times(await read_stream(source, "LEDGER")) == without_times(LEDGER)


async def test_entries_of_any_form_are_read_unchanged(source_with: Filled) -> None:
    odd = [entry._replace(sequence=number) for number, entry in enumerate(ODD, start=1)]
    source = await source_with(odd)
    assert without_times(await read_stream(source, "LEDGER")) == without_times(odd)


async def test_a_range_of_sequences_is_read(source_with: Filled) -> None:
    source = await source_with(LEDGER)
    for after, upto in ((0, 1), (3, 3), (3, 4), (3, 9), (5, None), (len(LEDGER), None), (4, 10_000)):
        found = await read_stream(source, "LEDGER", after=after, upto=upto)
        assert [entry.sequence for entry in found] == list(range(after + 1, min(upto or 99, len(LEDGER)) + 1))


@pytest.mark.parametrize(
    "there", [[2, 3, 4], [1, 3, 5, 7], [1, 2, 10, 11, 12], [13], [3, 4, 5, 6, 9]], ids=str
)
async def test_missing_sequences_are_skipped(source_with: Filled, there: list[int]) -> None:
    source = await source_with([LEDGER[number - 1] for number in there])
    assert [entry.sequence for entry in await read_stream(source, "LEDGER")] == there
    assert [entry.sequence for entry in await read_stream(source, "LEDGER", after=2)] == [
        number for number in there if number > 2
    ]
    assert await source.last("LEDGER") == there[-1]


async def test_empty_and_missing_streams_are_distinguished(source_with: Filled) -> None:
    source = await source_with([])
    assert (await source.has("LEDGER"), await source.has("VIDEO"), await source.has("NOPE")) == (
        True,
        True,
        False,
    )
    assert (await source.last("VIDEO"), await read_stream(source, "VIDEO")) == (0, [])
    with pytest.raises(SourceError, match="no stream NOPE"):
        await source.last("NOPE")
    with pytest.raises(SourceError, match="no stream NOPE"):
        await read_stream(source, "NOPE")


async def test_reading_can_stop_early_and_restart(source_with: Filled) -> None:
    source = await source_with(LEDGER)
    async for entries in source.batches("LEDGER"):
        assert entries[0].sequence == 1
        break
    assert len(await read_stream(source, "LEDGER")) == len(LEDGER)


@pytest.fixture
async def server(nats: NatsServer) -> AsyncIterator[NatsSource]:
    """A source with small pages over a server that has our streams."""
    async with provisioned_connection(nats):
        source = NatsSource(await connect(Server(url=nats.url)), page=20, page_bytes=100_000)
        yield source
        await source.close()


def many(count: int, body: bytes = b"{}") -> list[StoredMessage]:
    return [
        StoredMessage(number, 0, f"ledger.a{number % 7}.granted", b"ce-id: x\r\n", body)
        for number in range(1, count + 1)
    ]


async def test_several_pages_are_read(nats: NatsServer, server: NatsSource) -> None:
    entries = many(110)
    await write_entries(nats, "LEDGER", entries)
    assert without_times(await read_stream(server, "LEDGER")) == entries


async def test_pages_of_large_entries_are_read(nats: NatsServer, server: NatsSource) -> None:
    entries = many(30, b"x" * 30_000)
    await write_entries(nats, "LEDGER", entries)
    assert without_times(await read_stream(server, "LEDGER")) == entries


async def test_a_stream_with_more_gaps_than_entries_is_read(nats: NatsServer, server: NatsSource) -> None:
    kept = {1, 2, 70, 250, 251, 399}
    names = {number: "kept" if number in kept else "gone" for number in range(1, 401)}
    video = [entry._replace(subject=f"video.{names[entry.sequence]}.b.requested") for entry in many(400)]
    await write_entries(nats, "VIDEO", video)
    async with provisioned_connection(nats) as connection:
        await connection.jetstream().purge_stream("VIDEO", subject="video.gone.>")
    assert {entry.sequence for entry in await read_stream(server, "VIDEO")} == kept
    assert await server.last("VIDEO") == 400


async def test_stored_time_has_nanosecond_precision(nats: NatsServer, server: NatsSource) -> None:
    async with provisioned_connection(nats) as connection:
        await publish(connection, LEDGER[:3])
        answer = await connection.request("$JS.API.STREAM.MSG.GET.LEDGER", b'{"seq": 2}')
    time = json.loads(answer.data)["message"]["time"]
    stored_at = (await read_stream(server, "LEDGER"))[1].stored_at
    seconds, _, fraction = time.rstrip("Z").partition(".")
    assert f"{stored_at % 10**9:09}".rstrip("0") == fraction.rstrip("0")
    assert seconds.endswith(f":{stored_at // 10**9 % 60:02}")


async def test_leader_and_direct_get_return_the_same_bytes(nats: NatsServer, server: NatsSource) -> None:
    """A message as the leader shows it has the same bytes as one of a direct get."""
    odd = [entry._replace(sequence=number) for number, entry in enumerate(ODD, start=1)]
    await write_entries(nats, "LEDGER", odd)
    for entry in await read_stream(server, "LEDGER"):
        answer = await request(server.client, "$JS.API.STREAM.MSG.GET.LEDGER", {"seq": entry.sequence})
        assert base64.b64decode(answer["message"].get("data", "")) == entry.body
        head = base64.b64decode(answer["message"].get("hdrs", ""))
        assert head == (b"NATS/1.0\r\n" + entry.head + b"\r\n" if head else b"")


async def test_a_stream_without_direct_get_is_an_error(nats: NatsServer, server: NatsSource) -> None:
    async with provisioned_connection(nats) as connection:
        await ask(connection.request, "STREAM.CREATE.PLAIN", name="PLAIN", subjects=["plain.*"])
        await connection.jetstream().publish("plain.a", b"")
    with pytest.raises(SourceError, match="allow_direct off"):
        await read_stream(server, "PLAIN")


@pytest.fixture
async def restartable(tmp_path: Path) -> AsyncIterator[tuple[NatsServer, NatsSource]]:
    """A server of this test's own, and a source with small pages."""
    async with nats_server(tmp_path) as nats, provisioned_connection(nats):
        source = NatsSource(await connect(Server(url=nats.url)), page=20, page_bytes=100_000)
        yield nats, source
        await source.close()


async def test_reading_resumes_after_a_server_restart(restartable: tuple[NatsServer, NatsSource]) -> None:
    nats, server = restartable
    entries = many(200)
    await write_entries(nats, "LEDGER", entries)
    found: list[StoredMessage] = []
    async for batch in server.batches("LEDGER"):
        if not found:
            nats.kill()
            await nats.start()
        found += batch
    assert without_times(found) == entries


async def test_a_server_that_stays_away_is_an_error(restartable: tuple[NatsServer, NatsSource]) -> None:
    nats, server = restartable
    await write_entries(nats, "LEDGER", many(200))
    server.client.options["max_reconnect_attempts"] = 1
    with pytest.raises(SourceError, match="was lost"):
        async for _ in server.batches("LEDGER"):
            nats.kill()


async def test_entries_appended_during_a_read_are_left_to_the_next(
    nats: NatsServer, server: NatsSource
) -> None:
    await write_entries(nats, "LEDGER", many(10))
    async with provisioned_connection(nats) as connection:
        reading = server.batches("LEDGER")
        first = [entry async for entries in reading for entry in entries]
        await publish(connection, [LEDGER[0]])
        assert [len(first), await server.last("LEDGER")] == [10, 11]
    assert len(await read_stream(server, "LEDGER")) == 11


async def test_reading_leaves_no_consumer_on_the_server(nats: NatsServer, server: NatsSource) -> None:
    await write_entries(nats, "LEDGER", many(110))
    await read_stream(server, "LEDGER")
    async for _ in server.batches("LEDGER"):
        break
    await eventually(lambda: len(server.client._listeners) == 1)  # the replies to requests
    async with provisioned_connection(nats) as connection:
        info = await connection.jetstream().stream_info("LEDGER")
    assert info.state.consumer_count == 0
