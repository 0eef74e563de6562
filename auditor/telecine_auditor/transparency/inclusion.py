"""Inclusion proofs in an RFC 6962 tree (2.1.1): built in bounded memory, verified with a leaf and a root alone."""

from collections.abc import Iterator, Sequence

from telecine_contracts.transparency import Frontier, node_hash

__all__ = ["ProofBuilder", "root_from_proof"]


class ProofBuilder:
    """Takes the hashes of all leaves in order and keeps what proves one of them: a logarithm of hashes.

    The audit path of a leaf is the roots of the subtrees beside the way from it to the root. Those are runs of leaves
    that follow on each other, so one small tree at a time has to grow.
    """

    def __init__(self, index: int, size: int) -> None:
        """`index` from 0 within a tree of `size` leaves. Raises ValueError when it is not in there."""
        if not 0 <= index < size:
            raise ValueError(f"a tree of {size} leaves has no leaf {index}")
        self._turns = list(_turns(index, size))
        self._runs = sorted(run for run, _ in self._turns)
        self._index, self._size = index, size
        self._hashes: list[bytes] = []
        self._tree = Frontier()
        self._whole = Frontier()

    def append(self, leaf: bytes) -> None:
        """Take the hash of the next leaf; those beyond the tree are left alone."""
        at = self._whole.size
        if at >= self._size:
            return
        self._whole.append(leaf)
        if at == self._index:
            return
        self._tree.append(leaf)
        _, end = self._runs[len(self._hashes)]
        if at + 1 == end:
            self._hashes.append(self._tree.root())
            self._tree = Frontier()

    @property
    def complete(self) -> bool:
        """Whether all leaves of the tree were taken."""
        return self._whole.size == self._size

    def root(self) -> bytes:
        """The root of the tree."""
        return self._whole.root()

    def proof(self) -> tuple[bytes, ...]:
        """The audit path, from the leaf's sibling up to the root's child."""
        hashes = dict(zip(self._runs, self._hashes, strict=True))
        return tuple(hashes[run] for run, _ in reversed(self._turns))


def root_from_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root of a tree of `size` leaves in which `leaf` is number `index`; None if no such proof has this length."""
    if not 0 <= index < size:
        return None
    turns = list(_turns(index, size))
    if len(turns) != len(proof):
        return None
    root = leaf
    for hash, (_, right) in zip(proof, reversed(turns), strict=True):
        root = node_hash(hash, root) if right else node_hash(root, hash)
    return root


def _turns(index: int, size: int) -> Iterator[tuple[tuple[int, int], bool]]:
    """The path from the root down to a leaf: the number of leaves beside it at each step, and whether it goes right."""
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            yield (middle, end), False
            end = middle
        else:
            yield (start, middle), True
            start = middle
