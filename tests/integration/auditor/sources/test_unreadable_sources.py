"""A source that cannot be read does not count as empty: the auditor names it and ends with 2."""

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
    """Replace a path; the original stays beside it."""
    path.rename(path.with_name(f"{path.name}-away"))
    how(path)
    return path


UNREADABLE_SOURCES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file in place of the folder": (
        lambda stream: replaced(stream, lambda path: path.write_bytes(b"")),
        "Not a directory",
    ),
    "a dangling link": (
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


@pytest.mark.parametrize(
    ("stream", "fault"),
    [("LEDGER", fault) for fault in UNREADABLE_SOURCES]
    + [(stream, "a dangling link") for stream in ("VIDEO", "CHECKPOINTS")],
)
async def test_an_unreadable_stream_is_named(
    audit: AuditorCommand, mirror: Path, stream: str, fault: str
) -> None:
    make, says = UNREADABLE_SOURCES[fault]
    place = make(mirror / stream)
    done = await audit("verify", "--from", mirror, *KEY)
    assert (done.code, done.out) == (2, "")
    assert f"{place} cannot be read: {says}" in done.err


_AS_ANOTHER = """
import os, sys
from telecine_auditor.cli import run
import telecine_auditor.commands.verify, telecine_auditor.mirror.source
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
codes = [run(["verify", "--from", folder, *sys.argv[2:]]) for folder in sys.argv[1].split(":")]
sys.exit(0 if codes == [2] * len(codes) else 1)
"""


def test_a_folder_of_another_user_is_named() -> None:
    # Not below pytest's own folders: only their owner may enter those.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        unreadable = [mirrored(Path(name) / stream) / stream for stream in ("LEDGER", "VIDEO", "CHECKPOINTS")]
        unreadable.append(mirrored(Path(name) / "whole"))
        for path in Path(name).rglob("*"):
            path.chmod(0o755)
        for path in unreadable:
            path.chmod(0)
        folders = ":".join(str(Path(name) / folder) for folder in ("LEDGER", "VIDEO", "CHECKPOINTS", "whole"))
        command = [sys.executable, "-c", _AS_ANOTHER, folders, *map(str, KEY)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for path in unreadable:
            path.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    for path in unreadable:
        assert f"{path} cannot be read: Permission denied" in done.stderr


async def test_no_command_treats_an_unreadable_stream_as_empty(
    audit: AuditorCommand, mirror: Path, tmp_path: Path
) -> None:
    UNREADABLE_SOURCES["a dangling link"][0](mirror / "VIDEO")
    for command in (("reconcile",), ("show", 1, "--stream", "VIDEO")):
        done = await audit(*command, "--from", mirror)
        assert (done.code, f"{mirror / 'VIDEO'} cannot be read" in done.err) == (2, True)
    done = await audit("restore", mirror, "--nats", "nats://127.0.0.1:1")
    assert (done.code, f"{mirror / 'VIDEO'} cannot be read" in done.err) == (2, True)
    (mirror / "SHA256SUMS").unlink()
    (mirror / "SHA256SUMS").symlink_to("nowhere")
    done = await audit("balances", "--from", mirror)
    assert (done.code, "SHA256SUMS is a dangling link" in done.err) == (2, True)
    done = await audit("verify", "--from", mirror, "--checkpoint", tmp_path / "none")
    assert (done.code, str(tmp_path / "none") in done.err) == (2, True)


async def test_truncated_end_is_reported(audit: AuditorCommand, mirror: Path) -> None:
    """It is not a breach: a mirror that is being written looks the same."""
    segment = sorted((mirror / "LEDGER").iterdir())[-1]
    os.truncate(segment, segment.stat().st_size - 7)
    done = await audit("verify", "--from", mirror, "--json")
    assert any(f"at the end of LEDGER/{segment.name}" in what for what in done.document["not_checked"])
    done = await audit("balances", "--from", mirror)
    assert f"at the end of LEDGER/{segment.name}" in done.err
