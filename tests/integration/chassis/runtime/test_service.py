"""How a service starts, is told to stop, and ends when it has lost a part: in this process, and as one of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.environments.databases import database_url
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer

from telecine_chassis.nats.connection import connect
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.service import Service, run
from telecine_chassis.runtime.supervision import start_background_task
from telecine_chassis.settings.base import ServiceSettings
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process
from telecine_contracts import registry


@dataclass
class RecordingComponent:
    """Notes when it is started and stopped, and fails where it is told to."""

    name: str
    notes: list[str]
    fails: frozenset[str] = frozenset()
    hangs: bool = False

    async def start(self) -> None:
        self.notes.append(f"{self.name} starts")
        if "start" in self.fails:
            raise OSError(f"{self.name} can't start")
        if self.hangs:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        self.notes.append(f"{self.name} stops")
        if "stop" in self.fails:
            raise RuntimeError(f"{self.name} can't stop")


@dataclass
class ManualChecks:
    """What a service says of its readiness; an exception is raised."""

    answers: list[str | Exception | None] = field(default_factory=list)

    async def __call__(self) -> str | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def service(*parts: RecordingComponent, checks: ManualChecks | None = None) -> Service:
    return Service("tests", parts, [checks] if checks else [])


# Parts


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    notes: list[str] = []
    one = service(
        RecordingComponent("a", notes), RecordingComponent("b", notes), RecordingComponent("c", notes)
    )
    await one.start()
    await one.stop()
    assert notes == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]


async def test_when_a_part_does_not_start_those_before_it_are_stopped() -> None:
    notes: list[str] = []
    one = service(
        RecordingComponent("a", notes),
        RecordingComponent("b", notes, frozenset({"start"})),
        RecordingComponent("c", notes),
    )
    with pytest.raises(OSError, match="b can't start"):
        await one.start()
    assert notes == ["a starts", "b starts", "a stops"]


async def test_a_part_that_does_not_stop_keeps_no_other_from_it() -> None:
    notes: list[str] = []
    one = service(
        RecordingComponent("a", notes),
        RecordingComponent("b", notes, frozenset({"stop"})),
        RecordingComponent("c", notes),
    )
    await one.start()
    await one.stop()
    assert notes[3:] == ["c stops", "b stops", "a stops"]


async def test_a_service_is_ready_when_every_check_says_so() -> None:
    checks = ManualChecks(["not yet", None, ConnectionRefusedError("secret detail")])
    one = service(checks=checks)
    assert await one.ready() == "not yet"
    assert await one.ready() is None
    assert await one.ready() == "a readiness check failed (ConnectionRefusedError)"


# Running


async def test_failed_component_ends_the_run() -> None:
    notes: list[str] = []
    one = service(RecordingComponent("a", notes))
    running = asyncio.create_task(one.run())
    await eventually(lambda: notes == ["a starts"])
    one.fail("it is gone")
    one.fail("it is gone again")
    assert await running == 1
    assert notes == ["a starts", "a stops"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_run_in_order(number: signal.Signals) -> None:
    notes: list[str] = []
    running = asyncio.create_task(
        service(RecordingComponent("a", notes), RecordingComponent("b", notes)).run()
    )
    await eventually(lambda: "b starts" in notes)
    os.kill(os.getpid(), number)
    assert await running == 0
    assert notes[2:] == ["b stops", "a stops"]


async def test_a_signal_ends_a_start_that_does_not_end() -> None:
    notes: list[str] = []
    running = asyncio.create_task(
        service(RecordingComponent("a", notes), RecordingComponent("b", notes, hangs=True)).run()
    )
    await eventually(lambda: "b starts" in notes)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert notes[2:] == ["a stops"]


async def test_failure_after_stop_is_ignored() -> None:
    notes: list[str] = []
    one = service(RecordingComponent("a", notes))
    await one.start()
    await one.stop()
    one.fail("the connection was closed")
    await one.start()
    assert await one.ready() is None
    await one.stop()


@pytest.mark.parametrize("which", ["own", "broker"])
async def test_a_connection_that_is_closed_for_good_ends_the_run(nats: NatsServer, which: str) -> None:
    parts = ServiceBuilder("tests", ServiceSettings(nats_url=nats.url, stop_grace=1), registry())
    broker = parts.broker  # only a service that asks for it has one
    one = parts.service()
    running = asyncio.create_task(one.run())
    await eventually(lambda: parts.connection.is_connected)

    async def ready() -> bool:
        return await one.ready() is None

    await eventually_async(ready)
    closing = parts.connection if which == "own" else broker._connection
    assert closing is not None
    await closing.close()
    assert await running == 1


# As a process


@pytest.fixture
async def provisioned(nats: NatsServer) -> NatsServer:
    client = await connect(nats.url, "tests")
    await provision(client)
    await client.close()
    return nats


@dataclass
class Services:
    """Starts services as processes of their own; kills what is left at the end of the test."""

    folder: Path
    running: list[Process] = field(default_factory=list)

    def start(self, module: str, **settings: str) -> Process:
        environment = {f"TELECINE_{name.upper()}": value for name, value in settings.items()}
        argv = (sys.executable, "-m", module)
        log = self.folder / f"{len(self.running)}.log"
        process = Process(Command(module, argv, log, env=environment))
        process.start()
        self.running.append(process)
        return process


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    one = Services(tmp_path)
    yield one
    for process in one.running:
        process.kill()


async def wait_for_exit(process: Process) -> int | None:
    async with asyncio.timeout(20):
        return await process.wait()


def log_text(process: Process) -> str:
    return process.command.log.read_text()


async def test_a_real_service_is_ready_and_stops_in_order(
    provisioned: NatsServer, services: Services
) -> None:
    port = free_port()
    process = services.start("telecine_credits", nats_url=provisioned.url, health_port=str(port))

    async def ready() -> bool:
        answer = await http_answer(f"http://{LOOPBACK}:{port}/readyz")
        return answer is not None and answer[0] == 200

    await process.wait_ready(ready, 20)
    answer = await http_answer(f"http://{LOOPBACK}:{port}/healthz")
    assert answer is not None
    assert answer[0] == 200
    process.send(signal.SIGTERM)
    assert await wait_for_exit(process) == 0
    assert '"event": "service.stopped"' in log_text(process)
    assert "error" not in log_text(process)


async def test_a_real_service_without_its_consumers_says_what_to_do(
    nats: NatsServer, services: Services
) -> None:
    process = services.start("telecine_credits", nats_url=nats.url)
    assert await wait_for_exit(process) == 1
    assert "run `telecine provision` first" in log_text(process)


async def test_a_real_service_that_waits_for_nats_can_be_stopped(services: Services) -> None:
    process = services.start("telecine_credits", nats_url=f"nats://{LOOPBACK}:{free_port()}")
    await eventually(lambda: process.command.log.exists() and "nats.error" in log_text(process), within=20)
    process.send(signal.SIGTERM)
    assert await wait_for_exit(process) == 0


@pytest.mark.parametrize(
    ("module", "settings", "named"),
    [
        (
            "telecine_storage",
            {"health_port": "many", "log_level": "loud"},
            ["TELECINE_HEALTH_PORT", "TELECINE_LOG_LEVEL", "TELECINE_S3_ENDPOINT", "TELECINE_S3_SECRET_KEY"],
        ),
        ("telecine_storage", {"result_hosts": "not json"}, ["result_hosts"]),
        ("telecine_credits", {"stop_grace": "0"}, ["TELECINE_STOP_GRACE"]),
        ("telecine_generation", {}, ["TELECINE_PROVIDER_API_KEY"]),
    ],
    ids=["several", "no json", "out of range", "missing"],
)
def test_wrong_settings_are_named(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    settings: dict[str, str],
    named: list[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"TELECINE_{name.upper()}", value)
    app = import_module(f"{module}.app")
    with pytest.raises(SystemExit) as ended:
        run(app.Settings, app.build)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    for name in named:
        assert name in error


async def test_a_background_task_that_ends_by_itself_ends_the_run_and_readiness_says_so() -> None:
    class Follower(RecordingComponent):
        async def start(self) -> None:
            await super().start()
            self.fall = asyncio.Event()
            start_background_task(self.follow(), name="follower")

        async def follow(self) -> None:
            await self.fall.wait()
            raise OSError(28, "No space left on device")

    notes: list[str] = []
    follower = Follower("a", notes)
    one = service(follower)
    running = asyncio.create_task(one.run())
    await eventually(lambda: notes == ["a starts"])
    assert await one.ready() is None
    asked = one.ready
    follower.fall.set()
    await eventually(lambda: one._failure is not None and one._failure.done())
    assert await asked() in ("follower stopped: OSError", "stopping")
    assert await running == 1


async def test_a_service_whose_log_cannot_be_written_works_and_counts_the_lines(
    nats: NatsServer, tmp_path: Path
) -> None:
    client = await connect(nats.url, "tests")
    await provision(client)
    await client.close()
    port = free_port()
    environment = {
        "TELECINE_NATS_URL": nats.url,
        "TELECINE_DATABASE_URL": database_url(tmp_path, "credits"),
        "TELECINE_HEALTH_PORT": str(port),
    }
    argv = (sys.executable, "-m", "telecine_credits")
    process = Process(Command("credits", argv, Path("/dev/full"), env=environment))
    process.start()
    try:
        await eventually_async(lambda: answered(f"http://{LOOPBACK}:{port}/readyz"), within=20)
        page = await http_answer(f"http://{LOOPBACK}:{port}/metrics")
        assert page is not None
        (line,) = [
            line for line in page[1].decode().splitlines() if line.startswith("telecine_log_lines_lost_total")
        ]
        assert float(line.split()[1]) > 0
    finally:
        process.kill()


async def answered(url: str) -> bool:
    answer = await http_answer(url)
    return answer is not None and answer[0] == 200
