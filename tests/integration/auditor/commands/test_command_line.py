"""`telecine-audit` as a program: a server that is not there, a pipe that nobody reads, Ctrl-C."""

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import LOG, signed_checkpoint, small_ledger, stored_checkpoint
from tests.support.audit.streams import StreamBuilder, november_time
from tests.support.eventually import eventually

from telecine_auditor.mirror.writer import open_mirror
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_contracts.credits import GrantKind
from telecine_credits.checkpoints.key import Signer
from telecine_credits.rules.decider import Grant

AUDIT = (sys.executable, "-m", "telecine_auditor")


def run_audit(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*AUDIT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """A line of shell in which `audit` is the program and $1, $2 … are the arguments."""
    program = f'audit() {{ {" ".join(map(shlex.quote, AUDIT))} "$@"; }}; {line}'
    command = ["/bin/sh", "-c", program, "sh", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(small_ledger(200).ledger)
    return tmp_path / "mirror"


def test_a_server_that_is_not_there_is_an_error_within_seconds() -> None:
    port, begun = free_port(), time.monotonic()
    done = run_audit("balances", "--nats", f"nats://{LOOPBACK}:{port}")
    assert time.monotonic() - begun < 10
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"telecine-audit balances: no connection to NATS at {LOOPBACK}:{port}: ")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def unresponsive_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_server_that_says_nothing_is_an_error_within_seconds(unresponsive_port: int) -> None:
    begun = time.monotonic()
    done = run_audit("balances", "--nats", f"nats://{LOOPBACK}:{unresponsive_port}")
    assert time.monotonic() - begun < 20
    assert (done.returncode, f"no connection to NATS at {LOOPBACK}:{unresponsive_port}" in done.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    "url", ["nonsense://x", "nats://", "nats://[", "nats://x:y", "", "nats://a,,nats://b"]
)
async def test_invalid_url_is_reported(capsys: pytest.CaptureFixture[str], url: str) -> None:
    done = await AuditorCommand(capsys)("balances", "--nats", url)
    assert (done.code, "--nats is no URL of a NATS server" in done.err) == (2, True)


def test_broken_pipe_exits_quietly(mirror: Path) -> None:
    command = [*AUDIT, "statement", "ann", "--from", str(mirror)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


NO_BREACH = {
    "full standard output": (
        "audit verify --from $1 >/dev/full",
        b"telecine-audit verify: standard output cannot be written: No space left on device\n",
    ),
    "full standard output, help": ("audit verify --help >/dev/full", b""),
    "full standard output, JSON": (
        "audit statement ann --json --from $1 >/dev/full",
        b"standard output cannot",
    ),
    "closed standard output": ("audit verify --from $1 >&-", b"telecine-audit: standard output is closed: "),
    "full standard error": ("audit verify --from $1/none 2>/dev/full", b""),
    "closed standard error": ("audit verify --from $1/none 2>&-", b""),
    "full disk": (
        "ulimit -f 8; audit export --format csv --out $2/books.csv --from $1",
        b"books.csv can't be written: File too large\n",
    ),
    "full disk, mirror": (
        "ulimit -f 0; audit mirror $2/m --nats nats://127.0.0.1:1",
        b"no connection to NATS",
    ),
    "a name that is too long": (
        "audit verify --from $1 --key $(printf '%0300d' 0)",
        b" is no key, and no file that can be read: ",
    ),
}


@pytest.mark.parametrize("case", NO_BREACH)
def test_exit_codes(mirror: Path, tmp_path: Path, case: str) -> None:
    line, says = NO_BREACH[case]
    done = shell(line, mirror, tmp_path)
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    assert says in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_files_and_pipes_get_utf_8_whatever_the_locale_is(tmp_path: Path, encoding: str) -> None:
    streams = StreamBuilder()
    streams.do(Grant(account="ann", at=november_time(1), amount=5, kind=GrantKind.PAID, reference="雨 é"))
    line = f"PYTHONIOENCODING={encoding} audit show 1 --from $1 "
    mirror = streams.mirror(tmp_path / "mirror")
    text, document = shell(line, mirror), shell(line + "--json", mirror)
    assert (text.returncode, document.returncode) == (0, 0), text.stderr
    assert "雨 é" in text.stdout.decode()
    assert json.loads(document.stdout)["body"]["reference"] == "雨 é"


def test_a_proof_is_read_from_standard_input(tmp_path: Path) -> None:
    ledger, signer = small_ledger(2).ledger, Signer.new(LOG)
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(ledger)
        mirror.stream("CHECKPOINTS").append([stored_checkpoint(signed_checkpoint(signer, ledger))])
    line = "audit prove 2 --from $1 --key $2 | audit check-proof - --key $2"
    done = shell(line, tmp_path / "mirror", signer.verifier)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Proven: this is entry 2 of the 5 entries")
    done = shell("audit check-proof - --key $1 <&-", signer.verifier)
    assert (done.returncode, b"standard input is closed" in done.stderr) == (2, True)


async def test_ctrl_c_exits_quietly(unresponsive_port: int) -> None:
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
