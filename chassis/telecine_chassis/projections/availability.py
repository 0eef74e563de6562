"""Detects that the database is temporarily unavailable and retries."""

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
"""Seconds between two attempts."""
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, NoConnectionFree)
"""SQLAlchemy's errors for: a server that is away, refuses or drops connections; an exhausted pool; a full disk; and on
SQLite a file that is locked, not writable or mounted read-only."""


def is_unavailable_error(error: BaseException) -> bool:
    """Whether the same statement may succeed later; any other error concerns the statement itself."""
    return isinstance(error, UNAVAILABLE_ERRORS) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


async def retry_while_unavailable(
    work: Callable[[], Awaitable[T]], refused: Callable[[], None] = lambda: None, **about: str
) -> T:
    """The result of `work`, retried while the database is unavailable; `about` goes to the log. Raises other errors.

    `refused` is called after each failed attempt.
    """
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_unavailable_error(error):
                raise
            # Only the driver's first line: statements and parameters must not get into the log.
            detail = str(getattr(error, "orig", None) or error).partition("\n")[0]
            refused()
            log.warning("database.unavailable", error=type(error).__name__, detail=detail, **about)
        await asyncio.sleep(RETRY_INTERVAL)
