"""A service has a registry of its own, and observable gauges are evaluated when the page is read."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from telecine_chassis.telemetry.metrics import Metrics


async def lines(metrics: Metrics, name: str) -> list[str]:
    """The samples of a metric, as Prometheus reads them."""
    page = (await metrics.page()).decode().splitlines()
    return [line for line in page if line.startswith((f"{name}{{", f"{name} ", f"{name}_"))]


@dataclass
class Question:
    """Answers from a script; the last answer holds. An exception is raised."""

    answers: list[Mapping[str, float] | float | Exception]
    asked: list[int] = field(default_factory=list)

    async def __call__(self) -> Mapping[str, float] | float:
        self.asked.append(1)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_each_service_counts_for_itself() -> None:
    first, second = Metrics(), Metrics()
    first.counter("things", "Things", "kind").labels("good").inc(2)
    second.counter("things", "Things", "kind").labels("good").inc()
    assert await lines(first, "things_total") == ['things_total{kind="good"} 2.0']
    assert await lines(second, "things_total") == ['things_total{kind="good"} 1.0']


async def test_an_observable_gauge_has_the_latest_value() -> None:
    metrics, question = Metrics(), Question([3.0, 4.0])
    metrics.observable_gauge("depth", "Depth", question, every=0)
    assert await lines(metrics, "depth") == ["depth 3.0"]
    assert await lines(metrics, "depth") == ["depth 4.0"]


async def test_an_observable_gauge_respects_its_interval() -> None:
    metrics, question = Metrics(), Question([3.0])
    metrics.observable_gauge("depth", "Depth", question, every=60)
    for _ in range(3):
        assert await lines(metrics, "depth") == ["depth 3.0"]
    assert len(question.asked) == 1


async def test_a_label_that_is_no_longer_named_goes() -> None:
    metrics, question = Metrics(), Question([{"a": 1, "b": 2}, {"b": 3}])
    metrics.observable_gauge("depth", "Depth", question, label="place", every=0)
    assert await lines(metrics, "depth") == ['depth{place="a"} 1.0', 'depth{place="b"} 2.0']
    assert await lines(metrics, "depth") == ['depth{place="b"} 3.0']


async def test_a_failed_callback_leaves_no_stale_value_and_other_metrics_intact() -> None:
    metrics = Metrics()
    metrics.observable_gauge("depth", "Depth", Question([3.0, OSError("gone")]), every=0)
    metrics.observable_gauge(
        "width", "Width", Question([{"a": 1.0}, OSError("gone")]), label="place", every=0
    )
    metrics.gauge("height", "Height").set(7)
    await metrics.page()
    assert await lines(metrics, "depth") == ["depth NaN"]
    assert await lines(metrics, "width") == []
    assert await lines(metrics, "height") == ["height 7.0"]


async def test_a_hanging_callback_does_not_block_the_scrape() -> None:
    async def never() -> float:
        await asyncio.Event().wait()
        raise AssertionError

    metrics = Metrics(callback_timeout=0.05)
    metrics.observable_gauge("depth", "Depth", never)
    async with asyncio.timeout(2):
        assert await lines(metrics, "depth") == ["depth NaN"]


async def test_the_process_itself_is_told_too() -> None:
    metrics = Metrics()
    metrics.watch_process()
    assert await lines(metrics, "process_resident_memory_bytes")
    assert await lines(metrics, "python_gc_collections_total")
