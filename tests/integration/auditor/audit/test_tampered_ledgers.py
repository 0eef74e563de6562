"""Ledgers that were changed on the disk of the server or the mirror are found."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand, AuditResult
from tests.support.audit.nats_ledger import (
    LOG,
    renumber,
    signed_checkpoint,
    small_ledger,
    stored_checkpoint,
    tampered_server,
)
from tests.support.audit.streams import StreamBuilder

from telecine_auditor.breaches import BreachKind
from telecine_auditor.mirror.format import CHECKSUMS, decode_frames, encode_frame, segment_header, sha256_hex
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new(LOG)
ORIGINAL = small_ledger(6)
LEDGER = ORIGINAL.ledger
EARLY, LATE = 5, len(LEDGER)
CHECKPOINTS = renumber(
    stored_checkpoint(signed_checkpoint(SIGNER, LEDGER, size), number=size) for size in (EARLY, 9, LATE)
)
Change = Callable[[list[StoredMessage]], list[StoredMessage]]


@dataclass(frozen=True)
class TamperingEnvironment:
    """An auditor with an early checkpoint and the public key."""

    auditor: AuditorCommand
    folder: Path

    async def verify(self, *options: object, stream: str = "published") -> AuditResult:
        """`verify` with the published checkpoints, or with the kept file."""
        kept = self.folder / "kept.checkpoint"
        kept.write_text(signed_checkpoint(SIGNER, LEDGER, EARLY))
        late = self.folder / "late.checkpoint"
        late.write_text(signed_checkpoint(SIGNER, LEDGER, LATE))
        files = ("--checkpoint", kept, "--checkpoint", late) if stream == "kept" else ()
        return await self.auditor(
            "verify", "--key", SIGNER.verifier, *files, *options, "--json", "--ledger-only"
        )

    @asynccontextmanager
    async def on_nats(
        self, ledger: Sequence[StoredMessage], checkpoints: Sequence[StoredMessage]
    ) -> AsyncIterator[tuple[object, ...]]:
        """Options for a server with this LEDGER."""
        async with tampered_server(self.folder / "nats", ledger, checkpoints) as server:
            yield ("--nats", server.url)

    @asynccontextmanager
    async def on_disk(
        self, ledger: Sequence[StoredMessage], checkpoints: Sequence[StoredMessage]
    ) -> AsyncIterator[tuple[object, ...]]:
        """Options for a mirror with valid hashes."""
        with open_mirror(self.folder / "mirror", most=4) as mirror:
            mirror.stream("LEDGER").append(renumber(ledger))
            mirror.stream("CHECKPOINTS").append(checkpoints)
        yield ("--from", self.folder / "mirror")


@pytest.fixture
def environment(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> TamperingEnvironment:
    return TamperingEnvironment(AuditorCommand(capsys), tmp_path)


def kinds(done: AuditResult) -> set[str]:
    return {breach["kind"] for breach in done.document["breaches"]}


def at(number: int, change: Callable[[StoredMessage], StoredMessage]) -> Change:
    """Replaces one entry."""
    return lambda ledger: [*ledger[: number - 1], change(ledger[number - 1]), *ledger[number:]]


def copy_of(entry: StoredMessage) -> StoredMessage:
    """Repeats the entry, without the server's deduplication by id."""
    return entry._replace(head=entry.head.replace(b"Nats-Msg-Id: ", b"Nats-Msg-Id: copy-of-"))


CHANGES: dict[str, tuple[Change, BreachKind]] = {
    "a byte of a body": (
        at(3, lambda entry: entry._replace(body=entry.body.replace(b"2026", b"2025", 1))),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "a byte that no rule looks at": (
        at(1, lambda entry: entry._replace(body=entry.body.replace(b'"reason":""', b'"reason":"x"'))),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "a space in a body": (
        at(4, lambda entry: entry._replace(body=entry.body + b" ")),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "a byte of a header": (
        at(
            4,
            lambda entry: entry._replace(head=entry.head.replace(b"ce-correlation: c", b"ce-correlation: d")),
        ),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "a header more": (
        at(4, lambda entry: entry._replace(head=b"x: y\r\n" + entry.head)),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "the subject": (
        at(4, lambda entry: entry._replace(subject=entry.subject.replace("ann", "eve"))),
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "an entry dropped": (lambda ledger: ledger[:3] + ledger[4:], BreachKind.CHECKPOINT_MISMATCH),
    "two entries swapped": (
        lambda ledger: [*ledger[:3], ledger[4], ledger[3], *ledger[5:]],
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "an entry put in": (
        lambda ledger: [*ledger[:3], copy_of(ledger[2]), *ledger[3:]],
        BreachKind.CHECKPOINT_MISMATCH,
    ),
    "the last entry cut off": (lambda ledger: ledger[:-1], BreachKind.TRUNCATED),
    "all but the first cut off": (lambda ledger: ledger[:1], BreachKind.TRUNCATED),
    "everything gone": (lambda ledger: [], BreachKind.TRUNCATED),
    "everything written anew by the rules": (
        lambda ledger: small_ledger(6, reference="pay-2", prefix="h").ledger,
        BreachKind.CHECKPOINT_MISMATCH,
    ),
}


@pytest.mark.parametrize("place", ["nats", "disk"])
async def test_untampered_ledger_verifies(environment: TamperingEnvironment, place: str) -> None:
    source = environment.on_nats if place == "nats" else environment.on_disk
    async with source(LEDGER, CHECKPOINTS) as options:
        done = await environment.verify(*options, stream="kept")
    assert (done.code, done.document["breaches"]) == (0, [])


@pytest.mark.parametrize("change", CHANGES)
async def test_tampering_is_found_on_a_server(environment: TamperingEnvironment, change: str) -> None:
    deed, kind = CHANGES[change]
    async with environment.on_nats(deed(LEDGER), CHECKPOINTS) as options:
        done = await environment.verify(*options)
    assert (done.code, kind.value in kinds(done)) == (1, True), done.out


async def test_a_rewritten_ledger_is_found_with_a_checkpoint_only(
    environment: TamperingEnvironment,
) -> None:
    """The rules alone cannot find this, so checkpoints are signed and kept elsewhere."""
    anew = small_ledger(6, reference="pay-2", prefix="h").ledger
    async with environment.on_disk(anew, []) as options:
        assert (await environment.auditor("verify", *options)).code == 0
        assert kinds(await environment.verify(*options)) == {"checkpoint-missing"}
        done = await environment.verify(*options, stream="kept")
    breach, other = done.document["breaches"]
    assert (breach["kind"], breach["sequence"]) == ("checkpoint-mismatch", EARLY)
    assert other["kind"] == "checkpoint-missing"


async def test_new_checkpoints_of_another_key_do_not_help(environment: TamperingEnvironment) -> None:
    anew = small_ledger(6, reference="pay-2", prefix="h").ledger
    forger = Signer.new(LOG)
    forged = [stored_checkpoint(signed_checkpoint(forger, anew), number=1)]
    async with environment.on_disk(anew, forged) as options:
        done = await environment.verify(*options)
    assert kinds(done) == {"checkpoint-forged"}


async def test_changes_after_the_last_checkpoint_are_not_found(
    environment: TamperingEnvironment,
) -> None:
    """After the last checkpoint only the rules apply."""
    changed = at(EARLY + 1, lambda entry: entry._replace(body=entry.body.replace(b'"ann"', b' "ann"')))(
        LEDGER
    )
    early = CHECKPOINTS[:1]
    async with environment.on_disk(changed, early) as options:
        assert (await environment.verify(*options)).code == 0
    async with environment.on_nats(changed, CHECKPOINTS) as options:
        assert kinds(await environment.verify(*options)) == {"checkpoint-mismatch"}


def mirrored(folder: Path, streams: StreamBuilder) -> Path:
    """A mirror with several sealed segments."""
    with open_mirror(folder, most=4) as mirror:
        mirror.stream("LEDGER").append(streams.ledger)
        mirror.stream("CHECKPOINTS").append(CHECKPOINTS)
    return folder


async def test_a_changed_bit_of_a_mirror_is_found_by_hash_and_checkpoint(
    environment: TamperingEnvironment,
) -> None:
    mirror = mirrored(environment.folder / "mirror", ORIGINAL)
    segment = mirror / "LEDGER" / "00000000000000000005.entries"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    done = await environment.verify("--from", mirror)
    assert done.code == 1
    assert {"mirror-changed", "checkpoint-mismatch"} <= kinds(done)
    named = next(one for one in done.document["breaches"] if one["kind"] == "mirror-changed")
    assert "LEDGER/00000000000000000005.entries" in named["says"]


async def test_other_commands_refuse_a_changed_mirror(environment: TamperingEnvironment) -> None:
    mirror = mirrored(environment.folder / "mirror", ORIGINAL)
    segment = mirror / "LEDGER" / "00000000000000000005.entries"
    entry = decode_frames(segment.read_bytes(), len(segment_header("LEDGER")))[0][0]
    other = entry._replace(body=entry.body.replace(b'"ann"', b'"eve"'))
    segment.write_bytes(segment.read_bytes().replace(encode_frame(entry), encode_frame(other)))
    done = await environment.auditor("balances", "--from", mirror)
    assert (done.code, done.out) == (2, "")
    assert "LEDGER/00000000000000000005.entries" in done.err
    sums = (mirror / CHECKSUMS).read_text()
    (mirror / CHECKSUMS).write_text(
        "".join(
            f"{sha256_hex(segment.read_bytes())}{line[64:]}\n" if segment.name in line else f"{line}\n"
            for line in sums.splitlines()
        )
    )
    # With the hash made right the mirror looks whole: only a signature tells.
    assert (await environment.auditor("checkpoint", "--from", mirror)).code == 1
