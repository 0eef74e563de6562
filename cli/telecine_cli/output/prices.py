"""The output of `telecine prices`."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from telecine_cli.errors import CommandError
from telecine_cli.price_catalog import load_prices, publish_prices
from telecine_cli.target import Target, connected
from telecine_contracts.price_catalog import PricesPublished
from telecine_contracts.price_files import InvalidPriceFile, format_price_file, parse_price_file
from telecine_contracts.pricing import NotSold, PricedInputs, PriceTable
from telecine_contracts.video_models import MODELS, VideoModel

from .formats import format_time
from .tables import print_table

__all__ = ["print_check", "print_difference", "print_prices", "print_published"]

_NOT_SOLD = "not sold"
_DEFAULT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip that can be requested, and its price: None if it is not sold."""

    model: str
    resolution: str
    options: str
    seconds: int
    credits: int | None


async def print_prices(target: Target, at: datetime | None, *, as_toml: bool, as_json: bool) -> None:
    """Print the table in force at a time."""
    time = at or datetime.now(UTC)
    async with connected(target) as connection:
        catalog = await load_prices(connection)
    found = catalog.at(time)
    if found is None:
        raise CommandError(
            f"no price table is in force at {format_time(time)}: `telecine prices publish FILE`"
        )
    if as_toml:
        typer.echo(format_price_file(found.table), nl=False)
        return
    later = catalog.after(time)
    if as_json:
        document = _document(found) | {"later": [_document(each) for each in later]}
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"Price table {found.table.version}, in force since {format_time(found.effective_from)}")
    for each in later:
        typer.echo(f"Table {each.table.version} follows at {format_time(each.effective_from)}")
    typer.echo()
    _print_clips(_shown(found.table))


def print_check(file: Path, *, as_json: bool) -> None:
    """Print what a file sells. Raises CommandError for a file that is not a price table."""
    table = _read(file)
    clips = list(_clips(table))
    missing = sorted({(clip.model, clip.resolution) for clip in clips if clip.credits is None})
    if as_json:
        unsold = [{"model": model, "resolution": resolution} for model, resolution in missing]
        typer.echo(json.dumps({"version": table.version, "ok": True, "not_sold": unsold}, indent=2))
        return
    typer.echo(f"Price table {table.version}: {len(table.rates)} rates, {len(table.factors)} factors")
    typer.echo()
    _print_clips(_shown(table))
    for model, resolution in missing:
        typer.echo(f"not sold: {resolution} with {model}")


async def print_difference(target: Target, file: Path, *, as_json: bool) -> None:
    """Print every price that differs from the table in force."""
    table = _read(file)
    async with connected(target) as connection:
        found = (await load_prices(connection)).at(datetime.now(UTC))
    if found is None:
        raise CommandError("no price table is in force: there is nothing to compare with")
    pairs = zip(_clips(found.table), _clips(table), strict=True)
    changed = [(before, after) for before, after in pairs if before.credits != after.credits]
    if as_json:
        changes = [asdict(after) | {"before": before.credits} for before, after in changed]
        document = {"before": found.table.version, "after": table.version, "changes": changes}
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{found.table.version} (in force) and {table.version} ({file})")
    typer.echo()
    if not changed:
        typer.echo("every price is the same")
        return
    head = ("model", "resolution", "options", "seconds", "now", "then")
    print_table(_ranges(changed), head=head, right={3, 4, 5})


def _ranges(changed: Iterable[tuple[_Clip, _Clip]]) -> Iterator[tuple[str, ...]]:
    """One row for consecutive lengths whose prices are the same before and after."""

    def what(place: tuple[int, tuple[_Clip, _Clip]]) -> tuple[Any, ...]:
        number, (before, after) = place
        model, resolution, options, _ = _place(after)
        return model, resolution, options, before.credits, after.credits, after.seconds - number

    for (model, resolution, options, now, then, _), places in groupby(enumerate(changed), what):
        lengths = [after.seconds for _, (_, after) in places]
        seconds = f"{lengths[0]}-{lengths[-1]}" if len(lengths) > 1 else str(lengths[0])
        yield model, resolution, options, seconds, _amount(now), _amount(then)


async def print_published(target: Target, file: Path, at: datetime | None, *, as_json: bool) -> None:
    """Publish a file and print the outcome."""
    table = _read(file)
    async with connected(target) as connection:
        event = await publish_prices(connection, table, at)
    if as_json:
        document: dict[str, Any] = {"version": table.version, "changed": event is not None}
        if event is not None:
            document["effective_from"] = format_time(event.effective_from)
        typer.echo(json.dumps(document, indent=2))
    elif event is None:
        typer.echo(f"price table {table.version} was published before: nothing changes")
    else:
        typer.echo(
            f"published price table {table.version}, in force from {format_time(event.effective_from)}"
        )


def _read(file: Path) -> PriceTable:
    try:
        return parse_price_file(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"{file} cannot be read: {reason}") from None
    except InvalidPriceFile as error:
        problems = "\n".join(f"  {problem}" for problem in error.problems)
        raise CommandError(f"{file} is not a price table:\n{problems}") from None


def _clips(table: PriceTable) -> Iterator[_Clip]:
    """Every clip that can be requested."""
    for model in MODELS.values():
        for resolution in model.resolutions:
            for options, inputs in _variants(model):
                for seconds in range(model.durations[0], model.durations[1] + 1):
                    clip = PricedInputs(model=model.name, resolution=resolution, seconds=seconds, **inputs)
                    yield _Clip(model.name, resolution, options, seconds, _credits(table, clip))


def _variants(model: VideoModel) -> Iterator[tuple[str, dict[str, Any]]]:
    """The options of the model that a price may depend on, one at a time."""
    yield "", {}
    if model.generate_audio:
        yield "audio", {"audio": True}
    if model.references is not None and model.references.videos:
        yield "input video", {"input_video": True}
    if model.flex:
        yield "flex", {"tier": "flex"}


def _credits(table: PriceTable, clip: PricedInputs) -> int | None:
    try:
        return table.credits(clip)
    except NotSold:
        return None


def _shown(table: PriceTable) -> Iterator[_Clip]:
    """The shortest, a usual and the longest clip; those with options only where the option changes the price."""
    clips = {(clip.model, clip.resolution, clip.options, clip.seconds): clip for clip in _clips(table)}
    for (model, resolution, options, seconds), clip in clips.items():
        shortest, longest = MODELS[model].durations
        is_usual = seconds in (shortest, _DEFAULT_SECONDS, longest)
        plain = clips[model, resolution, "", seconds]
        if is_usual and clip.credits is not None and (not options or clip.credits != plain.credits):
            yield clip


def _print_clips(clips: Iterable[_Clip]) -> None:
    rows = [(*_place(clip), _amount(clip.credits)) for clip in clips]
    print_table(rows, head=("model", "resolution", "options", "seconds", "credits"), right={3, 4})


def _place(clip: _Clip) -> tuple[str, str, str, str]:
    return clip.model, clip.resolution, clip.options or "-", str(clip.seconds)


def _amount(credits: int | None) -> str:
    return _NOT_SOLD if credits is None else str(credits)


def _document(published: PricesPublished) -> dict[str, Any]:
    document: dict[str, Any] = published.model_dump(mode="json", exclude_none=True)
    return document | {"effective_from": format_time(published.effective_from)}
