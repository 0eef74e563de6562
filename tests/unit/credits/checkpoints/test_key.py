"""The signing key: its text form is Go's, what it signs verifies, and it is never shown."""

import base64
import traceback

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from telecine_contracts.signed_note import Checkpoint, Note, VerifierKey
from telecine_credits.checkpoints.key import BadKey, Signer

PUBLISHED = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
"""The example of golang.org/x/mod/sumdb/note, with its verifier key."""
PUBLISHED_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ORIGIN = "telecine/ledger"


def checkpoint(origin: str = ORIGIN, size: int = 5) -> Checkpoint:
    return Checkpoint(origin, size, b"r" * 32)


def verify(note: Note, key: VerifierKey) -> None:
    """As any reader would; raises BadSignatureError."""
    [signature] = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.id)]
    VerifyKey(key.public).verify(note.text.encode(), signature.signature)


def test_the_published_example_is_read_and_written() -> None:
    signer = Signer.of(PUBLISHED)
    assert str(signer.verifier) == PUBLISHED_VERIFIER
    assert signer.name == "PeterNeumann"
    assert signer.secret_text() == PUBLISHED


def test_a_key_comes_back_from_its_text() -> None:
    signer = Signer.new(ORIGIN)
    assert Signer.of(f"{signer.secret_text()}\n").verifier == signer.verifier
    assert Signer.of(signer.secret_text()).sign(checkpoint()) == signer.sign(checkpoint())


def test_generated_keys_differ() -> None:
    assert Signer.new(ORIGIN).verifier != Signer.new(ORIGIN).verifier


def test_what_is_signed_verifies_and_reads_back() -> None:
    signer = Signer.new(ORIGIN)
    note = Note.of(str(signer.sign(checkpoint())))
    verify(note, VerifierKey.of(str(signer.verifier)))
    assert Checkpoint.of(note.text) == checkpoint()
    assert note.text.startswith(f"{ORIGIN}\n5\n")


def test_another_key_of_the_same_name_has_another_id() -> None:
    note, other = Signer.new(ORIGIN).sign(checkpoint()), Signer.new(ORIGIN).verifier
    assert note.signatures[0].key_id != other.id
    with pytest.raises(BadSignatureError):
        VerifyKey(other.public).verify(note.text.encode(), note.signatures[0].signature)


@pytest.mark.parametrize(("old", "new"), [("\n5\n", "\n6\n"), (ORIGIN, "telecine/other"), ("cnJy", "cnJz")])
def test_a_changed_text_does_not_verify(old: str, new: str) -> None:
    signer = Signer.new(ORIGIN)
    note = signer.sign(checkpoint())
    forged = note.text.replace(old, new)
    assert forged != note.text
    with pytest.raises(BadSignatureError):
        verify(Note(forged, note.signatures), signer.verifier)


def test_a_checkpoint_of_another_log_is_not_signed() -> None:
    with pytest.raises(BadKey, match="telecine/ledger, not of other/log"):
        Signer.new(ORIGIN).sign(checkpoint("other/log"))


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "nul\x00"])
def test_a_name_that_no_key_can_have(name: str) -> None:
    with pytest.raises(BadKey, match="name of a key"):
        Signer.new(name)


def other(data: bytes) -> str:
    return f"PRIVATE+KEY+PeterNeumann+c74f20a3+{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "PRIVATE"),
        ("secret", "PRIVATE"),
        (PUBLISHED_VERIFIER, "PRIVATE"),
        ("PRIVATE+KEY+PeterNeumann", "PRIVATE"),
        (PUBLISHED.replace("AYEK", "A*EK"), "PRIVATE"),
        (PUBLISHED[:-1], "PRIVATE"),
        (PUBLISHED.replace("c74f20a3", "c74f20a4"), "does not match"),
        (PUBLISHED.replace("PeterNeumann", "PeterNewmann"), "does not match"),
        (PUBLISHED.replace("KDFz", "KDFy"), "does not match"),
        (PUBLISHED.replace("PeterNeumann", "Peter Neumann"), "name of a key"),
        (other(b"\x02" + b"s" * 32), "not an Ed25519 key"),
        (other(b"\x01" + b"s" * 31), "32 bytes"),
        (other(b"\x01" + b"s" * 64), "32 bytes"),
        (other(b"\x01"), "32 bytes"),
    ],
)
def test_invalid_keys_are_refused_without_being_shown(text: str, why: str) -> None:
    with pytest.raises(BadKey, match=why) as caught:
        Signer.of(text)
    assert "AYEK" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None


def test_the_secret_is_not_shown() -> None:
    signer = Signer.of(PUBLISHED)
    seed = base64.b64decode(PUBLISHED.split("+", 4)[4])[1:]
    for shown in (repr(signer), str(signer), f"{signer}", repr(signer.verifier), repr(signer.sign)):
        assert "AYEKFALV" not in shown
        assert repr(seed) not in shown
        assert seed.hex() not in shown
