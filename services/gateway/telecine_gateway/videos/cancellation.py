"""Requests that a generation is stopped, and waits for the generation service's decision."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from telecine_chassis.eventstore.command_handler import Cause
from telecine_contracts import derive_id, subjects
from telecine_gateway.domain import AlreadyEnded, Generation, RequestCancel
from telecine_gateway.read_model.consistency import Waiters

from .submission import Commands

__all__ = ["CancelResult", "Cancellation", "Cancellations"]


class CancelResult(StrEnum):
    """The outcome of a cancel."""

    CANCELLED = "cancelled"
    REQUESTED = "requested"
    ALREADY_FINISHED = "already_finished"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`status` is the generation's; `declined`: the provider has started on it and can't stop."""

    result: CancelResult
    status: str
    declined: bool = False


class Cancellations:
    """Cancels generations. `timeout`: seconds to wait for the generation service."""

    def __init__(self, commands: Commands, progress: Waiters[Generation], *, timeout: float) -> None:
        self._commands = commands
        self._progress = progress
        self._timeout = timeout

    async def cancel(self, account: str, generation: str, traceparent: str | None) -> Cancellation:
        """Request it once, however often this is called. Raises UnknownGeneration, Refused or Unavailable."""
        cause = Cause(derive_id(generation, "request cancel"), generation, traceparent)
        with self._progress.expect(generation) as progress:
            try:
                done = await self._commands.handle(
                    subjects.video(account, generation), RequestCancel(account, generation), cause
                )
            except AlreadyEnded as error:
                return Cancellation(CancelResult.ALREADY_FINISHED, error.ending or "processing")
            state = done.state
            if not (state.ending or state.cancel_declined):
                state = await self._wait(progress) or state
        return _cancellation(state)

    async def _wait(self, progress: asyncio.Future[Generation]) -> Generation | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await progress
        except TimeoutError:
            return None


def _cancellation(state: Generation) -> Cancellation:
    if state.ending == "cancelled":
        return Cancellation(CancelResult.CANCELLED, "cancelled")
    if state.ending or state.video_ready:
        return Cancellation(CancelResult.ALREADY_FINISHED, state.ending or "processing")
    return Cancellation(CancelResult.REQUESTED, "processing", state.cancel_declined)
