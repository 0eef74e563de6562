"""Whether the entries that are read are those that signed checkpoints speak of."""

from collections.abc import Callable, Sequence

from telecine_contracts.transparency import Frontier

from .breach import Breach
from .checkpoint_reading import SignedCheckpoint
from .entry import Entry

__all__ = ["TreeCheck"]


class TreeCheck:
    """Feed it every entry of LEDGER from sequence 1, in order; it compares the root at each checkpoint's size."""

    def __init__(self, checkpoints: Sequence[SignedCheckpoint], on_breach: Callable[[Breach], None]) -> None:
        self.frontier = Frontier()
        """The tree over the entries taken so far."""
        self.confirmed: list[SignedCheckpoint] = []
        """Checkpoints whose root is the root of the entries taken."""

    def take(self, entries: Sequence[Entry]) -> None:
        """Take the next entries."""
        raise NotImplementedError

    def finish(self) -> None:
        """There are no more entries: a checkpoint over more of them is the breach `truncated`."""
        raise NotImplementedError
