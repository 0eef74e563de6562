"""`python -m notifier provision`, once; then `python -m notifier run`."""

import argparse
import asyncio
import sys
from pathlib import Path

from .consumer import NAME, exists, provision
from .line_file import LineFile
from .subscriber import build


def main() -> None:
    """Read the command line and run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m notifier", description=__doc__)
    parser.add_argument("command", choices=["provision", "run"])
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", help="URL of the NATS server")
    parser.add_argument("--file", type=Path, default=Path("notices.jsonl"), help="where the lines go")
    options = parser.parse_args()
    if options.command == "provision":
        asyncio.run(provision(options.nats))
    else:
        asyncio.run(run(options.nats, options.file))


async def run(url: str, path: Path) -> None:
    """Follow the events until SIGTERM or Ctrl-C."""
    if not await exists(url):
        sys.exit(f"consumer {NAME} does not exist: run `python -m notifier provision` first")
    lines = LineFile(path)
    try:
        await build(url, lines).run()
    finally:
        lines.close()


if __name__ == "__main__":
    main()
