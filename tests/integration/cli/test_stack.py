"""The stack: order, memory, one per folder, kills and restarts. Real nats and S3, stand-ins for services."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import nats
import pytest
from tests.support.eventually import eventually
from tests.support.processes import fake_service
from tests.support.security.nats_identities import connect_as

from telecine_cli.errors import AlreadyRunning, CommandError, ProcessExited
from telecine_cli.output.provision import provision_stack
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.config import Provider, StackConfig, StackOptions
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import free_ports
from telecine_cli.stack.process import Command, Process
from telecine_cli.stack.specs import ProcessSpec, StartPhase, http_ready, process_specs
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import Target, connected, stack_target

REAL_PARTS = tuple(child for child in process_specs(StackOptions()) if child.name in {"nats", "s3"})


def fake_child(name: str, stage: StartPhase = StartPhase.SERVICE) -> ProcessSpec:
    def command(config: StackConfig) -> Command:
        argv = (sys.executable, "-I", fake_service.__file__, name, str(config.state.ports[name]))
        return Command(name, (*argv, str(config.data / "trace")), config.log(name))

    return ProcessSpec(
        name, stage, command, lambda config: http_ready(f"{config.local_url(name)}/readyz"), (name,)
    )


def failing_child(name: str) -> ProcessSpec:
    def command(config: StackConfig) -> Command:
        return Command(name, (sys.executable, "-c", "raise SystemExit('no luck')"), config.log(name))

    return ProcessSpec(
        name, StartPhase.SERVICE, command, lambda config: http_ready("http://127.0.0.1:1/readyz")
    )


def trace(data: Path) -> list[str]:
    file = data / "trace"
    return file.read_text().splitlines() if file.exists() else []


def fake_services(*names: str) -> tuple[ProcessSpec, ...]:
    return tuple(fake_child(name) for name in names)


def pids(stack: Stack, *names: str) -> list[int]:
    found = [stack.process(name).pid for name in names]
    return [pid for pid in found if pid is not None]


def test_a_complete_stack_has_four_services_and_their_servers() -> None:
    assert [c.name for c in process_specs(StackOptions())] == [
        "nats",
        "s3",
        "emulator",
        "credits",
        "generation",
        "storage",
        "gateway",
    ]
    real = process_specs(StackOptions(provider=Provider("https://ark.example/api/v3", "key")))
    assert "emulator" not in [c.name for c in real]


async def test_servers_provisioning_and_services_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    async def look(config: StackConfig) -> None:
        async with connected(stack_target(config)) as client:
            await client.jetstream().account_info()
        with (config.data / "trace").open("a") as file:
            file.write("provisioned\n")

    children = (
        fake_child("emulator", StartPhase.INFRASTRUCTURE),
        *fake_services("credits", "gateway"),
        *REAL_PARTS,
    )
    async with Stack(tmp_path, children=children, provision=look) as stack:
        assert all(stack.process(child.name).running for child in children)
    assert trace(tmp_path)[:2] == ["emulator up", "provisioned"]
    assert set(trace(tmp_path)[2:4]) == {"credits up", "gateway up"}
    assert set(trace(tmp_path)[4:6]) == {"credits down", "gateway down"}
    assert trace(tmp_path)[6:] == ["emulator down"]
    assert not any(stack.process(child.name).running for child in children)
    assert (tmp_path / "logs" / "nats.log").exists()


async def test_the_emulator_accepts_only_the_key_of_the_stack(tmp_path: Path) -> None:
    state = {"ports": {}, "secrets": {"provider": "-begins-with-a-dash"}}
    (tmp_path / "stack.json").write_text(json.dumps(state))
    emulator = [child for child in process_specs(StackOptions()) if child.name == "emulator"]
    async with Stack(tmp_path, children=emulator) as stack:
        assert stack.config.provider.api_key == "-begins-with-a-dash"
        url = f"{stack.config.provider.base_url}/contents/generations/tasks"
        async with httpx.AsyncClient(trust_env=False) as http:
            http_ready = [
                (await http.get(url, headers={"Authorization": f"Bearer {key}"})).status_code
                for key in ("-begins-with-a-dash", "begins-with-none")
            ]
    assert http_ready == [200, 401]


async def test_a_restart_on_the_same_folder_continues_with_its_data(tmp_path: Path) -> None:
    async with (
        Stack(tmp_path, children=REAL_PARTS, provision=provision_stack) as first,
        connect_as("gateway", first.config.nats) as client,
    ):
        await client.jetstream().publish("video.a.g.requested", b"kept")
    async with Stack(tmp_path, children=REAL_PARTS) as second:
        assert second.config.state == first.config.state
        async with connect_as("storage", second.config.nats) as client:
            info = await client.jetstream().stream_info("VIDEO")
    assert info.state.messages == 1


async def test_events_from_before_identities_are_kept(tmp_path: Path) -> None:
    port, monitoring_port = free_ports(2)
    before = EmbeddedNats(tmp_path / "nats", port, monitoring_port)
    old = Process(before.command(tmp_path / "old.log"))
    old.start()
    await old.wait_ready(before.ready, 20)
    client = await nats.connect(before.url)
    await provision(client)
    await client.jetstream().publish("video.a.g.requested", b"kept")
    await client.close()
    await old.terminate()
    async with (
        Stack(tmp_path, children=REAL_PARTS, provision=provision_stack) as stack,
        connect_as("generation", stack.config.nats) as client,
    ):
        assert (await client.jetstream().get_msg("VIDEO", seq=1)).data == b"kept"


async def test_stack_refuses_anonymous_connections(tmp_path: Path) -> None:
    async with Stack(tmp_path, children=REAL_PARTS) as stack:
        with pytest.raises(CommandError, match="requires credentials"):
            async with connected(Target(stack.config.nats.url)):
                pass


async def test_a_second_stack_on_the_folder_is_refused(tmp_path: Path) -> None:
    async with Stack(tmp_path, children=fake_services("credits")) as stack:
        with pytest.raises(AlreadyRunning, match=str(os.getpid())):
            await Stack(tmp_path, children=fake_services("credits")).up()
        assert stack.process("credits").running
    async with Stack(tmp_path, children=fake_services("credits")):
        pass


async def test_a_child_that_fails_stops_the_start_and_all_others(tmp_path: Path) -> None:
    stack = Stack(
        tmp_path, children=(fake_child("emulator", StartPhase.INFRASTRUCTURE), failing_child("credits"))
    )
    with pytest.raises(ProcessExited, match=r"credits ended with code 1(.|\n)*no luck"):
        await stack.up()
    assert not stack.process("emulator").running
    assert trace(tmp_path) == ["emulator up", "emulator down"]


async def test_a_provisioning_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    async def refuse(config: StackConfig) -> None:
        raise ValueError("a dangerous change")

    stack = Stack(tmp_path, children=REAL_PARTS, provision=refuse)
    with pytest.raises(ValueError, match="dangerous"):
        await stack.up()
    assert not any(stack.process(child.name).running for child in REAL_PARTS)


async def test_an_exception_in_the_block_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        async with Stack(tmp_path, children=fake_services("credits")) as stack:
            raise RuntimeError("on purpose")
    assert not stack.process("credits").running


async def test_a_killed_child_restarts_on_its_port(tmp_path: Path) -> None:
    async with Stack(tmp_path, children=(*REAL_PARTS, *fake_services("credits"))) as stack:
        before = pids(stack, "nats", "credits")
        for name in ("nats", "credits"):
            stack.kill(name)
            assert stack.process(name).returncode == -signal.SIGKILL
        await stack.start("nats")
        await stack.start("credits")
        assert not set(before) & set(pids(stack, "nats", "credits"))
        assert await stack.config.nats.ready()


async def test_supervisor_restarts_dead_children_only(tmp_path: Path) -> None:
    said: list[str] = []
    async with Stack(tmp_path, children=fake_services("credits", "storage"), say=said.append) as stack:
        async with supervised(stack):
            await stack.stop("storage")
            [lost] = pids(stack, "credits")
            os.kill(lost, signal.SIGKILL)
            await eventually(lambda: "credits is ready again" in said)
        assert pids(stack, "credits") != [lost]
        assert not stack.process("storage").running
    assert said == ["credits ended with code -9; restarting it in 0.5 s", "credits is ready again"]


async def test_watch_reports_why_a_restart_failed_and_retries(tmp_path: Path) -> None:
    said: list[str] = []
    flaky = fake_child("credits")
    async with Stack(tmp_path, children=(flaky,), say=said.append) as stack, supervised(stack):
        script = tmp_path / "trace"
        script.unlink()
        script.mkdir()
        os.kill(pids(stack, "credits")[0], signal.SIGKILL)
        await eventually(message_contains(said, "IsADirectoryError"))
        script.rmdir()
        await eventually(message_contains(said, "credits is ready again"))


def message_contains(said: list[str], part: str) -> Callable[[], bool]:
    return lambda: any(part in message for message in said)


class supervised:
    """Runs `stack.watch()` as long as the block lasts."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._stack.watch())

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
