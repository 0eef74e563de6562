"""Which telecine a command means."""

import json
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from telecine_chassis.projections.slots import Slots
from telecine_cli.errors import CommandError
from telecine_cli.output.provision import change_lines, monitoring_url_of
from telecine_cli.provisioning.streams import Change
from telecine_cli.stack.state import is_running, lock
from telecine_cli.target import Target, find_target


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECINE_NATS_URL", raising=False)


def with_state_file(data: Path) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    (data / "stack.json").write_text(
        json.dumps({"ports": {"nats": 20001, "nats-monitoring": 20002}, "secrets": {}})
    )
    return data


def test_a_running_stack_is_found_by_its_folder(tmp_path: Path) -> None:
    data = with_state_file(tmp_path / "a folder")
    with lock(data):
        assert find_target(data, None) == Target("nats://127.0.0.1:20001", "http://127.0.0.1:20002", data)


def test_a_stack_that_was_stopped_is_not_found(tmp_path: Path) -> None:
    data = with_state_file(tmp_path)
    with lock(data):
        assert is_running(data)
    assert not is_running(data)
    with pytest.raises(CommandError, match=r"no telecine runs on .* start one with `telecine up --data"):
        find_target(data, None)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"ports": []}', b'{"ports": {"nats": "1"}, "secrets": {}}', b"\xff", b"[" * 100_000],
    ids=lambda content: repr(content[:20]),
)
def test_a_folder_with_a_foreign_stack_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stack.json").write_bytes(content)
    with pytest.raises(CommandError, match=r"stack\.json has unexpected content"):
        find_target(tmp_path, None)


def test_the_folder_of_the_working_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = with_state_file(tmp_path / "data")
    with lock(data):
        assert find_target(None, None).data == data


def test_options_override_the_environment_which_overrides_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_NATS_URL", "nats://from.env:4222")
    data = with_state_file(tmp_path)
    assert find_target(None, None).nats_url == "nats://from.env:4222"
    with lock(data):
        assert find_target(data, None).nats_url == "nats://127.0.0.1:20001"
        assert find_target(data, "nats://said:4222").nats_url == "nats://said:4222"


def test_a_database_url_is_required_without_a_local_stack(tmp_path: Path) -> None:
    local = Target("nats://127.0.0.1:1", None, tmp_path)
    assert local.database("gateway", None) == f"sqlite:///{tmp_path}/gateway.db"
    assert local.database("gateway", "postgresql://db") == "postgresql://db"
    with pytest.raises(CommandError, match="--database-url"):
        Target("nats://127.0.0.1:1").database("gateway", None)


@pytest.mark.parametrize("name", ["job%2Fmain", "what? #1", "a+b c", "ü:日本", "100%", "a@b;c&d=e"])
def test_the_database_is_in_the_data_folder(tmp_path: Path, name: str) -> None:
    url = Target("nats://127.0.0.1:1", None, tmp_path / name).database("gateway", None)
    Slots(url, MetaData(), 1).open(1).dispose()
    assert [file.name for file in (tmp_path / name).glob("*.db")] == ["gateway.v1_1.db"]
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("nats_url", "monitoring"),
    [
        ("nats://nats.internal:4222", "http://nats.internal:8222"),
        ("nats://a:1,nats://b:2", "http://a:8222"),
        ("localhost:4222", "http://localhost:8222"),
        ("nats://user:pass@[::1]:4222", "http://[::1]:8222"),
    ],
)
def test_the_default_monitoring_url_is_on_the_servers_host(nats_url: str, monitoring: str) -> None:
    assert monitoring_url_of(nats_url) == monitoring


def test_a_dry_run_says_what_would_change() -> None:
    changes = [Change("VIDEO", "unchanged"), Change("LEDGER", "updated", ("max_age: 5 instead of 0",))]
    assert change_lines(changes, dry_run=True) == [
        "unchanged          VIDEO",
        "would be updated   LEDGER",
        "    max_age: 5 instead of 0",
    ]
    assert change_lines(changes, dry_run=False)[0] == "unchanged  VIDEO"
