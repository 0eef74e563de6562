"""Settings that every service has. Read from the environment (prefix TELECINE_), validated at start."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ServiceSettings"]


class ServiceSettings(BaseSettings):
    """What every service needs to know. A service's own settings extend this."""

    model_config = SettingsConfigDict(env_prefix="TELECINE_", extra="ignore", frozen=True)

    nats_url: Annotated[str, Field(description="NATS servers, separated by commas")] = "nats://127.0.0.1:4222"
    health_host: Annotated[
        str, Field(description="Address on which /healthz, /readyz and /metrics answer; not for the public")
    ] = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0 picks a free one")] = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lowest level logged")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"],
        Field(description="One JSON object a line, or text; auto: text on a terminal"),
    ] = "auto"
    otlp_endpoint: Annotated[
        str | None,
        Field(description="OTLP/HTTP collector that traces go to, e.g. http://collector:4318; unset: none"),
    ] = None
    trace_ratio: Annotated[
        float, Field(ge=0, le=1, description="Part of all traces that is recorded, 0 to 1")
    ] = 1.0
    instance: Annotated[
        str | None, Field(description="Name of this replica in traces; unset: host name and process id")
    ] = None
    stuck_after: Annotated[
        float,
        Field(
            gt=0,
            description="Seconds that all handlers of a consumer may be busy while messages wait; "
            "longer than the longest handler",
        ),
    ] = 300
    unhealthy_for: Annotated[
        float, Field(ge=0, description="Seconds that a service stays unhealthy before it ends itself")
    ] = 30
    stop_grace: Annotated[
        float, Field(gt=0, description="Seconds that running handlers get to finish at a stop")
    ] = 15
