"""A ledger to sign checkpoints of, and the root of its first entries, computed apart from all that is tested."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nacl.signing import VerifyKey
from sqlalchemy import Engine
from tests.support.environments.databases import database_url

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import EventStore
from telecine_chassis.nats.connection import connect
from telecine_chassis.projections.slots import Slots
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, registry, subjects
from telecine_contracts.checkpoints import CheckpointSigned
from telecine_contracts.signed_note import Checkpoint, Note
from telecine_contracts.streams import CHECKPOINTS, LEDGER
from telecine_credits.checkpoints.key import Signer
from telecine_credits.checkpoints.log import CheckpointLog
from telecine_credits.checkpoints.publisher import CheckpointPublisher, CheckpointSchedule
from telecine_credits.checkpoints.tree import LedgerReader
from telecine_credits.checkpoints.tree_store import TreeStore
from telecine_credits.read_model.tables import METADATA, VERSION
from telecine_jetstream.client import NatsClient

__all__ = ["CheckpointEnvironment", "Replica", "checkpoint_environment", "root_of"]

CHECKPOINT_SCHEDULE = CheckpointSchedule(entries=10, interval=timedelta(hours=1))
UNUSUAL_HEADERS: Sequence[tuple[str, dict[str, str] | None, bytes]] = (
    ("ledger.a.granted", None, b""),
    ("ledger.a.granted", {"Nats-Msg-Id": "only the transport's"}, b"not json"),
    ("ledger.b.granted", {"ce-id": "1", "x-later": "ä ü", "Nats-Own": "x", "x-empty": ""}, b"\r\n\x00\xff"),
    ("ledger.Z_-9.anything", {"ce-type": "credits.unheard_of.v9"}, b"{}"),
)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0]).digest() if leaves else sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


class Replica(CheckpointPublisher):
    """One that signs, and the sizes from which it read on. Nothing runs by itself: a test looks."""

    def __init__(
        self, world: "CheckpointEnvironment", store: EventStore, engine: Engine, **changes: Any
    ) -> None:
        reader, clock = _RecordingLedgerReader(world.client), world.clock
        given: dict[str, Any] = {
            "signer": world.signer,
            "schedule": CHECKPOINT_SCHEDULE,
            "archives": (),
        } | changes
        super().__init__(
            given["signer"],
            reader,
            CheckpointLog(world.client, store, registry(), clock=clock),
            TreeStore(lambda: engine),
            archives=given["archives"],
            schedule=given["schedule"],
            clock=clock,
        )
        self.reader = reader
        self.engine = engine


class _RecordingLedgerReader(LedgerReader):
    def __init__(self, connection: NatsClient) -> None:
        super().__init__(connection, limit=7)
        self.read: list[tuple[int, int]] = []

    async def extend(self, tree: Any, size: int) -> Any:
        if size > tree.size:
            self.read.append((tree.size, size))
        return await super().extend(tree, size)


@dataclass
class CheckpointEnvironment:
    """A nats-server with our streams, a clock that stands still, and a folder for databases."""

    client: NatsClient
    store: JetStreamEventStore
    folder: Path
    signer: Signer = field(default_factory=lambda: Signer.new("telecine/ledger"))
    now: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    engines: list[Engine] = field(default_factory=list)
    written: int = 0

    def clock(self) -> datetime:
        return self.now

    def replica(
        self, database: str = "credits", *, store: EventStore | None = None, **changes: Any
    ) -> Replica:
        """A replica, or the same one started again: it knows what its database knows."""
        engine = Slots(database_url(self.folder, database), METADATA, VERSION).open(1)
        self.engines.append(engine)
        return Replica(self, store or self.store, engine, **changes)

    async def entries(self, count: int) -> None:
        """So many more messages, the odd ones among them."""
        jetstream = self.client.jetstream()
        for number in range(self.written, self.written + count):
            subject, headers, body = (
                UNUSUAL_HEADERS[number] if number < len(UNUSUAL_HEADERS) else _plain(number)
            )
            await jetstream.publish(subject, body, stream=LEDGER.name, headers=headers and dict(headers))
        self.written += count

    async def odd_entry(self, head: bytes, body: bytes = b"{}") -> None:
        """A message with header lines that no client of ours would send."""
        url = urlsplit(self.client.connected_url.geturl() if self.client.connected_url else "")
        block = b"NATS/1.0\r\n" + head + b"\r\n"
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        await reader.readuntil(b"\r\n")
        writer.write(b'CONNECT {"headers": true, "verbose": false}\r\n')
        writer.write(b"HPUB ledger.odd.one %d %d\r\n" % (len(block), len(block) + len(body)))
        writer.write(block + body + b"\r\nPING\r\n")
        await reader.readuntil(b"PONG\r\n")
        writer.close()
        self.written += 1

    async def unprotect(self, *, keep: int = 0) -> None:
        """An administrator makes the LEDGER stream anew, without protection, with its first entries as they were."""
        kept = [await self.raw(sequence) for sequence in range(1, keep + 1)]
        await self._anew(LEDGER.name)
        await self.restore(kept)

    async def restore(self, messages: Sequence[dict[str, Any]]) -> None:
        """Write messages behind the last one as they were."""
        for message in messages:
            headers = dict(line.split(": ", 1) for line in _lines(message))
            body = base64.b64decode(message.get("data", ""))
            await self.client.jetstream().publish(message["subject"], body, headers=headers or None)

    async def forget_checkpoints(self) -> None:
        """An administrator makes the CHECKPOINTS stream anew, and empty."""
        await self._anew(CHECKPOINTS.name)

    async def _anew(self, stream: str) -> None:
        config = (await self._ask(f"STREAM.INFO.{stream}", {}))["config"]
        config |= {"deny_delete": False, "deny_purge": False}
        await self._ask(f"STREAM.DELETE.{stream}", {})
        await self._ask(f"STREAM.CREATE.{stream}", config)

    async def _ask(self, what: str, question: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.request(f"$JS.API.{what}", json.dumps(question).encode(), timeout=5)
        found: dict[str, Any] = json.loads(answer.data)
        assert "error" not in found, found
        return found

    async def raw(self, sequence: int) -> dict[str, Any]:
        """A message as the server keeps it."""
        message: dict[str, Any] = (await self._ask(f"STREAM.MSG.GET.{LEDGER.name}", {"seq": sequence}))[
            "message"
        ]
        return message

    async def root(self, size: int) -> bytes:
        """The root over the first `size` messages, from the bytes that the server keeps."""
        leaves = []
        for sequence in range(1, size + 1):
            message = await self.raw(sequence)
            stated = [line for line in _lines(message) if not line.lower().startswith("nats-")]
            head = "".join(f"{line}\r\n" for line in [message["subject"], *stated, ""])
            leaves.append(head.encode() + base64.b64decode(message.get("data", "")))
        return root_of(leaves)

    async def published(self) -> list[Checkpoint]:
        """Every checkpoint on the stream, after its signature was verified."""
        found = []
        for recorded in await self.store.load(subjects.checkpoints("ledger")):
            event = recorded.event
            assert isinstance(event, CheckpointSigned)
            note = Note.of(event.note)
            VerifyKey(self.signer.verifier.public).verify(note.text.encode(), note.signatures[0].signature)
            checkpoint = Checkpoint.of(note.text)
            assert (event.size, event.root) == (checkpoint.size, note.text.split("\n")[2])
            found.append(checkpoint)
        return found

    async def sizes(self) -> list[int]:
        """The sizes of the checkpoints on the stream."""
        return [checkpoint.size for checkpoint in await self.published()]

    async def forge(self, size: int, root: bytes, **changes: Any) -> None:
        """A checkpoint that our key signed, of something else."""
        checkpoint = Checkpoint(self.signer.name, size, root)
        event = CheckpointSigned(
            log="ledger",
            size=size,
            root=checkpoint.text.split("\n")[2],
            note=str(self.signer.sign(checkpoint)),
        ).model_copy(update=changes)
        envelope = Envelope(
            id=f"forged {size}",
            source="telecine/credits",
            type=event.type,
            time=self.now,
            subject=subjects.of_event(event),
            correlation="forged",
            causation="forged",
        )
        last = await self.store.load(subjects.checkpoints("ledger"))
        expected = last[-1].sequence if last else 0
        await self.store.append(event, envelope, aggregate=subjects.checkpoints("ledger"), expected=expected)


def _plain(number: int) -> tuple[str, dict[str, str], bytes]:
    headers = {"Nats-Msg-Id": f"{number}", "ce-id": f"{number}", "ce-type": "credits.granted.v1"}
    return f"ledger.a{number % 3}.granted", headers, json.dumps({"amount": number}).encode()


def _lines(message: dict[str, Any]) -> list[str]:
    head = base64.b64decode(message.get("hdrs", "")).decode()
    return [line for line in head.split("\r\n")[1:] if line]


@asynccontextmanager
async def checkpoint_environment(url: str, folder: Path) -> AsyncIterator[CheckpointEnvironment]:
    """A world on an empty server; its databases are closed at the end."""
    client = await connect(url, "tests")
    await provision(client)
    world = CheckpointEnvironment(client, JetStreamEventStore(client, registry()), folder)
    try:
        yield world
    finally:
        for engine in world.engines:
            engine.dispose()
        await client.close()
