"""The auditor has manners: help with examples, mistakes in one sentence, exit codes that mean one thing."""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from telecine_auditor import cli
from telecine_auditor.cli import COMMANDS, Command, parser, run
from telecine_auditor.sources.port import SourceError
from telecine_auditor.terminal.exit_codes import CommandError
from telecine_auditor.terminal.options import server_of

NAMES = [command.NAME for command in COMMANDS]


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command.NAME}" in said
    assert "examples:" in said
    assert "exit codes: 0" in said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.NAME)
def test_every_command_explains_itself_with_examples(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command.NAME, "--help"]) == 0
    said = capsys.readouterr().out
    assert "examples:" in said
    assert f"telecine-audit {command.NAME}" in said.partition("examples:")[2]
    assert command.SUMMARY[0].islower()
    assert not command.SUMMARY.endswith(".")


def test_commands_have_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"telecine-audit {version('telecine-auditor')}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "telecine-audit: the following arguments are required: COMMAND"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("mirror",), "telecine-audit mirror: the following arguments are required: DIR"),
        (("mirror", "x", "--streams", "a b"), "'a b' is no list of stream names"),
        (("prove", "0"), "telecine-audit prove: "),
    ],
)
def test_a_mistake_is_one_sentence_that_shows_the_way(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert "--help` tells more" in err


class Probe:
    """A command that ends as it is told to."""

    NAME, SUMMARY = "probe", "ends as it is told to"

    def __init__(self, end: int | BaseException) -> None:
        self.end = end

    def add(self, parser: argparse.ArgumentParser) -> None:
        """No options."""

    async def run(self, options: argparse.Namespace) -> int:
        sys.stdout.write("said\n")
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (CommandError("no such account"), 2, "telecine-audit probe: no such account\n"),
        (SourceError("no server"), 2, "telecine-audit probe: no server\n"),
        (
            PermissionError(13, "Permission denied", "kept.txt"),
            2,
            "telecine-audit probe: kept.txt: Permission denied\n",
        ),
        (OSError(5, "Input/output error"), 2, "telecine-audit probe: Input/output error\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_outcome_has_its_exit_code(
    end: int | BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe"], (Probe(end),)) == code
    assert capsys.readouterr() == ("said\n", says)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), UnicodeEncodeError("ascii", "ä", 0, 1, "odd"), MemoryError()]
)
def test_a_defect_is_told_with_its_traceback_and_is_no_breach(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe"], (Probe(error),)) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"telecine-audit probe: unexpected {type(error).__name__}, a defect of telecine-audit"
    )
    assert "Traceback (most recent call last):" in said


class HardOfHearing(Probe):
    """A command that swallows the first cancellation, as a library of its may."""

    async def run(self, options: argparse.Namespace) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return await super().run(options)


def test_a_swallowed_interrupt_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_CLEAN_UP_SECONDS", 0.01)
    assert run(["probe"], (HardOfHearing(0),)) == 130


def parsed(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(["checkpoint", *arguments])


def test_the_server_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECINE_NATS_URL", raising=False)
    assert server_of(parsed()).url == "nats://127.0.0.1:4222"
    monkeypatch.setenv("TELECINE_NATS_URL", "nats://ledger.example:4222")
    assert server_of(parsed()).url == "nats://ledger.example:4222"
    assert server_of(parsed("--nats", "tls://other.example")).url == "tls://other.example"


def test_credentials_are_read_from_options() -> None:
    options = parsed(
        "--nkey-seed", "a", "--creds", "b", "--user", "c", "--password-file", "d", "--tls-ca", "e"
    )
    server = server_of(options)
    assert (server.nkey_seed, server.creds, server.user) == (Path("a"), Path("b"), "c")
    assert (server.password_file, server.tls_ca) == (Path("d"), Path("e"))


def test_a_password_in_a_url_is_not_shown() -> None:
    server = server_of(parsed("--nats", "nats://me:secret@one.example:4222,nats://two.example:4222"))
    assert server.place == "one.example:4222, two.example:4222"
