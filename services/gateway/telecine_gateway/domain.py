"""Decider of the gateway's commands: requesting a generation and cancelling it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from telecine_contracts import Event
from telecine_contracts.gateway import CancelRequested, GenerationRequested, Kind, VideoParameters
from telecine_contracts.generation import CancelDeclined, GenerationCancelled, GenerationFailed, VideoReady
from telecine_contracts.pricing import Price
from telecine_contracts.storage import VideoStorageFailed, VideoStored

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]
"""Of a generation, as clients see it."""
Ending = Literal["completed", "failed", "cancelled"]


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request."""


class UnknownGeneration(LookupError):
    """The account has no such generation."""


class AlreadyEnded(Exception):
    """The generation can't be cancelled any more; `ending` is None while its finished video is being stored."""

    def __init__(self, ending: Ending | None) -> None:
        super().__init__(ending or "the video is video_ready already")
        self.ending = ending


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGeneration:
    """Request a video at a price. `digest` identifies the request's body, to recognise a repetition."""

    account: str
    generation: str
    kind: Kind
    parameters: VideoParameters
    price: Price
    digest: str
    api_key: str | None = None
    cancel_after: int | None = None


@dataclass(frozen=True, slots=True)
class RequestCancel:
    """Request that a generation is stopped."""

    account: str
    generation: str


Command = RequestGeneration | RequestCancel


@dataclass(frozen=True, slots=True)
class Generation:
    """The state that the commands depend on. Without `digest` the generation does not exist."""

    digest: str | None = None
    model: str | None = None
    cancel_requested: bool = False
    cancel_declined: bool = False
    video_ready: bool = False
    ending: Ending | None = None


def decide(command: Command, generation: Generation) -> Event | None:
    """The event that `command` leads to; None if it was carried out before.

    Raises IdempotencyConflict, UnknownGeneration or AlreadyEnded.
    """
    match command:
        case RequestGeneration():
            return _request(command, generation)
        case RequestCancel():
            return _cancel(command, generation)
        case _:
            assert_never(command)


def _request(command: RequestGeneration, generation: Generation) -> Event | None:
    if generation.digest == command.digest:
        return None
    if generation.digest is not None:
        raise IdempotencyConflict
    return GenerationRequested(
        account=command.account,
        generation=command.generation,
        kind=command.kind,
        parameters=command.parameters,
        price=command.price,
        digest=command.digest,
        api_key=command.api_key,
        cancel_after=command.cancel_after,
    )


def _cancel(command: RequestCancel, generation: Generation) -> Event | None:
    if generation.digest is None:
        raise UnknownGeneration
    if generation.ending == "cancelled":
        return None
    if generation.ending is not None or generation.video_ready:
        raise AlreadyEnded(generation.ending)
    if generation.cancel_requested:
        return None
    return CancelRequested(account=command.account, generation=command.generation)


def evolve(generation: Generation, event: Event) -> Generation:
    """The state after an event. The first ending is final."""
    match event:
        case GenerationRequested():
            return replace(generation, digest=event.digest, model=event.parameters.model)
        case CancelRequested():
            return replace(generation, cancel_requested=True)
        case CancelDeclined():
            return replace(generation, cancel_declined=True)
        case VideoReady():
            return replace(generation, video_ready=True)
        case _:
            return replace(generation, ending=generation.ending or _ending(event))


def _ending(event: Event) -> Ending | None:
    match event:
        case VideoStored():
            return "completed"
        case VideoStorageFailed():
            return "completed" if event.stopgap_url else "failed"
        case GenerationFailed():
            return "failed"
        case GenerationCancelled():
            return "cancelled"
        case _:
            return None
