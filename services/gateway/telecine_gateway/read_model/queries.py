"""Queries about generations and keys. SQL runs in few threads; rows are returned as plain objects."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Engine, Integer, Row, Table, and_, bindparam, case
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col, select

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row

from .charges import Charge
from .tables import ApiKey, ChargeRow, GenerationRow, LedgerEntry, VideoEvent

__all__ = ["END", "GenerationRows", "HistoryFilters", "Queries", "RecentGenerations", "plain_row", "table_of"]

T = TypeVar("T")
Model = TypeVar("Model", bound=SQLModel)
MAX_GENERATIONS = 5_000
"""Generations whose rows are kept in memory."""
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


class RecentGenerations:
    """The rows of the generations read last, as the tables have them."""

    def __init__(self, most: int = MAX_GENERATIONS) -> None:
        self._most = most
        self._rows: OrderedDict[str, GenerationRows] = OrderedDict()
        self._loading: Counter[str] = Counter()
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def forget(self, events: Sequence[RecordedEvent]) -> None:
        """Read the generations of these events again: the tables have changed."""
        for recorded in events:
            generation = recorded.event.about.get("generation")
            if generation is not None:
                self._rows.pop(generation, None)
                if generation in self._loading:
                    self._changed.add(generation)

    def forget_all(self) -> None:
        """Read every generation again."""
        self._rows.clear()
        self._changed.update(self._loading)

    async def get(self, generation: str, read: Callable[[], Awaitable[GenerationRows]]) -> GenerationRows:
        """The rows of a generation; `read` reads them from the tables."""
        found = self._rows.get(generation)
        if found is not None:
            self._rows.move_to_end(generation)
            return found
        self._loading[generation] += 1
        try:
            found = await read()
        finally:
            self._loading[generation] -= 1
            is_changed = generation in self._changed
            if not self._loading[generation]:
                del self._loading[generation]
                self._changed.discard(generation)
        if found.row is not None and not is_changed:
            self._rows[generation] = found
            if len(self._rows) > self._most:
                self._rows.popitem(last=False)
        return found


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

    Generations in `recent` are answered from memory.
    """

    def __init__(self, engine: Callable[[], Engine], recent: RecentGenerations | None = None) -> None:
        self._engine = engine
        self._recent = recent if recent is not None else RecentGenerations(0)
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

    async def generation(self, account: str, generation: str) -> GenerationRows:
        """One generation of the account; both None if the tables have none of that id."""

        def ask(connection: Connection) -> GenerationRows:
            wanted = {"generation": generation}
            row = connection.execute(_GENERATION, wanted).first()
            charge = connection.execute(_CHARGE_OF, wanted).first()
            return GenerationRows(
                plain_row(GenerationRow, row) if row else None, _charge(charge) if charge else None
            )

        found = await self._recent.get(generation, lambda: self.read(ask))
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
        query = _HISTORY.where(*conditions) if (conditions := _conditions(filters)) else _HISTORY
        wanted = {"account": account, "before": filters.before or END, "most": filters.limit + 1}
        found = await self.read(lambda connection: connection.execute(query, wanted).all())
        width = len(table_of(GenerationRow).c)
        return [
            (plain_row(GenerationRow, values[:width]), _charge(values[width:]) if values[width] else None)
            for values in found
        ]

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
