"""How fast the auditor reads: from a mirror and from NATS, each beside the barest reader of the same entries."""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.js.api import ConsumerConfig, DeliverPolicy
from tests.support.audit.large_ledger import large_ledger
from tests.support.servers.instances import nats_server

from bench.report import figure
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage
from telecine_chassis.nats.connection import connect
from telecine_cli.provisioning.streams import provision
from telecine_contracts.streams import LEDGER

MIB = 2**20
BATCH = 1000


@dataclass(frozen=True)
class Run:
    """One program, run to its end."""

    seconds: float
    peak_bytes: int


async def measure_auditing(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Every figure of the auditor."""
    many, some = (100_000, 20_000) if quick else (1_000_000, 60_000)
    written = await asyncio.to_thread(_write, folder / "many", many)
    bare = await asyncio.to_thread(_run, "-m", "bench.peers.bare_replay", str(written))
    audit = await asyncio.to_thread(_verify, "--from", str(folder / "many" / "mirror"))
    figures = [
        figure(
            "audit from a mirror, entries a second on one core",
            round(many / audit.seconds),
            "/s",
            against="json.loads of the same bodies, summed up by account",
            limit=round(many / bare.seconds),
            goal="ratio >= 0.6",
        ),
        figure(
            f"audit of {many} entries, memory at most",
            round(audit.peak_bytes / MIB),
            "MiB",
            against="the entries themselves",
            limit=round(written.stat().st_size / MIB),
            goal="bounded",
        ),
    ]
    await asyncio.to_thread(_write, folder / "some", some)
    async with nats_server(folder / "audited") as server:
        link = await connect(server.url, "bench")
        try:
            await provision(link)
            await asyncio.to_thread(
                _auditor, "restore", str(folder / "some" / "mirror"), "--renumber", "--nats", server.url
            )
            raw = await _ordered(link, some)
            read = await asyncio.to_thread(_verify, "--nats", server.url)
        finally:
            await link.close()
    figures.append(
        figure(
            "audit from NATS, entries a second on one core",
            round(some / read.seconds),
            "/s",
            against="a raw ordered consumer that does nothing with them",
            limit=round(some / raw),
            goal=">= 15000 /s",
        )
    )
    return figures


def _write(folder: Path, entries: int) -> Path:
    """A mirror of that many entries in `folder`/mirror, and their bodies alone, a line each; that file."""
    (folder / "mirror").mkdir(parents=True)
    bodies = folder / "bodies.jsonl"
    batch: list[StoredMessage] = []
    with open_mirror(folder / "mirror") as mirror, bodies.open("wb") as lines:
        ledger = mirror.stream(LEDGER.name)
        for entry in large_ledger(entries):
            lines.write(entry.body + b"\n")
            batch.append(entry)
            if len(batch) == BATCH:
                ledger.append(batch)
                batch.clear()
        ledger.append(batch)
    return bodies


def _verify(*source: str) -> Run:
    # What still runs in these ledgers is old by now, so a hold may last a hundred years here.
    return _auditor("verify", *source, "--ledger-only", "--hold-limit", "876000h")


def _auditor(*arguments: str) -> Run:
    return _run("-m", "telecine_auditor", *arguments)


def _run(*arguments: str) -> Run:
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said, complained = child.communicate()
    seconds = time.perf_counter() - started
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {child.returncode}\n{said}\n{complained}")
    return Run(seconds, _peak())


def _peak() -> int:
    """The most that any child so far has used: the auditor is by far the largest."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


async def _ordered(link: Any, entries: int) -> float:
    seen, done = 0, asyncio.Event()

    async def count(message: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == entries:
            done.set()

    started = time.perf_counter()
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    subscription = await link.jetstream().subscribe(
        LEDGER.subjects[0], stream=LEDGER.name, ordered_consumer=True, config=config, cb=count
    )
    await done.wait()
    seconds = time.perf_counter() - started
    await subscription.unsubscribe()
    return seconds


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(measure_auditing(Path(place), quick=os.environ.get("QUICK") == "1"))
    print(json.dumps(found, indent=2))
