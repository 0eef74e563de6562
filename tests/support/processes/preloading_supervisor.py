"""A supervisor that starts two services from a process which has imported them.

Run as a program: FOLDER IMPORT. Writes the process id of each service (null: not started) as one line of JSON, and
for every name that it reads the exit code with which that service ended.
"""

import asyncio
import json
import sys
from pathlib import Path

from telecine_cli.preload.services import PreloadedServices
from telecine_cli.stack.process import Command, Process

MODULE = "tests.support.processes.sleeping_service"
NAMES = ("one", "two")


async def supervise(folder: Path, preloaded: PreloadedServices) -> None:
    processes = {
        name: Process(
            Command(
                name,
                (sys.executable, "-m", MODULE),
                folder / f"{name}.log",
                env={"MARK": name},
                module=MODULE,
            )
        )
        for name in NAMES
    }
    await preloaded.start(list(processes.values()))
    print(json.dumps({name: process.pid for name, process in processes.items()}), flush=True)
    while name := (await asyncio.to_thread(sys.stdin.readline)).strip():
        print(await processes[name].wait(), flush=True)


def main() -> None:
    folder, imported = sys.argv[1:]
    with PreloadedServices.fork([imported]) as preloaded:
        asyncio.run(supervise(Path(folder), preloaded))


if __name__ == "__main__":
    main()
