"""`telecine subscribers` on a server with identities that it does not run itself."""

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from tests.support.event_loops import run_in_new_loop
from tests.support.eventually import eventually, eventually_async
from tests.support.processes.command_line import CommandResult, run_command
from tests.support.processes.subscribers import (
    Generations,
    Subscriber,
    javascript_notifier,
    notification_keys,
    python_notifier,
)
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.security.nats_identities import connect_as

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_cli.errors import CommandError
from telecine_cli.provisioning.credentials import seed_file
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.process import Command, Process
from telecine_cli.target import Target, connected
from telecine_contracts import registry, subjects
from telecine_contracts.credits import CreditsSettled
from telecine_contracts.examples import envelope, example
from telecine_jetstream.errors import PermissionDenied

CONTRACTS = Path(__file__).parents[4] / "contracts" / "README.md"
ENDS = ("stored", "storage_failed", "failed", "cancelled")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path) as part:
        yield part


@dataclass
class Operator:
    """Gives commands to the server, and reloads it when they say so."""

    server: EmbeddedNats
    capsys: pytest.CaptureFixture[str]

    @property
    def credentials(self) -> Path:
        assert self.server.credentials is not None
        return self.server.credentials

    def subscribers(self, command: str, *arguments: str) -> CommandResult:
        where = ("--nats-url", self.server.url, "--credentials", self.credentials)
        return run_command(self.capsys, "subscribers", command, *arguments, *where)

    def must(self, command: str, *arguments: str) -> Any:
        """What it says with --json; reloads the server if the command says that this is needed."""
        outcome = self.subscribers(command, *arguments, "--json")
        assert outcome.code == 0, outcome.err
        said = json.loads(outcome.out)
        if isinstance(said, dict) and said["reload_needed"]:
            run_in_new_loop(reload(self.server))
        return said


async def reload(server: EmbeddedNats) -> None:
    """Once."""

    async def loaded() -> str:
        answer = await http_answer(f"{server.monitoring_url}/varz")
        assert answer is not None
        return str(json.loads(answer[1])["config_load_time"])

    before = await loaded()
    os.kill(int(server.pid_file.read_text()), signal.SIGHUP)

    async def again() -> bool:
        return await loaded() != before

    await eventually_async(again, what="the server did not reload")


@pytest.fixture
def operator(server: EmbeddedNats, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(server, capsys)


async def publish(server: EmbeddedNats, *names: str) -> None:
    async with connect_as("gateway", server) as gateway:
        for subject in names:
            await gateway.jetstream().publish(subject, b"{}")


async def consumed(connection: Client, name: str, count: int, stream: str = "VIDEO") -> list[str]:
    """The subjects of the next events of a consumer, acknowledged."""
    events = await connection.jetstream().pull_subscribe_bind(name, stream)
    names = []
    for _ in range(count):
        [message] = await events.fetch(1, timeout=10)
        await message.ack_sync()
        names.append(message.subject)
    return names


def test_a_subscriber_consumes_after_one_reload_and_may_do_nothing_else(
    operator: Operator, server: EmbeddedNats
) -> None:
    run_in_new_loop(publish(server, "video.acme.1.requested", "video.other.1.requested"))
    said = operator.must("add", "team", "--filter", "video.acme.>")
    assert said["consumers"] == [{"stream": "VIDEO", "filters": ["video.acme.>"], "action": "created"}]
    assert Path(said["seed"]).stat().st_mode & 0o777 == 0o600

    async def consume() -> None:
        async with connect_as("team", server) as team:
            await publish(server, "video.acme.2.requested")
            assert await consumed(team, "team", 2) == ["video.acme.1.requested", "video.acme.2.requested"]
            for forbidden in (
                "$JS.API.CONSUMER.DURABLE.CREATE.VIDEO.team",
                "$JS.API.CONSUMER.MSG.NEXT.VIDEO.credits-debit",
                "$JS.API.STREAM.MSG.GET.VIDEO",
                "video.acme.3.requested",
            ):
                with pytest.raises(PermissionDenied):
                    await team.request(forbidden, b"", timeout=10)

    run_in_new_loop(consume())
    [line] = operator.must("list")
    assert (line["name"], line["lag"], line["key"]) == ("team", 0, True)


def test_positions_keys_and_consumers_are_changed_by_the_operator(
    operator: Operator, server: EmbeddedNats
) -> None:
    run_in_new_loop(publish(server, "video.acme.1.requested"))
    operator.must("add", "team", "--from", "now")
    run_in_new_loop(publish(server, "video.acme.2.requested"))
    assert [line["lag"] for line in operator.must("list")] == [1]
    assert [line["lag"] for line in operator.must("reset", "team", "--from", "beginning")] == [2]
    operator.must("add", "team", "--filter", "video.*.*.requested", "--filter", "ledger.acme.>")
    assert {(line["stream"], line["lag"]) for line in operator.must("list")} == {("VIDEO", 2), ("LEDGER", 0)}

    async def refused() -> None:
        target = Target(server.url, access=server.access("team"), identity="team")
        with pytest.raises(CommandError, match="does not accept the key"):
            async with connected(target):
                pass

    async def consume(*names: str) -> None:
        async with connect_as("team", server) as team:
            assert await consumed(team, "team", len(names)) == list(names)

    seed = seed_file(operator.credentials, "team")
    run_in_new_loop(consume("video.acme.1.requested"))
    old = seed.read_text()
    operator.must("rotate", "team")
    run_in_new_loop(consume("video.acme.2.requested"))
    new = seed.read_text()
    seed.write_text(old)
    run_in_new_loop(refused())
    seed.write_text(new)

    removed = operator.must("remove", "team")
    assert (removed["key"], sorted(removed["consumers"])) == (True, ["LEDGER", "VIDEO"])
    assert operator.must("list") == []
    seed.write_text(new)
    run_in_new_loop(refused())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "credits-debit"), "choose another"),
        (("add", "a.b"), "is not a name"),
        (("add", "team", "--filter", "access.>"), "must begin with 'video.' or 'ledger.'"),
        (("add", "team", "--filter", "video.acme.stored"), "subjects of VIDEO are like 'video.*.*.*'"),
        (("add", "team", "--filter", "ledger.acme.>", "--stream", "VIDEO"), "add --stream LEDGER"),
        (("add", "team", "--filter", "ledger.a.>", "--filter", "ledger.*.debited"), "select the same events"),
        (("reset", "team", "--from", "now"), "there is no subscriber team"),
        (("rotate", "team"), "there is no subscriber team"),
        (("remove", "team"), "there is no subscriber team"),
        (("program", "team"), "there is no subscriber team"),
    ],
)
def test_errors_of_subscriber_commands(
    shared: EmbeddedNats, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    outcome = Operator(shared, capsys).subscribers(*arguments)
    assert outcome.code != 0
    assert says in " ".join(outcome.err.replace("│", " ").split())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path_factory.mktemp("shared")) as part:
        yield part


@pytest.mark.parametrize("make", [python_notifier, javascript_notifier], ids=["python", "javascript"])
def test_the_examples_run_with_the_key_of_a_subscriber(
    operator: Operator, server: EmbeddedNats, tmp_path: Path, make: Callable[[str, Path], Subscriber]
) -> None:
    notifier = make(server.url, tmp_path)
    filters = [part for end in ENDS for part in ("--filter", f"video.*.*.{end}")]
    process = notifier.process(nkey=operator.must("add", notifier.name, *filters)["seed"])

    async def follow() -> None:
        async with AsyncExitStack() as stack:
            store, *others = [
                JetStreamEventStore(await stack.enter_async_context(connect_as(name, server)), registry())
                for name in ("gateway", "generation", "storage")
            ]
            generations = Generations(store, generation=others[0], storage=others[1])
            process.start()
            stack.callback(process.kill)
            await generations.end(4)
            await eventually(lambda: len(notifier.lines()) >= 4, within=40, what="no lines were written")
            assert notification_keys(notifier.lines()) == generations.ended

    run_in_new_loop(follow())


def test_the_subscriber_of_the_contracts_page_prints_what_was_spent(
    operator: Operator, server: EmbeddedNats, tmp_path: Path
) -> None:
    page = CONTRACTS.read_text(encoding="utf-8").partition("\n## A subscriber\n")[2]
    program = page.partition("```python\n")[2].partition("```")[0]
    command = re.search(r"`telecine subscribers add ([^`]+)`", page)
    assert command is not None
    seed = Path(operator.must("add", *shlex.split(command[1]))["seed"])
    (tmp_path / seed.name).write_bytes(seed.read_bytes())
    (tmp_path / "revenue.py").write_text(program.replace("nats://127.0.0.1:4222", server.url))
    argv = (sys.executable, "revenue.py")
    process = Process(Command("revenue", argv, tmp_path / "revenue.log", cwd=tmp_path))

    async def follow() -> None:
        settled = example(CreditsSettled)
        async with connect_as("credits", server) as credits:
            store = JetStreamEventStore(credits, registry())
            await store.append(settled, envelope(settled), aggregate=subjects.ledger("acme"), expected=0)
        process.start()
        try:
            said = "acme spent 50 credits on 0b9f6a54-3f0c-5f0e-9d53-0c6d2f4e8a11"
            await eventually(
                lambda: said in process.log_tail(), within=20, what="the subscriber said nothing"
            )
        finally:
            process.kill()

    run_in_new_loop(follow())
