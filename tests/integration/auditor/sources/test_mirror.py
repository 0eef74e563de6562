"""`telecine-audit mirror`: a copy that grows with its streams, survives any kill, and detects a changed history."""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from nats.aio.client import Client
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import (
    LOG,
    NOON,
    provisioned_connection,
    publish,
    read_stream,
    renumber,
    signed_checkpoint,
    small_ledger,
    stored_checkpoint,
    tampered_server,
    write_entries,
)
from tests.support.audit.streams import StreamBuilder
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, nats_server

from telecine_auditor.mirror import writer
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_credits.checkpoints.key import Signer
from telecine_credits.rules.commands import TimedCommand

LEDGER = small_ledger(6)
SIGNER = Signer.new(LOG)


@pytest.fixture
async def connection(nats: NatsServer) -> AsyncIterator[Client]:
    async with provisioned_connection(nats) as connection:
        yield connection


@pytest.fixture
def auditor(capsys: pytest.CaptureFixture[str], nats: NatsServer) -> AuditorCommand:
    return AuditorCommand(capsys).using("--nats", nats.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


async def mirror_entries(folder: Path, stream: str) -> list[StoredMessage]:
    """What a mirror holds, none of it changed."""

    def refuse(breach: object) -> None:
        raise AssertionError(breach)

    return await read_stream(MirrorSource(folder, refuse), stream)


async def server_entries(nats: NatsServer, stream: str) -> list[StoredMessage]:
    """What the server holds."""
    source = await NatsSource.open(Server(url=nats.url))
    try:
        return await read_stream(source, stream)
    finally:
        await source.close()


async def fill(connection: Client, streams: StreamBuilder = LEDGER) -> None:
    await publish(connection, streams.ledger)
    await publish(connection, streams.video)
    await publish(connection, [stored_checkpoint(signed_checkpoint(SIGNER, streams.ledger))])


async def test_every_stream_is_copied_with_the_times_of_the_server(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path
) -> None:
    await fill(connection)
    done = await auditor("mirror", folder)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "LEDGER  13 new, up to #13\nVIDEO  30 new, up to #30\nCATALOG  0 new, up to #0\nCHECKPOINTS  1 new, up to #1\n"
    )
    for stream in ("LEDGER", "VIDEO", "CHECKPOINTS"):
        assert await mirror_entries(folder, stream) == await server_entries(nats, stream)


async def test_a_second_run_adds_what_is_new(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path
) -> None:
    await publish(connection, LEDGER.ledger[:5])
    await auditor("mirror", folder)
    await publish(connection, LEDGER.ledger[5:])
    done = await auditor("mirror", folder, "--json")
    assert done.document["holds"] is True
    assert done.document["streams"][0] == {
        "stream": "LEDGER",
        "new": 8,
        "last": 13,
        "sealed": 0,
        "cut": 0,
    }
    assert (await auditor("mirror", folder)).out.startswith("LEDGER  0 new, up to #13\n")
    assert await mirror_entries(folder, "LEDGER") == await server_entries(nats, "LEDGER")


async def test_empty_streams_are_mirrored_as_empty(
    auditor: AuditorCommand, connection: Client, folder: Path
) -> None:
    assert (await auditor("mirror", folder)).code == 0
    assert await mirror_entries(folder, "VIDEO") == []


async def test_streams_can_be_chosen(auditor: AuditorCommand, connection: Client, folder: Path) -> None:
    await fill(connection)
    assert (await auditor("mirror", folder, "--streams", "LEDGER,CHECKPOINTS")).code == 0
    assert not (folder / "VIDEO").exists()
    refused = await auditor("mirror", folder, "--streams", "NOPE")
    assert (refused.code, "there is no stream NOPE" in refused.err) == (2, True)


async def test_partial_entry_is_truncated_with_a_warning(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path
) -> None:
    await fill(connection)
    await auditor("mirror", folder)
    segment = folder / "LEDGER" / f"{1:020}.entries"
    segment.write_bytes(segment.read_bytes()[:-5])
    done = await auditor("mirror", folder)
    assert done.code == 0
    assert "LEDGER: " in done.err
    assert "bytes of an incomplete entry are removed" in done.err
    assert "LEDGER  1 new, up to #13\n" in done.out
    assert await mirror_entries(folder, "LEDGER") == await server_entries(nats, "LEDGER")


async def test_sha256sum_confirms_the_sealed_segments(
    auditor: AuditorCommand,
    nats: NatsServer,
    connection: Client,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 2**20)
    entries = [StoredMessage(number, 0, "ledger.a.granted", b"", b"") for number in range(1, 10)]
    large = [entry._replace(body=b"x" * 132_000) for entry in entries]
    await write_entries(nats, "LEDGER", large)
    done = await auditor("mirror", folder)
    assert "segments sealed: 1" in done.out
    sha256sum = shutil.which("sha256sum")
    assert sha256sum
    checked = await asyncio.create_subprocess_exec(
        sha256sum, "-c", "SHA256SUMS", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await checked.communicate()
    assert checked.returncode == 0
    assert said.decode() == f"LEDGER/{1:020}.entries: OK\n"
    assert len(await mirror_entries(folder, "LEDGER")) == len(large)


CHANGED: dict[str, tuple[list[StoredMessage], str]] = {
    "another last entry": (
        [*LEDGER.ledger[:-1], LEDGER.ledger[-1]._replace(body=b"{}")],
        "stream-changed",
    ),
    "another header": (
        [*LEDGER.ledger[:-1], LEDGER.ledger[-1]._replace(head=b"x: y\r\n" + LEDGER.ledger[-1].head)],
        "stream-changed",
    ),
    "fewer entries": (LEDGER.ledger[:-1], "truncated"),
    "none": ([], "truncated"),
    "another ledger": (
        small_ledger(7, reference="pay-2", prefix="h").ledger,
        "stream-changed",
    ),
}


@pytest.mark.parametrize("change", CHANGED)
async def test_changed_history_is_a_breach(
    auditor: AuditorCommand, connection: Client, folder: Path, tmp_path: Path, change: str
) -> None:
    await publish(connection, LEDGER.ledger)
    await auditor("mirror", folder)
    before = (folder / "LEDGER" / f"{1:020}.entries").read_bytes()
    ledger, kind = CHANGED[change]
    async with tampered_server(tmp_path / "other", ledger) as other:
        auditor = auditor.using("--nats", other.url)
        done = await auditor("mirror", folder)
        assert (done.code, f"LEDGER#13  {kind}" in done.out) == (1, True)
        document = (await auditor("mirror", folder, "--json")).document
    assert [breach["kind"] for breach in document["breaches"]] == [kind]
    assert (folder / "LEDGER" / f"{1:020}.entries").read_bytes() == before


async def test_a_restored_stream_continues_a_mirror(
    auditor: AuditorCommand, connection: Client, folder: Path, tmp_path: Path
) -> None:
    """Its times are new, and no part of what is compared."""
    await publish(connection, LEDGER.ledger)
    await auditor("mirror", folder)
    more = small_ledger(6)
    for reference in ("r1", "r2"):
        more.do(
            TimedCommand(
                GrantCredits(account="bob", amount=5, kind=GrantKind.PAID, reference=reference), NOON
            )
        )
    async with tampered_server(tmp_path / "other", more.ledger) as other:
        done = await auditor.using("--nats", other.url)("mirror", folder)
    assert (done.code, "LEDGER  2 new, up to #15" in done.out) == (0, True)


async def test_mirror_keeps_purged_video_entries(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path
) -> None:
    await fill(connection)
    await auditor("mirror", folder)
    before = await mirror_entries(folder, "VIDEO")
    await connection.jetstream().purge_stream("VIDEO", subject="video.ann.>")
    done = await auditor("mirror", folder)
    assert (done.code, "VIDEO  0 new" in done.out) == (0, True)
    assert "VIDEO: the last mirrored entry was since erased" in done.err
    assert await mirror_entries(folder, "VIDEO") == before
    await publish(connection, [LEDGER.video[0]._replace(subject="video.bob.b1.requested", head=b"")])
    assert "VIDEO  1 new, up to #31" in (await auditor("mirror", folder)).out


async def test_purged_ledger_is_a_breach(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path, tmp_path: Path
) -> None:
    await publish(connection, LEDGER.ledger)
    await auditor("mirror", folder)
    async with tampered_server(tmp_path / "other", LEDGER.ledger) as other:
        async with provisioned_connection(other) as operator:
            jetstream = operator.jetstream()
            await jetstream.delete_stream("LEDGER")
            await jetstream.add_stream(name="LEDGER", subjects=["ledger.>"], allow_direct=True)
            await write_entries(other, "LEDGER", LEDGER.ledger)
            await jetstream.delete_msg("LEDGER", 13)
        done = await auditor.using("--nats", other.url)("mirror", folder)
    assert (done.code, "the stream does not have it" in done.out) == (1, True)


async def test_a_second_mirror_of_the_same_folder_is_refused(
    auditor: AuditorCommand, connection: Client, folder: Path
) -> None:
    async with following(folder, auditor.options):
        await eventually(lambda: (folder / "LEDGER").exists())
        done = await auditor("mirror", folder)
    assert (done.code, "another process writes to the mirror" in done.err) == (2, True)


@asynccontextmanager
async def following(folder: Path, options: tuple[str, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A mirror that follows, as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_auditor", "mirror", str(folder), "--follow", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_ending_with(process: asyncio.subprocess.Process, text: bytes) -> None:
    """Read the output of a mirror up to that line."""
    assert process.stdout and process.stderr
    while not (line := await process.stdout.readline()).endswith(text):
        if not line:
            raise AssertionError((await process.stderr.read()).decode())


async def test_following_continues_after_a_server_restart_until_interrupted(
    folder: Path, tmp_path: Path
) -> None:
    async with nats_server(tmp_path) as nats, provisioned_connection(nats) as connection:
        await publish(connection, LEDGER.ledger[:3])
        async with following(folder, ("--nats", nats.url)) as process:
            await line_ending_with(process, b"LEDGER  3 new, up to #3\n")
            await publish(connection, LEDGER.ledger[3:5])
            await line_ending_with(process, b"LEDGER  2 new, up to #5\n")
            nats.kill()
            await nats.start()
            await publish(connection, LEDGER.ledger[5:])
            await line_ending_with(process, b"up to #13\n")
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
        assert await mirror_entries(folder, "LEDGER") == await server_entries(nats, "LEDGER")


async def test_following_a_server_that_is_not_there_is_an_error(
    auditor: AuditorCommand, folder: Path
) -> None:
    done = await auditor.using("--nats", "nats://127.0.0.1:1")("mirror", folder, "--follow")
    assert (done.code, "no connection to NATS at 127.0.0.1:1" in done.err) == (2, True)
    done = await auditor("mirror", folder, "--follow", "--json")
    assert (done.code, "use one of them" in done.err) == (2, True)


async def test_repeatedly_killed_mirror_completes(
    auditor: AuditorCommand, nats: NatsServer, connection: Client, folder: Path
) -> None:
    """Killed at any moment, also while it writes; what it then holds is always a beginning of the stream."""
    chance = Random(3)  # noqa: S311 - the same moments in every run
    entries = renumber(
        StoredMessage(0, 0, f"ledger.a{number}.granted", b"ce-id: x\r\n", bytes(chance.randrange(8000)))
        for number in range(400)
    )
    await write_entries(nats, "LEDGER", entries)
    segment = folder / "LEDGER" / f"{1:020}.entries"
    for _ in range(4):
        if segment.exists():
            whole = segment.read_bytes()
            segment.write_bytes(whole[: max(40, len(whole) - chance.randrange(200_000))])
        async with following(folder, auditor.options) as process:
            await eventually(lambda: segment.exists() and segment.stat().st_size > 40)
            process.kill()
            await process.wait()
        found = await mirror_entries(folder, "LEDGER")
        assert [entry._replace(stored_at=0) for entry in found] == entries[: len(found)]
    assert (await auditor("mirror", folder)).code == 0
    assert await mirror_entries(folder, "LEDGER") == await server_entries(nats, "LEDGER")
