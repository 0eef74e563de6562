"""The command line as a newcomer meets it: help, examples, wrong usage, speed of the help."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.support.processes.command_line import run_command

from telecine_cli.app import build


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if path:
        yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = dict(commands(typer.main.get_command(build())))
LEAVES = {path: command for path, command in ALL.items() if not hasattr(command, "commands")}


def test_every_documented_command_exists() -> None:
    assert {" ".join(path) for path in LEAVES} == {
        "up",
        "demo",
        "provision",
        "secrets",
        "credits grant",
        "accounts erase",
        "credits adjust",
        "credits close",
        "credits reopen",
        "credits limits",
        "credits balance",
        "credits statement",
        "credits ledger",
        "credits show",
        "credits skip",
        "keys create",
        "keys list",
        "keys revoke",
        "keys rotate",
        "limits show",
        "limits set",
        "prices show",
        "prices check",
        "prices diff",
        "prices publish",
        "events tail",
        "events show",
        "projections rebuild",
        "dead-letters list",
        "dead-letters show",
        "dead-letters replay",
        "dead-letters dismiss",
        "subscribers add",
        "subscribers list",
        "subscribers program",
        "subscribers remove",
        "subscribers reset",
        "subscribers rotate",
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_a_help_text(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_command(capsys, *path, "--help")
    assert outcome.code == 0
    assert "Usage" in outcome.out
    assert len(ALL[path].help or "") > 20


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    assert f"telecine {' '.join(path)}" in (LEAVES[path].epilog or "")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_has_a_help_text(path: tuple[str, ...]) -> None:
    unexplained = [
        parameter.name for parameter in LEAVES[path].params if not getattr(parameter, "help", None)
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly"], "fly"),
        (["credits", "grant", "alice", "0", "--reference", "r"], "amount"),
        (["credits", "grant", "alice", "ten", "--reference", "r"], "amount"),
        (["credits", "grant", "alice", "10"], "--reference"),
        (["credits", "grant", "alice", "10", "--reference", "r", "--kind", "gift"], "--kind"),
        (["credits", "grant", "alice", "10", "--reference", ""], "--reference"),
        (
            ["credits", "grant", "alice", "1", "--reference", "r", "--expires", "9999-12-31T23:59:59-0500"],
            "out of range",
        ),
        (
            ["credits", "grant", "alice", "1", "--reference", "r", "--expires", "0001-01-01T00:00:00+0500"],
            "out of range",
        ),
        (["credits", "statement", "alice", "--to", "9999-12-31T23:59:59-05:00"], "9999-12-30"),
        (["keys", "create", "alice", "--name", "caf\udce9"], "not text"),
        (["up", "--data", "caf\udce9"], "not text"),
        (["credits", "grant", "ali.ce", "10", "--reference", "r"], "is not a name"),
        (["credits", "show", "*"], "is not a name"),
        (["credits", "ledger", "*"], "is not a name"),
        (["credits", "adjust", "alice", "0", "5", "--reference", "r"], "entry"),
        (["credits", "adjust", "alice", "1", "5"], "--reference"),
        (["credits", "limits", "alice"], "--per-day"),
        (["credits", "limits", "alice", "--per-day", "-1"], "--per-day"),
        (["credits", "statement", "alice", "--from", "yesterday"], "--from"),
        (["credits", "statement", "alice", "--from", "2026-12-01", "--to", "2026-11-01"], "--to"),
        (["keys", "create", "alice", "--scope", "root"], "--scope"),
        (["events", "show", "a b"], "is not a name"),
        (["events", "tail", "--since", "1"], "--stream"),
        (["events", "tail", "--stream", "TIMERS"], "TIMERS"),
        (["projections", "rebuild", "emulator"], "emulator"),
        (["projections", "rebuild", "all", "--database-url", "sqlite:///x"], "--database-url"),
        (["dead-letters", "replay"], "--all"),
        (["dead-letters", "replay", "3", "--all"], "--all"),
        (["up", "--port", "99999"], "--port"),
        (["up", "--provider-url", "https://ark.example/api/v3", "--provider-key", ""], "--provider-url"),
        (
            ["up", "--provider-url", "https://a.example", "--provider-key", "k", "--task-seconds", "1"],
            "emulator",
        ),
        (["up", "--provider-url", "ark.example", "--provider-key", "k"], "--provider-url"),
        (["up", "--provider-url", "ftp://ark.example", "--provider-key", "k"], "--provider-url"),
        (["up", "--public-url", "http://[half"], "--public-url"),
        (["up", "--public-url", "https:///path"], "--public-url"),
        (["provision", "--replicas", "0"], "--replicas"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_command(capsys, *arguments)
    assert outcome.code == 2
    assert named in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["credits", "show", "alice"],
        ["keys", "list"],
        ["events", "tail"],
        ["projections", "rebuild", "all"],
        ["dead-letters", "list"],
        ["provision"],
    ],
    ids=" ".join,
)
def test_without_a_stack_the_error_says_what_to_start(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_command(capsys, *arguments, "--data", tmp_path / "my data")
    assert outcome.code == 1
    assert f"telecine up --data '{tmp_path}/my data'" in outcome.err
    assert not (tmp_path / "my data").exists()


def test_an_unreachable_server_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_command(capsys, "keys", "list", "--nats-url", "nats://127.0.0.1:1")
    assert outcome.code == 1
    assert "no NATS server answers at nats://127.0.0.1:1" in outcome.err


@pytest.mark.parametrize("odd", ["file", "loop", "stack.json", "stack.lock"])
def test_an_unusable_folder_is_reported_in_one_sentence(
    odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("stack.json", "stack.lock"):
        (tmp_path / f"with {name}" / name).mkdir(parents=True)
    folder = tmp_path / (f"with {odd}" if "." in odd else odd)
    for command in (["keys", "list"], ["events", "tail"], ["up"]):
        outcome = run_command(capsys, *command, "--data", folder)
        assert outcome.code == 1
        assert str(folder) in outcome.err
        assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "url", ["", "nats://", "nats://[::1", "nats://a:99999", "http://a:4222", "nats://a,", "a"]
)
def test_an_invalid_nats_url_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_command(capsys, "keys", "list", "--nats-url", url)
    assert outcome.code == 1
    assert "nats://host:4222" in outcome.err


def test_unencodable_characters_are_printed_as_question_marks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "telecine_cli", "up", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("latin-1")
    assert b"TELECINE_PROVIDER_API_KEY=?" in done.stdout


def test_help_imports_no_slow_module() -> None:
    code = (
        "import sys\n"
        "from telecine_cli.app import build\n"
        "build()\n"
        "slow = {'nats', 'httpx', 'pydantic', 'sqlalchemy', 'faststream', 'botocore', 'telecine_contracts'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_module_can_be_run_and_prints_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "telecine_cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("telecine ")
