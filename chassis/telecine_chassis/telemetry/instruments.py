"""The metrics that every service has: handlers, appends, projections, timers and connections."""

from prometheus_client import Counter

from .metrics import LONG_BUCKETS, Metrics

__all__ = [
    "AppendInstruments",
    "ConnectionInstruments",
    "HandlerInstruments",
    "Instruments",
    "ProjectionInstruments",
]


class HandlerInstruments:
    """Metrics of the handlers and consumers."""

    def __init__(self, metrics: Metrics, dead_letters: Counter) -> None:
        self.messages = metrics.counter(
            "telecine_handler_messages",
            "Messages by outcome: done, retried (later), waiting (for an upgrade) or dead_lettered",
            "consumer",
            "outcome",
        )
        self.seconds = metrics.histogram(
            "telecine_handler_duration_seconds", "How long handlers take", "consumer", bounds=LONG_BUCKETS
        )
        self.running = metrics.gauge(
            "telecine_handlers_running", "Messages that are being handled", "consumer"
        )
        self.lag = metrics.gauge(
            "telecine_consumer_lag_messages",
            "Messages of a consumer that are not acknowledged yet, delivered or not",
            "consumer",
        )
        self.dead_letters = dead_letters
        self.timers_overdue = metrics.gauge(
            "telecine_timers_overdue", "Timers that are due and not yet handled"
        )
        self.timers_restored = metrics.counter(
            "telecine_timers_restored", "Missing timers that the sweeper set again"
        )
        self.timer_delay = metrics.histogram(
            "telecine_timer_delay_seconds",
            "How long after its time a timer is handled",
            "kind",
            bounds=LONG_BUCKETS,
        )


class AppendInstruments:
    """Metrics of the events that this service appends."""

    def __init__(self, metrics: Metrics) -> None:
        self.appends = metrics.counter(
            "telecine_appends",
            "Appends by outcome: stored, conflict (another writer was first), refused or unavailable",
            "event_type",
            "outcome",
        )
        self.seconds = metrics.histogram("telecine_append_duration_seconds", "How long an append takes")


class ProjectionInstruments:
    """Metrics of the projections."""

    def __init__(self, metrics: Metrics, dead_letters: Counter) -> None:
        self.dead_letters = dead_letters
        self.events = metrics.counter("telecine_projection_events", "Events applied", "projection")
        self.skipped = metrics.counter(
            "telecine_projection_events_skipped",
            "Events of a newer version that a projection skipped",
            "projection",
        )


class ConnectionInstruments:
    """Metrics of the connections to NATS."""

    def __init__(self, metrics: Metrics) -> None:
        self.errors = metrics.counter(
            "telecine_nats_errors",
            "Errors from NATS by kind; denied_publish: a publish that the server refused",
            "kind",
        )
        self.disconnects = metrics.counter("telecine_nats_disconnects", "Connections to NATS that were lost")


class Instruments:
    """All instruments of one service."""

    def __init__(self, metrics: Metrics) -> None:
        # The label is a consumer, or a projection as <service>-<projection>.
        letters = metrics.counter("telecine_dead_letters", "Messages that became dead letters", "consumer")
        self.handlers = HandlerInstruments(metrics, letters)
        self.projections = ProjectionInstruments(metrics, letters)
        self.appends = AppendInstruments(metrics)
        self.link = ConnectionInstruments(metrics)
