"""Ledgers on real servers, as an auditor meets them: published as services do, or copied and tampered with."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from nats.aio.client import Client
from tests.support.audit.streams import StreamBuilder
from tests.support.data.video_events import GenerationEvents
from tests.support.servers.instances import NatsServer, nats_server

from telecine_auditor.mirror.publisher import StreamPublisher
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import Source
from telecine_auditor.sources.server import Server, connect
from telecine_chassis.nats.connection import connect as connect_service
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, encode, subjects
from telecine_contracts.checkpoints import CheckpointSigned
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_contracts.signed_note import Checkpoint
from telecine_contracts.transparency import Frontier, leaf_hash
from telecine_credits.checkpoints.key import Signer
from telecine_credits.rules.commands import Debit, Settle, TimedCommand

__all__ = [
    "LOG",
    "NOON",
    "provisioned_connection",
    "publish",
    "publish_streams",
    "read_stream",
    "renumber",
    "signed_checkpoint",
    "small_ledger",
    "stored_checkpoint",
    "tampered_server",
    "write_entries",
]

LOG = "telecine.example/ledger"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def small_ledger(generations: int = 8, *, reference: str = "pay-1", prefix: str = "g") -> StreamBuilder:
    """One account that pays for that many generations, each delivered: one entry more than twice as many."""
    streams = StreamBuilder()
    streams.do(
        TimedCommand(
            GrantCredits(account="ann", amount=50 * generations, kind=GrantKind.PAID, reference=reference),
            NOON,
        )
    )
    for number in range(generations):
        events = GenerationEvents("ann", f"{prefix}{number}")
        asked = events.requested()
        streams.say(asked, NOON)
        streams.do(TimedCommand(Debit(account="ann", generation=events.generation, price=asked.price), NOON))
        for event in (events.started(), events.submitted(), events.ready(), events.stored()):
            streams.say(event, NOON)
        streams.do(TimedCommand(Settle(account="ann", generation=events.generation), NOON))
    return streams


async def read_stream(
    source: Source, stream: str, *, after: int = 0, upto: int | None = None
) -> list[StoredMessage]:
    """Every entry of a stream, one by one."""
    return [entry async for entries in source.batches(stream, after=after, upto=upto) for entry in entries]


@asynccontextmanager
async def provisioned_connection(server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server that has all our streams."""
    connection = await connect_service(server.url, "tests")
    try:
        await provision(connection, consumers=())
        yield connection
    finally:
        await connection.close()


async def publish(connection: Client, entries: Iterable[StoredMessage], *, expecting: bool = False) -> None:
    """Publish entries as services do, through the client; `expecting`: with the version that each was decided on."""
    jetstream = connection.jetstream()
    last: dict[str, int] = {}
    for entry in entries:
        lines = (line.partition(": ") for line in entry.head.decode().split("\r\n")[:-1])
        headers = {name: value for name, _, value in lines}
        about = f"{entry.subject.rpartition('.')[0]}.*"
        if expecting:
            headers |= {
                "Nats-Expected-Last-Subject-Sequence": str(last.get(about, 0)),
                "Nats-Expected-Last-Subject-Sequence-Subject": about,
            }
        last[about] = (await jetstream.publish(entry.subject, entry.body, headers=headers)).seq


async def publish_streams(server: NatsServer, streams: StreamBuilder) -> None:
    """Make our streams on a server and publish everything."""
    async with provisioned_connection(server) as connection:
        await publish(connection, streams.ledger, expecting=True)
        await publish(connection, streams.video, expecting=True)


async def write_entries(server: NatsServer, stream: str, entries: Sequence[StoredMessage]) -> None:
    """Write entries byte for byte into an empty stream, whatever they are; they get the numbers 1, 2, 3."""
    connection = await connect(Server(url=server.url))
    try:
        async with StreamPublisher(connection, stream, replicated=False) as publisher:
            for entry in renumber(entries):
                await publisher.write(entry)
            await publisher.settle()
    finally:
        await connection.close()


@asynccontextmanager
async def tampered_server(
    folder: Path, ledger: Sequence[StoredMessage], checkpoints: Sequence[StoredMessage] = ()
) -> AsyncIterator[NatsServer]:
    """A server whose operator has put these entries in the place of the true ones."""
    async with nats_server(folder) as server:
        async with provisioned_connection(server):
            await write_entries(server, "LEDGER", ledger)
            await write_entries(server, "CHECKPOINTS", checkpoints)
        yield server


def renumber(entries: Iterable[StoredMessage]) -> list[StoredMessage]:
    """The entries as a stream would number them."""
    return [entry._replace(sequence=number) for number, entry in enumerate(entries, start=1)]


def signed_checkpoint(signer: Signer, entries: Sequence[StoredMessage], size: int | None = None) -> str:
    """The signed checkpoint over the first `size` entries, all by default."""
    tree = Frontier()
    for entry in entries[:size]:
        tree.append(leaf_hash(entry.stated))
    return str(signer.sign(Checkpoint(signer.name, tree.size, tree.root())))


def stored_checkpoint(note: str, *, number: int = 1) -> StoredMessage:
    """The entry of CHECKPOINTS with this note."""
    checkpoint = Checkpoint.of(note.rpartition("\n\n")[0] + "\n")
    root = base64.b64encode(checkpoint.root).decode()
    event = CheckpointSigned(log="ledger", size=checkpoint.size, root=root, note=note)
    headers = Envelope(
        id=f"checkpoint-{number}",
        source="telecine/credits",
        type=event.type,
        time=NOON,
        subject=subjects.of_event(event),
        correlation="c",
        causation="c",
    ).to_headers()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    return StoredMessage(number, 0, subjects.of_event(event), head, encode(event))
