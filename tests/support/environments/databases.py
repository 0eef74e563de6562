"""Which database the services of a test keep their tables in: SQLite, or Postgres for the whole run.

`TELECINE_TEST_DATABASE=postgres` puts every service of every test on the Postgres of the run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.support.servers.postgres import Postgres

__all__ = ["database_url", "postgres_databases", "uses_postgres"]

_VARIABLE = "TELECINE_TEST_DATABASE"
_running: list[Postgres] = []


def uses_postgres() -> bool:
    """Whether this run's services are on Postgres."""
    chosen = os.environ.get(_VARIABLE, "sqlite")
    if chosen not in ("sqlite", "postgres"):
        raise ValueError(f"{_VARIABLE} is sqlite or postgres, not {chosen}")
    return chosen == "postgres"


@contextmanager
def postgres_databases(server: Postgres) -> Iterator[None]:
    """While the block lasts, databases are made in this server."""
    _running.append(server)
    try:
        yield
    finally:
        _running.clear()
        _new_database_url.cache_clear()


def database_url(folder: Path, name: str) -> str:
    """The database called `name` of the test on `folder`: the same one each time it is asked for."""
    return _new_database_url(folder, name) if uses_postgres() else f"sqlite:///{folder / name}.db"


@cache
def _new_database_url(folder: Path, name: str) -> str:
    return _running[0].new_database()
