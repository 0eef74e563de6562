"""What cannot be read is not empty: every such source ends the auditor with 2, and is named."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import LOG, renumber, signed_checkpoint, small_ledger, stored_checkpoint

from telecine_auditor.mirror.writer import open_mirror
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new(LOG)
KEY = ("--key", SIGNER.verifier)
ORIGINAL = small_ledger(3)
SEGMENT = "00000000000000000001.entries"


def mirrored(folder: Path) -> Path:
    """A mirror of all three streams, in sealed segments of four and an open one."""
    notes = [stored_checkpoint(signed_checkpoint(SIGNER, ORIGINAL.ledger))]
    with open_mirror(folder, most=4) as mirror:
        for stream, entries in (
            ("LEDGER", ORIGINAL.ledger),
            ("VIDEO", ORIGINAL.video),
            ("CHECKPOINTS", notes),
        ):
            mirror.stream(stream).append(renumber(entries))
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return mirrored(tmp_path / "mirror")


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


def replaced(path: Path, how: Callable[[Path], object]) -> Path:
    """The path stands for something else; what was there is beside it."""
    path.rename(path.with_name(f"{path.name}-away"))
    how(path)
    return path


UNREADABLE_SOURCES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file in place of the folder": (
        lambda stream: replaced(stream, lambda path: path.write_bytes(b"")),
        "Not a directory",
    ),
    "a link that leads nowhere": (
        lambda stream: replaced(stream, lambda path: path.symlink_to("nowhere")),
        "No such file or directory",
    ),
    "a link to itself": (
        lambda stream: replaced(stream, lambda path: path.symlink_to(path)),
        "Too many levels of symbolic links",
    ),
    # The memory of a process has nothing at its beginning: reading it fails as a broken disk does.
    "a segment on a broken disk": (
        lambda stream: replaced(stream / SEGMENT, lambda path: path.symlink_to("/proc/self/mem")),
        "Input/output error",
    ),
}


@pytest.mark.parametrize("stream", ["LEDGER", "VIDEO", "CHECKPOINTS"])
@pytest.mark.parametrize("trouble", UNREADABLE_SOURCES)
async def test_what_can_not_be_read_is_named(
    audit: AuditorCommand, mirror: Path, stream: str, trouble: str
) -> None:
    make, says = UNREADABLE_SOURCES[trouble]
    place = make(mirror / stream)
    done = await audit("verify", "--from", mirror, *KEY)
    assert (done.code, done.out) == (2, "")
    assert f"{place} can't be read: {says}" in done.err


_AS_ANOTHER = """
import os, sys
from telecine_auditor.cli import run
import telecine_auditor.mirror.source, telecine_auditor.exports.csv_writer
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("stream", ["LEDGER", "VIDEO", "CHECKPOINTS", "."])
def test_a_folder_of_another_user_is_named(stream: str) -> None:
    # Not below pytest's own folders: only their owner may enter those.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        mirror = mirrored(Path(name) / "mirror")
        for path in (mirror, *mirror.rglob("*")):
            path.chmod(0o755)
        (mirror / stream).chmod(0)
        command = [sys.executable, "-c", _AS_ANOTHER, "verify", "--from", str(mirror), *map(str, KEY)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (mirror / stream).chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{mirror / stream} can't be read: Permission denied" in done.stderr


async def test_other_commands_do_not_take_it_for_empty_either(
    audit: AuditorCommand, mirror: Path, tmp_path: Path
) -> None:
    UNREADABLE_SOURCES["a link that leads nowhere"][0](mirror / "VIDEO")
    for command in (("reconcile",), ("show", 1, "--stream", "VIDEO")):
        done = await audit(*command, "--from", mirror)
        assert (done.code, f"{mirror / 'VIDEO'} can't be read" in done.err) == (2, True)
    done = await audit("restore", mirror, "--nats", "nats://127.0.0.1:1")
    assert (done.code, f"{mirror / 'VIDEO'} can't be read" in done.err) == (2, True)
    (mirror / "SHA256SUMS").unlink()
    (mirror / "SHA256SUMS").symlink_to("nowhere")
    done = await audit("balances", "--from", mirror)
    assert (done.code, "SHA256SUMS is a link that leads nowhere" in done.err) == (2, True)
    done = await audit("verify", "--from", mirror, "--checkpoint", tmp_path / "none")
    assert (done.code, "can't be read" in done.err) == (2, True)


async def test_truncated_end_is_reported(audit: AuditorCommand, mirror: Path) -> None:
    """It is no breach: a mirror that is being written looks like that."""
    segment = sorted((mirror / "LEDGER").iterdir())[-1]
    os.truncate(segment, segment.stat().st_size - 7)
    done = await audit("verify", "--from", mirror, "--json")
    assert any(f"at the end of LEDGER/{segment.name}" in what for what in done.document["not_checked"])
    done = await audit("balances", "--from", mirror)
    assert f"at the end of LEDGER/{segment.name}" in done.err
