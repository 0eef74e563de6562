"""Settings of the gateway."""

from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import from_json
from pydantic_settings import NoDecode

from telecine_chassis.settings.database import DatabaseSettings, DatabaseUrl
from telecine_chassis.settings.secrets import ChosenSecret
from telecine_contracts.video_models import DEFAULT_MODEL, MODELS

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(DatabaseSettings):
    """Settings of the gateway. Lists are separated by commas, or JSON."""

    http_host: Annotated[str, Field(description="Address on which the API answers")] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0 picks a free one")] = 8000
    public_url: Annotated[
        str, Field(description="Where clients reach the API; links in answers begin with it")
    ] = "http://127.0.0.1:8000"
    database_url: DatabaseUrl = "sqlite:///data/gateway.db"
    s3_endpoint: Annotated[str, Field(description="URL of the object store that keeps the videos")]
    s3_region: Annotated[str, Field(description="Its region, as the signature names it")] = "auto"
    s3_access_key: Annotated[str, Field(description="Access key; needs to read only")]
    s3_secret_key: Annotated[SecretStr, Field(description="Its secret")]
    content_secret: Annotated[
        ChosenSecret, Field(description="Signs links to videos: `openssl rand -hex 32`")
    ]
    callback_secret: Annotated[
        ChosenSecret,
        Field(description="Makes callback paths unguessable; the generation service has the same"),
    ]
    models: Annotated[Names, Field(min_length=1, description="Video models that may be asked for")] = (
        "doubao-seedance-1-0-pro-250528",
        "doubao-seedance-1-0-pro-fast-251015",
        "doubao-seedance-1-5-pro-251215",
        "doubao-seedance-2-0-260128",
    )
    default_model: Annotated[str, Field(description="The model of a request that names none")] = DEFAULT_MODEL
    answer_timeout: Annotated[
        float,
        Field(
            gt=0,
            description="Seconds that a request waits for its outcome before it is answered 202, or 503 if it is an "
            "administrator's",
        ),
    ] = 10
    cancel_timeout: Annotated[
        float, Field(gt=0, description="Seconds that a cancel waits for what came of it")
    ] = 5
    store_timeout: Annotated[
        float, Field(gt=0, description="Seconds after which a silent event store is answered 503")
    ] = 3
    content_url_ttl: Annotated[
        int, Field(gt=0, description="Seconds that a signed link to a video works")
    ] = 24 * 3600
    quote_ttl: Annotated[int, Field(gt=0, le=86400, description="Seconds that a quote is binding")] = 900
    stop_notice: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds at a stop in which requests are still taken though /readyz says 503: "
            "longer than the load balancer's health-check interval",
        ),
    ] = 0
    http_connections: Annotated[
        int,
        Field(
            ge=2,
            description="Open connections at most, and no more than a third of the file descriptors; "
            "one that waits for a request makes room for a new one",
        ),
    ] = 1000
    http_head_timeout: Annotated[
        float, Field(gt=0, description="Seconds for the head of a request to arrive")
    ] = 20
    http_idle_timeout: Annotated[
        float, Field(gt=0, description="Seconds that a connection may be silent between two requests")
    ] = 20
    http_progress_timeout: Annotated[
        float,
        Field(gt=0, description="Seconds after which a client that takes nothing of a response is cut off"),
    ] = 30
    content_downloads: Annotated[
        int,
        Field(gt=0, description="Downloads of videos open at once; as many connections to the object store"),
    ] = 120
    content_downloads_per_account: Annotated[
        int, Field(gt=0, description="Of these, for one account; fewer than for all")
    ] = 40
    content_downloads_per_video: Annotated[int, Field(gt=0, description="Of these, for one video")] = 10
    max_body_bytes: Annotated[int, Field(gt=0, description="Largest request body, in bytes")] = 64 * 1024
    image_url_private_hosts: Annotated[
        Names, Field(description="host:port that image URLs may point to though private; for sandboxes")
    ] = ()

    @field_validator("models", "image_url_private_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str) and value.lstrip().startswith("["):
            return from_json(value)
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        unknown = [name for name in self.models if name not in MODELS]
        if unknown:
            raise ValueError(f"models: {', '.join(unknown)} not known; known are {', '.join(MODELS)}")
        if self.default_model not in self.models:
            raise ValueError("default_model: must be one of models")
        return self

    @model_validator(mode="after")
    def _no_account_takes_all(self) -> Self:
        if self.content_downloads_per_account >= self.content_downloads:
            raise ValueError("content_downloads_per_account: must be less than content_downloads")
        return self
