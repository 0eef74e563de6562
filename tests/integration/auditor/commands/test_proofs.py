"""`checkpoint`, `prove` and `check-proof`: what was signed, and that an entry is in it, verified with its key."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import LOG, renumber, signed_checkpoint, small_ledger, stored_checkpoint

from telecine_auditor.errors import MalformedProof, NoTrustedSignature, ProofMismatch
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.transparency.proofs import Proof, verify_proof
from telecine_contracts.signed_note import VerifierKey
from telecine_contracts.transparency import leaf_hash
from telecine_credits.checkpoints.key import Signer

LEDGER = small_ledger(6).ledger
SIGNER = Signer.new(LOG)
SIZES = (5, 9)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A ledger of 13 entries with checkpoints over 5 and 9 of them."""
    notes = (stored_checkpoint(signed_checkpoint(SIGNER, LEDGER, size), number=size) for size in SIZES)
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(LEDGER)
        mirror.stream("CHECKPOINTS").append(renumber(notes))
    return tmp_path / "mirror"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "ledger.vkey").write_text(f"{SIGNER.verifier}\n")
    return tmp_path / "ledger.vkey"


@pytest.fixture
def auditor(capsys: pytest.CaptureFixture[str], mirror: Path, key: Path) -> AuditorCommand:
    return AuditorCommand(capsys).using("--from", mirror, "--key", key)


@pytest.fixture
def offline(auditor: AuditorCommand, key: Path) -> AuditorCommand:
    """The same without any ledger."""
    return auditor.using("--key", key)


async def test_the_newest_checkpoint_is_shown_and_saved(auditor: AuditorCommand, tmp_path: Path) -> None:
    done = await auditor("checkpoint", "--out", tmp_path / "kept")
    note = signed_checkpoint(SIGNER, LEDGER, 9)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{note}\nCHECKPOINTS#2: signed by {LOG}, the ledger has this root\nsaved: {tmp_path / 'kept'}\n"
    )
    assert (tmp_path / "kept").read_text() == note


async def test_all_checkpoints_are_listed(auditor: AuditorCommand) -> None:
    lines = (await auditor("checkpoint", "--all")).out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["5", "9"]
    assert all(f"signed by {LOG}, the ledger has this root" in line for line in lines[2:])


async def test_checkpoints_as_json(auditor: AuditorCommand) -> None:
    document = (await auditor("checkpoint", "--all", "--json")).document
    assert document["holds"] is True
    assert [
        (one["size"], one["origin"], one["signed_by"], one["confirmed"]) for one in document["checkpoints"]
    ] == [
        (5, LOG, LOG, True),
        (9, LOG, LOG, True),
    ]


async def test_without_a_key_no_signature_is_verified(auditor: AuditorCommand, mirror: Path) -> None:
    done = await auditor.using("--from", mirror)("checkpoint")
    assert (done.code, "No signature was verified" in done.out) == (0, True)


async def test_a_different_ledger_is_a_breach(auditor: AuditorCommand, mirror: Path, tmp_path: Path) -> None:
    with open_mirror(tmp_path / "other") as other:
        other.stream("LEDGER").append(small_ledger(6, reference="pay-2").ledger)
        notes = (stored_checkpoint(signed_checkpoint(SIGNER, LEDGER, size), number=size) for size in SIZES)
        other.stream("CHECKPOINTS").append(renumber(notes))
    done = await auditor.using("--from", tmp_path / "other", "--key", SIGNER.verifier)("checkpoint")
    assert done.code == 1
    assert "THE LEDGER DOES NOT HAVE THIS ROOT" in done.out
    assert "checkpoint-mismatch" in done.out


async def test_a_ledger_without_a_checkpoint_is_an_error(auditor: AuditorCommand, tmp_path: Path) -> None:
    with open_mirror(tmp_path / "other") as other:
        other.stream("LEDGER").append(LEDGER)
        other.stream("CHECKPOINTS")
    auditor = auditor.using("--from", tmp_path / "other", "--key", SIGNER.verifier)
    done = await auditor("checkpoint")
    assert (done.code, "no signed checkpoint yet" in done.err) == (2, True)
    done = await auditor("prove", 1)
    assert (done.code, "no checkpoint covers entry 1: the largest one is over 0" in done.err) == (2, True)


@pytest.mark.parametrize("number", range(1, 10))
async def test_every_signed_entry_can_be_proven_offline(
    auditor: AuditorCommand, offline: AuditorCommand, tmp_path: Path, number: int
) -> None:
    file = tmp_path / "entry.tlog-proof"
    size = 5 if number <= 5 else 9
    made = await auditor("prove", number, "--out", file)
    assert (made.code, made.err) == (0, "")
    assert made.out == f"{file}: entry {number} is among the {size} that {LOG} signed\n"
    done = await offline("check-proof", file, "--json")
    assert done.code == 0
    entry = LEDGER[number - 1]
    assert done.document == {
        "document": "telecine-audit check-proof 1",
        "says": None,
        "holds": True,
        "sequence": number,
        "signed_by": LOG,
        "size": size,
        "subject": entry.subject,
        "headers": [
            line for line in entry.head.decode().split("\r\n") if line and not line.startswith("Nats-")
        ],
        "body": base64.b64encode(entry.body).decode(),
    }


async def test_a_proof_has_the_format_of_c2sp(auditor: AuditorCommand) -> None:
    lines = (await auditor("prove", 6)).out.split("\n")
    note = signed_checkpoint(SIGNER, LEDGER, 9)
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert base64.b64decode(lines[1].removeprefix("extra ")) == LEDGER[5].stated
    assert lines[2] == "index 5"
    blank = lines.index("")
    assert [len(base64.b64decode(line)) for line in lines[3:blank]] == [32] * 4
    assert "\n".join(lines[blank + 1 :]) == note


async def test_check_proof_prints_the_entry(
    auditor: AuditorCommand, offline: AuditorCommand, tmp_path: Path
) -> None:
    await auditor("prove", 2, "--out", tmp_path / "proof")
    done = await offline("check-proof", tmp_path / "proof")
    assert done.out.startswith(
        f"Proven: this is entry 2 of the 5 entries that {LOG} signed.\n\nledger.ann.debited\nce-specversion: 1.0\n"
    )
    body = done.out[done.out.index("{") :]
    assert json.loads(body) == json.loads(LEDGER[1].body)


async def test_a_proof_is_made_against_a_given_checkpoint(auditor: AuditorCommand, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(signed_checkpoint(SIGNER, LEDGER, 13))
    done = await auditor("prove", 12, "--checkpoint", tmp_path / "kept", "--json")
    assert (done.code, done.document["checkpoint"]["size"]) == (0, 13)
    assert Proof.of(done.document["proof"]).index == 11


async def test_an_entry_without_a_checkpoint_is_an_error(auditor: AuditorCommand) -> None:
    done = await auditor("prove", 10)
    assert (done.code, done.out) == (2, "")
    assert "no checkpoint covers entry 10: the largest one is over 9 entries" in done.err


async def test_a_different_ledger_gives_no_proof(auditor: AuditorCommand, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(signed_checkpoint(SIGNER, small_ledger(6, reference="pay-2").ledger, 9))
    done = await auditor("prove", 2, "--checkpoint", tmp_path / "kept", "--out", tmp_path / "proof")
    assert (done.code, "checkpoint-mismatch" in done.err, (tmp_path / "proof").exists()) == (1, True, False)
    (tmp_path / "kept").write_text(signed_checkpoint(SIGNER, small_ledger(8).ledger, 17))
    done = await auditor("prove", 2, "--checkpoint", tmp_path / "kept", "--json")
    assert (done.code, [one["kind"] for one in done.document["breaches"]]) == (1, ["truncated"])


async def test_a_ledger_with_a_gap_gives_no_proof(auditor: AuditorCommand, tmp_path: Path) -> None:
    with open_mirror(tmp_path / "other") as other:
        other.stream("LEDGER").append([entry for entry in LEDGER if entry.sequence != 4])
    (tmp_path / "kept").write_text(signed_checkpoint(SIGNER, LEDGER, 9))
    auditor = auditor.using("--from", tmp_path / "other", "--key", SIGNER.verifier)
    done = await auditor("prove", 2, "--checkpoint", tmp_path / "kept")
    assert (done.code, "LEDGER#4  sequence-gap" in done.err) == (1, True)


async def test_a_key_is_required(auditor: AuditorCommand, mirror: Path, tmp_path: Path) -> None:
    for arguments in (("prove", 2, "--from", mirror), ("check-proof", tmp_path / "proof")):
        done = await auditor.using()(*arguments)
        assert (done.code, "--key is required" in done.err) == (2, True)


def proof(number: int = 6, size: int = 9) -> Proof:
    """A proof as `prove` makes it."""
    from telecine_auditor.transparency.inclusion import ProofBuilder

    builder = ProofBuilder(number - 1, size)
    for entry in LEDGER[:size]:
        builder.append(leaf_hash(entry.stated))
    return Proof(
        number - 1, builder.proof(), signed_checkpoint(SIGNER, LEDGER, size), LEDGER[number - 1].stated
    )


KEYS: tuple[VerifierKey, ...] = (SIGNER.verifier,)


def test_a_parsed_proof_equals_the_written_one() -> None:
    assert Proof.of(str(proof())) == proof()
    assert verify_proof(Proof.of(str(proof())), KEYS).body == LEDGER[5].body


def line(number: int, text: str) -> Callable[[str], str]:
    def change(whole: str) -> str:
        lines = whole.split("\n")
        lines[number] = text
        return "\n".join(lines)

    return change


FALSE_PROOFS: dict[str, Callable[[str], str]] = {
    "another entry": line(1, f"extra {base64.b64encode(LEDGER[6].stated).decode()}"),
    "another body": line(1, f"extra {base64.b64encode(LEDGER[5].stated + b' ').decode()}"),
    "another place": line(2, "index 6"),
    "another hash": line(3, base64.b64encode(bytes(32)).decode()),
    "a hash less": lambda text: text.replace(f"{text.split(chr(10))[3]}\n", "", 1),
    "a place beyond the tree": line(2, "index 99"),
    "another size": lambda text: text.replace("\n9\n", "\n10\n"),
    "another checkpoint": lambda text: (
        text.partition("\n\n")[0] + "\n\n" + signed_checkpoint(SIGNER, LEDGER, 10)
    ),
}


@pytest.mark.parametrize("lie", FALSE_PROOFS)
async def test_an_altered_proof_is_a_breach(offline: AuditorCommand, tmp_path: Path, lie: str) -> None:
    changed = FALSE_PROOFS[lie](str(proof()))
    with pytest.raises(ProofMismatch):
        verify_proof(Proof.of(changed), KEYS)
    (tmp_path / "proof").write_text(changed)
    done = await offline("check-proof", tmp_path / "proof")
    assert (done.code, "proves nothing" in done.out) == (1, True)
    assert (await offline("check-proof", tmp_path / "proof", "--json")).document["holds"] is False


MALFORMED_PROOFS: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: "",
    "another first line": line(0, "c2sp.org/tlog-proof@v2"),
    "no entry in it": lambda text: text.replace(f"{text.split(chr(10))[1]}\n", "", 1),
    "no index": lambda text: text.replace("index 5\n", "", 1),
    "an index with a zero before it": line(2, "index 05"),
    "a negative index": line(2, "index -1"),
    "a short hash": line(3, "AAAA"),
    "a hash that is not base64": line(3, "!" * 44),
    "base64 that is not as it is written": line(3, f"{'A' * 42}B="),
    "too many hashes": line(3, "\n".join([base64.b64encode(bytes(32)).decode()] * 70)),
    "no checkpoint": lambda text: text.partition("\n\n")[0],
    "half a checkpoint": lambda text: text[:-20],
}


@pytest.mark.parametrize("damage", MALFORMED_PROOFS)
async def test_a_malformed_proof_is_an_error(offline: AuditorCommand, tmp_path: Path, damage: str) -> None:
    broken = MALFORMED_PROOFS[damage](str(proof()))
    with pytest.raises(MalformedProof):
        verify_proof(Proof.of(broken), KEYS)
    (tmp_path / "proof").write_text(broken)
    done = await offline("check-proof", tmp_path / "proof")
    assert (done.code, "cannot be checked" in done.err) == (2, True)


async def test_a_proof_of_an_untrusted_key_is_an_error(offline: AuditorCommand, tmp_path: Path) -> None:
    other_key = (Signer.new(LOG).verifier,)
    with pytest.raises(NoTrustedSignature):
        verify_proof(proof(), other_key)
    (tmp_path / "proof").write_text(str(proof()))
    done = await offline.using("--key", other_key[0])("check-proof", tmp_path / "proof")
    assert (done.code, "not signed by a trusted key" in done.err) == (2, True)


async def test_a_missing_or_binary_proof_file_is_an_error(offline: AuditorCommand, tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(b"\xff\xfe")
    assert "UTF-8" in (await offline("check-proof", tmp_path / "proof")).err
    assert "cannot be read" in (await offline("check-proof", tmp_path / "absent")).err
