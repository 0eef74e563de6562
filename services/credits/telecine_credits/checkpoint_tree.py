"""Hashes the LEDGER stream: every message of it, whatever it is, from the first one on."""

from contextlib import aclosing

from nats.aio.client import Client

from telecine_chassis.feed import Feed
from telecine_chassis.records import Record
from telecine_contracts.streams import LEDGER
from telecine_contracts.transparency import Frontier, entry_bytes, leaf_hash

from .checkpoint_refusals import EntriesMissing, LedgerCutShort

__all__ = ["LedgerReader"]


class LedgerReader:
    """The stream as a tree that grows. `limit`: messages in memory at once."""

    def __init__(self, connection: Client, *, limit: int = 500) -> None:
        self._connection = connection
        self._limit = limit

    async def length(self) -> int:
        """How many entries the stream has, from sequence 1 on. Raises EntriesMissing if one of them is not there."""
        state = (await self._connection.jetstream().stream_info(LEDGER.name)).state
        if state.messages != state.last_seq:
            raise EntriesMissing(f"{state.last_seq - state.messages} of {state.last_seq} entries are missing")
        return int(state.last_seq)

    async def grown(self, tree: Frontier, size: int) -> Frontier:
        """The tree of the first `size` entries, read on from `tree`, which stays as it is.

        Raises EntriesMissing or LedgerCutShort.
        """
        grown = Frontier(tree.size, tree.peaks)
        if grown.size == size:
            return grown
        async with aclosing(Feed(self._connection, LEDGER, limit=self._limit).follow(grown.size)) as batches:
            async for batch in batches:
                if not batch.records and (there := await self.length()) < size:
                    raise LedgerCutShort(f"the ledger has {there} entries, not {size}")
                for record in batch.records:
                    _append(grown, record)
                    if grown.size == size:
                        return grown
        raise AssertionError("a feed does not end")


def _append(tree: Frontier, record: Record) -> None:
    if record.sequence != tree.size + 1:
        raise EntriesMissing(f"entry {tree.size + 1} is missing")
    tree.append(leaf_hash(entry_bytes(record.subject, record.headers.items(), record.body)))
