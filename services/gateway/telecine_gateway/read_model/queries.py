"""Queries about generations and keys. SQL runs in few threads; rows are returned as plain objects."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Row,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    tuple_,
)
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col, select

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row
from telecine_contracts.access import RateLimitsSet
from telecine_contracts.erasure import AccountErased
from telecine_contracts.price_catalog import PricesPublished

from .charges import Charge
from .tables import (
    ApiKey,
    ChargeRow,
    GenerationRow,
    LedgerEntry,
    PublishedPrices,
    QueueEntry,
    QueueTurn,
    RateLimitRow,
    VideoEvent,
)

__all__ = [
    "END",
    "GenerationRows",
    "HistoryFilters",
    "Queries",
    "Recent",
    "RecentRows",
    "plain_row",
    "table_of",
]

T = TypeVar("T")
Model = TypeVar("Model", bound=SQLModel)
MAX_GENERATIONS = 5_000
"""Generations whose rows are kept in memory."""
MAX_ACCOUNTS = 500
"""Accounts whose first pages and balance are kept in memory."""
MAX_PARTS = 4
"""Parts of one account that are kept: pages of different lengths."""
END = 2**62
"""Above every position: the `before` of a first page."""
THREADS = 4
"""Threads for queries: more of them compete for the interpreter, and each query is a short one."""
_CHARGE = tuple(field.name for field in fields(Charge))


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


def plain_row(model: type[Model], values: "Row[Any] | tuple[Any, ...]") -> Model:
    """A plain object with the attributes of a `model`, from the values of all its columns in their order."""
    return new_row(model, **dict(zip(table_of(model).c.keys(), values, strict=True)))


@dataclass(frozen=True, slots=True)
class GenerationRows:
    """The rows of one generation."""

    row: GenerationRow | None
    charge: Charge | None


class RecentRows:
    """What was read lately about generations or accounts, as the tables have it, until an event changes them.

    `about` is the field of the events that names the generation or the account. Of each, several `part`s are kept:
    pages of different lengths, for example.
    """

    def __init__(self, about: Literal["generation", "account"], most: int) -> None:
        self._about = about
        self._most = most
        self._found: OrderedDict[str, dict[Hashable, Any]] = OrderedDict()
        self._loading: Counter[str] = Counter()
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._found)

    def forget(self, events: Sequence[RecordedEvent]) -> None:
        """Read what these events are about again: the tables have changed."""
        for recorded in events:
            name = recorded.event.about.get(self._about)
            if name is not None:
                self._found.pop(name, None)
                if name in self._loading:
                    self._changed.add(name)

    def forget_all(self) -> None:
        """Read everything again."""
        self._found.clear()
        self._changed.update(self._loading)

    async def get(self, name: str, part: Hashable, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """A part of what is known of `name`; `read` reads it from the tables. None, for nothing, is not kept."""
        parts = self._found.get(name)
        if parts is not None and part in parts:
            self._found.move_to_end(name)
            return cast(T, parts[part])
        self._loading[name] += 1
        try:
            found = await read()
        finally:
            self._loading[name] -= 1
            is_changed = name in self._changed
            if not self._loading[name]:
                del self._loading[name]
                self._changed.discard(name)
        if found is not None and not is_changed:
            parts = self._found.setdefault(name, {})
            if len(parts) >= MAX_PARTS:
                parts.clear()
            parts[part] = found
            if len(self._found) > self._most:
                self._found.popitem(last=False)
        return found


class Recent:
    """The memory of generations, of accounts, or of nothing."""

    def __init__(self, generations: int = MAX_GENERATIONS, accounts: int = MAX_ACCOUNTS) -> None:
        self.generations = RecentRows("generation", generations)
        self.accounts = RecentRows("account", accounts)

    def forget(self, events: Sequence[RecordedEvent]) -> None:
        """The tables have changed by these events."""
        if any(isinstance(recorded.event, AccountErased) for recorded in events):
            self.generations.forget_all()
        self.generations.forget(events)
        self.accounts.forget(events)

    def forget_all(self) -> None:
        """Other tables are read from now on."""
        self.generations.forget_all()
        self.accounts.forget_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilters:
    """Which generations a history page shows. `before` is a requested_sequence; times are [since, until)."""

    limit: int
    before: int | None = None
    status: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Queries:
    """`engine` gives the live slot's engine, which changes when a rebuild is promoted.

    What `recent` has is answered from memory.
    """

    def __init__(self, engine: Callable[[], Engine], recent: Recent | None = None) -> None:
        self._engine = engine
        self._recent = recent if recent is not None else Recent(0, 0)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="queries")

    async def run(self, question: Callable[[Session], T]) -> T:
        """The result of `question`, run in a thread with a session of its own."""

        def ask() -> T:
            with Session(self._engine(), expire_on_commit=False) as session:
                return question(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """The result of `question`, a few statements that return at most a page, without the cost of a session."""
        engine = self._engine()

        def ask() -> T:
            with engine.connect() as connection:
                return question(connection)

        if engine.dialect.name == "sqlite":
            # Readers of a WAL never wait, and a hand-over to a thread costs more than the query.
            return ask()
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def of_account(self, account: str, part: Hashable, question: Callable[[Connection], T]) -> T | None:
        """As `read`, from memory if this `part` of the account was read since its last event."""
        return await self._recent.accounts.get(account, part, lambda: self.read(question))

    async def generation(self, account: str, generation: str) -> GenerationRows:
        """One generation of the account; both None if the tables have none of that id."""

        def ask(connection: Connection) -> GenerationRows | None:
            wanted = {"generation": generation}
            row = connection.execute(_GENERATION, wanted).first()
            charge = connection.execute(_CHARGE_OF, wanted).first()
            if row is None and charge is None:
                return None
            return GenerationRows(
                plain_row(GenerationRow, row) if row else None, _charge(charge) if charge else None
            )

        found = await self._recent.generations.get(generation, "rows", lambda: self.read(ask))
        if found is None:
            return GenerationRows(None, None)
        return GenerationRows(
            found.row if found.row is not None and found.row.account == account else None,
            found.charge if found.charge is not None and found.charge.account == account else None,
        )

    async def charge(self, account: str, generation: str) -> Charge | None:
        """The charge of a generation, if it is decided."""
        query = select(ChargeRow).where(
            col(ChargeRow.account) == account, col(ChargeRow.generation) == generation
        )
        row = await self.run(lambda session: session.exec(query).first())
        return row.charge if row else None

    async def history(
        self, account: str, filters: HistoryFilters
    ) -> Sequence[tuple[GenerationRow, Charge | None]]:
        """The account's generations, newest first, one more than `limit` if there are more."""
        conditions = _conditions(filters)
        query = _HISTORY.where(*conditions) if conditions else _HISTORY
        wanted = {"account": account, "before": filters.before or END, "most": filters.limit + 1}

        def ask(connection: Connection) -> Sequence[tuple[GenerationRow, Charge | None]]:
            width = len(table_of(GenerationRow).c)
            return [
                (
                    plain_row(GenerationRow, values[:width]),
                    _charge(values[width:]) if values[width] else None,
                )
                for values in connection.execute(query, wanted)
            ]

        if conditions or filters.before is not None:
            return await self.read(ask)
        return await self.of_account(account, ("history", filters.limit), ask) or []

    async def video_events(self, generation: str) -> Sequence[VideoEvent]:
        """The generation's own events, oldest first."""
        query = (
            select(VideoEvent)
            .where(col(VideoEvent.generation) == generation)
            .order_by(col(VideoEvent.sequence))
        )
        return await self.run(lambda session: session.exec(query).all())

    async def ledger_events(self, generation: str) -> Sequence[LedgerEntry]:
        """The ledger entries of a generation, oldest first."""
        query = (
            select(LedgerEntry)
            .where(col(LedgerEntry.generation) == generation)
            .order_by(col(LedgerEntry.sequence))
        )
        return await self.run(lambda session: session.exec(query).all())

    async def published_prices(self) -> Sequence[PricesPublished]:
        """All published price tables, oldest first."""
        query = select(PublishedPrices).order_by(col(PublishedPrices.sequence))
        rows = await self.run(lambda session: session.exec(query).all())
        return [PricesPublished.model_validate(row.data) for row in rows]

    async def queue_position(self, generation: str) -> int | None:
        """How many are dispatched until the generation is, itself included; None if it does not wait.

        Without regard to limits of accounts, and to what enters with a higher priority meanwhile.
        """

        def ask(session: Session) -> int | None:
            mine = session.get(QueueEntry, generation)
            turn = session.get(QueueTurn, (mine.model, mine.account)) if mine is not None else None
            if mine is None or turn is None:
                return None
            before = tuple_(col(QueueEntry.rank), col(QueueEntry.number)) < tuple_(
                literal(mine.rank), literal(mine.number)
            )
            own = session.exec(
                select(func.count())
                .select_from(QueueEntry)
                .where(col(QueueEntry.model) == mine.model, col(QueueEntry.account) == mine.account, before)
            ).one()
            others = session.exec(
                select(QueueTurn.waiting, QueueTurn.turn).where(
                    col(QueueTurn.model) == mine.model, col(QueueTurn.account) != mine.account
                )
            )
            # By the time of its turn number `own` + 1, each other account has had as many turns, and one more if it
            # stands before this one in the rotation.
            return own + 1 + sum(min(waiting, own + (its < turn.turn)) for waiting, its in others)

        return await self.run(ask)

    async def rate_limits(self) -> Sequence[RateLimitsSet]:
        """The limits of all accounts that have their own."""
        rows = await self.run(lambda session: session.exec(select(RateLimitRow)).all())
        return [RateLimitsSet.model_validate(row.data) for row in rows]

    async def newest_requests(self, account: str, most: int) -> Sequence[tuple[int, datetime]]:
        """Sequence and time of the newest requests of an account, newest first."""
        generations = table_of(GenerationRow).c
        question = (
            columns(generations.requested_sequence, generations.requested_at)
            .where(generations.account == account)
            .order_by(generations.requested_sequence.desc())
            .limit(most)
        )
        rows = await self.read(lambda connection: connection.execute(question).all())
        return [(row.requested_sequence, row.requested_at) for row in rows]

    async def key(self, sha256: str) -> ApiKey | None:
        """An API key by its hash, revoked or not."""
        return await self.run(lambda session: session.get(ApiKey, sha256))


# Building a statement takes longer than running it.
_HISTORY = (
    columns(*table_of(GenerationRow).c, *(table_of(ChargeRow).c[name] for name in _CHARGE))
    .join_from(
        table_of(GenerationRow),
        table_of(ChargeRow),
        table_of(ChargeRow).c.generation == table_of(GenerationRow).c.id,
        isouter=True,
    )
    .where(table_of(GenerationRow).c.account == bindparam("account"))
    .where(table_of(GenerationRow).c.requested_sequence < bindparam("before"))
    .order_by(table_of(GenerationRow).c.requested_sequence.desc())
    .limit(bindparam("most", type_=Integer))
)
_GENERATION = columns(table_of(GenerationRow)).where(table_of(GenerationRow).c.id == bindparam("generation"))
_CHARGE_OF = columns(*(table_of(ChargeRow).c[name] for name in _CHARGE)).where(
    table_of(ChargeRow).c.generation == bindparam("generation")
)


def _charge(values: "Row[Any] | tuple[Any, ...]") -> Charge:
    return Charge(**dict(zip(_CHARGE, values, strict=True)))


def _status() -> ColumnElement[str]:
    """SQL of `videos.reader.generation_status`: the charge decides until the generation has begun."""
    status, paid = col(GenerationRow.status), col(ChargeRow.state)
    return case(
        (and_(status == "pending", paid == "denied"), "failed"),
        (and_(status == "pending", paid.is_not(None)), "processing"),
        else_=status,
    )


def _conditions(filters: HistoryFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.status is not None:
        conditions.append(_status() == filters.status)
    if filters.kind is not None:
        conditions.append(col(GenerationRow.kind) == filters.kind)
    if filters.since is not None:
        conditions.append(col(GenerationRow.requested_at) >= filters.since)
    if filters.until is not None:
        conditions.append(col(GenerationRow.requested_at) < filters.until)
    return conditions
