"""Requests for videos by account, counted from the VIDEO stream: every gateway counts those of all gateways.

Two gateways together admit no more than the limit and what is in flight: the requests that one has admitted and the
other has not seen yet. Requests that this gateway has admitted count from their admission, before they are recorded.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.gateway import GenerationRequested

from .rules import Bucket, Policy, Use

__all__ = ["GenerationCounts", "Requested"]

MAX_ACCOUNTS = 10_000
"""Accounts whose counts are in memory; those of another one are read from the tables again."""
ARRIVAL_TIMEOUT = 2
"""Seconds for which an answered request counts though its event has not arrived. Repetitions never have one."""

Requested = Sequence[tuple[int, datetime]]
"""Requests of an account, newest first: the sequence and the time of each."""


class GenerationCounts:
    """`read` reads the newest requests of an account from the tables, as many as it is told.

    What the tables have of the last window counts in full when an account is read: rather too much than too little.
    """

    def __init__(
        self, read: Callable[[str, int], Awaitable[Requested]], clock: Callable[[], datetime]
    ) -> None:
        self._read = read
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[Policy, Bucket]] = OrderedDict()
        self._loading: dict[tuple[str, Policy], asyncio.Task[None]] = {}
        self._arriving: dict[tuple[str, Policy], list[int]] = {}
        self._uncommitted: deque[tuple[int, str]] = deque()
        self._newest = 0
        self._epoch = 0
        self._admitted: dict[str, str] = {}
        self._in_flight: Counter[str] = Counter()
        self._answered: deque[tuple[datetime, str]] = deque()

    def watch(self, events: Sequence[RecordedEvent]) -> None:
        """Events have arrived; the tables do not have them yet."""
        for recorded in events:
            event = recorded.event
            if not isinstance(event, GenerationRequested) or recorded.sequence <= self._newest:
                continue
            self._newest = recorded.sequence
            self._uncommitted.append((recorded.sequence, event.account))
            for (account, _), sequences in self._arriving.items():
                if account == event.account:
                    sequences.append(recorded.sequence)
            if counted := self._buckets.get(event.account):
                policy, bucket = counted
                bucket.add(policy, recorded.envelope.time.timestamp())
            self._drop(event.generation)

    def committed(self, events: Sequence[RecordedEvent]) -> None:
        """The tables have these events."""
        last = events[-1].sequence if events else 0
        while self._uncommitted and self._uncommitted[0][0] <= last:
            self._uncommitted.popleft()

    def forget_all(self) -> None:
        """Limits have changed, or other tables are read from now on: read the accounts again."""
        self._epoch += 1
        self._buckets.clear()

    def slot_changed(self) -> None:
        """Other tables are read from now on, and events may arrive again."""
        self.forget_all()
        self._uncommitted.clear()
        self._newest = 0

    async def admit(self, account: str, generation: str, policy: Policy) -> tuple[bool, Use]:
        """Whether the request is within the limit; if so, it counts until `answered`, or until its event does."""
        while (counted := self._buckets.get(account)) is None or counted[0] != policy:
            await self._load(account, policy)
        self._buckets.move_to_end(account)
        bucket, now = counted[1], self._clock()
        while self._answered and self._answered[0][0] <= now:
            self._drop(self._answered.popleft()[1])
        bucket.drain(policy, max(now.timestamp(), bucket.at))
        if generation not in self._admitted:
            if not bucket.admits(policy, self._in_flight[account]):
                return False, bucket.use(policy, self._in_flight[account])
            self._admitted[generation] = account
            self._in_flight[account] += 1
        return True, bucket.use(policy, self._in_flight[account])

    def answered(self, generation: str) -> None:
        """An admitted request was answered: soon it counts only if it was recorded."""
        if generation in self._admitted:
            self._answered.append((self._clock() + timedelta(seconds=ARRIVAL_TIMEOUT), generation))

    def _drop(self, generation: str) -> None:
        account = self._admitted.pop(generation, None)
        if account is not None:
            self._in_flight[account] -= 1
            if not self._in_flight[account]:
                del self._in_flight[account]

    async def _load(self, account: str, policy: Policy) -> None:
        key = account, policy
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._read_bucket(account, policy), name="rates")
            task.add_done_callback(lambda done: self._loading.pop(key, None))
        await asyncio.shield(task)

    async def _read_bucket(self, account: str, policy: Policy) -> None:
        key, epoch = (account, policy), self._epoch
        arriving = self._arriving[key] = [each for each, of in self._uncommitted if of == account]
        try:
            rows = await self._read(account, policy.quota)
        finally:
            del self._arriving[key]
        if epoch != self._epoch:
            return
        now = self._clock()
        since = now - timedelta(seconds=policy.seconds)
        newest = rows[0][0] if rows else 0
        count = sum(time > since for _, time in rows) + sum(sequence > newest for sequence in arriving)
        self._buckets[account] = policy, Bucket(now.timestamp(), count)
        if len(self._buckets) > MAX_ACCOUNTS:
            self._buckets.popitem(last=False)
