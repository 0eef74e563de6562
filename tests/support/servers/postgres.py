"""A Postgres, as tests know it."""

import asyncio
import secrets
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL
from tests.support.servers.lifecycle import READY_SECONDS, ServerProcess

__all__ = ["Postgres"]


@dataclass(frozen=True)
class Postgres:
    """A running server. `place`: as SQLAlchemy takes it; `made`: the databases that tests have made in it."""

    place: URL
    power: ServerProcess
    made: list[str] = field(default_factory=list)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t_{secrets.token_hex(6)}"
        self.tell("CREATE DATABASE {}", name)
        self.made.append(name)
        return self.place.set(database=name).render_as_string(hide_password=False)

    def tell(self, words: str, database: str) -> None:
        """Say something about a database, which is named where the words have {}."""
        with self._connect() as connection:
            connection.execute(sql.SQL(words).format(sql.Identifier(database)))

    async def start(self) -> None:
        """Start (again) on the same data and port, and wait until connections can be had."""
        self.power.start()
        await self.power.wait_ready(self.answers, READY_SECONDS)

    def kill(self) -> None:
        """SIGKILL, with everything that serves connections."""
        self.power.kill()

    async def answers(self) -> bool:
        """Whether a connection can be had."""
        return await asyncio.to_thread(self._connects)

    def _connects(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        place = self.place.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(place, autocommit=True, connect_timeout=3)
