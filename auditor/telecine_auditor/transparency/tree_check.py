"""Compares the entries with signed checkpoints, by the roots of their Merkle tree."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import groupby

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.sources.message import CanonicalHeaders, StoredMessage, parse_canonical_headers
from telecine_contracts.transparency import Frontier

from .checkpoints import SignedCheckpoint

__all__ = ["TreeCheck"]


class TreeCheck:
    """Takes every entry of LEDGER from sequence 1, in order, and compares the root at the size of each checkpoint.

    If a checkpoint does not match, the larger ones do not either: one breach reports all of them, with the range of
    entries that the change is in.
    """

    def __init__(self, checkpoints: Sequence[SignedCheckpoint], on_breach: Callable[[Breach], None]) -> None:
        self.frontier = Frontier()
        """The tree over the entries taken so far."""
        self.confirmed: list[SignedCheckpoint] = []
        """Checkpoints whose root is the root of the entries taken."""
        self.on_breach = on_breach
        """Receives the breaches."""
        ordered = sorted(checkpoints, key=_size)
        self._ahead = [(size, tuple(same)) for size, same in groupby(ordered, _size)][::-1]
        self._missing: int | None = None
        self._holds_to = 0
        self._failed = False
        self._compare()

    def take(
        self, entries: Sequence[StoredMessage], heads: Sequence[CanonicalHeaders | None] | None = None
    ) -> None:
        """Take the next entries; `heads` are their headers, if the caller has parsed them already."""
        append, tree = self.frontier.append, self.frontier
        target = self._ahead[-1][0] if self._ahead else 0
        heads = heads or [parse_canonical_headers(entry.head) for entry in entries]
        for entry, head in zip(entries, heads, strict=True):
            append(sha256(entry.leaf(head)).digest())
            # Leaf n is sequence n + 1: from the first gap on, no checkpoint can match.
            if entry.sequence != tree.size and self._missing is None:
                self._missing = tree.size
            if tree.size == target:
                self._compare()
                target = self._ahead[-1][0] if self._ahead else 0

    def finish(self) -> None:
        """End of the ledger: a checkpoint over more entries is the breach `truncated`."""
        if self._ahead:
            size, (checkpoint, *_) = self._ahead[0]
            words = f"{_told(checkpoint)} covers {size} entries, the ledger has {self.frontier.size}"
            self.on_breach(Breach(BreachKind.TRUNCATED, words, sequence=self.frontier.size + 1))
        self._ahead = []

    def _compare(self) -> None:
        """Compare with the checkpoints of the size that the tree has now."""
        while self._ahead and self._ahead[-1][0] == self.frontier.size:
            size, checkpoints = self._ahead.pop()
            root = self.frontier.root()
            wrong = [one for one in checkpoints if one.checkpoint.root != root]
            self.confirmed += [one for one in checkpoints if one.checkpoint.root == root]
            if len(wrong) < len(checkpoints):
                self._holds_to, self._failed = size, False
            # A wrong root stays wrong as the tree grows, so only the first mismatch is reported.
            if wrong and not self._failed:
                self._mismatch(wrong[0], contradicted=len(wrong) < len(checkpoints))
            self._failed = len(wrong) == len(checkpoints)

    def _mismatch(self, checkpoint: SignedCheckpoint, *, contradicted: bool) -> None:
        size = checkpoint.checkpoint.size
        if contradicted:
            words = (
                f"{_told(checkpoint)} has another root than these {size} entries, and than another checkpoint"
            )
        elif self._missing:
            words = f"{_told(checkpoint)} cannot match: entry {self._missing} is missing"
        else:
            words = f"{_told(checkpoint)} has another root: entries from {self._holds_to + 1} to {size} were changed"
        self.on_breach(Breach(BreachKind.CHECKPOINT_MISMATCH, words, sequence=size))


def _size(checkpoint: SignedCheckpoint) -> int:
    return checkpoint.checkpoint.size


def _told(checkpoint: SignedCheckpoint) -> str:
    return f"checkpoint {checkpoint.place}"
