"""`python -m telecine_contracts`: writes the files that are generated from the events."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .event_page import page
from .publishing import Incompatible, export, release, write_examples


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    write: Callable[[Path], list[Path]] = options.write
    try:
        written = write(options.path)
    except Incompatible as problem:
        print(f"{problem}\nMake a new version of the event, with an upcast.", file=sys.stderr)
        return 1
    print(f"{len(written)} files written")
    return 0


def _write_page(path: Path) -> list[Path]:
    path.write_text(page(), encoding="utf-8")
    return [path]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m telecine_contracts", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, write, path, about in (
        ("export", export, "DIR", "write DIR/schemas/<event>.json and DIR/asyncapi.json"),
        ("docs", _write_page, "FILE", "write the page of all events"),
        ("examples", write_examples, "DIR", "write example bodies that DIR does not have yet"),
        ("release", release, "DIR", "record DIR's schemas as released: no later change may break them"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("path", metavar=path, type=Path)
        command.set_defaults(write=write)
    return parser


if __name__ == "__main__":
    sys.exit(main())
