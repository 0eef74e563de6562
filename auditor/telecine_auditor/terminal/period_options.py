"""Options that select a part of the ledger: a point in time, a sequence, or a period."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from telecine_auditor.timestamps import parse_at, parse_from, parse_to
from telecine_contracts.timestamps import is_date_or_timestamp

from .options import ServerOptions, SourceOptions, checked

__all__ = ["PeriodOptions", "PointOptions", "parse_sequence"]

_WHEN, _PERIOD = "When", "Which period"


@checked
def parse_sequence(text: str) -> int:
    """The sequence of an entry in its stream. Raises typer.BadParameter."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError(f"invalid sequence {text!r}, expected a whole number of 1 or more")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class PointOptions(SourceOptions):
    """`--at` or `--sequence`: `until` and `sequence` of a LedgerReader."""

    until: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=checked(parse_at),
            metavar="TIME",
            help="As it was at that time, e.g. 2026-11-23T10:00:00Z, or at the end of that day in UTC, 2026-11-23.",
            rich_help_panel=_WHEN,
        ),
    ] = None
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence",
            parser=parse_sequence,
            metavar="N",
            help="As it was after entry N of the stream.",
            rich_help_panel=_WHEN,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.until is not None and self.sequence is not None:
            raise typer.BadParameter("--at and --sequence exclude each other")


@checked
def _parse_from(text: str) -> str:
    """Checked only: `--from` is the folder of a mirror wherever it does not look like a time."""
    if is_date_or_timestamp(text):
        parse_from(text)
    return text


@dataclass(frozen=True, kw_only=True)
class PeriodOptions(ServerOptions):
    """`--from` and `--to`. `--from` also keeps its other meaning: what does not look like a time is a mirror."""

    from_: Annotated[
        list[str],
        typer.Option(
            "--from",
            parser=_parse_from,
            metavar="TIME|DIR",
            help="From that time on, e.g. 2026-11-23T10:00:00Z, or from that day in UTC on, e.g. 2026-11-23;"
            " anything else is the folder of a mirror to read in place of the server. May be given once for each.",
            rich_help_panel=_PERIOD,
            show_default=False,
        ),
    ] = field(default_factory=list)
    since_: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            parser=checked(parse_from),
            metavar="TIME",
            help="The same as --from TIME.",
            rich_help_panel=_PERIOD,
        ),
    ] = None
    until: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=checked(parse_to),
            metavar="TIME",
            help="Up to and without that time, or up to the end of that day in UTC.",
            rich_help_panel=_PERIOD,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise typer.BadParameter("--to must not be earlier than --from")

    @property
    def since(self) -> datetime | None:
        """The first instant of the period; None for the start of the ledger."""
        times = [text for text in self.from_ if is_date_or_timestamp(text)]
        return parse_from(times[-1]) if self.since_ is None and times else self.since_

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror to read in place of the server."""
        folders = [text for text in self.from_ if not is_date_or_timestamp(text)]
        return Path(folders[-1]) if folders else None
