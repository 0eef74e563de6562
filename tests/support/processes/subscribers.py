"""The example subscribers as processes, and a stream of generations that end for them to tell of."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.processes.node import installed_packages, node

from telecine_chassis.eventstore.port import EventStore
from telecine_cli.provisioning.subscriptions import create, filters_by_stream
from telecine_cli.stack.process import Command, Process
from telecine_cli.target import Target, connected
from telecine_contracts import Envelope, Event, derive_id, subjects
from telecine_contracts.examples import example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationCancelled, GenerationFailed, GenerationProgressed
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.subjects import of_type

__all__ = ["Generations", "Subscriber", "javascript_notifier", "notification_keys", "python_notifier"]

ROOT = Path(__file__).parents[3]
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

    async def provision(self) -> None:
        """Create its durable consumer, as `telecine subscribers add` does, but with a shorter wait for a lost event."""
        filters = filters_by_stream((), [of_type(event) for event in _ENDS])
        async with connected(Target(self.nats)) as connection:
            await create(connection, self.name, filters, ack_wait=3)

    def process(self, *, blocks: int | None = None, nkey: str | None = None) -> Process:
        """The running notifier; not started yet. With `blocks` (of 512 or 1024 bytes) no file may become larger."""
        key = () if nkey is None else ("--nkey", nkey)
        argv = (*self.command, "--nats", self.nats, *key, "--file", str(self.file))
        environment = dict(os.environ)
        if blocks is not None:
            argv = ("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *argv)
            # Python would cut the bytecode that it writes under the limit, and keep it for every later run.
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return Process(Command(self.name, argv, self.folder / f"{self.name}.log", environment, self.cwd))

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

    def __init__(self, store: EventStore, **others: EventStore) -> None:
        """`others`: what is used instead for the events of a service, by its name."""
        self._store = store
        self._others = others
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
        store = self._others.get(event.written_by, self._store)
        return await store.append(event, envelope, aggregate=aggregate, expected=expected)


def notification_keys(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The part of each line that `Generations.ended` knows."""
    return [{name: line[name] for name in ("sequence", "account", "generation", "outcome")} for line in lines]
