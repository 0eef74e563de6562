"""Erases an account: what it requested goes from the streams and the object store; its ledger stays.

Every step may be repeated. The order makes a command that was killed resumable: the account takes no new requests
before it is looked at, AccountErased is recorded before anything is deleted, and what is left is found by looking.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from nats.js.errors import APIError, NotFoundError

from telecine_chassis.consumers.dead_letters import DeadLetter, DeadLetters
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import Conflict, RecordedEvent
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.access import ApiKeyRevoked
from telecine_contracts.commands import CloseAccount
from telecine_contracts.credits import AccountClosed, AccountReopened
from telecine_contracts.erasure import AccountErased
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationCancelled, GenerationFailed
from telecine_contracts.permissions import ERASER
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import DEADLETTERS, STORAGE_ERASE, TIMERS, VIDEO
from telecine_jetstream.client import NatsClient

from .api_keys import list_keys
from .errors import CommandError
from .ledger_client import balances_after, read_ledger, send_command

__all__ = ["AccountData", "erase", "survey"]

_ENDINGS = (VideoStored, VideoStorageFailed, GenerationFailed, GenerationCancelled)
_TIMED_SERVICES = ("generation", "storage")
"""Services whose timers name a generation. Timers of credits belong to the ledger."""
_AT_ONCE = 16
_POLL_SECONDS = 0.5
_MAX_ROUNDS = 20
"""How often what has arrived meanwhile is erased, too. The account is closed, so that little can arrive."""
_ABSENT = {10043, 10057}
"""Server error codes: there is no message of this sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    """What the streams have of an account.

    `keys`: ids of its active API keys. `events`: of VIDEO, oldest first. `running`: generations that have not ended.
    `held`: credits that are not settled or refunded yet. `timers` and `letters`: sequences in TIMERS and DEADLETTERS.
    `ledger_sequence`: sequence of its last entry in LEDGER, 0 without one. `objects_pending`: the storage service has
    not deleted the objects yet; `failed_letter`: a dead letter says that it could not.
    """

    account: str
    closed: bool
    ledger_sequence: int
    held: int
    keys: Sequence[str]
    events: Sequence[RecordedEvent]
    timers: Sequence[int]
    letters: Sequence[int]
    objects_pending: bool = False
    failed_letter: int | None = None

    @property
    def erasure(self) -> RecordedEvent | None:
        """AccountErased, if nothing has happened since."""
        last = self.events[-1] if self.events else None
        return last if last is not None and isinstance(last.event, AccountErased) else None

    @property
    def erasable(self) -> Sequence[RecordedEvent]:
        """The events to delete: all but AccountErased, whose own expected version must hold in a restored stream."""
        return [recorded for recorded in self.events if not isinstance(recorded.event, AccountErased)]

    @property
    def generations(self) -> int:
        """Generations with events."""
        names = {recorded.event.about.get("generation") for recorded in self.erasable}
        return len(names - {None})

    @property
    def videos(self) -> Sequence[VideoStored]:
        """The stored videos."""
        return [recorded.event for recorded in self.events if isinstance(recorded.event, VideoStored)]

    @property
    def running(self) -> Sequence[str]:
        """Generations that were requested and have not ended, oldest first."""
        found: dict[str, None] = {}
        for recorded in self.events:
            if isinstance(recorded.event, AccountErased):
                # Nothing was running then; a command that was killed has left some of the events before it.
                found.clear()
            elif isinstance(recorded.event, GenerationRequested):
                found[recorded.event.generation] = None
            elif isinstance(recorded.event, _ENDINGS):
                found.pop(recorded.event.generation, None)
        return list(found)

    @property
    def is_known(self) -> bool:
        """Whether there is an account of this name."""
        return bool(self.ledger_sequence or self.events or self.keys)

    @property
    def is_erased(self) -> bool:
        """Whether nothing is left to do."""
        left = self.erasable or self.timers or self.letters or self.keys
        undone = self.objects_pending or self.failed_letter is not None
        return self.erasure is not None and not left and not undone


async def survey(connection: NatsClient, account: str) -> AccountData:
    """What the streams have of an account now. Raises CommandError, StoreError, nats.errors.Error."""
    entries = await read_ledger(connection, account)
    changes = [e.event for e in entries if isinstance(e.event, AccountClosed | AccountReopened)]
    events = await JetStreamEventStore(connection, registry()).load(
        subjects.account_videos(account), include_undecoded=True
    )
    letters, failed = await _letters(connection, account)
    return AccountData(
        account=account,
        closed=bool(changes) and isinstance(changes[-1], AccountClosed),
        ledger_sequence=entries[-1].sequence if entries else 0,
        held=balances_after(entries).held,
        keys=[key.key_id for key in await list_keys(connection, account) if key.revoked_at is None],
        events=events,
        timers=await _timers(connection, account),
        letters=letters,
        objects_pending=await _objects_pending(connection, events),
        failed_letter=failed,
    )


async def erase(
    connection: NatsClient, account: str, *, wait: bool, progress: Callable[[str], None]
) -> AccountData:
    """Erase an account; what was found at the start. `wait`: until its generations have ended.

    `progress` is called with a line for each step.

    Raises:
        CommandError: a generation is running, the credits service does not answer, or requests keep arriving.
    """
    found = data = await survey(connection, account)
    if not data.closed and data.ledger_sequence:
        await send_command(connection, CloseAccount(account=account, reason="erasure"))
        progress("closed the account")
    for key in data.keys:
        await _revoke(connection, account, key)
        progress(f"revoked API key {key}")
    for _ in range(_MAX_ROUNDS):
        data = await _ended(connection, account, wait=wait, progress=progress)
        if data.erasure is None and not await _record(connection, data):
            continue
        if not (data.erasable or data.timers or data.letters) and data.erasure is not None:
            return found
        await _delete(connection, VIDEO.name, [recorded.sequence for recorded in data.erasable])
        await _delete(connection, TIMERS.name, data.timers)
        await _delete(connection, DEADLETTERS.name, data.letters)
        progress(
            f"deleted {len(data.erasable)} events, {len(data.timers)} timers and {len(data.letters)} dead letters"
        )
    raise CommandError(f"requests of {account} keep arriving: find out who sends them, and run this again")


async def _ended(
    connection: NatsClient, account: str, *, wait: bool, progress: Callable[[str], None]
) -> AccountData:
    """What there is once no generation is running and no credits are held."""
    told = False
    while True:
        data = await survey(connection, account)
        if not data.running and not data.held:
            return data
        if not wait:
            named = ", ".join(data.running[:3]) or f"{data.held} credits are held"
            raise CommandError(
                f"{account} has {len(data.running)} running generations ({named}): cancel them or wait until they have "
                "ended, then run this again; --wait waits. The account is closed, and nothing was erased yet"
            )
        if not told:
            progress(f"waiting for {len(data.running)} running generations")
            told = True
        await asyncio.sleep(_POLL_SECONDS)


async def _record(connection: NatsClient, data: AccountData) -> bool:
    """Append AccountErased. False if another command has done so since `data` was read."""
    event = AccountErased(
        account=data.account, generations=data.generations, ledger_sequence=data.ledger_sequence
    )
    before = [recorded.sequence for recorded in data.events if isinstance(recorded.event, AccountErased)]
    aggregate = subjects.video(data.account, subjects.ACCOUNT)
    return await _append(connection, event, aggregate, before[-1] if before else 0)


async def _revoke(connection: NatsClient, account: str, key: str) -> None:
    aggregate = subjects.access(account)
    store = JetStreamEventStore(connection, registry())
    for _ in range(_MAX_ROUNDS):
        known = await store.load(aggregate, include_undecoded=True)
        event = ApiKeyRevoked(account=account, key_id=key)
        if await _append(connection, event, aggregate, known[-1].sequence if known else 0):
            return
    raise CommandError(f"keys of {account} keep changing: run this again")


async def _append(connection: NatsClient, event: Event, aggregate: str, expected: int) -> bool:
    """Append an event; False if the aggregate has a newer one than `expected`."""
    request = str(uuid4())
    envelope = Envelope(
        id=request,
        source=f"telecine/{ERASER}",
        type=event.type,
        time=datetime.now(UTC),
        subject=subjects.of_event(event),
        correlation=request,
        causation=request,
    )
    store = JetStreamEventStore(connection, registry())
    try:
        await store.append(event, envelope, aggregate=aggregate, expected=expected)
    except Conflict:
        return False
    return True


async def _delete(connection: NatsClient, stream: str, sequences: Iterable[int]) -> None:
    """Delete messages. The server overwrites them on disk, which it does not for a purge."""
    jetstream, slots = connection.jetstream(timeout=10), asyncio.Semaphore(_AT_ONCE)

    async def one(sequence: int) -> None:
        async with slots:
            try:
                await jetstream.delete_msg(stream, sequence)
            except APIError as error:
                if error.err_code not in _ABSENT:
                    raise

    await asyncio.gather(*map(one, sequences))


async def _timers(connection: NatsClient, account: str) -> list[int]:
    found: list[int] = []
    for state in ("at", "due"):
        for service in _TIMED_SERVICES:
            found += await _sequences(connection, TIMERS.name, f"timers.{state}.{service}.*.{account}.*")
    return found


async def _sequences(connection: NatsClient, stream: str, subject: str) -> list[int]:
    jetstream = connection.jetstream(timeout=10)
    found: list[int] = []
    while True:
        after = found[-1] + 1 if found else 1
        try:
            message = await jetstream.get_msg(stream, seq=after, subject=subject, next=True)
        except NotFoundError:
            return found
        assert message.seq is not None
        found.append(message.seq)


async def _letters(connection: NatsClient, account: str) -> tuple[list[int], int | None]:
    """Dead letters about generations of the account, and the one of an erasure that storage could not carry out."""
    box = DeadLetters(connection)
    letters = [*await box.list(), *await box.list(resolved=True)]
    own = [letter for letter in letters if _is_about(letter, account)]
    failed = [letter.id for letter in own if _is_erasure(letter) and letter.resolution is None]
    sequences = [copy for letter in own if not _is_erasure(letter) for copy in letter.copies]
    return sequences, failed[-1] if failed else None


def _is_about(letter: DeadLetter, account: str) -> bool:
    kind, *tokens = letter.subject.split(".")
    if kind == "video":
        return tokens[:1] == [account]
    return kind == "timers" and len(tokens) > 4 and tokens[1] in _TIMED_SERVICES and tokens[3] == account


def _is_erasure(letter: DeadLetter) -> bool:
    return letter.subject.endswith(f".{subjects.ACCOUNT}.{AccountErased.action}")


async def _objects_pending(connection: NatsClient, events: Sequence[RecordedEvent]) -> bool:
    """Whether the storage service has not handled an AccountErased yet. Raises CommandError."""
    try:
        consumer = await connection.jetstream(timeout=10).consumer_info(VIDEO.name, STORAGE_ERASE.name)
    except NotFoundError:
        raise CommandError(
            f"there is no consumer {STORAGE_ERASE.name}: run `telecine provision` first"
        ) from None
    sequences = [recorded.sequence for recorded in events if isinstance(recorded.event, AccountErased)]
    if not sequences:
        return False
    if not consumer.num_pending and not consumer.num_ack_pending:
        return False
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return floor < sequences[-1]
