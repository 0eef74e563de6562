"""All benchmarks of one run: every figure with a peer or a limit that is measured beside it."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.audit import measure_auditing
from bench.following import measure_following
from bench.ledger import measure_debits
from bench.projections import measure_rebuilding
from bench.report import figure
from bench.requests import measure_accepting, measure_one_at_a_time, measure_reading, overhead
from bench.resources import measure_copying, measure_idle
from bench.stack import BenchStack, running
from bench.streams import fsyncs_a_second, measure_streams

GROUPS = ("requests", "reads", "following", "ledger", "projections", "streams", "audit")
"""Parts of the suite that can be run alone."""


async def run_suite(folder: Path, *, quick: bool, only: Sequence[str] = GROUPS) -> list[dict[str, Any]]:
    """Measure the figures of these groups."""
    figures = []
    if "reads" in only:
        figures += await measure_idle(folder / "idle", quick=quick)
        async with running(folder / "one", "--task-seconds", "0.3") as bench:
            figures += await _one_stack(bench, folder, quick=quick)
    if "requests" in only:
        async with running(folder / "two", "--task-seconds", "86400") as bench:
            figures += await measure_accepting(bench, folder, quick=quick)
            figures += await measure_one_at_a_time(bench, folder, quick=quick)
    if "following" in only:
        figures += await measure_following(folder / "following", quick=quick)
    if "ledger" in only:
        figures += await measure_debits(folder / "ledger", quick=quick)
    if "projections" in only:
        figures += await measure_rebuilding(folder / "projections", quick=quick)
    if "streams" in only:
        figures += await measure_streams(folder / "streams", quick=quick)
    if "audit" in only:
        figures += await measure_auditing(folder / "audit", quick=quick)
    return figures


async def _one_stack(bench: BenchStack, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """What a stack costs that does little."""
    return [
        *await _latency(bench, runs=10 if quick else 40),
        *await measure_reading(bench, quick=quick),
        *await measure_copying(bench, folder, quick=quick),
    ]


async def _latency(bench: BenchStack, runs: int) -> list[dict[str, Any]]:
    found = await overhead(bench, runs)
    return [
        figure(
            "a generation, added to the provider's own time",
            found.added,
            "ms",
            against="the provider's own time (emulator, 0.3 s a task)",
            limit=found.provider,
            goal="<= 25 ms",
        )
    ]


def machine(folder: Path) -> Sequence[str]:
    """What the figures depend on, a line each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("faststream", "nats-py", "fastapi", "sqlalchemy", "httpx", "pydantic")
    return [
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()}",
        f"{fsyncs_a_second(folder):.0f} fsyncs of 512 bytes a second, one after the other",
        f"Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in packages),
    ]
