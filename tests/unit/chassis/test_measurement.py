"""A measured block is counted once, under the outcome that it had."""

import asyncio

import pytest

from telecine_chassis.telemetry.measurement import measured
from telecine_chassis.telemetry.metrics import Metrics


class Instruments:
    """A counter, a histogram and a gauge of one kind of call."""

    def __init__(self) -> None:
        metrics = Metrics()
        self.calls = metrics.counter("calls", "Calls", "operation", "outcome")
        self.seconds = metrics.histogram("seconds", "How long calls take")
        self.running = metrics.gauge("running", "Calls under way")
        self.value = metrics.registry.get_sample_value

    def counts(self) -> dict[str, float]:
        """How many calls had each outcome."""
        return {
            sample.labels["outcome"]: sample.value
            for metric in self.calls.collect()
            for sample in metric.samples
            if sample.name == "calls_total"
        }


@pytest.fixture
def instruments() -> Instruments:
    return Instruments()


def measure(instruments: Instruments, error: BaseException | None, outcome: str | None = None) -> None:
    with measured(
        instruments.calls,
        "send",
        seconds=instruments.seconds,
        running=instruments.running,
        errors={ConnectionError: "unavailable"},
    ) as call:
        assert instruments.value("running") == 1
        call.outcome = outcome or call.outcome
        if error is not None:
            raise error


def test_outcome_of_the_block_is_counted(instruments: Instruments) -> None:
    measure(instruments, None, "sent")
    assert instruments.counts() == {"sent": 1}
    assert (instruments.value("seconds_count"), instruments.value("running")) == (1, 0)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionResetError(), "unavailable"),
        (ValueError(), "failed"),
        (asyncio.CancelledError(), "failed"),
    ],
)
def test_outcome_of_an_error_is_counted(instruments: Instruments, error: BaseException, outcome: str) -> None:
    with pytest.raises(type(error)):
        measure(instruments, error)
    assert instruments.counts() == {outcome: 1}
    assert (instruments.value("seconds_count"), instruments.value("running")) == (1, 0)
