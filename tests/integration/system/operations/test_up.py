"""`telecine up`, as a new user runs it: paste a request, stop, start again, kill."""

import json
import re
import shlex
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.processes.command_line import (
    TelecineProcess,
    is_alive,
    processes_with,
    run_command,
    telecine_process,
)

from telecine_cli.stack.state import load_state

DATA = "my data"


def run_curl_command(command: str) -> httpx.Response:
    """What curl does with a command that `up` prints: only the options it uses."""
    words = shlex.split(command)
    assert words[:2] == ["curl", "-sS"]
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    body = next((words[n + 1] for n, word in enumerate(words) if word == "-d"), None)
    method = "GET" if body is None else "POST"
    return httpx.request(method, words[2], headers=headers, content=body, timeout=30, trust_env=False)


def curl_commands(said: str) -> list[str]:
    """The two commands that are printed, in one line each."""
    return re.findall(r"curl .*", said.replace("\\\n", " "))


def key_of(said: str) -> str:
    key: str
    [key] = set(re.findall(r"tk_[0-9A-Za-z]{38}", said))
    return key


def ready(up: TelecineProcess) -> str:
    up.wait_for("Ctrl-C stops everything")
    return up.out


def status(said: str, generation: str) -> dict[str, Any]:
    command = curl_commands(said)[1].replace("TASKID", generation).replace("=ID", f"={generation}")
    answer: dict[str, Any] = run_curl_command(command).raise_for_status().json()
    return answer


async def test_up_is_stopped_and_goes_on_where_it_was(tmp_path: Path) -> None:
    mark = {"TELECINE_TEST_MARK": str(tmp_path)}
    with telecine_process(
        tmp_path / "here", "up", "--data", DATA, "--task-seconds", "4", environment=mark
    ) as up:
        first = ready(up)
        answer = run_curl_command(curl_commands(first)[0])
        assert (answer.status_code, answer.json()["remainingCredits"]) == (200, 950), answer.text
        generation = answer.json()["id"]
        with telecine_process(tmp_path / "here again", "up", "--data", tmp_path / "here" / DATA) as second:
            assert second.process.wait(30) == 1
            assert f"(process {up.process.pid}) is already running" in second.err
        assert len(up.children()) == 7
        assert up.interrupt() == 0
        assert up.err == ""
        assert "stopped; start it on the same folder" in up.out
    assert processes_with("TELECINE_TEST_MARK", str(tmp_path)) == []

    (tmp_path / "here" / DATA).chmod(0o755)
    with telecine_process(tmp_path / "here", "up", "--data", DATA, environment=mark) as up:
        again = ready(up)
        assert "other users could enter" in up.err
        assert (key_of(again), curl_commands(again)) == (key_of(first), curl_commands(first))

        def over() -> bool:
            return bool(status(again, generation)["status"] == "completed")

        await eventually(over, within=40, what="the generation that was under way did not end")
        check_operators_view(tmp_path / "here", generation)
        check_privacy(tmp_path / "here" / DATA)
        children = up.children()
        up.process.kill()
        up.process.wait()
    await eventually(lambda: not any(is_alive(child) for child in children))
    assert processes_with("TELECINE_TEST_MARK", str(tmp_path)) == []


def check_privacy(data: Path) -> None:
    """Only the owner may enter the folder; files with prompts and videos are private even without that."""
    assert data.stat().st_mode & 0o077 == 0
    secret = [data, *data.glob("*.db*"), *(data / "logs").rglob("*")]
    secret += [path for part in ("nats", "s3", "emulator") for path in (data / part).rglob("*")]
    assert any(path.suffix == ".mp4" for path in secret)
    assert [path for path in secret if path.exists() and path.stat().st_mode & 0o077] == []


def check_operators_view(folder: Path, generation: str) -> None:
    """From another terminal, in the folder that `up` was started in; beside a running loop, hence as processes."""
    data = folder / DATA
    with telecine_process(folder / "rebuild", "projections", "rebuild", "all", "--data", data) as rebuild:
        assert rebuild.process.wait(60) == 0, rebuild.err
        assert "table generation: 1 rows" in rebuild.out
    with telecine_process(folder / "show", "credits", "show", "demo", "--json", "--data", data) as show:
        assert show.process.wait(60) == 0, show.err
        document = json.loads(show.out)
    assert document["balance"] == {"available": 950, "held": 0}
    assert [entry.get("generation") for entry in document["ledger"]] == [None, generation, generation]
    assert load_state(data).ports


def test_a_taken_port_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run_command(capsys, "up", "--data", tmp_path / "data", "--port", str(port))
    assert outcome.code == 1
    assert f"port {port}" in outcome.err
    assert "choose another port with --port" in outcome.err
    assert not (tmp_path / "data").exists()
