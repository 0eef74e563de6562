"""`telecine provision` against servers of its own: drift, danger, and servers that may lose events."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from tests.support.processes.command_line import CommandResult, run_command
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_cli.provisioning.credentials import USERS_FILE
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import LOOPBACK, free_ports
from telecine_cli.stack.process import Command, Process
from telecine_cli.target import Target, connected
from telecine_contracts.permissions import IDENTITIES
from telecine_contracts.streams import CONSUMERS, STREAMS


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path) as server:
        yield server


def run(work: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def provision(
    capsys: pytest.CaptureFixture[str], server: NatsServer | EmbeddedNats, *options: str
) -> CommandResult:
    where = ("--nats-url", server.url, "--monitoring-url", server.monitoring_url)
    return run_command(capsys, "provision", *where, *options)


def actions(outcome: CommandResult) -> list[str]:
    return [line.rsplit(maxsplit=1)[0].strip() for line in outcome.out.splitlines() if line[0] != " "]


async def update(connection: Client, stream: str, **changes: Any) -> None:
    info = json.loads((await connection.request(f"$JS.API.STREAM.INFO.{stream}", b"")).data)
    body = json.dumps(info["config"] | changes).encode()
    answer = json.loads((await connection.request(f"$JS.API.STREAM.UPDATE.{stream}", body)).data)
    assert "error" not in answer, answer


async def config_changes(url: str, stream: str, **changes: Any) -> None:
    async with connected(Target(url)) as connection:
        await update(connection, stream, **changes)


async def description(url: str, stream: str) -> str:
    async with connected(Target(url)) as connection:
        return (await connection.jetstream().stream_info(stream)).config.description or ""


async def create_stream(url: str, **config: Any) -> None:
    async with connected(Target(url)) as connection:
        await connection.jetstream().add_stream(**config)


def test_a_new_server_is_provisioned_once(server: NatsServer, capsys: pytest.CaptureFixture[str]) -> None:
    count = len(STREAMS) + len(CONSUMERS)
    dry = provision(capsys, server, "--dry-run")
    assert (dry.code, actions(dry)) == (0, ["would be created"] * count)
    first = provision(capsys, server)
    assert first.code == 0
    *created, prices = first.out.splitlines()
    assert [line.split()[0] for line in created] == ["created"] * count
    assert prices.startswith("published price table ")
    assert actions(provision(capsys, server)) == ["unchanged"] * count


def test_drift_is_shown_and_corrected(server: NatsServer, capsys: pytest.CaptureFixture[str]) -> None:
    provision(capsys, server)
    run(config_changes(server.url, "VIDEO", description="mine now"))
    dry = provision(capsys, server, "--dry-run")
    assert "would be updated   VIDEO" in dry.out
    assert "    description: 'mine now' instead of" in dry.out
    assert run(description(server.url, "VIDEO")) == "mine now"
    assert "updated    VIDEO" in provision(capsys, server).out
    assert run(description(server.url, "VIDEO")) != "mine now"
    assert set(actions(provision(capsys, server))) == {"unchanged"}


def test_a_dangerous_change_is_refused_before_anything_is_changed(
    server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(create_stream(server.url, name="LEDGER", subjects=["ledger.*.*"], storage="memory"))
    refused = provision(capsys, server)
    assert refused.code == 1
    assert refused.err.startswith("telecine: stream LEDGER: its storage")
    assert "copy its events" in refused.err
    assert actions(provision(capsys, server, "--dry-run")) == []
    run(check_no_stream(server.url, "VIDEO"))


async def check_no_stream(url: str, stream: str) -> None:
    async with connected(Target(url)) as connection:
        names = {info.config.name for info in await connection.jetstream().streams_info()}
    assert stream not in names


@pytest.fixture
def unsafe_server(tmp_path: Path) -> Iterator[EmbeddedNats]:
    """A server with the defaults: it syncs every two minutes."""
    port, monitoring = free_ports(2)
    part = EmbeddedNats(tmp_path / "unsafe", port, monitoring)
    program = part.command(tmp_path / "unsafe.log").argv[0]
    store = ("--jetstream", "--store_dir", str(part.folder / "store"))
    argv = (program, "--addr", LOOPBACK, "--port", str(port), "--http_port", str(monitoring), *store)
    process = Process(Command("unsafe", argv, tmp_path / "unsafe.log"))
    process.start()
    try:
        run(process.wait_ready(part.ready, 20))
        yield part
    finally:
        process.kill()


def test_a_server_that_may_lose_events_is_refused_unless_allowed(
    unsafe_server: EmbeddedNats, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = provision(capsys, unsafe_server)
    assert refused.code == 1
    assert "sync_interval: always" in refused.err
    assert "--allow-unsafe-server" in refused.err
    taken = provision(capsys, unsafe_server, "--allow-unsafe-server")
    assert taken.code == 0
    assert taken.err.startswith("WARNING: this server may lose acknowledged events")


def test_a_server_without_monitoring_is_refused(
    server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = run_command(
        capsys, "provision", "--nats-url", server.url, "--monitoring-url", "http://127.0.0.1:1"
    )
    assert silent.code == 1
    assert "does not answer" in silent.err


def test_credentials_are_created_without_a_server_and_no_secret_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "nats"
    first = run_command(capsys, "provision", "--credentials", folder)
    assert first.code == 0, first.err
    create_stream = {
        line.split()[1]: line.split()[0] for line in first.out.splitlines() if line.endswith(".nk")
    }
    assert create_stream == dict.fromkeys(IDENTITIES, "made")
    assert str(folder / USERS_FILE) in first.out
    again = run_command(capsys, "provision", "--credentials", folder, "--rotate", "storage")
    assert "replaced  storage" in again.out
    assert again.out.count("kept") == len(IDENTITIES) - 1
    for file in folder.glob("*.nk"):
        assert file.read_text().strip() not in first.out + first.err + again.out + again.err


def test_credentials_need_a_folder_and_a_known_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = run_command(capsys, "provision", "--rotate", "storage")
    assert alone.code == 2
    assert "requires --credentials" in alone.err
    unknown = run_command(capsys, "provision", "--credentials", tmp_path / "nats", "--rotate", "mallory")
    assert (unknown.code, "unknown identity mallory" in unknown.err) == (1, True)


def test_only_the_provisioner_can_provision_a_server_with_identities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with guarded_nats(tmp_path) as part:
        refused = provision(capsys, part)
        assert (refused.code, "requires credentials" in refused.err) == (1, True)
        wrong_seed = provision(capsys, part, "--nkey-seed", str(part.access("operator").nkey_seed))
        assert (wrong_seed.code, "operator.nk is the seed of another identity" in wrong_seed.err) == (1, True)
        done = provision(capsys, part, "--nkey-seed", str(part.access("provisioner").nkey_seed))
        assert {line.split()[0] for line in done.out.splitlines()} == {"unchanged", "published"}
