"""Notes, checkpoints and verifier keys are read as C2SP has them, and nothing else is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts.signed_note import BadNote, Checkpoint, Note, Signature, VerifierKey

NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of golang.org/x/mod/sumdb/note."""
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
CHECKPOINT = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
"""The example of c2sp.org/tlog-checkpoint."""
ROOT = base64.b64encode(b"r" * 32).decode()
LINE = "— a " + base64.b64encode(b"id__signature").decode()


def test_the_published_note_is_read_and_written() -> None:
    note = Note.of(NOTE)
    assert note.text.endswith("your problem is.\n")
    assert [s.name for s in note.signatures] == ["PeterNeumann"]
    assert note.signatures[0].key_id.hex() == "c74f20a3"
    assert len(note.signatures[0].signature) == 64
    assert str(note) == NOTE


def test_the_published_checkpoint_is_read_and_written() -> None:
    note = Note.of(CHECKPOINT)
    checkpoint = Checkpoint.of(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == note.text
    assert str(note) == CHECKPOINT


def test_the_published_verifier_key_is_read_and_written() -> None:
    key = VerifierKey.of(f" {VERIFIER}\n")
    assert (key.name, key.id.hex()) == ("PeterNeumann", "c74f20a3")
    assert str(key) == VERIFIER


def test_a_text_may_have_empty_lines_and_a_note_many_signatures() -> None:
    note = Note.of(f"one\n\ntwo\n\n{LINE}\n{LINE}\n")
    assert note.text == "one\n\ntwo\n"
    assert len(note.signatures) == 2
    assert len(Note.of("text\n\n" + f"{LINE}\n" * 16).signatures) == 16


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("", "blank line"),
        ("text\n", "blank line"),
        (f"text\n{LINE}\n", "blank line"),
        ("text\n\n", "blank line"),
        (f"text\n\n{LINE}", "blank line"),
        (f"text\n\n{LINE}\n\n", "blank line"),
        (f"text\r\n\r\n{LINE}\r\n", "CR LF"),
        (f"text\r\n\n{LINE}\n", "CR LF"),
        (f"te\x00xt\n\n{LINE}\n", "control characters"),
        (f"te\txt\n\n{LINE}\n", "control characters"),
        (f"te\ud800xt\n\n{LINE}\n", "UTF-8"),
        (f"text\n\n{LINE.replace('—', '-')}\n", "signature line"),
        (f"text\n\n{LINE.replace('—', '–')}\n", "signature line"),
        (f"text\n\n {LINE}\n", "signature line"),
        (f"text\n\n{LINE} \n", "signature line"),
        (f"text\n\n{LINE.replace(' a ', '  ')}\n", "signature line"),
        (f"text\n\n{LINE.replace(' a ', ' a b ')}\n", "signature line"),
        (f"text\n\n{LINE.replace(' a ', ' a+b ')}\n", "signature line"),
        (f"text\n\n{LINE.replace(' a ', ' a' + chr(0xA0) + 'b ')}\n", "signature line"),
        ("text\n\n— a AAAAAA==\n", "signature line"),
        ("text\n\n— a \n", "signature line"),
        ("text\n\n— a AAAAAAAA=\n", "signature line"),
        ("text\n\n— a AAAA*AAAAA\n", "signature line"),
        ("text\n\n— a AAAAAAB=\n", "signature line"),
        ("text\n\n— a AAAAAA_-\n", "signature line"),
        ("text\n\n— a ÄÄÄÄ\n", "signature line"),
        (f"text\n\n{LINE}\nmore\n", "signature line"),
        ("text\n\n" + f"{LINE}\n" * 101, "at most 100"),
    ],
)
def test_invalid_notes_are_refused(note: str, why: str) -> None:
    with pytest.raises(BadNote, match=why):
        Note.of(note)


def test_extension_lines_are_left_alone() -> None:
    text = f"log\n5\n{ROOT}\nextension\nanother one\n"
    assert Checkpoint.of(text) == Checkpoint("log", 5, b"r" * 32)


@pytest.mark.parametrize("size", [0, 1, 2**53, 2**63 - 1])
def test_valid_tree_sizes_are_read(size: int) -> None:
    assert Checkpoint.of(f"log\n{size}\n{ROOT}\n").size == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "three lines"),
        (f"log\n5\n{ROOT}", "three lines"),
        ("log\n5\n", "three lines"),
        (f"\n5\n{ROOT}\n", "empty line"),
        ("log\n5\n\n", "empty line"),
        (f"log\n5\n{ROOT}\n\n", "empty line"),
        (f"log\n5\n{ROOT}\n\nextension\n", "empty line"),
        (f"log\n05\n{ROOT}\n", "decimal"),
        (f"log\n-5\n{ROOT}\n", "decimal"),
        (f"log\n+5\n{ROOT}\n", "decimal"),
        (f"log\n 5\n{ROOT}\n", "decimal"),
        (f"log\n5.0\n{ROOT}\n", "decimal"),
        (f"log\n٥\n{ROOT}\n", "decimal"),
        (f"log\n1_000\n{ROOT}\n", "decimal"),
        (f"log\n{10**19}\n{ROOT}\n", "decimal"),
        (f"log\n{2**63}\n{ROOT}\n", "below 2"),
        (f"log\n5\n{ROOT[:-1]}\n", "base64"),
        (f"log\n5\n{ROOT} \n", "base64"),
        (f"log\n5\n{ROOT[:-2]}J=\n", "base64"),
        (f"log\n5\n{base64.urlsafe_b64encode(bytes([255]) * 32).decode()}\n", "base64"),
        (f"log\n5\n{base64.b64encode(b'r' * 31).decode()}\n", "32 bytes"),
        (f"log\n5\n{base64.b64encode(b'r' * 33).decode()}\n", "32 bytes"),
        (f"log\r\n5\n{ROOT}\n", "one line"),
    ],
)
def test_invalid_checkpoints_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadNote, match=why):
        Checkpoint.of(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, b"r" * 32), ("a\nb", 1, b"r" * 32), ("a", -1, b"r" * 32), ("a", 1, b"r")],
)
def test_a_checkpoint_that_could_not_be_written(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(BadNote):
        Checkpoint(origin, size, root)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "verifier key is"),
        ("PeterNeumann", "verifier key is"),
        ("PeterNeumann+c74f20a3", "verifier key is"),
        ("PeterNeumann+c74f20a3+", "verifier key is"),
        (VERIFIER[:-1], "verifier key is"),
        (VERIFIER.replace("ARpc", "A*pc"), "verifier key is"),
        (VERIFIER.replace("c74f20a3", "c74f20a4"), "does not match"),
        (VERIFIER.replace("c74f20a3", "C74F20A3"), "does not match"),
        (VERIFIER.replace("Peter", "Petra"), "does not match"),
        (VERIFIER.replace("ARpc", "ARpd"), "does not match"),
        (VERIFIER.replace("ARpc", "Ahpc"), "not an Ed25519 key"),
        ("a+00000000+" + base64.b64encode(b"\x01" + b"k" * 31).decode(), "32 bytes"),
        (VERIFIER.replace("Peter", "Peter "), "name of a key"),
        (VERIFIER.replace("PeterNeumann", ""), "name of a key"),
        ("PRIVATE+KEY+a+00000000+AAAA", "which is secret"),
    ],
)
def test_invalid_verifier_keys_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadNote, match=why):
        VerifierKey.of(text)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    st.lists(st.binary(min_size=5, max_size=80), min_size=1, max_size=5),
)
def test_every_note_comes_back(text: str, signatures: list[bytes]) -> None:
    written = Note(text + "\n", tuple(Signature("name", data[:4], data[4:]) for data in signatures))
    assert Note.of(str(written)) == written


@given(st.text())
def test_no_text_leads_to_another_error(text: str) -> None:
    for read in (Note.of, Checkpoint.of, VerifierKey.of):
        try:
            read(text)
        except BadNote:
            continue
