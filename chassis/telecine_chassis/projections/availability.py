"""A database that is not to be had for a while: told by the type of an error, and waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

__all__ = ["UNAVAILABLE_ERRORS", "is_unavailable_error", "retry_while_unavailable"]

log = structlog.get_logger(__name__)
T = TypeVar("T")
RETRY_INTERVAL = 1
"""Seconds between two tries."""
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, NoConnectionFree)
"""What SQLAlchemy raises: the server is away, refuses or breaks off connections; the pool has none to give; the disk
is full, or (SQLite) the file is locked, cannot be written or was mounted read-only."""


def is_unavailable_error(error: BaseException) -> bool:
    """Whether the same statement may well succeed later. Anything else is wrong with the statement itself."""
    return isinstance(error, UNAVAILABLE_ERRORS) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


async def retry_while_unavailable(
    work: Callable[[], Awaitable[T]], refused: Callable[[], None] = lambda: None, **about: str
) -> T:
    """What `work` returns once the database can be had; `about` goes to the log. Other errors are raised.

    `refused` is called after each try that failed.
    """
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_unavailable_error(error):
                raise
            # The driver's first line says what is wrong and no more; statements and parameters stay out of the log.
            detail = str(getattr(error, "orig", None) or error).partition("\n")[0]
            refused()
            log.warning("database.unavailable", error=type(error).__name__, detail=detail, **about)
        await asyncio.sleep(RETRY_INTERVAL)
