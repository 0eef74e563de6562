"""Runs the work of a command: signals cancel it, and expected errors become one sentence without a traceback."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import nats.errors
import typer

from telecine_chassis.eventstore.port import StoreError, UnreadableMessage, UnsupportedEvent
from telecine_contracts import BadEnvelope, BadEvent, UnknownEvent
from telecine_jetstream.errors import PermissionDenied

from .errors import CommandError

__all__ = ["INTERRUPTED", "run"]

INTERRUPTED = 130
"""The exit code of a command that was interrupted with Ctrl-C."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SERVER_ERRORS = (nats.errors.Error, StoreError, TimeoutError)
_UNREADABLE = (BadEnvelope, BadEvent, UnknownEvent)
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], *, interrupted: int = INTERRUPTED) -> T:
    """Run `work` to its end. SIGINT, SIGTERM and SIGHUP cancel it; a second signal cancels its clean-up, too.

    Raises:
        CommandError: an error that a user can act on.
        typer.Exit: with the code `interrupted`, after a signal.
    """
    try:
        return asyncio.run(_cancelled_by_signals(work))
    except asyncio.CancelledError:
        raise typer.Exit(interrupted) from None
    except PermissionDenied as error:
        raise CommandError(str(error)) from error
    except (UnsupportedEvent, UnreadableMessage) as error:
        raise CommandError(f"nothing was done: {error}") from error
    except _SERVER_ERRORS as error:
        raise CommandError(
            f"the NATS server did not complete the request: {type(error).__name__} {error}".strip()
        ) from error
    except _UNREADABLE as error:
        place = ", ".join(getattr(error, "__notes__", ())) or "a message"
        raise CommandError(f"{place} can't be read: {error}") from error
    except BrokenPipeError:
        # The reader of standard output has closed it, e.g. `| head`: not an error, typer ends the program.
        raise
    except OSError as error:
        raise CommandError(str(error)) from error


async def _cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    return await task
