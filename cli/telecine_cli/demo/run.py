"""`telecine demo`: a stack of its own, two generations from request to file, and what they cost."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_cli.errors import CommandError
from telecine_cli.event_reader import live_events
from telecine_cli.target import connected
from telecine_contracts.gateway import Kind
from telecine_contracts.streams import LEDGER, VIDEO

from .account import ACCOUNT, WelcomeGrant, open_account
from .audit import run_audit, wait_for_checkpoint
from .console import DemoConsole, open_console
from .environment import DemoEnvironment, LocalStack, RemoteStack
from .gateway_client import GatewayClient, gateway_client
from .report import FinishedGeneration, document, report
from .tracker import GenerationTracker, TrackedGeneration

__all__ = ["DemoOptions", "run_demo"]

_CREDITS = 200
_PATIENCE_SECONDS = 60.0
"""For everything beyond the time that the emulated provider takes."""
_STATUS_SECONDS = 10.0
_BRAND_AT, _BRAND = 4, b"ftyp"
"""An mp4 file says so after the four bytes of its first box's length."""


@dataclass(frozen=True)
class DemoOptions:
    """What the user chose: the folder for the videos, where it plays, and how long the provider may take."""

    out: Path
    place: LocalStack | RemoteStack
    task_seconds: float


async def run_demo(wish: DemoOptions, *, as_json: bool) -> None:
    """Run the demonstration and print its facts.

    Raises:
        Failure: when anything is not as it should be; a temporary folder then stays, with its logs.
    """
    screen = open_console(standard_error=as_json)
    _make(wish.out)
    journeys = GenerationTracker(ACCOUNT)
    async with wish.place.open(lambda message: screen.say(message, "dim")) as stage:
        finished = await _play(wish, stage, journeys, screen)
        screen.say("done; the auditor reads the ledger …", "dim")
        verdict = await run_audit(stage.auditing, as_json=as_json)
    if as_json:
        told = document(finished, journeys.ledger) | {"run_audit": json.loads(verdict)}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in [*report(finished, journeys.ledger), "", "telecine-audit verify", verdict.rstrip()]:
            screen.say(line)


def _make(out: Path) -> None:
    """The folder for the videos, before anything is started: at the end it would be too late to say so."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"can't put videos into {out} ({error.strerror}): choose another with --out"
        ) from None


async def _play(
    wish: DemoOptions, stage: DemoEnvironment, journeys: GenerationTracker, screen: DemoConsole
) -> list[FinishedGeneration]:
    async with connected(stage.target) as connection:
        starts = [
            (stream, await CatchUpSubscription(connection, stream).head()) for stream in (VIDEO, LEDGER)
        ]
        async with live_events(connection, starts) as events:
            gift = WelcomeGrant(_CREDITS, f"telecine demo {secrets.token_hex(4)}")
            key = await open_account(connection, stage.data, gift)
            screen.say(f"ready: the gateway answers at {stage.gateway_url}", "dim")
            async with gateway_client(stage.gateway_url, key) as gateway:
                await _request_videos(gateway, journeys, stage.sample_image)
                await _watch(events, journeys, screen, wish.task_seconds + _PATIENCE_SECONDS)
                finished = [await _fetch(gateway, journey, wish.out) for journey in journeys.all()]
        await wait_for_checkpoint(connection)
    return finished


async def _request_videos(gateway: GatewayClient, journeys: GenerationTracker, sample_image: str) -> None:
    text: dict[str, Any] = {"prompt": "A lighthouse at dusk, long waves rolling in", "duration": 5}
    image = {
        "imageUrl": sample_image,
        "prompt": "The boats begin to rock",
        "resolution": "480p",
        "duration": 4,
    }
    journeys.begin(await gateway.generate(text), Kind.TEXT_TO_VIDEO)
    journeys.begin(await gateway.generate(image), Kind.IMAGE_TO_VIDEO)


async def _watch(
    events: "asyncio.Queue[RecordedEvent]", journeys: GenerationTracker, screen: DemoConsole, seconds: float
) -> None:
    """Take events until every generation is over. Raises Failure for one without a video, or after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            with screen.following(journeys):
                while not journeys.over():
                    recorded = await events.get()
                    if journeys.add(recorded):
                        screen.event(recorded)
    except TimeoutError:
        raise CommandError(f"the generations did not come to an end within {seconds:g} s") from None
    for journey in journeys.all():
        if journey.failure is not None:
            raise CommandError(f"the {journey.kind.value} generation has no video: {journey.failure}")


async def _fetch(gateway: GatewayClient, journey: TrackedGeneration, out: Path) -> FinishedGeneration:
    """Download a video and check that it is the one that was stored."""
    stored = journey.stored
    status = await _final_status(gateway, journey)
    if stored is None or status != "completed":
        raise CommandError(f"the {journey.kind.value} generation is {status}, but no video was stored")
    download = await gateway.download(journey.generation, out / f"{journey.kind.value}.mp4")
    if (download.bytes, download.sha256) != (stored.bytes, stored.sha256):
        raise CommandError(
            f"{download.file} is not the file that was stored: {download.bytes} of {stored.bytes} bytes"
        )
    with download.file.open("rb") as file:
        if file.read(_BRAND_AT + len(_BRAND))[_BRAND_AT:] != _BRAND:
            raise CommandError(f"{download.file} is not an mp4 file")
    return FinishedGeneration(journey, status, download)


async def _final_status(gateway: GatewayClient, journey: TrackedGeneration) -> str:
    """What the API says; its tables may be some milliseconds behind the events."""
    try:
        async with asyncio.timeout(_STATUS_SECONDS):
            while (status := (await gateway.status(journey.generation))["status"]) == "processing":  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(
            f"generation {journey.generation} is over, but the gateway still calls it running"
        ) from None
    return str(status)
