"""`telecine demo`: two generations from request to file, their events and their cost, and an audit."""

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
from .report import FinishedGeneration, document, print_report
from .tracker import GenerationTracker, TrackedGeneration

__all__ = ["DemoOptions", "run_demo"]

_CREDITS = 200
_TIMEOUT_SECONDS = 60.0
"""For everything beyond the time that the emulated provider takes."""
_STATUS_SECONDS = 10.0
_BRAND_AT, _BRAND = 4, b"ftyp"
"""The type of an mp4 file's first box, which follows the four bytes of its length."""


@dataclass(frozen=True)
class DemoOptions:
    """The folder for the videos, where the demo runs, and the seconds that the emulated provider takes."""

    out: Path
    place: LocalStack | RemoteStack
    task_seconds: float


async def run_demo(options: DemoOptions, *, as_json: bool) -> None:
    """Run the demo and print its result.

    Raises:
        CommandError: something is not as expected; a temporary folder is then kept, with its logs.
    """
    console = open_console(standard_error=as_json)
    _create_folder(options.out)
    tracker = GenerationTracker(ACCOUNT)
    async with options.place.open(lambda message: console.say(message, "dim")) as environment:
        finished = await _generate_videos(options, environment, tracker, console)
        console.say("done; the auditor reads the ledger …", "dim")
        verdict = await run_audit(environment.auditor, as_json=as_json)
    if as_json:
        result = document(finished, tracker.ledger) | {"audit": json.loads(verdict)}
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    print_report(console, finished, tracker.ledger)
    console.say()
    console.say("telecine-audit verify", "bold")
    console.say(verdict.rstrip())


def _create_folder(out: Path) -> None:
    # Before anything is started: an unusable folder would otherwise be reported at the very end.
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"cannot write videos into {out} ({error.strerror}): choose another folder with --out"
        ) from None


async def _generate_videos(
    options: DemoOptions, environment: DemoEnvironment, tracker: GenerationTracker, console: DemoConsole
) -> list[FinishedGeneration]:
    async with connected(environment.target) as connection:
        starts = [
            (stream, await CatchUpSubscription(connection, stream).head()) for stream in (VIDEO, LEDGER)
        ]
        async with live_events(connection, starts) as events:
            welcome = WelcomeGrant(_CREDITS, f"telecine demo {secrets.token_hex(4)}")
            key = await open_account(connection, environment.data, welcome)
            console.say(f"ready: the gateway listens at {environment.gateway_url}", "dim")
            async with gateway_client(environment.gateway_url, key) as gateway:
                await _request_videos(gateway, tracker, environment.sample_image)
                await _print_events(events, tracker, console, options.task_seconds + _TIMEOUT_SECONDS)
                finished = [await _download(gateway, tracked, options.out) for tracked in tracker.all()]
        await wait_for_checkpoint(connection)
    return finished


async def _request_videos(gateway: GatewayClient, tracker: GenerationTracker, sample_image: str) -> None:
    text: dict[str, Any] = {"prompt": "A lighthouse at dusk, long waves rolling in", "duration": 5}
    image = {
        "imageUrl": sample_image,
        "prompt": "The boats begin to rock",
        "resolution": "480p",
        "duration": 4,
    }
    tracker.begin(await gateway.generate(text), Kind.TEXT_TO_VIDEO)
    tracker.begin(await gateway.generate(image), Kind.IMAGE_TO_VIDEO)


async def _print_events(
    events: "asyncio.Queue[RecordedEvent]", tracker: GenerationTracker, console: DemoConsole, seconds: float
) -> None:
    """Print events until every generation has ended.

    Raises:
        CommandError: a generation has no video, or `seconds` have passed.
    """
    try:
        async with asyncio.timeout(seconds):
            with console.live_status(tracker):
                while not tracker.over():
                    recorded = await events.get()
                    if tracker.add(recorded):
                        console.event(recorded)
    except TimeoutError:
        raise CommandError(f"the generations did not end within {seconds:g} s") from None
    for tracked in tracker.all():
        if tracked.failure is not None:
            raise CommandError(f"the {tracked.kind.value} generation has no video: {tracked.failure}")


async def _download(gateway: GatewayClient, tracked: TrackedGeneration, out: Path) -> FinishedGeneration:
    """Download a video and check that it is the stored one."""
    stored = tracked.stored
    status = await _final_status(gateway, tracked)
    if stored is None or status != "completed":
        raise CommandError(f"the {tracked.kind.value} generation is {status}, but no video was stored")
    download = await gateway.download(tracked.generation, out / f"{tracked.kind.value}.mp4")
    if (download.bytes, download.sha256) != (stored.bytes, stored.sha256):
        raise CommandError(
            f"{download.file} is not the stored file: {download.bytes} of {stored.bytes} bytes, or another SHA-256"
        )
    with download.file.open("rb") as file:
        if file.read(_BRAND_AT + len(_BRAND))[_BRAND_AT:] != _BRAND:
            raise CommandError(f"{download.file} is not an mp4 file")
    return FinishedGeneration(tracked, status, download)


async def _final_status(gateway: GatewayClient, tracked: TrackedGeneration) -> str:
    """The status by the API, whose tables may be some milliseconds behind the events."""
    try:
        async with asyncio.timeout(_STATUS_SECONDS):
            while (status := (await gateway.status(tracked.generation))["status"]) == "processing":  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(
            f"generation {tracked.generation} has ended, but its status is still processing"
        ) from None
    return str(status)
