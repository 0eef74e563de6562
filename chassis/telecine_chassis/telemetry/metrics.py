"""What one service counts and measures, in a registry of its own, and the page on which Prometheus reads it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["CONTENT_TYPE", "LONG_BUCKETS", "SHORT", "Metrics", "Question"]

log = structlog.get_logger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds, in seconds, for what takes milliseconds when all is well."""
LONG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
"""Bounds, in seconds, for what takes seconds when all is well."""
PATIENCE = 3.0
Question = Callable[[], Awaitable[Mapping[str, float] | float]]


@dataclass
class _Asked:
    name: str
    gauge: Gauge
    labelled: bool
    question: Question
    every: float
    due: float = -math.inf
    answered: bool = True


class Metrics:
    """Label values are few and known beforehand: never an account, a generation or a subject."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        """`patience`: seconds that a page waits for the answer to one question."""
        self.registry = CollectorRegistry()
        self._patience = patience
        self._asked: list[_Asked] = []

    def watch_process(self) -> None:
        """Also tell memory, processor time, open files and collected garbage of this process."""
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def counter(self, name: str, told: str, *labels: str) -> Counter:
        """Something that only grows; its name ends in what is counted, ``_total`` is added."""
        return Counter(name, told, labels, registry=self.registry)

    def gauge(self, name: str, told: str, *labels: str) -> Gauge:
        """Something that goes up and down."""
        return Gauge(name, told, labels, registry=self.registry)

    def histogram(self, name: str, told: str, *labels: str, bounds: tuple[float, ...] = SHORT) -> Histogram:
        """How something is spread, as counts up to each of `bounds`."""
        return Histogram(name, told, labels, registry=self.registry, buckets=bounds)

    def asked(
        self, name: str, told: str, question: Question, *, label: str | None = None, every: float = 1
    ) -> None:
        """A gauge whose value is asked for when the page is read, at most once in `every` seconds.

        The answer is one number, or with a `label` one for each of its values. No answer: no value.
        """
        gauge = self.gauge(name, told, *([label] if label else []))
        self._asked.append(_Asked(name, gauge, label is not None, question, every))

    async def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        now = asyncio.get_running_loop().time()
        due = [asked for asked in self._asked if asked.due <= now]
        for asked in due:
            asked.due = now + asked.every
        await asyncio.gather(*map(self._ask, due))
        return generate_latest(self.registry)

    async def _ask(self, asked: _Asked) -> None:
        answer: Mapping[str, float] | float
        try:
            async with asyncio.timeout(self._patience):
                answer, asked.answered = await asked.question(), True
        except Exception as error:
            if asked.answered:
                log.warning("metrics.no_answer", metric=asked.name, error=type(error).__name__)
            answer, asked.answered = {} if asked.labelled else math.nan, False
        _set(asked, answer)


def _set(asked: _Asked, answer: Mapping[str, float] | float) -> None:
    if isinstance(answer, Mapping):
        asked.gauge.clear()
        for value, number in answer.items():
            asked.gauge.labels(value).set(number)
    else:
        asked.gauge.set(answer)
