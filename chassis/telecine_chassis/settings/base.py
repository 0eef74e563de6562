"""Settings of every service, read from the environment (prefix TELECINE_) and validated at start."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telecine_chassis.network import is_loopback, is_nats_url
from telecine_jetstream.identity import NatsIdentity, validate_seed_file

from .secrets import SecretFiles, shared_secrets, weak_secrets

__all__ = ["ServiceSettings"]


class ServiceSettings(BaseSettings):
    """Settings that all services share; a service's own settings extend them.

    A secret may be given as a file: the variable's name with _FILE holds the path. An empty variable counts as unset.
    """

    model_config = SettingsConfigDict(
        env_prefix="TELECINE_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    profile: Annotated[
        Literal["production", "sandbox"],
        Field(description="sandbox accepts weak secrets; production does not"),
    ] = "production"
    nats_url: Annotated[str, Field(description="NATS servers, separated by commas")] = "nats://127.0.0.1:4222"
    nats_nkey_seed_file: Annotated[
        Path | None,
        Field(
            description="File with the nkey seed of this service's identity on NATS; unset: connects without "
            "credentials, outside a sandbox only to a server on this machine"
        ),
    ] = None
    nats_tls_ca: Annotated[
        Path | None, Field(description="CA certificates for the NATS server; if set, TLS is required")
    ] = None
    nats_tls_cert: Annotated[
        Path | None, Field(description="This service's client certificate, if the server requires one")
    ] = None
    nats_tls_key: Annotated[
        Path | None, Field(description="The key of that certificate, if it is in another file")
    ] = None
    health_host: Annotated[
        str, Field(description="Address of /healthz, /readyz and /metrics; keep it private")
    ] = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0 picks a free one")] = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lowest level that is logged")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"],
        Field(description="json: one object per line; auto: text on a terminal, else json"),
    ] = "auto"
    otlp_endpoint: Annotated[
        str | None,
        Field(description="OTLP/HTTP collector for traces, e.g. http://collector:4318; unset: no traces"),
    ] = None
    trace_ratio: Annotated[
        float, Field(ge=0, le=1, description="Share of traces that are recorded, 0 to 1")
    ] = 1.0
    instance: Annotated[
        str | None, Field(description="Name of this replica in traces; unset: host name and process id")
    ] = None
    look_interval: Annotated[
        float,
        Field(gt=0, description="Seconds between two checks of the consumers"),
    ] = 10
    stuck_after: Annotated[
        float,
        Field(
            gt=0,
            description="Seconds that all handlers of a consumer may be busy while messages wait; "
            "longer than the slowest handler",
        ),
    ] = 300
    unhealthy_for: Annotated[
        float, Field(ge=0, description="Seconds that a service may be unhealthy before it exits")
    ] = 30
    stop_grace: Annotated[
        float, Field(gt=0, description="Seconds that running handlers get to finish at a stop")
    ] = 15

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)

    @property
    def nats_identity(self) -> NatsIdentity:
        """The identity with which this service connects to NATS."""
        return NatsIdentity(
            nkey_seed=self.nats_nkey_seed_file,
            tls_ca=self.nats_tls_ca,
            tls_cert=self.nats_tls_cert,
            tls_key=self.nats_tls_key,
        )

    @property
    def has_nats_identity(self) -> bool:
        """Whether this service has credentials for NATS."""
        return self.nats_nkey_seed_file is not None or "@" in self.nats_url

    @field_validator("nats_url")
    @classmethod
    def _validate_nats_urls(cls, urls: str) -> str:
        if not all(is_nats_url(url) for url in urls.split(",")):
            raise ValueError("a NATS server is nats://host:port, or tls://; several are separated by commas")
        return urls

    @field_validator("nats_nkey_seed_file")
    @classmethod
    def _validate_seed_file(cls, file: Path | None) -> Path | None:
        if file is not None:
            validate_seed_file(file)
        return file

    @model_validator(mode="after")
    def _validate_tls_files(self) -> Self:
        self.nats_identity.validate_tls()
        return self

    @model_validator(mode="after")
    def _requires_nats_identity(self) -> Self:
        """A server without authentication is accepted on this machine only, where others can't reach it."""
        known = self.has_nats_identity or self.nats_tls_cert is not None or self.profile == "sandbox"
        if not known and not all(is_loopback(_host(url)) for url in self.nats_url.split(",")):
            raise ValueError(
                "TELECINE_NATS_NKEY_SEED_FILE: credentials are required for a remote NATS server; create them with "
                "`telecine provision --credentials`"
            )
        return self

    @model_validator(mode="after")
    def _validate_secrets(self) -> Self:
        if self.profile == "sandbox":
            return self
        problems = []
        if weak := [_variable(name) for name in weak_secrets(self)]:
            problems.append(f"{', '.join(weak)}: known from examples or easy to guess")
        problems += [
            f"{' and '.join(map(_variable, names))}: the same secret for two purposes"
            for names in shared_secrets(self)
        ]
        if problems:
            raise ValueError(
                f"{'; '.join(problems)}. Generate each with `openssl rand -hex 32`, or set TELECINE_PROFILE=sandbox "
                "for a test installation"
            )
        return self


def _variable(name: str) -> str:
    return f"TELECINE_{name.upper()}"


def _host(url: str) -> str:
    return urlsplit(url.strip()).hostname or ""
