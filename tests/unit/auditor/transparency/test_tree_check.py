"""The Merkle tree of the ledger: confirmed checkpoints, breaches, and inclusion proofs."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.audit.nats_ledger import LOG, signed_checkpoint, small_ledger

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.transparency.checkpoints import SignedCheckpoint
from telecine_auditor.transparency.inclusion import ProofBuilder, root_from_proof
from telecine_auditor.transparency.signatures import verify_note
from telecine_auditor.transparency.tree_check import TreeCheck
from telecine_contracts.transparency import leaf_hash
from telecine_credits.checkpoints.key import Signer

LEDGER = small_ledger(8).ledger
SIGNER = Signer.new(LOG)

# Leaves, roots and audit paths that implementations of RFC 6962 have in common.
LEAVES = tuple(
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
PATHS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def checkpoint(entries: list[StoredMessage], size: int, place: str = "stream") -> SignedCheckpoint:
    note = signed_checkpoint(SIGNER, entries, size)
    return SignedCheckpoint(verify_note(note, ())[0], note, LOG, place)


def checked(
    entries: list[StoredMessage], checkpoints: list[SignedCheckpoint]
) -> tuple[list[int], list[Breach]]:
    """The sizes of the confirmed checkpoints, and the breaches."""
    found: list[Breach] = []
    check = TreeCheck(checkpoints, found.append)
    for at in range(0, len(entries), 3):
        check.take(entries[at : at + 3])
    check.finish()
    return [one.checkpoint.size for one in check.confirmed], found


def changed(number: int) -> list[StoredMessage]:
    """The ledger with one byte of one entry changed."""
    entry = LEDGER[number - 1]
    other = entry._replace(body=entry.body.replace(b'"ann"', b'"bnn"', 1))
    return [*LEDGER[: number - 1], other, *LEDGER[number:]]


def test_checkpoints_of_the_ledger_are_confirmed() -> None:
    sizes = [0, 1, 2, 7, 8, 9, 17]
    assert checked(LEDGER, [checkpoint(LEDGER, size) for size in reversed(sizes)]) == (sizes, [])


def test_all_checkpoints_of_one_size_are_confirmed() -> None:
    both = [checkpoint(LEDGER, 5, "stream"), checkpoint(LEDGER, 5, "file")]
    assert checked(LEDGER, both) == ([5, 5], [])


@pytest.mark.parametrize("number", range(1, len(LEDGER) + 1))
def test_a_changed_byte_is_located_between_two_checkpoints(number: int) -> None:
    sizes = [4, 8, 12, len(LEDGER)]
    confirmed, found = checked(changed(number), [checkpoint(LEDGER, size) for size in sizes])
    (breach,) = found
    assert breach.kind is BreachKind.CHECKPOINT_MISMATCH
    low, high = next((low, high) for low, high in pairwise([0, *sizes]) if low < number <= high)
    assert confirmed == [size for size in sizes if size <= low]
    assert f"entries from {low + 1} to {high} were changed" in breach.message
    assert breach.sequence == high


def test_swapped_entries_are_found() -> None:
    swapped = [*LEDGER[:4], LEDGER[5], LEDGER[4], *LEDGER[6:]]
    renumbered = [entry._replace(sequence=number) for number, entry in enumerate(swapped, start=1)]
    assert [one.kind for one in checked(renumbered, [checkpoint(LEDGER, 9)])[1]] == [
        BreachKind.CHECKPOINT_MISMATCH
    ]


def test_a_missing_entry_is_reported() -> None:
    confirmed, found = checked([*LEDGER[:4], *LEDGER[5:]], [checkpoint(LEDGER, 3), checkpoint(LEDGER, 9)])
    assert confirmed == [3]
    assert [(one.kind, "entry 5 is missing" in one.message) for one in found] == [
        (BreachKind.CHECKPOINT_MISMATCH, True)
    ]


def test_a_ledger_that_ends_early_is_truncated() -> None:
    confirmed, found = checked(LEDGER[:6], [checkpoint(LEDGER, size) for size in (3, 7, 9)])
    assert confirmed == [3]
    (breach,) = found
    assert (breach.kind, breach.sequence) == (BreachKind.TRUNCATED, 7)
    assert "covers 9 entries, the ledger has 6" in breach.message


def test_an_empty_ledger_is_truncated_too() -> None:
    assert [one.kind for one in checked([], [checkpoint(LEDGER, 1)])[1]] == [BreachKind.TRUNCATED]


def test_a_false_checkpoint_between_two_valid_ones_is_found() -> None:
    lie = checkpoint(changed(1), 6, "a lie")
    confirmed, found = checked(LEDGER, [checkpoint(LEDGER, 4), lie, checkpoint(LEDGER, 9)])
    assert confirmed == [4, 9]
    assert [(one.kind, one.sequence) for one in found] == [(BreachKind.CHECKPOINT_MISMATCH, 6)]


def test_checkpoints_of_two_histories_contradict_each_other() -> None:
    confirmed, found = checked(LEDGER, [checkpoint(LEDGER, 6), checkpoint(changed(1), 6, "a lie")])
    assert confirmed == [6]
    assert [("a lie" in one.message, "another checkpoint" in one.message) for one in found] == [(True, True)]


def test_the_frontier_is_available_after_the_check() -> None:
    check = TreeCheck((), print)
    check.take(LEDGER)
    check.finish()
    assert check.frontier.size == len(LEDGER)
    assert check.frontier.root() == verify_note(signed_checkpoint(SIGNER, LEDGER), ())[0].root


def built(index: int, leaves: list[bytes]) -> ProofBuilder:
    builder = ProofBuilder(index, len(leaves))
    for leaf in leaves:
        assert not builder.complete
        builder.append(leaf)
    assert builder.complete
    return builder


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_and_roots_are_those_of_rfc_6962(index: int, size: int) -> None:
    leaves = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    builder = built(index, leaves)
    assert builder.root().hex() == ROOTS[size - 1]
    assert tuple(hash.hex() for hash in builder.proof()) == PATHS[index, size]
    assert root_from_proof(leaves[index], index, size, builder.proof()) == builder.root()


def reference_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, transcribed."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\1" + reference_root(leaves[:half]) + reference_root(leaves[half:])).digest()


def reference_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, transcribed."""
    if len(leaves) == 1:
        return []
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    if index < half:
        return [*reference_path(index, leaves[:half]), reference_root(leaves[half:])]
    return [*reference_path(index - half, leaves[half:]), reference_root(leaves[:half])]


sizes_and_leaves = st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@given(sizes_and_leaves)
def test_audit_paths_match_the_rfc_and_prove_one_leaf(place: tuple[int, int]) -> None:
    size, index = place
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    proof = built(index, leaves).proof()
    root = reference_root(leaves)
    assert list(proof) == reference_path(index, leaves)
    for other in range(size):
        assert (root_from_proof(leaves[index], other, size, proof) == root) == (other == index)
    assert root_from_proof(leaf_hash(b"else"), index, size, proof) != root
    assert root_from_proof(leaves[index], index, size, (*proof, root)) is None


def test_a_leaf_outside_the_tree_cannot_be_proven() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        ProofBuilder(3, 3)
    assert root_from_proof(b"", 3, 3, ()) is None


def test_leaves_beyond_the_tree_size_are_ignored() -> None:
    leaves = [leaf_hash(leaf) for leaf in LEAVES]
    builder = ProofBuilder(1, 5)
    for leaf in leaves:
        builder.append(leaf)
    assert builder.root().hex() == ROOTS[4]
    assert tuple(hash.hex() for hash in builder.proof()) == PATHS[1, 5]
