"""`telecine-audit` and its environment: unreachable servers, broken output, locales, interrupts.

Only what a process alone can show runs as one: closed descriptors, signals, the interpreter's own end.
"""

import asyncio
import io
import json
import resource
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import LOG, signed_checkpoint, small_ledger, stored_checkpoint
from tests.support.audit.streams import StreamBuilder, november_time
from tests.support.eventually import eventually

from telecine_auditor.cli import run
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources import server
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_credits.checkpoints.key import Signer
from telecine_credits.rules.commands import TimedCommand

LEDGER = small_ledger(20).ledger
AUDIT = (sys.executable, "-m", "telecine_auditor")


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(LEDGER)
    return tmp_path / "mirror"


@pytest.fixture
def unresponsive_port() -> Iterator[int]:
    """A port that accepts connections and sends nothing."""
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_an_unreachable_server_is_an_error(audit: AuditorCommand) -> None:
    port = free_port()
    done = await audit("balances", "--nats", f"nats://{LOOPBACK}:{port}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"telecine-audit balances: no connection to NATS at {LOOPBACK}:{port}: ")
    assert done.err.count("\n") == 1


async def test_an_unresponsive_server_is_an_error(
    audit: AuditorCommand, unresponsive_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CONNECT_TIMEOUT", 0.2)
    done = await audit("balances", "--nats", f"nats://{LOOPBACK}:{unresponsive_port}")
    assert (done.code, f"no connection to NATS at {LOOPBACK}:{unresponsive_port}" in done.err) == (2, True)


@pytest.mark.parametrize(
    "url", ["nonsense://x", "nats://", "nats://[", "nats://x:y", "", "nats://a,,nats://b"]
)
async def test_an_invalid_url_is_reported(audit: AuditorCommand, url: str) -> None:
    done = await audit("balances", "--nats", url)
    assert (done.code, "--nats takes URLs of NATS servers" in done.err) == (2, True)


@contextmanager
def full(stream: str) -> Iterator[None]:
    """Standard output or standard error on a device that is full."""
    redirect = {"stdout": redirect_stdout, "stderr": redirect_stderr}[stream]
    with Path("/dev/full").open("w", encoding="utf-8") as device, redirect(device):
        yield


FULL_OUTPUT: dict[str, tuple[tuple[str, ...], str]] = {
    "text": (
        ("verify",),
        "telecine-audit verify: standard output cannot be written: No space left on device\n",
    ),
    "JSON": (("statement", "ann", "--json"), "standard output cannot be written"),
}


@pytest.mark.parametrize("case", FULL_OUTPUT)
def test_a_full_standard_output_is_not_a_breach(
    mirror: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, says = FULL_OUTPUT[case]
    with full("stdout"):
        code = run([*arguments, "--from", str(mirror)])
    said = capsys.readouterr().err
    assert (code, says in said, "Traceback" in said) == (2, True, False)


def test_a_full_standard_output_is_an_error_for_help_as_well() -> None:
    with full("stdout"):
        assert run(["verify", "--help"]) == 2


def test_a_full_standard_error_changes_no_exit_code(tmp_path: Path) -> None:
    with full("stderr"):
        assert run(["verify", "--from", str(tmp_path / "none")]) == 2


def test_a_full_disk_is_an_error(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python would cut the bytecode of a module that is imported under the limit, and keep it for every later run.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    books = tmp_path / "books.csv"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        code = run(["export", "--format", "csv", "--out", str(books), "--from", str(mirror)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, "books.csv cannot be written: File too large\n" in capsys.readouterr().err) == (2, True)
    assert list(tmp_path.glob("books*")) == []


async def test_a_key_that_is_too_long_for_a_file_name_is_an_error(
    audit: AuditorCommand, mirror: Path
) -> None:
    done = await audit("verify", "--from", mirror, "--key", "0" * 300)
    assert (done.code, "0" * 300 in done.err, "Traceback" in done.err) == (2, True, False)


def test_pipes_get_utf_8_in_every_locale(tmp_path: Path) -> None:
    streams = StreamBuilder()
    streams.do(
        TimedCommand(
            GrantCredits(account="ann", amount=5, kind=GrantKind.PAID, reference="雨 é"), november_time(1)
        )
    )
    mirror = streams.mirror(tmp_path / "mirror")
    printed = []
    for options in ([], ["--json"]):
        pipe = io.BytesIO()
        output = io.TextIOWrapper(pipe, encoding="ascii")
        with redirect_stdout(output):
            assert run(["show", "1", "--from", str(mirror), *options]) == 0
        printed.append(pipe.getvalue().decode())
    assert "雨 é" in printed[0]
    assert json.loads(printed[1])["body"]["reference"] == "雨 é"


async def test_a_proof_is_read_from_standard_input(
    audit: AuditorCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, signer = small_ledger(2).ledger, Signer.new(LOG)
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(ledger)
        mirror.stream("CHECKPOINTS").append([stored_checkpoint(signed_checkpoint(signer, ledger))])
    proof = await audit("prove", 2, "--from", tmp_path / "mirror", "--key", signer.verifier)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(proof.out.encode())))
    done = await audit("check-proof", "-", "--key", signer.verifier)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Proven: this is entry 2 of the 5 entries")
    monkeypatch.setattr(sys, "stdin", None)
    done = await audit("check-proof", "-", "--key", signer.verifier)
    assert (done.code, "standard input is closed" in done.err) == (2, True)


def test_a_broken_pipe_ends_the_process_quietly(mirror: Path) -> None:
    command = [*AUDIT, "statement", "ann", "--from", str(mirror)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("redirection", "says"),
    [
        (">&-", b"telecine-audit: standard output is closed: "),
        ("2>&-", b""),
        (">/dev/full", b"No space left"),
    ],
)
def test_a_process_without_usable_output_ends_with_2(redirection: str, says: bytes) -> None:
    line = f"{shlex.join(AUDIT)} --version {redirection}"
    if redirection == "2>&-":
        line = f"{shlex.join(AUDIT)} frobnicate {redirection}"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr
    assert b"Traceback" not in done.stderr


async def test_ctrl_c_ends_the_process_quietly(unresponsive_port: int) -> None:
    command = [*AUDIT, "balances", "--nats", f"nats://{LOOPBACK}:{unresponsive_port}"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    await eventually(lambda: f":{unresponsive_port:04X} 01 ".encode() in _connections(process.pid), within=30)
    process.send_signal(signal.SIGINT)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 130


def _connections(pid: int) -> bytes:
    """Connections as the system lists them: addresses in hexadecimal, and 01 for established."""
    return Path(f"/proc/{pid}/net/tcp").read_bytes()
