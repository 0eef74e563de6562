"""A supervised child process: ready, dead, stopped, killed, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually

from telecine_cli.errors import ProcessExited, ProcessNotReady
from telecine_cli.stack.process import Command, Process

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


class ProcessFactory:
    """Makes processes that run a line of Python, and kills them all in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Process] = []

    def python(self, code: str) -> Process:
        return self.of(sys.executable, "-c", code)

    def of(self, *argv: str) -> Process:
        process = Process(Command("child", argv, self.folder / "logs" / "child.log"))
        self.all.append(process)
        return process


@pytest.fixture
def process_factory(tmp_path: Path) -> Iterator[ProcessFactory]:
    process_factory = ProcessFactory(tmp_path)
    yield process_factory
    for process in process_factory.all:
        process.kill()


def printed_here(process: Process) -> bool:
    return "here" in process.log_tail()


async def started(process: Process) -> Process:
    async def probe() -> bool:
        return printed_here(process)

    process.start()
    await process.wait_ready(probe, 10)
    return process


async def never_ready() -> bool:
    return False


async def test_a_child_is_ready_when_its_probe_succeeds_and_stops_on_sigterm(
    process_factory: ProcessFactory,
) -> None:
    process = await started(process_factory.python(SLEEP))
    await process.terminate()
    assert process.pid is None
    assert process.returncode == -signal.SIGTERM


async def test_an_exited_child_is_reported_at_once_with_the_end_of_its_log(
    process_factory: ProcessFactory,
) -> None:
    process = process_factory.python("import sys; sys.exit('no such database')")
    process.start()
    with pytest.raises(ProcessExited, match=r"child ended with code 1(.|\n)*no such database"):
        await process.wait_ready(never_ready, deadline=30)


async def test_a_missing_program_is_reported(process_factory: ProcessFactory) -> None:
    process = process_factory.of("/nowhere/nats-server")
    with pytest.raises((ProcessExited, FileNotFoundError), match="/nowhere/nats-server"):
        process.start()
        await process.wait_ready(never_ready, deadline=30)


async def test_the_report_leaves_out_what_earlier_runs_wrote(process_factory: ProcessFactory) -> None:
    process = await started(process_factory.python(SLEEP))
    process.command.log.write_text("from long ago\n")
    await process.restart()
    await eventually(lambda: printed_here(process))
    assert "long ago" not in process.log_tail()


async def test_a_child_that_is_never_ready_is_reported_at_the_deadline(
    process_factory: ProcessFactory,
) -> None:
    process = process_factory.python(SLEEP)
    process.start()
    with pytest.raises(ProcessNotReady, match=r"child was not ready after 0\.2 s"):
        await process.wait_ready(never_ready, deadline=0.2)


async def test_a_probe_that_hangs_does_not_pass_the_deadline(process_factory: ProcessFactory) -> None:
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    process = process_factory.python(SLEEP)
    process.start()
    with pytest.raises(ProcessNotReady):
        await process.wait_ready(hangs, deadline=0.2)


async def test_a_child_that_ignores_the_signal_is_killed_after_the_grace(
    process_factory: ProcessFactory,
) -> None:
    process = await started(process_factory.python(IGNORES_SIGTERM))
    await process.terminate(grace=0.1)
    assert process.returncode == -signal.SIGKILL


async def test_cancelled_stop_leaves_no_process(process_factory: ProcessFactory) -> None:
    process = await started(process_factory.python(IGNORES_SIGTERM))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.terminate(grace=600), 0.1)
    assert process.returncode == -signal.SIGKILL


async def test_a_frozen_child_can_be_killed(process_factory: ProcessFactory) -> None:
    process = await started(process_factory.python(SLEEP))
    process.send(signal.SIGSTOP)
    process.kill()
    assert process.returncode == -signal.SIGKILL


async def test_ctrl_c_in_the_terminal_does_not_reach_a_child(process_factory: ProcessFactory) -> None:
    process = await started(process_factory.python(SLEEP))
    assert process.pid is not None
    assert os.getsid(process.pid) == process.pid == os.getpgid(process.pid)


async def test_kill_ends_the_process_group(process_factory: ProcessFactory) -> None:
    family = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); "
    process = await started(process_factory.python(family + "print(p.pid, flush=True); p.wait()"))
    await eventually(lambda: any(word.isdigit() for word in process.log_tail().split()))
    grandchild = next(int(word) for word in process.log_tail().split() if word.isdigit())
    process.kill()
    await eventually(lambda: not is_alive(grandchild))


async def test_a_restart_creates_a_new_process_and_a_second_start_does_not(
    process_factory: ProcessFactory,
) -> None:
    process = await started(process_factory.python(SLEEP))
    first = process.pid
    process.start()
    assert process.pid == first
    await process.restart()
    assert process.running
    assert process.pid != first


async def test_stopping_a_child_that_was_never_started_does_nothing(process_factory: ProcessFactory) -> None:
    process = process_factory.python(SLEEP)
    await process.terminate()
    process.kill()
    assert process.returncode is None


async def test_a_long_log_is_rotated(process_factory: ProcessFactory) -> None:
    process = process_factory.python(SLEEP)
    process.command.log.parent.mkdir()
    process.command.log.write_bytes(b"x" * (16 * 1024 * 1024 + 1))
    await started(process)
    assert process.command.log.read_text() == "here\n"
    assert process.command.log.with_name("child.log.1").exists()


def test_no_secret_of_the_environment_shows_in_a_representation(tmp_path: Path) -> None:
    assert "hush" not in repr(Command("child", ("true",), tmp_path / "log", env={"KEY": "hush"}))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
async def test_a_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    supervisor_code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from telecine_cli.stack.process import Command, Process\n"
        f"p = Process(Command('child', (sys.executable, '-c', {SLEEP!r}), Path({str(log)!r})))\n"
        "p.start(); print(p.pid, flush=True); time.sleep(600)\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", supervisor_code, stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    child = int(await supervisor.stdout.readline())
    await eventually(lambda: log.exists() and "here" in log.read_text())
    supervisor.kill()
    await supervisor.communicate()
    await eventually(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    """A zombie whose new parent has not reaped it yet is not alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
