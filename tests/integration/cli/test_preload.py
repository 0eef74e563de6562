"""Services from a process that has imported them: each is like one that was started by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.processes import preloading_supervisor
from tests.support.processes.command_line import is_alive

from telecine_cli.preload.program import without

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere they start by themselves"
)


@dataclass
class Supervisor:
    """A running supervisor, and the process ids of its services."""

    process: "subprocess.Popen[str]"
    folder: Path
    pids: dict[str, int | None]

    def pid(self, name: str) -> int:
        pid = self.pids[name]
        assert pid is not None
        return pid

    async def said(self, name: str) -> dict[str, object]:
        """What a service has printed."""
        log = self.folder / f"{name}.log"
        await eventually(lambda: log.exists() and log.read_text().endswith("\n"))
        said: dict[str, object] = json.loads(log.read_text())
        return said

    def exit_code(self, name: str) -> int:
        """Waits until a service has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def shown_arguments(pid: int) -> list[str]:
    """The arguments of a process in lists of processes."""
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")[1:]


@pytest.fixture
def supervisor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    imported = getattr(request, "param", "json")
    with subprocess.Popen(
        [sys.executable, "-m", preloading_supervisor.__name__, str(tmp_path), imported],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Supervisor(process, tmp_path, json.loads(process.stdout.readline()))
        process.kill()


async def test_a_service_has_its_own_environment_log_and_session_and_is_the_supervisors_child(
    supervisor: Supervisor,
) -> None:
    for name in ("one", "two"):
        pid = supervisor.pid(name)
        assert await supervisor.said(name) == {
            "argv": [],
            "mark": name,
            "home": False,
            "parent": supervisor.process.pid,
            "session": pid,
            "pid": pid,
        }
        assert shown_arguments(pid) == ["-m", preloading_supervisor.MODULE]


async def test_services_end_one_by_one(supervisor: Supervisor) -> None:
    for name in ("one", "two"):
        await supervisor.said(name)
    os.kill(supervisor.pid("one"), signal.SIGTERM)
    assert supervisor.exit_code("one") == 7
    assert is_alive(supervisor.pid("two"))
    os.kill(supervisor.pid("two"), signal.SIGKILL)
    assert supervisor.exit_code("two") == -signal.SIGKILL


async def test_services_end_with_a_supervisor_that_is_killed(supervisor: Supervisor) -> None:
    supervisor.process.kill()
    supervisor.process.wait()
    await eventually(lambda: not any(is_alive(supervisor.pid(name)) for name in ("one", "two")))


@pytest.mark.parametrize("supervisor", ["no_such_module"], indirect=True)
def test_without_its_imports_nothing_is_started(supervisor: Supervisor) -> None:
    assert supervisor.pids == {"one": None, "two": None}


def test_a_package_is_hidden_from_imports_within_the_block() -> None:
    name = "this"  # a module of the standard library that nothing imports
    assert name not in sys.modules
    with without(name), pytest.raises(ModuleNotFoundError):
        __import__(name)
    assert name not in sys.modules
