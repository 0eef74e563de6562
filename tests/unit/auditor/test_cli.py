"""The command line: help with examples, errors of usage in one sentence, exit codes with one meaning each."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from telecine_auditor import cli
from telecine_auditor.cli import COMMANDS, load, parse, run
from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.sources.server import Server
from telecine_auditor.terminal.options import ServerOptions


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert f"│ {name} " in said
        assert summary[0].islower()
        assert not summary.endswith(".")
    assert "examples:" in said
    assert "exit codes: 0" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "examples:" in said
    assert f"telecine-audit {command}" in said.partition("examples:")[2]


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"telecine-audit {version('telecine-auditor')}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "telecine-audit: Missing command"),
        (("frobnicate",), "telecine-audit: No such command 'frobnicate'"),
        (("balances", "--bogus"), "telecine-audit balances: No such option: --bogus"),
        (("mirror",), "telecine-audit mirror: Missing argument 'DIR'"),
        (("mirror", "x", "--streams", "a b"), "invalid stream names 'a b', expected e.g. LEDGER,CHECKPOINTS"),
        (("prove", "0"), "telecine-audit prove: Invalid value for 'SEQUENCE': invalid sequence '0'"),
        (("show", "1", "--stream", "X"), "telecine-audit show: Invalid value for '--stream'"),
        (("verify", "--hold-limit", "[red]5"), "invalid duration '[red]5', expected e.g. 90s"),
    ],
)
def test_an_error_of_usage_is_one_sentence_that_names_the_help(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert "--help` shows the usage" in err


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Options of a command that has none."""


class Probe:
    """A command that ends as it is told to."""

    Options = NoOptions
    HELP, EXAMPLES = "ends as it is told to", ""

    def __init__(self, end: int | BaseException) -> None:
        self.end = end

    async def run(self, options: NoOptions) -> int:
        sys.stdout.write("said\n")
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (CommandError("no such account"), 2, "telecine-audit show: no such account\n"),
        (SourceError("no server"), 2, "telecine-audit show: no server\n"),
        (
            PermissionError(13, "Permission denied", "kept.txt"),
            2,
            "telecine-audit show: kept.txt: Permission denied\n",
        ),
        (OSError(5, "Input/output error"), 2, "telecine-audit show: Input/output error\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_outcome_has_its_exit_code(
    end: int | BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show"], lambda name: Probe(end)) == code
    assert capsys.readouterr() == ("said\n", says)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), UnicodeEncodeError("ascii", "ä", 0, 1, "odd"), MemoryError()]
)
def test_a_defect_prints_its_traceback_and_is_not_a_breach(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show"], lambda name: Probe(error)) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"telecine-audit show: unexpected {type(error).__name__}, a defect of telecine-audit"
    )
    assert "Traceback (most recent call last):" in said


class SwallowsOneCancellation(Probe):
    """A command that ignores the first cancellation, as a library of it may."""

    async def run(self, options: NoOptions) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return await super().run(options)


def test_a_swallowed_interrupt_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_CLEAN_UP_SECONDS", 0.01)
    assert run(["show"], lambda name: SwallowsOneCancellation(0)) == 130


def server(*arguments: str) -> Server:
    options = parse(load("checkpoint"), "checkpoint", arguments)
    assert isinstance(options, ServerOptions)
    return options.server()


def test_the_default_server_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECINE_NATS_URL", raising=False)
    assert server().url == "nats://127.0.0.1:4222"
    monkeypatch.setenv("TELECINE_NATS_URL", "nats://ledger.example:4222")
    assert server().url == "nats://ledger.example:4222"
    assert server("--nats", "tls://other.example").url == "tls://other.example"


def test_the_identity_is_read_from_options() -> None:
    found = server("--nkey-seed", "a", "--creds", "b", "--user", "c", "--password-file", "d", "--tls-ca", "e")
    assert (found.nkey_seed, found.creds, found.user) == (Path("a"), Path("b"), "c")
    assert (found.password_file, found.tls_ca) == (Path("d"), Path("e"))


def test_a_password_in_a_url_is_not_shown() -> None:
    place = server("--nats", "nats://me:secret@one.example:4222,nats://two.example:4222").place
    assert place == "one.example:4222, two.example:4222"
