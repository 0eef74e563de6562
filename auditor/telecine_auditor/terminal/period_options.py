"""Options that say which part of the ledger a report is about."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine_auditor.timestamps import after_this, before_this, from_this, is_time

__all__ = ["add_period_options", "add_point_options", "sequence"]


def add_point_options(parser: argparse.ArgumentParser) -> None:
    """`--at` and `--sequence`: `until` and `sequence` of a Walk."""
    group = parser.add_argument_group("when").add_mutually_exclusive_group()
    group.add_argument(
        "--at",
        dest="until",
        type=after_this,
        metavar="TIME",
        help="as it was at that time, e.g. 2026-11-23T10:00:00Z, or at the end of that day of UTC, e.g. 2026-11-23",
    )
    group.add_argument("--sequence", type=sequence, metavar="N", help="as it was after entry N of the stream")


def add_period_options(parser: argparse.ArgumentParser) -> None:
    """`--from` and `--to`: `since` and `until`. To be added behind the options of the source.

    `--from` keeps its meaning of a mirror: what is written like a time is a time.
    """
    parser.conflict_handler = "resolve"
    group = parser.add_argument_group("which period")
    group.add_argument(
        "--from",
        dest="since",
        action=_From,
        metavar="TIME|DIR",
        help="from that time on, e.g. 2026-11-23T10:00:00Z, or from that day of UTC on, e.g. 2026-11-23;"
        " anything else is the folder of a mirror to read, and asks no server. May be given twice, once for each",
    )
    group.add_argument("--since", type=from_this, metavar="TIME", help="the same as --from TIME")
    group.add_argument(
        "--to",
        dest="until",
        type=before_this,
        metavar="TIME",
        help="up to that time, itself left out, or up to the end of that day of UTC",
    )
    parser.set_defaults(mirror=None)


class _From(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        text = str(values)
        if not is_time(text):
            namespace.mirror = Path(text)
            return
        try:
            namespace.since = from_this(text)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def sequence(text: str) -> int:
    """A sequence of a stream, from the command line."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no sequence: a whole number, 1 or more")
    return int(text)
