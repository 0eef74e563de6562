"""The auditor's identity has enough permissions for every command, and no others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.js.errors import APIError
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import LOG, publish, signed_checkpoint, small_ledger, stored_checkpoint
from tests.support.security.nats_users import (
    AuthenticatedServer,
    authenticated_server,
    nats_permissions,
    new_seed,
    public_key,
)

from telecine_auditor.cli import COMMANDS
from telecine_auditor.errors import SourceError
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import free_ports
from telecine_cli.stack.process import Process
from telecine_contracts.permissions import AUDITOR, rights
from telecine_contracts.streams import STREAMS
from telecine_credits.checkpoints.key import Signer

RIGHTS = rights(AUDITOR)
LEDGER_ONLY_PUBLISH = tuple(subject for subject in RIGHTS.publish if not subject.endswith(".VIDEO"))
SIGNER = Signer.new(LOG)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    return new_seed(tmp_path / "auditor.nk")


@pytest.fixture
def ledger_only_seed(tmp_path: Path) -> Path:
    """The seed of an auditor who may not see VIDEO."""
    return new_seed(tmp_path / "narrow.nk")


@pytest.fixture
async def server(tmp_path: Path, seed: Path, ledger_only_seed: Path) -> AsyncIterator[AuthenticatedServer]:
    """A server with a small ledger and a checkpoint over it, and two auditors."""
    users = [
        {"nkey": public_key(seed), "permissions": nats_permissions(RIGHTS.publish, RIGHTS.subscribe)},
        {
            "nkey": public_key(ledger_only_seed),
            "permissions": nats_permissions(LEDGER_ONLY_PUBLISH, RIGHTS.subscribe),
        },
    ]
    async with authenticated_server(tmp_path / "nats", *users) as server:
        operator = await nats.connect(server.operator_url)
        await provision(operator, consumers=())
        streams = small_ledger(3)
        await publish(operator, streams.ledger)
        await publish(operator, streams.video)
        await publish(operator, [stored_checkpoint(signed_checkpoint(SIGNER, streams.ledger))])
        await operator.close()
        yield server


@pytest.fixture
def auditor(capsys: pytest.CaptureFixture[str], server: AuthenticatedServer, seed: Path) -> AuditorCommand:
    return AuditorCommand(capsys).using("--nats", server.url, "--nkey-seed", seed)


async def test_every_command_works_with_the_auditor_identity(auditor: AuditorCommand, tmp_path: Path) -> None:
    proof, mirror = tmp_path / "proof", tmp_path / "mirror"
    key = ("--key", SIGNER.verifier)
    calls: dict[str, tuple[object, ...]] = {
        "verify": key,
        "balances": (),
        "statement": ("ann",),
        "trial-balance": (),
        "liability": (),
        "show": (2,),
        "reconcile": (),
        "fairness": (),
        "export": ("--format", "csv", "--out", tmp_path / "books.csv"),
        "mirror": (mirror,),
        "checkpoint": key,
        "prove": (2, *key, "--out", proof),
    }
    there = set(COMMANDS)
    for name, arguments in calls.items():
        if name in there:
            done = await auditor(name, *arguments)
            assert (name, done.code, done.err) == (name, 0, "")
    assert (await auditor.using()("check-proof", proof, *key)).code == 0
    # `compare` asks databases besides and `objects` a bucket, and `restore` writes.
    assert there <= {*calls, "check-proof", "compare", "objects", "restore"}


async def test_an_identity_without_video_audits_the_ledger_alone(
    auditor: AuditorCommand, server: AuthenticatedServer, ledger_only_seed: Path, tmp_path: Path
) -> None:
    auditor = auditor.using("--nats", server.url, "--nkey-seed", ledger_only_seed)
    done = await auditor("mirror", tmp_path / "mirror", "--streams", "LEDGER,CHECKPOINTS")
    assert (done.code, "LEDGER  7 new" in done.out) == (0, True)
    assert (await auditor("checkpoint", "--key", SIGNER.verifier)).code == 0
    done = await auditor("verify", "--key", SIGNER.verifier, "--ledger-only", "--json")
    assert (done.code, done.document["not_checked"][0]) == (0, "generations against VIDEO: it was left out")
    for command in (
        ("verify", "--key", SIGNER.verifier),
        ("mirror", tmp_path / "other"),
        ("show", 1, "--stream", "VIDEO"),
    ):
        refused = await auditor(*command)
        assert (refused.code, refused.out) == (2, "")
        assert "stream.info.video" in refused.err.lower()


async def test_a_deleted_stream_does_not_count_as_empty(
    auditor: AuditorCommand, server: AuthenticatedServer
) -> None:
    operator = await nats.connect(server.operator_url)
    await operator.jetstream().delete_stream("VIDEO")
    done = await auditor("verify", "--key", SIGNER.verifier)
    assert (done.code, "the server has no stream VIDEO" in done.err) == (2, True)
    assert (await auditor("verify", "--key", SIGNER.verifier, "--ledger-only")).code == 0
    await operator.jetstream().delete_stream("CHECKPOINTS")
    done = await auditor("verify", "--ledger-only")
    assert (done.code, "the server has no stream CHECKPOINTS" in done.err) == (2, True)
    await operator.close()


async def test_reading_video_without_permission_is_an_immediate_error(
    server: AuthenticatedServer, ledger_only_seed: Path
) -> None:
    source = await NatsSource.open(Server(url=server.url, nkey_seed=ledger_only_seed))
    with pytest.raises(SourceError, match=r"(?i)stream.info.video"):
        await source.has("VIDEO")
    assert await source.has("LEDGER")
    await source.close()


@pytest.fixture
async def auditor_client(server: AuthenticatedServer, seed: Path) -> AsyncIterator[Client]:
    """A client with the auditor's identity that tries to do more."""

    async def quiet(error: Exception) -> None:
        pass

    client = await nats.connect(
        server.url, nkeys_seed=str(seed), inbox_prefix=RIGHTS.inbox, error_cb=quiet, allow_reconnect=False
    )
    yield client
    await client.close()


async def test_the_auditor_identity_cannot_change_anything(
    auditor_client: Client, server: AuthenticatedServer
) -> None:
    jetstream = auditor_client.jetstream(timeout=0.2)
    for subject in ("ledger.ann.granted", "video.a.b.stored", "checkpoints.ledger.signed", "timers.at.x"):
        with pytest.raises((nats.errors.Error, TimeoutError)):
            await jetstream.publish(subject, b"{}", timeout=0.2)
    calls = {
        "STREAM.MSG.DELETE.{}": {"seq": 1},
        "STREAM.PURGE.{}": {},
        "STREAM.DELETE.{}": {},
        "STREAM.UPDATE.{}": {"name": "LEDGER", "subjects": ["x"]},
        "STREAM.SNAPSHOT.{}": {"deliver_subject": "x"},
        "CONSUMER.CREATE.{}": {"stream_name": "LEDGER", "config": {"ack_policy": "none"}},
        "CONSUMER.DURABLE.CREATE.{}.x": {"stream_name": "LEDGER", "config": {"durable_name": "x"}},
    }
    asked = [
        auditor_client.request(
            f"$JS.API.{call.format(stream.name)}", json.dumps(question).encode(), timeout=0.5
        )
        for stream in STREAMS
        for call, question in calls.items()
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {nats.errors.TimeoutError}
    async with AsyncExitStack() as stack:
        operator = await nats.connect(server.operator_url)
        stack.push_async_callback(operator.close)
        state = [(await operator.jetstream().stream_info(stream.name)).state for stream in STREAMS]
        assert {one.messages for one in state} == {0, 1, 7, 15}
        assert {one.consumer_count for one in state} == {0}


async def test_the_auditor_identity_cannot_read_other_streams_or_replies(auditor_client: Client) -> None:
    with pytest.raises((TimeoutError, APIError)):
        await auditor_client.request("$JS.API.STREAM.INFO.ACCESS", timeout=0.2)
    heard = await auditor_client.subscribe("_INBOX.>")
    everything = await auditor_client.subscribe("ledger.>")
    await auditor_client.flush()
    for subscription in (heard, everything):
        with pytest.raises(TimeoutError):
            await subscription.next_msg(timeout=0.1)


async def test_unknown_identity_is_refused(auditor: AuditorCommand, server: AuthenticatedServer) -> None:
    done = await auditor.using("--nats", server.url)("balances")
    assert done.code == 2
    assert "Authorization Violation" in done.err
    assert str(server.port) in done.err
    assert done.err.count("\n") == 1


async def test_a_user_name_and_a_password_authenticate(
    auditor: AuditorCommand, server: AuthenticatedServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("only-a-test\n")
    let_in = auditor.using("--nats", server.url, "--user", "operator", "--password-file", password)
    assert (await let_in("checkpoint")).code == 0
    password.write_text("wrong\n")
    assert "Authorization Violation" in (await let_in("checkpoint")).err


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"no seed", "holds no nkey seed"), (b"\xff\xfe", "can't be read"), (b"", "no nkey")],
)
async def test_an_invalid_seed_is_an_error(
    auditor: AuditorCommand, server: AuthenticatedServer, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "seed").write_bytes(content)
    done = await auditor.using("--nats", server.url, "--nkey-seed", tmp_path / "seed")("checkpoint")
    assert (done.code, says in done.err) == (2, True)


async def test_a_missing_identity_file_is_an_error(auditor: AuditorCommand, tmp_path: Path) -> None:
    for option in ("--nkey-seed", "--creds", "--password-file", "--tls-ca"):
        done = await auditor.using(option, tmp_path / "absent")("checkpoint")
        assert (done.code, str(tmp_path / "absent") in done.err, "can't be" in done.err) == (2, True, True)


async def run_as(part: EmbeddedNats, identity: str, deed: Callable[[Client], Awaitable[object]]) -> None:
    """Do something as one of the identities."""
    access = part.access(identity).client_options()
    client = await nats.connect(part.url, inbox_prefix=rights(identity).inbox, **access)
    await deed(client)
    await client.close()


async def test_the_identity_from_provision_authenticates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """There every identity has an account of its own on the server, and the streams are in another one."""
    ledger = small_ledger(3).ledger
    checkpoint = stored_checkpoint(signed_checkpoint(SIGNER, ledger))
    port, monitoring_port = free_ports(2)
    part = EmbeddedNats(tmp_path / "nats", port, monitoring_port, credentials=tmp_path / "credentials")
    process = Process(part.command(tmp_path / "nats.log"))
    process.start()
    try:
        await process.wait_ready(part.ready, 20)
        await run_as(part, "provisioner", lambda client: provision(client, consumers=()))
        await run_as(part, "credits", lambda client: publish(client, ledger))
        await run_as(part, "credits", lambda client: publish(client, [checkpoint]))
        seed = tmp_path / "credentials" / "auditor.nk"
        auditor = AuditorCommand(capsys).using("--nats", part.url, "--nkey-seed", seed)
        done = await auditor("mirror", tmp_path / "mirror")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("LEDGER  7 new, up to #7\nVIDEO  0 new")
        done = await auditor("checkpoint", "--key", SIGNER.verifier)
        assert (done.code, "the ledger has this root" in done.out) == (0, True)
    finally:
        process.kill()
