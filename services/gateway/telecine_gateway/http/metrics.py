"""What the gateway measures beside what every service does."""

from telecine_chassis.telemetry.metrics import LONG_BUCKETS, Metrics


class HttpMetrics:
    """Requests by route template: a path would name generations, and there is no end to those."""

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.counter(
            "telecine_http_requests", "Requests by route, method and status", "route", "method", "status"
        )
        self.seconds = metrics.histogram(
            "telecine_http_request_duration_seconds",
            "How long requests take, until the last byte is sent",
            "route",
            "method",
            bounds=LONG_BUCKETS,
        )
        self.running = metrics.gauge("telecine_http_requests_running", "Requests under way")
