"""Engines for SQLite and Postgres: durable writes, bounded pools, timeouts."""

import os
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.engine import URL
from sqlmodel import create_engine

__all__ = ["open_engine"]

BUSY_TIMEOUT = 30
"""Seconds that a writer on SQLite waits for another one."""
KEEPALIVE_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Seconds (the last: milliseconds) to notice a peer that vanished without closing; the defaults take many minutes.

https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction: this server has become a replica."""
POOL = 5
"""Connections to Postgres that a process keeps, and as many again under load; further threads wait."""
POOL_WAIT = 10
"""Seconds that a thread waits for a connection before its request fails with 503."""


def open_engine(url: URL, **options: Any) -> Engine:
    """An engine for this database; nothing is connected yet."""
    options["hide_parameters"] = True  # error texts are logged, and a parameter may be a prompt
    options["json_serializer"] = lambda value: to_json(value).decode()
    if url.get_backend_name() != "sqlite":
        if "poolclass" not in options:
            options |= {
                "pool_size": POOL,
                "max_overflow": POOL,
                "pool_timeout": POOL_WAIT,
                "pool_pre_ping": True,
            }
        engine = create_engine(url, connect_args=KEEPALIVE_OPTIONS, **options)
        event.listens_for(engine, "connect")(_replace_nul)
        event.listens_for(engine, "handle_error")(_leave_read_only)
        return engine
    _make_private(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        _use_wal(connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _make_private(file: Path) -> None:
    """Create a new file for its owner only: tables hold prompts. SQLite copies the mode to its -wal and -shm files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.name not in ("", ":memory:") and not file.exists():
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _replace_nul(connection: Any, _: Any) -> None:
    """Replace NUL, which Postgres rejects in texts: an event with it would otherwise become a dead letter."""
    for dumper in _dumpers():
        connection.adapters.register_dumper(str, dumper)


@cache
def _dumpers() -> tuple[type[Any], ...]:
    from psycopg.types.string import StrBinaryDumper, StrDumper

    class Binary(StrBinaryDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))

    class Text(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))

    return Binary, Text


def _leave_read_only(context: ExceptionContext) -> None:
    """Drop connections to a server that has become a replica; reconnecting finds the new primary."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _use_wal(connection: sqlite3.Connection) -> None:
    """Set the journal mode, which the file keeps. SQLite's busy timeout does not apply to it, hence the loop."""
    give_up = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
