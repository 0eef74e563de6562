"""Metrics of the generation service, in addition to those of every service."""

from telecine_chassis.telemetry.metrics import LONG_BUCKETS, Metrics


class ProviderInstruments:
    """Metrics of calls to the provider."""

    def __init__(self, metrics: Metrics) -> None:
        self.calls = metrics.counter(
            "telecine_provider_calls",
            "Calls to the provider: submit, tasks (a list of many), find (a lost one) or cancel, by outcome",
            "operation",
            "outcome",
        )
        self.seconds = metrics.histogram(
            "telecine_provider_call_duration_seconds",
            "How long a call to the provider takes",
            "operation",
            bounds=LONG_BUCKETS,
        )
        self.running = metrics.gauge("telecine_provider_calls_running", "Calls under way", "operation")
