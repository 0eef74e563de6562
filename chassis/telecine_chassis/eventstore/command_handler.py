"""Command handling: fold the aggregate, decide, append, and read back after a conflict or an unknown outcome.

Within a process the commands of one aggregate run one after the other and its folded state is cached, so conflicts come
only from other replicas.
"""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from telecine_chassis.telemetry.tracing import producer_span
from telecine_contracts import Envelope, Event, derive_id
from telecine_contracts.subjects import of_event, template

from .port import (
    Conflict,
    EventStore,
    NotSkippable,
    RecordedEvent,
    Unavailable,
    UndecodedEvent,
    UnreadableMessage,
    UnsupportedEvent,
)

__all__ = ["Cause", "CommandHandler", "CommandResult", "Decider"]

S = TypeVar("S")
C = TypeVar("C")
CACHE_SIZE = 4_000
"""Folded aggregates cached per process."""
MAX_ATTEMPTS = 50
"""Conflicts in a row after which a command is given up as Unavailable."""


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S]):
    """The rules of one kind of aggregate: pure functions.

    `decide` returns the event to append, or None when there is nothing to do; it raises when the command is not
    allowed. `evolve` returns the state after an event. `strict`: an unknown event stops decisions even if its writer
    calls it informational. `skipped_sequence`: the sequence of the unreadable message that this event skips, or None.
    """

    initial: S
    decide: Callable[[C, S], Event | None]
    evolve: Callable[[S, Event], S]
    strict: bool = False
    skipped_sequence: Callable[[Event], int | None] = lambda event: None


@dataclass(frozen=True, slots=True)
class Cause:
    """Causation and correlation ids of a command: the event or request that led to it, and the first request."""

    id: str
    correlation: str
    traceparent: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> "Cause":
        """The event with this envelope as the cause of a command."""
        return cls(envelope.id, envelope.correlation, envelope.traceparent)


@dataclass(frozen=True, slots=True)
class CommandResult(Generic[S]):
    """The state after a command, and the event if this command appended one."""

    state: S
    event: RecordedEvent | None


@dataclass(frozen=True, slots=True)
class _Folded(Generic[S]):
    state: S
    version: int = 0
    last: Envelope | None = None


class CommandHandler(Generic[C, S]):
    """Handles the commands of all aggregates of one kind, for the service `source`.

    `assume_new` skips the first read where most commands start a new aggregate: the append finds out. `timeout`:
    seconds for which an append or a read without an answer is repeated before Unavailable is raised. `on_appended` is
    called with each event that `handle` appended.
    """

    def __init__(
        self,
        store: EventStore,
        decider: Decider[C, S],
        *,
        source: str,
        clock: Callable[[], datetime],
        assume_new: bool = False,
        timeout: float = 10,
        on_appended: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._store = store
        self._decider = decider
        self._source = source
        self._clock = clock
        self._assume_new = assume_new
        self._timeout = timeout
        self._on_appended = on_appended
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._cache: OrderedDict[str, _Folded[S]] = OrderedDict()

    async def read(self, aggregate: str) -> S:
        """The state of the aggregate now. Raises Unavailable, UnsupportedEvent or UnreadableMessage."""
        async with self._lane(aggregate):
            folded, _ = await self._catch_up(aggregate, self._cached(aggregate))
            return folded.state

    async def handle(self, aggregate: str, command: C, cause: Cause | None = None) -> CommandResult[S]:
        """Decide `command` on the aggregate and append the resulting event exactly once.

        Without a `cause`, the aggregate's last event is the cause. A call may be repeated with the same cause: the
        event's id is derived from it, so the event is not appended twice. Raises what `decide` raises, AppendRejected,
        Unavailable when the store does not reply, and UnsupportedEvent or UnreadableMessage when the aggregate has a
        message that must be decoded before anything is decided.
        """
        result = await self._handle(aggregate, command, cause)
        if result.event is not None:
            self._on_appended(result.event.event)
        return result

    async def _handle(self, aggregate: str, command: C, cause: Cause | None) -> CommandResult[S]:
        async with self._lane(aggregate):
            folded, fresh = self._cached(aggregate), False
            if folded.version == 0 and not self._assume_new:
                # A reply that ends too early makes the append a conflict, or the decision is taken again.
                folded, _ = await self._catch_up(aggregate, folded, confirmed=False)
            give_up = asyncio.get_running_loop().time() + self._timeout
            for _ in range(MAX_ATTEMPTS):
                event = self._decide(command, folded.state, final=fresh)
                if event is None:
                    if fresh:
                        return CommandResult(folded.state, None)
                    folded, fresh = (await self._catch_up(aggregate, folded))[0], True
                    continue
                because = cause or _last_cause(event, folded.last)
                try:
                    recorded = await self._append(event, because, aggregate, folded.version)
                except (Conflict, Unavailable) as error:
                    folded, news = await self._catch_up(aggregate, folded)
                    event_id = derive_id(because.id, event.type)
                    own = next((found for found in news if found.envelope.id == event_id), None)
                    if own is not None:
                        return CommandResult(folded.state, own)
                    if isinstance(error, Conflict) and not news:
                        # What the state was folded from may have aged out of the stream, or was erased.
                        folded, _ = await self._catch_up(aggregate, _Folded(self._decider.initial))
                    if isinstance(error, Unavailable) and asyncio.get_running_loop().time() > give_up:
                        raise
                    fresh = True
                    await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - spreads replicas apart
                    continue
                return CommandResult(self._fold(aggregate, folded, [recorded]).state, recorded)
        raise Unavailable(f"{aggregate} has too many concurrent writers")

    async def skip_unreadable(
        self,
        aggregate: str,
        sequence: int,
        command: Callable[[UndecodedEvent], C],
        cause: Cause,
        *,
        unknown: str | None = None,
    ) -> CommandResult[S]:
        """Append the event that skips the unreadable message at `sequence`, exactly once.

        `command` makes the command from the message. `unknown`: a type that no version ever wrote; a message of any
        other unknown type may be an event of a newer version. Other unreadable messages are ignored in this decision
        only: each needs a decision of its own. Raises NotSkippable, UnsupportedEvent, what `decide` raises,
        AppendRejected or Unavailable.
        """
        event_id = None
        async with self._lane(aggregate):
            for _ in range(MAX_ATTEMPTS):
                news = await self._store.load(aggregate, include_undecoded=True)
                own = next((found for found in news if found.envelope.id == event_id), None)
                passed = self._skipped_sequences(news)
                message = None
                if own is None and sequence not in passed:
                    message = self._skippable(aggregate, sequence, news, unknown)
                left_out = passed | _unreadable(news, unknown)
                state = self._folded(aggregate, _Folded(self._decider.initial), news, left_out).state
                if message is None:
                    return CommandResult(state, own)
                event = self._decider.decide(command(message), state)
                assert event is not None
                event_id = derive_id(cause.id, event.type)
                with contextlib.suppress(Conflict, Unavailable):
                    await self._append(event, cause, aggregate, news[-1].sequence)
                # In any case the aggregate is loaded again, to see whether the event was appended.
        raise Unavailable(f"{aggregate} has too many concurrent writers")

    def _skippable(
        self, aggregate: str, sequence: int, news: Sequence[RecordedEvent], unknown: str | None
    ) -> UndecodedEvent:
        """The message, if it may be skipped. Raises NotSkippable."""
        found = next((recorded.event for recorded in news if recorded.sequence == sequence), None)
        if found is None:
            raise NotSkippable(f"{aggregate} has no message {sequence}")
        if not isinstance(found, UndecodedEvent):
            raise NotSkippable(f"message {sequence} is a valid event, {found.type}")
        if found.is_unknown and found.name != unknown:
            raise NotSkippable(
                f"message {sequence} has the type {found.name}, perhaps of a newer version: upgrade, or name the type "
                "as unknown if no version ever wrote such events"
            )
        behind = (recorded for recorded in news if recorded.sequence > sequence)
        for recorded in behind:
            if (
                not isinstance(recorded.event, UndecodedEvent)
                and self._decider.skipped_sequence(recorded.event) is None
            ):
                raise NotSkippable(
                    f"message {sequence} is followed by event {recorded.sequence} of {aggregate}: it was an event"
                )
        return found

    def _skipped_sequences(self, news: Sequence[RecordedEvent]) -> frozenset[int]:
        """Sequences of messages that an event skips."""
        named = (self._decider.skipped_sequence(recorded.event) for recorded in news)
        return frozenset(sequence for sequence in named if sequence is not None)

    def _decide(self, command: C, state: S, *, final: bool) -> Event | None:
        """The event to append. `final`: the state is fresh, so that None and errors are the answer."""
        try:
            return self._decider.decide(command, state)
        except Exception:
            if final:
                raise
            return None

    async def _catch_up(
        self, aggregate: str, folded: _Folded[S], *, confirmed: bool = True
    ) -> tuple[_Folded[S], Sequence[RecordedEvent]]:
        """Load and fold what was appended since. Retries while the store does not reply."""
        give_up = asyncio.get_running_loop().time() + self._timeout
        pause = 0.05
        while True:
            try:
                news = await self._store.load(
                    aggregate, after=folded.version, include_undecoded=True, confirmed=confirmed
                )
                return self._fold(aggregate, folded, news), news
            except Unavailable:
                if asyncio.get_running_loop().time() + pause > give_up:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2)

    def _fold(self, aggregate: str, folded: _Folded[S], news: Sequence[RecordedEvent]) -> _Folded[S]:
        folded = self._folded(aggregate, folded, news, self._skipped_sequences(news))
        self._cache[aggregate] = folded
        self._cache.move_to_end(aggregate)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return folded

    def _folded(
        self, aggregate: str, folded: _Folded[S], news: Sequence[RecordedEvent], passed: frozenset[int]
    ) -> _Folded[S]:
        """The state after `news`, without the messages whose sequences are in `passed`."""
        for recorded in news:
            if recorded.sequence in passed:
                folded = replace(folded, version=recorded.sequence)
            elif isinstance(recorded.event, UndecodedEvent):
                self._check_unread(aggregate, recorded, recorded.event)
                folded = replace(folded, version=recorded.sequence)
            else:
                state = self._decider.evolve(folded.state, recorded.event)
                folded = _Folded(state, recorded.sequence, recorded.envelope)
        return folded

    def _check_unread(self, aggregate: str, recorded: RecordedEvent, unread: UndecodedEvent) -> None:
        """Raise UnsupportedEvent or UnreadableMessage if nothing may be decided without this message."""
        place = f"message {recorded.sequence} of {aggregate}"
        if not unread.is_unknown:
            raise UnreadableMessage(f"{place} is not a valid event: {unread.error}") from unread.error
        if self._decider.strict or not recorded.envelope.informational:
            raise UnsupportedEvent(
                f"{place} is {unread.name}, which this version does not know: upgrade"
            ) from unread.error

    def _cached(self, aggregate: str) -> _Folded[S]:
        return self._cache.get(aggregate) or _Folded(self._decider.initial)

    async def _append(self, event: Event, cause: Cause, aggregate: str, expected: int) -> RecordedEvent:
        event_id = derive_id(cause.id, event.type)
        with producer_span(
            f"send {template(type(event))}", event_id, cause.traceparent, lambda: _attributes(event)
        ) as traceparent:
            envelope = Envelope(
                id=event_id,
                source=self._source,
                type=event.type,
                time=self._clock(),
                subject=of_event(event),
                correlation=cause.correlation,
                causation=cause.id,
                traceparent=traceparent,
                informational=event.informational,
            )
            version = await self._store.append(event, envelope, aggregate=aggregate, expected=expected)
        return RecordedEvent(event, envelope, version)

    def _lane(self, aggregate: str) -> asyncio.Lock:
        """Held by the one command of the aggregate that is being handled."""
        lane = self._lanes.get(aggregate)
        if lane is None:
            lane = self._lanes[aggregate] = asyncio.Lock()
        return lane


def _unreadable(news: Sequence[RecordedEvent], unknown: str | None) -> frozenset[int]:
    """Sequences of messages that no version can decode, including those of the type `unknown`."""
    return frozenset(
        recorded.sequence
        for recorded in news
        if isinstance(recorded.event, UndecodedEvent)
        and (not recorded.event.is_unknown or recorded.event.name == unknown)
    )


def _last_cause(event: Event, last: Envelope | None) -> Cause:
    if last is None:
        raise ValueError(f"{event.type} needs a cause: its aggregate has no event yet")
    return Cause.of(last)


def _attributes(event: Event) -> dict[str, str]:
    return {"telecine.event_type": event.type} | {f"telecine.{name}": id for name, id in event.about.items()}
