"""Settings of the gateway."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_core import from_json
from pydantic_settings import NoDecode

from telecine_chassis.settings.database import DatabaseSettings, DatabaseUrl
from telecine_chassis.settings.secrets import ChosenSecret
from telecine_contracts.video_models import DEFAULT_MODEL, MODELS
from telecine_gateway.access.api_keys import DEFAULT_SCOPES, Scope
from telecine_gateway.access.token_rules import ALGORITHMS, is_trustworthy
from telecine_gateway.rate_limits.addresses import ClientAddresses
from telecine_gateway.rate_limits.rules import parse_rate


def _checked_rate(text: str) -> str:
    parse_rate(text)
    return text


Rate = Annotated[str, AfterValidator(_checked_rate)]
"""Requests and seconds, `1000/60`; `0` for no limit."""
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

    rate_limit_address: Annotated[
        Rate,
        Field(description="Requests / seconds that a client address may send to one gateway; 0: no limit"),
    ] = "120000/60"
    rate_limit_key: Annotated[Rate, Field(description="The same for an API key")] = "60000/60"
    rate_limit_account: Annotated[
        Rate, Field(description="The same for an account that has no limit of its own (`telecine limits`)")
    ] = "90000/60"
    rate_limit_generations: Annotated[
        Rate,
        Field(description="Requests for videos / seconds of such an account, at all gateways together"),
    ] = "12000/60"
    rate_limit_failed_auth: Annotated[
        Rate,
        Field(description="Failed attempts to authenticate / seconds of a client address, at one gateway"),
    ] = "600/60"
    trusted_proxies: Annotated[
        Names,
        Field(
            description="Addresses or networks of proxies whose X-Forwarded-For names the client, e.g. 10.0.0.0/8"
        ),
    ] = ()

    jwks_url: Annotated[
        str | None,
        Field(
            description="The public keys of the issuer whose tokens are accepted beside API keys, e.g. "
            "https://app.example.com/api/auth/jwks; https, or http within a machine or a container network"
        ),
    ] = None
    jwt_issuer: Annotated[str | None, Field(description="What a token's claim iss must be")] = None
    jwt_audiences: Annotated[Names, Field(description="A token's claim aud must have one of these")] = ()
    jwt_algorithms: Annotated[
        Names,
        Field(min_length=1, description="Signatures that are accepted, by the names of RFC 7518 and 9864"),
    ] = ALGORITHMS
    jwt_account_claim: Annotated[
        str, Field(min_length=1, description="The claim that names the account; one that users can't choose")
    ] = "sub"
    jwt_scope_claims: Annotated[
        Names,
        Field(
            description="Claims with the scopes, as a list or with spaces between; the first that is present counts"
        ),
    ] = ()
    jwt_default_scopes: Annotated[
        Names, Field(description="The scopes of a token without such a claim: generate, keys, admin")
    ] = DEFAULT_SCOPES
    signup_credits: Annotated[
        int,
        Field(
            ge=0, description="Promotional credits for each account that comes with a token, once; 0: none"
        ),
    ] = 0
    signup_claim: Annotated[
        str, Field(description="A claim that must be true for them, e.g. emailVerified; empty: none")
    ] = ""

    @field_validator(
        "models",
        "image_url_private_hosts",
        "trusted_proxies",
        "jwt_audiences",
        "jwt_algorithms",
        "jwt_scope_claims",
        "jwt_default_scopes",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str) and value.lstrip().startswith("["):
            return from_json(value)
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        ClientAddresses(value)
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
    def _whole_issuer(self) -> Self:
        if unknown := set(self.jwt_algorithms) - set(ALGORITHMS):
            raise ValueError(
                f"jwt_algorithms: {', '.join(sorted(unknown))} not known; known are {', '.join(ALGORITHMS)}"
            )
        if unknown := set(self.jwt_default_scopes) - set(Scope):
            raise ValueError(
                f"jwt_default_scopes: {', '.join(sorted(unknown))} not known; known are {', '.join(Scope)}"
            )
        if self.jwks_url is None:
            return self
        if not self.jwt_issuer or not self.jwt_audiences:
            raise ValueError(
                "jwt_issuer and jwt_audiences: needed with jwks_url, or any token of its keys would do"
            )
        if not is_trustworthy(self.jwks_url):
            raise ValueError(
                "jwks_url: must be https, or http on this machine or to a private address or plain name"
            )
        return self

    @model_validator(mode="after")
    def _no_account_takes_all(self) -> Self:
        if self.content_downloads_per_account >= self.content_downloads:
            raise ValueError("content_downloads_per_account: must be less than content_downloads")
        return self
