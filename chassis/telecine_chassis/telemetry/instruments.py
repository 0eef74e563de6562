"""The metrics that every service has: handlers, appends, projections, timers, and the service itself."""

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
    """What the handlers of each consumer do, and how far they are behind."""

    def __init__(self, metrics: Metrics, dead_letters: Counter) -> None:
        self.messages = metrics.counter(
            "telecine_handler_messages",
            "Messages by what became of them: done, retried (later), waiting (for an upgrade) or dead_lettered",
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
            "telecine_timers_overdue", "Timers that are due and that no handler has taken yet"
        )
        self.timers_restored = metrics.counter(
            "telecine_timers_restored", "Timers that were missing and were set again by the sweeper"
        )
        self.timer_delay = metrics.histogram(
            "telecine_timer_delay_seconds",
            "How long after its time a timer is handled",
            "kind",
            bounds=LONG_BUCKETS,
        )


class AppendInstruments:
    """What becomes of events that this service appends."""

    def __init__(self, metrics: Metrics) -> None:
        self.appends = metrics.counter(
            "telecine_appends",
            "Appends by what became of them: stored, conflict (somebody came first), refused or unavailable",
            "event_type",
            "outcome",
        )
        self.seconds = metrics.histogram("telecine_append_duration_seconds", "How long an append takes")


class ProjectionInstruments:
    """How projections follow their streams."""

    def __init__(self, metrics: Metrics, dead_letters: Counter) -> None:
        self.dead_letters = dead_letters
        self.events = metrics.counter("telecine_projection_events", "Events applied", "projection")
        self.skipped = metrics.counter(
            "telecine_projection_events_skipped",
            "Events of a newer version that a projection does not know and left out",
            "projection",
        )


class ConnectionInstruments:
    """The connections to NATS."""

    def __init__(self, metrics: Metrics) -> None:
        self.errors = metrics.counter(
            "telecine_nats_errors",
            "Errors that NATS told this service, by kind; denied_publish: it may not say something",
            "kind",
        )
        self.disconnects = metrics.counter("telecine_nats_disconnects", "Connections to NATS that were lost")


class Instruments:
    """All of these, for one service."""

    def __init__(self, metrics: Metrics) -> None:
        # By who gave up: a consumer, or a projection as <service>-<projection>.
        letters = metrics.counter(
            "telecine_dead_letters", "Messages that could not be taken and were kept", "consumer"
        )
        self.handlers = HandlerInstruments(metrics, letters)
        self.projections = ProjectionInstruments(metrics, letters)
        self.appends = AppendInstruments(metrics)
        self.link = ConnectionInstruments(metrics)
