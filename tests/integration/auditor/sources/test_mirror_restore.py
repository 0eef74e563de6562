"""`telecine-audit restore`: streams with the same bytes and sequences as the mirror."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats as nats_client
import pytest
from nats.aio.client import Client
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import (
    LOG,
    provisioned_connection,
    publish,
    publish_streams,
    read_stream,
    renumber,
    signed_checkpoint,
    small_ledger,
    stored_checkpoint,
    write_entries,
)
from tests.support.audit.streams import november_time
from tests.support.data.video_events import GenerationEvents
from tests.support.security.nats_users import authenticated_server, nats_permissions, new_seed, public_key
from tests.support.servers.instances import NatsServer, nats_server

from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server
from telecine_cli.provisioning.streams import provision
from telecine_contracts.erasure import AccountErased
from telecine_contracts.permissions import AUDITOR, rights
from telecine_contracts.signed_note import Checkpoint
from telecine_credits.checkpoints.key import Signer

STREAMS = small_ledger(6)
SIGNER = Signer.new(LOG)
NAMES = ("CHECKPOINTS", "LEDGER", "VIDEO")


@pytest.fixture
def auditor(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


@asynccontextmanager
async def provisioned_server(folder: Path) -> AsyncIterator[NatsServer]:
    """A server that has all our streams and nothing in them."""
    async with nats_server(folder / "fresh") as server, provisioned_connection(server):
        yield server


def mirror_of(folder: Path, **streams: Sequence[StoredMessage]) -> Path:
    """A mirror of these entries."""
    with open_mirror(folder / "mirror", most=5) as mirror:
        for name, entries in streams.items():
            mirror.stream(name).append(entries)
    return folder / "mirror"


async def server_entries(server: NatsServer, stream: str) -> list[StoredMessage]:
    source = await NatsSource.open(Server(url=server.url))
    try:
        return [entry._replace(stored_at=0) for entry in await read_stream(source, stream)]
    finally:
        await source.close()


async def mirror_entries(mirror: Path, stream: str) -> list[StoredMessage]:
    entries = await read_stream(MirrorSource(mirror, print), stream)
    return [entry._replace(stored_at=0) for entry in entries]


@pytest.fixture
async def mirror(auditor: AuditorCommand, nats: NatsServer, tmp_path: Path) -> Path:
    """A mirror of a server on which services worked, with the versions that they expected, and a checkpoint."""
    await publish_streams(nats, STREAMS)
    async with provisioned_connection(nats) as connection:
        await publish(connection, [stored_checkpoint(signed_checkpoint(SIGNER, STREAMS.ledger))])
    done = await auditor("mirror", tmp_path / "mirror", "--nats", nats.url)
    assert done.code == 0
    return tmp_path / "mirror"


async def test_restore_is_identical(
    auditor: AuditorCommand, nats: NatsServer, mirror: Path, tmp_path: Path
) -> None:
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror, "--nats", server.url)
        assert (done.code, done.err) == (0, "")
        for stream in NAMES:
            assert (
                await server_entries(server, stream)
                == await server_entries(nats, stream)
                == await mirror_entries(mirror, stream)
            )
        verified = await auditor("verify", "--nats", server.url, "--key", SIGNER.verifier, "--json")
        assert (verified.code, verified.document["breaches"]) == (0, [])
    root = base64.b64encode(
        Checkpoint.of(signed_checkpoint(SIGNER, STREAMS.ledger).rpartition("\n\n")[0] + "\n").root
    )
    assert f"LEDGER  13 written, up to #13, read back and the same, root {root.decode()}\n" in done.out


async def test_services_continue_on_restored_streams(
    auditor: AuditorCommand, mirror: Path, tmp_path: Path
) -> None:
    """What an entry expects of the sequence before still holds."""
    async with provisioned_server(tmp_path) as server, provisioned_connection(server) as connection:
        await auditor("restore", mirror, "--nats", server.url)
        headers = {
            "Nats-Expected-Last-Subject-Sequence": "13",
            "Nats-Expected-Last-Subject-Sequence-Subject": "ledger.ann.*",
        }
        ack = await connection.jetstream().publish("ledger.ann.granted", b"{}", headers=headers)
        assert ack.seq == 14


async def test_an_interrupted_restore_continues(
    auditor: AuditorCommand, mirror: Path, tmp_path: Path
) -> None:
    ledger = await mirror_entries(mirror, "LEDGER")
    async with provisioned_server(tmp_path) as server:
        await write_entries(server, "LEDGER", ledger[:7])
        done = await auditor("restore", mirror, "--nats", server.url, "--json")
        assert done.code == 0
        [one] = [each for each in done.document["streams"] if each["stream"] == "LEDGER"]
        assert (one["found"], one["written"], one["last"]) == (7, 6, 13)
        assert await server_entries(server, "LEDGER") == ledger
        again = await auditor("restore", mirror, "--nats", server.url)
        assert "LEDGER  0 written, 13 existed, up to #13" in again.out


@pytest.mark.parametrize(
    "there",
    [
        [STREAMS.ledger[1]],
        [STREAMS.ledger[0]._replace(body=b"{}")],
        [*STREAMS.ledger, STREAMS.ledger[0]._replace(head=b"")],
    ],
    ids=["another first entry", "another body", "more than the mirror has"],
)
async def test_a_stream_with_other_entries_is_not_changed(
    auditor: AuditorCommand, tmp_path: Path, there: list[StoredMessage]
) -> None:
    mirror = mirror_of(tmp_path, LEDGER=STREAMS.ledger)
    async with provisioned_server(tmp_path) as server:
        await write_entries(server, "LEDGER", there)
        done = await auditor("restore", mirror, "--nats", server.url)
        assert (done.code, done.out) == (2, "")
        assert "stream LEDGER is not empty, and does not begin like the mirror" in done.err
        assert len(await server_entries(server, "LEDGER")) == len(there)


async def test_headers_of_any_form_are_restored(auditor: AuditorCommand, tmp_path: Path) -> None:
    odd = renumber(
        StoredMessage(0, 0, "ledger.ann.granted", head, body)
        for head, body in (
            (b"", b""),
            (b"a:1\r\nA:  2 \r\na:1\r\n", b"\x00\xff\r\n"),
            (b"no colon\r\n", b"x"),
            ("é: 雨\r\n".encode(), b"y"),
        )
    )
    mirror = mirror_of(tmp_path, LEDGER=odd)
    async with provisioned_server(tmp_path) as server:
        assert (await auditor("restore", mirror, "--nats", server.url)).code == 0
        assert await server_entries(server, "LEDGER") == odd


def video_without(*missing: int) -> list[StoredMessage]:
    """VIDEO after some accounts were forgotten."""
    entries = (entry._replace(stored_at=0) for entry in STREAMS.video if entry.sequence not in missing)
    return [entry._replace(subject=f"video.kept.g{entry.sequence}.requested") for entry in entries]


@pytest.mark.parametrize("missing", [(1, 2, 3), (5, 6, 9), (1, 2, 15, 29)], ids=str)
async def test_sequences_erased_from_video_stay_empty(
    auditor: AuditorCommand, tmp_path: Path, missing: tuple[int, ...]
) -> None:
    video = video_without(*missing)
    mirror = mirror_of(tmp_path, VIDEO=video)
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror, "--nats", server.url)
        assert (done.code, f"{len(missing)} sequences left empty" in done.out) == (0, True)
        assert await server_entries(server, "VIDEO") == video
        assert "0 written" in (await auditor("restore", mirror, "--nats", server.url)).out


async def test_what_a_mirror_has_of_an_erased_account_is_not_restored(
    auditor: AuditorCommand, tmp_path: Path
) -> None:
    """The mirror was made before the erasure, and was continued after it."""
    streams = small_ledger(3)
    streams.say(AccountErased(account="ann", generations=3, ledger_sequence=7), november_time(20))
    streams.say(GenerationEvents("ann", "later").requested(), november_time(21))
    mirror = mirror_of(tmp_path, VIDEO=streams.video)
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror, "--nats", server.url)
        assert done.code == 0, done.out
        restored = await server_entries(server, "VIDEO")
        assert restored == [entry._replace(stored_at=0) for entry in streams.video[-2:]]
        assert "0 written" in (await auditor("restore", mirror, "--nats", server.url)).out


async def test_gaps_are_completed_after_an_interruption(auditor: AuditorCommand, tmp_path: Path) -> None:
    video = video_without(5, 6, 9)
    mirror = mirror_of(tmp_path, VIDEO=video)
    async with provisioned_server(tmp_path) as server:
        subject = "video.telecine-restore.telecine-restore.telecine-restore"
        filler = StoredMessage(0, 0, subject, b"telecine-restore: filler\r\n", b"")
        await write_entries(server, "VIDEO", [*video[:4], filler])
        assert (await auditor("restore", mirror, "--nats", server.url)).code == 0
        assert await server_entries(server, "VIDEO") == video


@pytest.mark.parametrize("missing", [1, 4])
async def test_the_ledger_allows_no_gaps(auditor: AuditorCommand, tmp_path: Path, missing: int) -> None:
    ledger = [entry for entry in STREAMS.ledger if entry.sequence != missing]
    mirror = mirror_of(tmp_path, LEDGER=ledger)
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror, "--nats", server.url)
        assert (done.code, f"sequence {missing} of LEDGER is missing in the mirror" in done.err) == (2, True)
        assert "--renumber" in done.err
        assert await server_entries(server, "LEDGER") == []
        assert (await auditor("restore", mirror, "--renumber", "--nats", server.url)).code == 0
        restored = await server_entries(server, "LEDGER")
    assert restored == [entry._replace(stored_at=0) for entry in renumber(ledger)]


async def test_renumbered_entries_have_no_expected_sequence(
    auditor: AuditorCommand, nats: NatsServer, mirror: Path, tmp_path: Path
) -> None:
    expecting = (await mirror_entries(mirror, "LEDGER"))[3:]
    assert all(b"Nats-Expected-Last-Subject-Sequence" in entry.head for entry in expecting)
    other = mirror_of(tmp_path / "other", LEDGER=expecting)
    async with provisioned_server(tmp_path) as server:
        assert (await auditor("restore", other, "--renumber", "--nats", server.url)).code == 0
        restored = await server_entries(server, "LEDGER")
    assert [entry.stated for entry in restored] == [entry.stated for entry in expecting]
    assert not any(b"Expected" in entry.head for entry in restored)
    assert all(b"Nats-Msg-Id" in entry.head for entry in restored)


async def test_a_duplicate_message_id_is_an_error(auditor: AuditorCommand, tmp_path: Path) -> None:
    twice = renumber([*STREAMS.ledger[:3], STREAMS.ledger[1]])
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror_of(tmp_path, LEDGER=twice), "--nats", server.url)
    assert (done.code, "entry 4 of LEDGER has the message id of entry 2" in done.err) == (2, True)


async def test_a_failed_expected_sequence_is_an_error(auditor: AuditorCommand, tmp_path: Path) -> None:
    wrong = renumber([STREAMS.ledger[0]._replace(head=b"Nats-Expected-Last-Subject-Sequence: 7\r\n")])
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror_of(tmp_path, LEDGER=wrong), "--nats", server.url)
    assert (done.code, "entry 1 of LEDGER was refused" in done.err) == (2, True)


async def test_a_subject_outside_the_stream_is_an_error(auditor: AuditorCommand, tmp_path: Path) -> None:
    stray = [STREAMS.ledger[0]._replace(subject="elsewhere.x")]
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror_of(tmp_path, LEDGER=stray), "--nats", server.url)
    assert (done.code, "no stream of the server has the subject of entry 1" in done.err) == (2, True)


async def test_a_missing_stream_is_an_error(
    auditor: AuditorCommand, nats: NatsServer, tmp_path: Path
) -> None:
    mirror = mirror_of(tmp_path, LEDGER=STREAMS.ledger)
    done = await auditor("restore", mirror, "--nats", nats.url)
    assert (done.code, "`telecine provision` makes it" in done.err) == (2, True)
    (tmp_path / "empty").mkdir()
    done = await auditor("restore", tmp_path / "empty", "--nats", nats.url)
    assert (done.code, "has no streams" in done.err) == (2, True)


async def test_a_changed_mirror_is_not_restored(auditor: AuditorCommand, tmp_path: Path) -> None:
    mirror = mirror_of(tmp_path, LEDGER=STREAMS.ledger)
    segment = mirror / "LEDGER" / f"{6:020}.entries"
    segment.write_bytes(segment.read_bytes()[:-9])
    async with provisioned_server(tmp_path) as server:
        done = await auditor("restore", mirror, "--nats", server.url)
        assert (done.code, "the mirror cannot be restored" in done.err) == (2, True)
        assert await server_entries(server, "LEDGER") == []


async def test_an_auditor_may_not_restore(auditor: AuditorCommand, tmp_path: Path) -> None:
    mirror = mirror_of(tmp_path, LEDGER=STREAMS.ledger)
    seed = new_seed(tmp_path / "auditor.nk")
    user = {
        "nkey": public_key(seed),
        "permissions": nats_permissions(rights(AUDITOR).publish, rights(AUDITOR).subscribe),
    }
    async with authenticated_server(tmp_path / "nats", user) as server:
        operator: Client = await nats_client.connect(server.operator_url)
        await provision(operator, consumers=())
        await operator.close()
        done = await auditor("restore", mirror, "--nats", server.url, "--nkey-seed", seed)
    assert done.code == 2
    assert "does not let this identity publish on ledger.ann.granted" in done.err
