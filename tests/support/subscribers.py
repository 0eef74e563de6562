"""The example subscribers as processes, and a stream of generations that end for them to tell of."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.node import installed_packages, node

from telecine_chassis.store import EventStore
from telecine_cli.process import Command, Process
from telecine_contracts import Envelope, Event, derive_id, subjects
from telecine_contracts.examples import example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationCancelled, GenerationFailed, GenerationProgressed
from telecine_contracts.storage import VideoStorageFailed, VideoStored

__all__ = ["Generations", "Subscriber", "javascript_notifier", "python_notifier", "told"]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
_ENDS = (VideoStored, GenerationFailed, GenerationCancelled, VideoStorageFailed)
_OUTCOMES = ("completed", "failed", "cancelled", "completed")


@dataclass(frozen=True)
class Subscriber:
    """One notifier with its file, which a test may kill and start again."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    nats: str
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "notices.jsonl"

    def provision(self) -> None:
        """Create its durable consumer, as its README says."""
        done = subprocess.run(
            [*self.command, "provision", "--nats", self.nats],
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def process(self, *, blocks: int | None = None) -> Process:
        """The running notifier; not started yet. With `blocks` (of 512 or 1024 bytes) no file may become larger."""
        argv = (*self.command, "run", "--nats", self.nats, "--file", str(self.file))
        if blocks is not None:
            argv = ("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *argv)
        return Process(Command(self.name, argv, self.folder / f"{self.name}.log", dict(os.environ), self.cwd))

    def lines(self) -> list[dict[str, Any]]:
        """The whole lines of its file."""
        if not self.file.exists():
            return []
        whole, _, _ = self.file.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]


def python_notifier(nats: str, folder: Path) -> Subscriber:
    """examples/notifier-python, run from where it is."""
    return Subscriber(
        "notifier-python", (sys.executable, "-m", "notifier"), EXAMPLES / "notifier-python", nats, folder
    )


def javascript_notifier(nats: str, folder: Path) -> Subscriber:
    """A copy of examples/notifier-javascript beside nothing but the published contract: no telecine code in reach."""
    project, copy = EXAMPLES / "notifier-javascript", folder / "examples" / "notifier-javascript"
    shutil.copytree(project / "src", copy / "src")
    shutil.copy(project / "package.json", copy)
    (copy / "node_modules").symlink_to(installed_packages(project))
    shutil.copytree(ROOT / "contracts" / "schemas", folder / "contracts" / "schemas")
    shutil.copy(ROOT / "contracts" / "asyncapi.json", folder / "contracts")
    return Subscriber("notifier-javascript", (node(), "src/main.js"), copy, nats, folder)


class Generations:
    """Generations that are requested, make progress and end, each its own way."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._time = datetime(2026, 11, 23, 10, tzinfo=UTC)
        self.ended: list[dict[str, Any]] = []
        """What each notifier should say, in order: sequence, account, generation, outcome."""

    async def end(self, count: int) -> None:
        """Let `count` more generations come and go."""
        for number in range(len(self.ended), len(self.ended) + count):
            account, generation = f"account-{number % 3}", f"generation-{number}"
            way = number % len(_ENDS)
            sequence = 0
            for kind in (GenerationRequested, GenerationProgressed, _ENDS[way]):
                event = example(kind).model_copy(update={"account": account, "generation": generation})
                sequence = await self._append(event, generation, sequence)
            self.ended.append(
                {
                    "sequence": sequence,
                    "account": account,
                    "generation": generation,
                    "outcome": _OUTCOMES[way],
                }
            )

    async def _append(self, event: Event, generation: str, expected: int) -> int:
        self._time += timedelta(seconds=1)
        envelope = Envelope(
            id=derive_id(generation, event.type),
            source=event.written_by,
            type=event.type,
            time=self._time,
            subject=subjects.of_event(event),
            correlation=f"{generation} – “{event.action}”",
            causation=generation,
        )
        aggregate = subjects.video(event.about["account"], generation)
        return await self._store.append(event, envelope, aggregate=aggregate, expected=expected)


def told(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The part of each line that `Generations.ended` knows."""
    return [{name: line[name] for name in ("sequence", "account", "generation", "outcome")} for line in lines]
