"""An emulator that is killed and started again knows all accepted tasks and continues with them."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.processes.emulator import EmulatorProcess, running_emulator


def restart(emulator: EmulatorProcess) -> None:
    emulator.kill()
    emulator.start()


def test_a_killed_emulator_continues_after_its_restart(tmp_path: Path) -> None:
    """Task states, results, clock and journal survive, also a task whose response was never sent."""
    with running_emulator(tmp_path) as emulator:
        done = emulator.create("done")
        emulator.advance(20)
        running = emulator.create("running")
        emulator.advance(11)
        queued = emulator.create("queued")
        emulator.fault("drop_after_accept", times=1)
        with pytest.raises(httpx.RemoteProtocolError):
            emulator.post(seed=99)
        before = emulator.video(done).content
        now = emulator.client.get("/admin/clock").json()["now"]
        restart(emulator)
        tasks = (done, running, queued)
        assert [emulator.get(task)["status"] for task in tasks] == ["succeeded", "running", "queued"]
        assert emulator.listed()["items"][0]["seed"] == 99
        assert emulator.client.get("/admin/clock").json()["now"] >= now
        assert emulator.video(done).content == before
        assert [entry["task_id"] for entry in emulator.journal()][:3] == list(tasks)
        emulator.advance(30)
        assert [emulator.get(task)["status"] for task in tasks] == ["succeeded"] * 3
        assert emulator.video(running).status_code == 200


async def test_a_kill_while_rendering_costs_nothing_but_time(tmp_path: Path) -> None:
    with running_emulator(tmp_path, "--queue-seconds=0", "--run-seconds=0.05") as emulator:
        tasks = [emulator.create(f"kite {number}", resolution="1080p") for number in range(4)]
        restart(emulator)
        await eventually(
            lambda: all(emulator.get(task)["status"] == "succeeded" for task in tasks), within=20
        )
        assert all(emulator.video(task).content[4:8] == b"ftyp" for task in tasks)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_an_idle_emulator_needs_little_memory(tmp_path: Path) -> None:
    with running_emulator(tmp_path) as emulator:
        assert emulator.client.get("/healthz").json() == {"status": "ok"}
        assert emulator.process
        status = Path(f"/proc/{emulator.process.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        assert int(resident.split()[1]) < 80_000


def test_the_first_line_of_output_is_the_address(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "telecine_emulator",
        "--data",
        str(tmp_path / "new"),
        "--public-url",
        "http://p/",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        process.terminate()
    assert printed["event"] == "listening"
    assert printed["base_url"] == f"{printed['url']}/api/v3"
