"""`telecine demo`, as a new user runs it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import av
import pytest
from tests.support.processes.command_line import (
    TelecineProcess,
    processes_with,
    run_command,
    telecine_process,
)

from telecine_cli.stack.state import lock

SIZES = {"text-to-video": (1248, 704, 5), "image-to-video": (864, 480, 4)}
EXPECTED_STEPS = ["generation.requested.v1", "credits.debited.v1", "generation.submission_started.v1"]
EXPECTED_END = ["video.ready.v1", "video.stored.v1", "credits.settled.v1"]


@pytest.fixture
def temporary_root(tmp_path: Path) -> Path:
    """Where the demonstration puts its temporary folder; its processes are known by it."""
    folder = tmp_path / "temporary files"
    folder.mkdir()
    return folder


def finished(demo: TelecineProcess) -> int:
    return demo.process.wait(120)


def test_demo_completes_two_videos(tmp_path: Path, temporary_root: Path) -> None:
    arguments = ("demo", "--json", "--task-seconds", "0.5", "--out", "films")
    with telecine_process(tmp_path / "here", *arguments, environment={"TMPDIR": str(temporary_root)}) as demo:
        assert finished(demo) == 0, demo.err
        document = json.loads(demo.out)
        assert "Traceback" not in demo.err
    assert processes_with("TMPDIR", str(temporary_root)) == []
    assert list(temporary_root.iterdir()) == []
    assert [one["kind"] for one in document["generations"]] == ["text-to-video", "image-to-video"]
    for one in document["generations"]:
        check_generation(one, tmp_path / "here")
    check_ledger(document)


def check_generation(one: dict[str, Any], folder: Path) -> None:
    assert one["status"] == "completed"
    file = folder / one["file"]
    content = file.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
    check_plays(file, *SIZES[one["kind"]])
    types = [event["type"] for event in one["events"]]
    assert types[:3] == EXPECTED_STEPS
    assert types[-3:] == EXPECTED_END
    for stream in ("VIDEO", "LEDGER"):
        sequences = [event["sequence"] for event in one["events"] if event["stream"] == stream]
        assert sequences == sorted(set(sequences))
    times = [event["time"] for event in one["events"]]
    assert times == sorted(times)


def check_plays(file: Path, width: int, height: int, seconds: int) -> None:
    with av.open(str(file)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.codec.name) == (width, height, "h264")
    assert frames == 24 * seconds + 1


def check_ledger(document: dict[str, Any]) -> None:
    ledger, balance = document["ledger"], document["balance"]
    assert [entry["entry"] for entry in ledger] == list(range(1, len(ledger) + 1))
    assert sorted(entry["type"] for entry in ledger) == [
        "credits.debited.v1",
        "credits.debited.v1",
        "credits.granted.v1",
        "credits.settled.v1",
        "credits.settled.v1",
    ]
    assert sum(entry["available"] for entry in ledger) == balance["available"]
    cost = sum(one["cost"] for one in document["generations"])
    assert balance == {"available": ledger[0]["available"] - cost, "held": 0}


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path, temporary_root: Path) -> None:
    environment = {"TMPDIR": str(temporary_root)}
    with telecine_process(tmp_path / "here", "demo", environment=environment) as demo:
        demo.wait_for("starting")
        assert demo.interrupt() == 130
        assert "Traceback" not in demo.err
    assert processes_with("TMPDIR", str(temporary_root)) == []
    assert list(temporary_root.iterdir()) == []


def test_nothing_is_started_when_the_output_folder_is_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").touch()
    outcome = run_command(capsys, "demo", "--data", tmp_path / "data", "--out", tmp_path / "films")
    assert (outcome.code, outcome.out) == (1, "")
    assert "cannot write videos into" in outcome.err
    assert not (tmp_path / "data").exists()


def test_a_demo_that_can_not_start_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lock(tmp_path):
        outcome = run_command(capsys, "demo", "--json", "--data", tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert "already running on" in outcome.err
