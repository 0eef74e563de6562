"""Keys, signed notes, and checkpoints from streams and files."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from tests.support.audit.nats_ledger import LOG, renumber, signed_checkpoint, small_ledger, stored_checkpoint

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError, InvalidSignature, NoTrustedSignature
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.transparency.checkpoints import (
    read_checkpoint_file,
    read_checkpoints,
    read_keys,
    read_published,
)
from telecine_auditor.transparency.signatures import verify_note
from telecine_contracts.signed_note import BadNote, Note, Signature, VerifierKey
from telecine_credits.checkpoints.key import Signer

LEDGER = small_ledger(2).ledger
SIGNER, OTHER_SIGNER = Signer.new(LOG), Signer.new("elsewhere.example/ledger")
KEYS = (SIGNER.verifier,)
NOTE, NEXT = signed_checkpoint(SIGNER, LEDGER), signed_checkpoint(SIGNER, LEDGER, 1)


class Checkpoints:
    """A source with CHECKPOINTS only."""

    unread = ()

    def __init__(self, *entries: StoredMessage) -> None:
        self.entries = entries

    async def has(self, stream: str) -> bool:
        return stream == "CHECKPOINTS" and bool(self.entries)

    async def last(self, stream: str) -> int:
        return self.entries[-1].sequence

    async def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        yield self.entries

    async def close(self) -> None:
        pass


def test_a_note_signed_by_the_key_is_accepted() -> None:
    checkpoint, name = verify_note(NOTE, KEYS)
    assert (checkpoint.origin, checkpoint.size, name) == (LOG, len(LEDGER), LOG)


def test_without_keys_a_note_is_accepted_unverified() -> None:
    assert verify_note(NOTE, ()) == (verify_note(NOTE, KEYS)[0], "")


def test_a_changed_note_has_an_invalid_signature() -> None:
    other = NOTE.replace(f"\n{len(LEDGER)}\n", f"\n{len(LEDGER) - 1}\n")
    with pytest.raises(InvalidSignature, match="is invalid"):
        verify_note(other, KEYS)


def test_extension_lines_are_signed_too() -> None:
    text, _, signatures = NOTE.rpartition("\n\n")
    with pytest.raises(InvalidSignature):
        verify_note(f"{text}\nmore\n\n{signatures}", KEYS)


def test_an_unknown_signer_is_named() -> None:
    with pytest.raises(NoTrustedSignature, match=f"{OTHER_SIGNER.name}\\+{OTHER_SIGNER.verifier.id.hex()}"):
        verify_note(signed_checkpoint(OTHER_SIGNER, LEDGER), KEYS)


def test_another_key_of_the_same_name_is_not_trusted() -> None:
    with pytest.raises(NoTrustedSignature):
        verify_note(signed_checkpoint(Signer.new(LOG), LEDGER), KEYS)


def test_witnesses_may_sign_as_well() -> None:
    both = Note(
        Note.of(NOTE).text,
        Note.of(NOTE).signatures + Note.of(signed_checkpoint(OTHER_SIGNER, LEDGER)).signatures,
    )
    assert verify_note(str(both), KEYS)[1] == LOG


def test_a_single_invalid_signature_of_our_key_is_forgery() -> None:
    good, bad = Note.of(NOTE), Note.of(signed_checkpoint(SIGNER, LEDGER, 1))
    with pytest.raises(InvalidSignature):
        verify_note(str(Note(good.text, good.signatures + bad.signatures)), KEYS)


def test_a_trusted_key_cannot_sign_for_another_log() -> None:
    key = SigningKey.generate()
    ours = VerifierKey(LOG, bytes(key.verify_key))
    text = Note.of(signed_checkpoint(OTHER_SIGNER, LEDGER)).text
    note = Note(text, (Signature(LOG, ours.id, key.sign(text.encode()).signature),))
    with pytest.raises(InvalidSignature, match="another log"):
        verify_note(str(note), (ours,))


def test_a_text_that_is_not_a_note_is_rejected() -> None:
    with pytest.raises(BadNote):
        verify_note("hello\n", KEYS)


def test_keys_are_read_from_texts_and_files(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n{SIGNER.verifier}\n\n {OTHER_SIGNER.verifier}\n")
    assert read_keys([str(SIGNER.verifier)]) == KEYS
    assert read_keys([str(file), str(SIGNER.verifier)]) == (*KEYS, OTHER_SIGNER.verifier, *KEYS)
    assert read_keys([]) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{SIGNER.verifier}"[:-8] + "AAAA" + f"{SIGNER.verifier}"[-4:], "a part of it was changed"),
        ("ledger+12345678+AQ==", "32 bytes"),
        (SIGNER.secret_text(), "signing key, which is secret"),
    ],
    ids=["changed", "short", "secret"],  # the keys are new in every process
)
def test_an_invalid_key_is_an_error(text: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        read_keys([text])


def test_a_file_without_keys_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    for name, says in (("empty", "has no key"), ("binary", "neither a key"), ("absent", "neither a key")):
        with pytest.raises(CommandError, match=says):
            read_keys([str(tmp_path / name)])


def test_a_checkpoint_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    file.write_text(NOTE)
    found = read_checkpoint_file(file, KEYS)
    assert (found.checkpoint.size, found.signed_by, found.place) == (len(LEDGER), LOG, str(file))


@pytest.mark.parametrize(
    "content", [b"", b"\xff", NOTE.encode().replace(b"\n", b"\r\n"), NOTE[:-30].encode()]
)
def test_a_file_that_is_not_a_checkpoint_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "checkpoint"
    file.write_bytes(content)
    with pytest.raises(CommandError, match="is not a trusted checkpoint"):
        read_checkpoint_file(file, KEYS)


def test_a_missing_checkpoint_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot read"):
        read_checkpoint_file(tmp_path / "absent", KEYS)


def test_a_checkpoint_file_of_another_key_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    file.write_text(signed_checkpoint(OTHER_SIGNER, LEDGER))
    with pytest.raises(CommandError, match="not signed by a trusted key"):
        read_checkpoint_file(file, KEYS)


def test_a_folder_of_checkpoints_is_read_smallest_first(tmp_path: Path) -> None:
    for size in (3, 1, 4):
        (tmp_path / f"ledger-{size:020}.txt").write_text(signed_checkpoint(SIGNER, LEDGER, size))
    (tmp_path / "latest.txt").write_text(signed_checkpoint(SIGNER, LEDGER, 4))
    (tmp_path / "notes.md").write_text("not one of them")
    assert [one.checkpoint.size for one in read_checkpoints(tmp_path, KEYS)] == [1, 3, 4, 4]
    assert [one.place for one in read_checkpoints(tmp_path / "latest.txt", KEYS)] == [
        str(tmp_path / "latest.txt")
    ]


def test_a_folder_without_checkpoints_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no checkpoints"):
        read_checkpoints(tmp_path, KEYS)


async def test_published_checkpoints_are_read_in_order() -> None:
    entries = renumber(stored_checkpoint(signed_checkpoint(SIGNER, LEDGER, size)) for size in (1, 2, 5))
    found: list[Breach] = []
    read = (await read_published(Checkpoints(*entries), KEYS, found.append)).checkpoints
    assert [(one.checkpoint.size, one.place) for one in read] == [
        (1, "CHECKPOINTS#1"),
        (2, "CHECKPOINTS#2"),
        (5, "CHECKPOINTS#3"),
    ]
    assert found == []


async def test_a_ledger_without_checkpoints_is_valid() -> None:
    assert (await read_published(Checkpoints(), KEYS, print)).checkpoints == []


def changed(entry: StoredMessage, **fields: object) -> StoredMessage:
    return entry._replace(body=json.dumps(json.loads(entry.body) | fields).encode())


TRUE = stored_checkpoint(NOTE)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (stored_checkpoint(signed_checkpoint(OTHER_SIGNER, LEDGER)), "not signed by a trusted key"),
        (stored_checkpoint(signed_checkpoint(Signer.new(LOG), LEDGER)), "not signed by a trusted key"),
        (changed(TRUE, note=NOTE.replace(f"\n{len(LEDGER)}\n", "\n99\n")), "is invalid"),
        (changed(TRUE, size=99), "something else than its note"),
        (
            changed(TRUE, root=json.loads(stored_checkpoint(NEXT).body)["root"]),
            "something else than its note",
        ),
        (changed(TRUE, note=7), "not an event that credits writes"),
        (changed(TRUE, note="x"), "a signed note is"),
        (TRUE._replace(body=b"[]"), "not an event that credits writes"),
        (TRUE._replace(body=b"{"), "not an event that credits writes"),
        (TRUE._replace(body=b"[" * 100_000), "not an event that credits writes"),
        (TRUE._replace(head=b""), "something else than its note"),
    ],
)
async def test_an_unverifiable_checkpoint_is_a_breach(entry: StoredMessage, says: str) -> None:
    found: list[Breach] = []
    assert (await read_published(Checkpoints(entry), KEYS, found.append)).checkpoints == []
    (breach,) = found
    assert (breach.kind, breach.stream, breach.sequence) == (BreachKind.CHECKPOINT_FORGED, "CHECKPOINTS", 1)
    assert says in breach.message


async def test_a_checkpoint_removed_from_the_stream_is_a_breach() -> None:
    one, *_, five = renumber([TRUE] * 5)
    for entries, sequence in (((one, five), 2), ((five,), 1)):
        found: list[Breach] = []
        await read_published(Checkpoints(*entries), KEYS, found.append)
        assert [(breach.kind, breach.sequence) for breach in found] == [
            (BreachKind.CHECKPOINT_MISSING, sequence)
        ]


async def test_checkpoints_of_other_logs_are_ignored() -> None:
    found: list[Breach] = []
    assert (
        await read_published(Checkpoints(changed(TRUE, log="access")), KEYS, found.append)
    ).checkpoints == []
    assert found == []
