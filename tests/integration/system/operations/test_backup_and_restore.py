"""What docs/deploying.md says of backups: the operator's mirror is the whole truth, and comes back under its users."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand, AuditResult
from tests.support.security.authenticated_nats import guarded_nats, run_in_thread
from tests.support.security.nats_identities import connect_as

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_cli.provisioning.credentials import USERS_FILE
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import free_ports
from telecine_cli.stack.process import Process
from telecine_cli.target import Target, connected
from telecine_contracts import registry, subjects
from telecine_contracts.catalog import EVENTS
from telecine_contracts.erasure import AccountErased
from telecine_contracts.examples import envelope, example
from telecine_contracts.permissions import AUDITOR, OPERATOR, rights
from telecine_jetstream.client import NatsClient

RESTORE_USERS = Path(__file__).parents[4] / "deploy" / "compose" / "restore-users" / "nats-users.conf"
WRITTEN = [event for event in EVENTS if event is not AccountErased]
"""A restore leaves out what an erasure in the mirror covers."""
TRUTH = ("LEDGER", "VIDEO", "CHECKPOINTS", "ACCESS", "CATALOG")


async def write_one_of_each(part: EmbeddedNats) -> None:
    """An event of every type, by the identity that may write it."""
    for event in map(example, WRITTEN):
        async with connect_as(event.written_by, part) as connection:
            await JetStreamEventStore(connection, registry()).append(
                event, envelope(event), aggregate=subjects.of_event(event), expected=0
            )


@contextmanager
def running(part: EmbeddedNats, folder: Path, page: Path | None = None) -> Iterator[None]:
    """The server; `page` stands in the place of the one that says who may do what."""
    process = Process(part.command(folder / "nats.log"))
    if page is not None:
        (folder / "credentials" / USERS_FILE).write_bytes(page.read_bytes())

    async def answers() -> bool:
        answer = await http_answer(f"{part.monitoring_url}/healthz?js-enabled-only=true")
        return answer is not None and answer[0] == 200

    process.start()
    try:
        run_in_thread(process.wait_ready(answers, 20))
        yield
    finally:
        process.kill()


async def mirrored(auditor: AuditorCommand, part: EmbeddedNats, folder: Path) -> AuditResult:
    """What the operator's mirror said."""
    operator = ("--nkey-seed", part.access(OPERATOR).nkey_seed, "--inbox", rights(OPERATOR).inbox)
    server = auditor.using("--nats", part.url, *operator)
    return await server("mirror", folder, "--streams", ",".join(TRUTH))


async def counts(connection: NatsClient) -> dict[str, int]:
    streams = connection.jetstream()
    return {name: (await streams.stream_info(name)).state.messages for name in TRUTH}


async def test_what_the_operator_mirrors_comes_back_to_whom_it_belongs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor, mirror = AuditorCommand(capsys), tmp_path / "mirror"
    with guarded_nats(tmp_path / "old") as old:
        await write_one_of_each(old)
        assert (await mirrored(auditor, old, mirror)).code == 0
        async with connect_as(OPERATOR, old) as connection:
            before = await counts(connection)
    assert sum(before.values()) == sum(event.stream in TRUTH for event in WRITTEN)

    folder, (port, monitoring) = tmp_path / "new", free_ports(2)
    new = EmbeddedNats(folder / "nats", port, monitoring, credentials=folder / "credentials")
    with running(new, folder, RESTORE_USERS):
        async with connected(Target(new.url)) as connection:
            await provision(connection)
        done = await auditor.using("--nats", new.url)("restore", mirror)
        assert (done.code, done.out.count("read back and the same")) == (0, len(TRUTH))

    with running(new, folder):
        async with connect_as(OPERATOR, new) as connection:
            assert await counts(connection) == before
        again = await mirrored(auditor, new, mirror)
        assert (again.code, again.out.count(" 0 new")) == (0, len(TRUTH))


async def test_the_auditors_identity_may_not_have_the_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with guarded_nats(tmp_path) as part:
        auditor = AuditorCommand(capsys).using(
            "--nats", part.url, "--nkey-seed", part.access(AUDITOR).nkey_seed
        )
        refused = await auditor("mirror", tmp_path / "mirror", "--streams", "ACCESS")
    assert refused.code == 2
    assert "does not let this identity" in refused.err
