"""Reads the LEDGER stream into a Merkle tree: every message is a leaf, whether it is an event or not."""

import asyncio
from collections.abc import Sequence

from telecine_chassis.runtime.cancellation import raise_if_cancelled
from telecine_contracts.streams import LEDGER
from telecine_contracts.transparency import Frontier, entry_bytes, leaf_hash
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import fetch_page
from telecine_jetstream.messages import StoredMessage

from .errors import EntriesMissing, LedgerTruncated

__all__ = ["LedgerReader"]

READ_TIMEOUT = 5
"""Timeout of a read, in seconds."""
REPLICA_RETRY_DELAY = 0.1
"""Seconds before a read is repeated while a replica of the stream lags behind its leader."""


class LedgerReader:
    """Extends a tree by the entries of the stream. `limit`: messages in memory at once."""

    def __init__(self, connection: NatsClient, *, limit: int = 500) -> None:
        self._connection = connection
        self._limit = limit

    async def length(self) -> int:
        """Number of entries in the stream, from sequence 1 on. Raises EntriesMissing if there is a gap."""
        state = (await self._connection.jetstream().stream_info(LEDGER.name)).state
        if state.messages != state.last_seq:
            raise EntriesMissing(f"{state.last_seq - state.messages} of {state.last_seq} entries are missing")
        return int(state.last_seq)

    async def extend(self, tree: Frontier, size: int) -> Frontier:
        """The tree of the first `size` entries, extended from `tree`, which is not changed.

        Raises EntriesMissing or LedgerTruncated, or an error of nats if the server does not answer.
        """
        grown = Frontier(tree.size, tree.peaks)
        while grown.size < size:
            raise_if_cancelled()
            for record in await self._page(grown.size, size):
                if record.sequence != grown.size + 1:
                    raise EntriesMissing(f"entry {grown.size + 1} is missing")
                grown.append(_leaf(record))
        return grown

    async def _page(self, after: int, size: int) -> Sequence[StoredMessage]:
        [everything], limit = LEDGER.subjects, min(self._limit, size - after)
        found = await fetch_page(
            self._connection, LEDGER.name, everything, after, limit=limit, timeout=READ_TIMEOUT
        )
        if not found.records:
            if (length := await self.length()) < size:
                raise LedgerTruncated(f"the ledger has {length} entries, not {size}")
            await asyncio.sleep(REPLICA_RETRY_DELAY)
        return found.records


def _leaf(record: StoredMessage) -> bytes:
    return leaf_hash(entry_bytes(record.subject, record.headers.items(), record.body))
