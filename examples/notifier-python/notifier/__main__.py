"""`python -m notifier`: follow the events of the consumer until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import sys
from pathlib import Path

from .consumer import MISSING, Server, exists
from .line_file import LineFile
from .subscriber import build


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m notifier", description=__doc__)
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", help="URL of the NATS server")
    parser.add_argument(
        "--nkey", type=Path, help="file with the subscriber's seed, if the server has identities"
    )
    parser.add_argument("--file", type=Path, default=Path("notices.jsonl"), help="where the lines go")
    options = parser.parse_args()
    asyncio.run(run(Server(options.nats, options.nkey), options.file))


async def run(server: Server, path: Path) -> None:
    """Follow the events until SIGTERM or Ctrl-C."""
    if not await exists(server):
        sys.exit(MISSING)
    lines = LineFile(path)
    try:
        await build(server, lines).run()
    finally:
        lines.close()


if __name__ == "__main__":
    main()
