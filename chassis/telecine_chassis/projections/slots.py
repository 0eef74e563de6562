"""Slots of a service's database: SQLite (WAL) or Postgres, chosen by URL.

A slot holds every table of a service and the positions of its projections; a rebuild fills a new slot beside the live
one and then moves a pointer. On SQLite a slot is a file beside the named one, on Postgres a schema.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema, DropSchema

from .engine import open_engine
from .session import position_table, write_session

__all__ = ["Slots"]

ADVISORY_LOCK = 7_383_526_377
"""Lock held on Postgres while tables are created; an arbitrary number that nothing else uses."""
_FILE = "projections.db"
_SLOT = re.compile(r"v(\d+)_(\d+)")
"""Name of a slot: version and number."""
_POINTERS = MetaData()
_LIVE = Table(
    "live_slot",
    _POINTERS,
    Column("version", Integer, primary_key=True),
    Column("slot", Integer, nullable=False),
)


@dataclass(frozen=True)
class Slots:
    """The slots of one service's database for one version of its tables. Methods block; call them in a thread."""

    url: str
    metadata: MetaData
    version: int

    @property
    def is_server(self) -> bool:
        """Whether the database is a server, which may be unavailable for a while."""
        return make_url(self.url).get_backend_name() != "sqlite"

    def live(self) -> int:
        """The number of the slot that queries read; 1 in a new database."""
        with self._pointers.connect() as connection:
            query = select(_LIVE.c.slot).where(_LIVE.c.version == self.version)
            return int(connection.execute(query).scalar() or 1)

    def promote(self, slot: int) -> None:
        """Make `slot` the live one. Services notice within a second."""
        with write_session(self._pointers) as session:
            session.execute(_LIVE.delete().where(_LIVE.c.version == self.version))
            session.execute(_LIVE.insert().values(version=self.version, slot=slot))
            session.commit()

    def open(self, slot: int) -> Engine:
        """The engine of a slot; missing tables are created."""
        position_table(self.metadata)
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            engine = open_engine(url.set(database=str(self._file(url, slot))))
        else:
            engine = open_engine(url).execution_options(schema_translate_map={None: self._schema(slot)})
        with _serialized_ddl(engine) as connection:
            if engine.dialect.name != "sqlite":
                connection.execute(CreateSchema(self._schema(slot), if_not_exists=True))
            self.metadata.create_all(connection)
        return engine

    def drop(self, slot: int) -> None:
        """Remove a slot, e.g. one left behind by an interrupted rebuild."""
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            for ending in ("", "-wal", "-shm"):
                Path(f"{self._file(url, slot)}{ending}").unlink(missing_ok=True)
            return
        engine = open_engine(url)
        with engine.begin() as connection:
            connection.execute(DropSchema(self._schema(slot), cascade=True, if_exists=True))
        engine.dispose()

    def drop_older(self, live: int) -> None:
        """Remove the slots of earlier versions, and those before the live one.

        A rollback fills them again from the streams.
        """
        for version, slot in self.existing():
            if (version, slot) < (self.version, live):
                replace(self, version=version).drop(slot)

    def existing(self) -> list[tuple[int, int]]:
        """Version and number of each slot in the database."""
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            base = Path(url.database or _FILE)
            found = [path.stem.removeprefix(f"{base.stem}.") for path in base.parent.glob(f"*{base.suffix}")]
        else:
            engine = open_engine(url)
            found = inspect(engine).get_schema_names()
            engine.dispose()
        slots = [match for name in found if (match := _SLOT.fullmatch(name))]
        return [(int(match[1]), int(match[2])) for match in slots]

    @cached_property
    def _pointers(self) -> Engine:
        """Created once and queried every second; it keeps no connection open."""
        engine = open_engine(make_url(self.url), poolclass=NullPool)
        if not inspect(engine).has_table(_LIVE.name):
            with _serialized_ddl(engine) as connection:
                _POINTERS.create_all(connection)
        return engine

    def _schema(self, slot: int) -> str:
        return f"v{self.version}_{slot}"

    def _file(self, url: URL, slot: int) -> Path:
        base = Path(url.database or _FILE)
        return base.with_name(f"{base.stem}.{self._schema(slot)}{base.suffix}")


@contextmanager
def _serialized_ddl(engine: Engine) -> Iterator[Connection]:
    """A transaction that creates tables: replicas that start together on a new database create them one by one."""
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        yield connection
