"""Settings that every service has. Read from the environment (prefix TELECINE_), validated at start."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ServiceSettings"]


class ServiceSettings(BaseSettings):
    """What every service needs to know. A service's own settings extend this."""

    model_config = SettingsConfigDict(env_prefix="TELECINE_", extra="ignore", frozen=True)

    nats_url: Annotated[str, Field(description="NATS servers, separated by commas")] = "nats://127.0.0.1:4222"
    health_host: Annotated[str, Field(description="Address on which /healthz and /readyz answer")] = (
        "127.0.0.1"
    )
    health_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0 picks a free one")] = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lowest level logged")
    ] = "info"
    log_format: Annotated[Literal["json", "text"], Field(description="One JSON object a line, or text")] = (
        "json"
    )
    stop_grace: Annotated[
        float, Field(gt=0, description="Seconds that running handlers get to finish at a stop")
    ] = 15
