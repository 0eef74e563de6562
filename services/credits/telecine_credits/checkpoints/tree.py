"""Hashes the LEDGER stream: every message of it, whatever it is, from the first one on."""

import asyncio
from collections.abc import Sequence

from telecine_chassis.runtime.cancellation import raise_if_cancelled
from telecine_contracts.streams import LEDGER
from telecine_contracts.transparency import Frontier, entry_bytes, leaf_hash
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import fetch_page
from telecine_jetstream.messages import StoredMessage

from .errors import EntriesMissing, LedgerCutShort

__all__ = ["LedgerReader"]

SILENCE = 5
"""Seconds without an answer after which reading is given up."""
BEHIND = 0.1
"""Seconds between two questions while a replica of the stream has not yet got what its leader has."""


class LedgerReader:
    """The stream as a tree that grows. `limit`: messages in memory at once."""

    def __init__(self, connection: NatsClient, *, limit: int = 500) -> None:
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

        Raises EntriesMissing or LedgerCutShort, or nats' errors when there is no answer.
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
            self._connection, LEDGER.name, everything, after, limit=limit, timeout=SILENCE
        )
        if not found.records:
            if (there := await self.length()) < size:
                raise LedgerCutShort(f"the ledger has {there} entries, not {size}")
            await asyncio.sleep(BEHIND)
        return found.records


def _leaf(record: StoredMessage) -> bytes:
    return leaf_hash(entry_bytes(record.subject, record.headers.items(), record.body))
