"""`telecine demo`: a stack of its own, two generations from request to file, and what they cost."""

import asyncio
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from telecine_chassis.feed import Feed
from telecine_chassis.store import Recorded
from telecine_cli.demo_account import ACCOUNT, Gift, open_account
from telecine_cli.demo_report import Finished, document, report
from telecine_cli.demo_screen import Screen, screen_on
from telecine_cli.event_reading import following
from telecine_cli.facts import Facts, Options
from telecine_cli.failure import Failure
from telecine_cli.gateway_client import GatewayClient, gateway_client
from telecine_cli.journeys import Journey, Journeys
from telecine_cli.provision_report import provision_stack
from telecine_cli.stack import Stack
from telecine_cli.target import connected
from telecine_contracts.gateway import Kind
from telecine_contracts.streams import LEDGER, VIDEO

__all__ = ["Demonstration", "demonstrate"]

_CREDITS = 200
_PATIENCE_SECONDS = 60.0
"""For everything beyond the time that the emulated provider takes."""
_STATUS_SECONDS = 10.0
_BRAND_AT, _BRAND = 4, b"ftyp"
"""An mp4 file says so after the four bytes of its first box's length."""


@dataclass(frozen=True)
class Demonstration:
    """What the user chose. Without `data` a temporary folder is used."""

    out: Path
    data: Path | None
    task_seconds: float


async def demonstrate(wish: Demonstration, *, as_json: bool) -> None:
    """Run the demonstration and print its facts.

    Raises:
        Failure: when anything is not as it should be; a temporary folder then stays, with its logs.
    """
    screen = screen_on(standard_error=as_json)
    _make(wish.out)
    journeys = Journeys(ACCOUNT)
    with _folder(wish.data) as data:
        finished = await _run(wish, data, journeys, screen)
    if as_json:
        typer.echo(json.dumps(document(finished, journeys.ledger), indent=2, ensure_ascii=False))
    else:
        for line in report(finished, journeys.ledger):
            screen.say(line)


def _make(out: Path) -> None:
    """The folder for the videos, before anything is started: at the end it would be too late to say so."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"can't put videos into {out} ({error.strerror}): choose another with --out") from None


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    data = Path(tempfile.mkdtemp(prefix="telecine-demo-"))
    try:
        yield data
    except Exception:
        typer.echo(f"data and logs are kept in {data}", err=True)
        raise
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    shutil.rmtree(data, ignore_errors=True)


async def _run(wish: Demonstration, data: Path, journeys: Journeys, screen: Screen) -> list[Finished]:
    options = Options(emulator_arguments=(f"--task-seconds={wish.task_seconds}",))
    screen.say("starting nats-server, an S3 server, an emulated provider and the four services …", "dim")
    async with Stack(data, options, provision=provision_stack, say=screen.say) as stack:
        nats_url = stack.facts.nats.url
        async with connected(nats_url) as connection:
            starts = [(stream, await Feed(connection, stream).head()) for stream in (VIDEO, LEDGER)]
            async with following(connection, starts) as events:
                gift = Gift(_CREDITS, f"telecine demo {secrets.token_hex(4)}")
                key = await open_account(connection, stack.facts.data, gift)
                screen.say(f"ready: the gateway answers at {stack.facts.gateway_url}", "dim")
                async with gateway_client(stack.facts.gateway_url, key) as gateway:
                    await _ask(gateway, journeys, stack.facts)
                    await _watch(events, journeys, screen, wish.task_seconds + _PATIENCE_SECONDS)
                    finished = [await _fetch(gateway, journey, wish.out) for journey in journeys.all()]
        screen.say("done; stopping everything …", "dim")
    return finished


async def _ask(gateway: GatewayClient, journeys: Journeys, facts: Facts) -> None:
    text: dict[str, Any] = {"prompt": "A lighthouse at dusk, long waves rolling in", "duration": 5}
    image = {
        "imageUrl": f"{facts.local_url('emulator')}/samples/harbour.png",
        "prompt": "The boats begin to rock",
        "resolution": "480p",
        "duration": 4,
    }
    journeys.begin(await gateway.generate(text), Kind.TEXT_TO_VIDEO)
    journeys.begin(await gateway.generate(image), Kind.IMAGE_TO_VIDEO)


async def _watch(
    events: "asyncio.Queue[Recorded]", journeys: Journeys, screen: Screen, seconds: float
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
        raise Failure(f"the generations did not come to an end within {seconds:g} s") from None
    for journey in journeys.all():
        if journey.failure is not None:
            raise Failure(f"the {journey.kind.value} generation has no video: {journey.failure}")


async def _fetch(gateway: GatewayClient, journey: Journey, out: Path) -> Finished:
    """Download a video and check that it is the one that was stored."""
    stored = journey.stored
    status = await _final_status(gateway, journey)
    if stored is None or status != "completed":
        raise Failure(f"the {journey.kind.value} generation is {status}, but no video was stored")
    download = await gateway.download(journey.generation, out / f"{journey.kind.value}.mp4")
    if (download.bytes, download.sha256) != (stored.bytes, stored.sha256):
        raise Failure(
            f"{download.file} is not the file that was stored: {download.bytes} of {stored.bytes} bytes"
        )
    with download.file.open("rb") as file:
        if file.read(_BRAND_AT + len(_BRAND))[_BRAND_AT:] != _BRAND:
            raise Failure(f"{download.file} is not an mp4 file")
    return Finished(journey, status, download)


async def _final_status(gateway: GatewayClient, journey: Journey) -> str:
    """What the API says; its tables may be some milliseconds behind the events."""
    try:
        async with asyncio.timeout(_STATUS_SECONDS):
            while (status := (await gateway.status(journey.generation))["status"]) == "processing":  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Failure(
            f"generation {journey.generation} is over, but the gateway still calls it running"
        ) from None
    return str(status)
