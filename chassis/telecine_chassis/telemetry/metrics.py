"""Metrics of one service in a registry of its own, and their page for Prometheus."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["CONTENT_TYPE", "LONG_BUCKETS", "SHORT_BUCKETS", "GaugeCallback", "Metrics"]

log = structlog.get_logger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHORT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds in seconds for operations that normally take milliseconds."""
LONG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
"""Bounds in seconds for operations that normally take seconds."""
CALLBACK_TIMEOUT = 3.0
GaugeCallback = Callable[[], Awaitable[Mapping[str, float] | float]]


@dataclass
class _ObservableGauge:
    name: str
    gauge: Gauge
    labelled: bool
    callback: GaugeCallback
    every: float
    due: float = -math.inf
    answered: bool = True


class Metrics:
    """Creates metrics. Label values must be few and known in advance: never an account, a generation or a subject."""

    def __init__(self, *, callback_timeout: float = CALLBACK_TIMEOUT) -> None:
        """`callback_timeout`: seconds that a page waits for the callback of one gauge."""
        self.registry = CollectorRegistry()
        self._callback_timeout = callback_timeout
        self._gauges: list[_ObservableGauge] = []

    def watch_process(self) -> None:
        """Also report memory, CPU time, open files and garbage collection of this process."""
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def counter(self, name: str, description: str, *labels: str) -> Counter:
        """A counter; its name ends in what is counted, ``_total`` is added."""
        return Counter(name, description, labels, registry=self.registry)

    def gauge(self, name: str, description: str, *labels: str) -> Gauge:
        """A gauge."""
        return Gauge(name, description, labels, registry=self.registry)

    def histogram(
        self, name: str, description: str, *labels: str, bounds: tuple[float, ...] = SHORT_BUCKETS
    ) -> Histogram:
        """A histogram with these bucket bounds."""
        return Histogram(name, description, labels, registry=self.registry, buckets=bounds)

    def observable_gauge(
        self,
        name: str,
        description: str,
        callback: GaugeCallback,
        *,
        label: str | None = None,
        every: float = 1,
    ) -> None:
        """A gauge whose value `callback` returns when the page is read, at most once in `every` seconds.

        The value is one number, or with a `label` one for each of its values. If the callback fails, there is none.
        """
        gauge = self.gauge(name, description, *([label] if label else []))
        self._gauges.append(_ObservableGauge(name, gauge, label is not None, callback, every))

    async def page(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        now = asyncio.get_running_loop().time()
        due = [observable for observable in self._gauges if observable.due <= now]
        for observable in due:
            observable.due = now + observable.every
        await asyncio.gather(*map(self._ask, due))
        return generate_latest(self.registry)

    async def _ask(self, observable: _ObservableGauge) -> None:
        answer: Mapping[str, float] | float
        try:
            async with asyncio.timeout(self._callback_timeout):
                answer, observable.answered = await observable.callback(), True
        except Exception as error:
            if observable.answered:
                log.warning("metrics.no_answer", metric=observable.name, error=type(error).__name__)
            answer, observable.answered = {} if observable.labelled else math.nan, False
        _set(observable, answer)


def _set(observable: _ObservableGauge, answer: Mapping[str, float] | float) -> None:
    if isinstance(answer, Mapping):
        observable.gauge.clear()
        for value, number in answer.items():
            observable.gauge.labels(value).set(number)
    else:
        observable.gauge.set(answer)
