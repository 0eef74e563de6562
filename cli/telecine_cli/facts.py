"""The facts of one stack: where everything is, and the environment that tells it to each service."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from telecine_cli.nats_part import NatsPart
from telecine_cli.ports import LOOPBACK
from telecine_cli.s3_part import REGION, S3Part
from telecine_cli.stack_state import StackState

__all__ = ["SECRET_NAMES", "Facts", "Options", "Provider", "environment"]

SECRET_NAMES = ("s3", "provider", "content", "callback")
_S3_ACCESS_KEY = "telecine"
_EMULATED_API_PATH = "/api/v3"


@dataclass(frozen=True)
class Provider:
    """A provider outside the stack: the base URL of its API (Ark: ends in /api/v3) and the key."""

    base_url: str
    api_key: str


@dataclass(frozen=True)
class Options:
    """What a user may choose about a stack. Without a provider the emulator is started."""

    gateway_host: str = LOOPBACK
    gateway_port: int | None = None
    """None: a free port, the same at the next start."""
    public_url: str | None = None
    """Where clients reach the gateway, if not at its own host and port."""
    provider: Provider | None = None
    emulator_arguments: tuple[str, ...] = ()
    nats_server: Path | None = None
    rclone: Path | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that is settled before the first child starts. `data` is absolute."""

    data: Path
    options: Options
    state: StackState

    def log(self, name: str) -> Path:
        """The file that a child's output goes to."""
        return self.data / "logs" / f"{name}.log"

    def local_url(self, port_name: str) -> str:
        """Where a child listens on the loopback interface, by the name of its port."""
        return f"http://{LOOPBACK}:{self.state.ports[port_name]}"

    @property
    def nats(self) -> NatsPart:
        ports = self.state.ports
        return NatsPart(self.data / "nats", ports["nats"], ports["nats-monitoring"], self.options.nats_server)

    @property
    def s3(self) -> S3Part:
        return S3Part(
            self.data / "s3",
            self.state.ports["s3"],
            access_key=_S3_ACCESS_KEY,
            secret_key=self.state.secrets["s3"],
            program=self.options.rclone,
        )

    @property
    def provider(self) -> Provider:
        """The provider that was chosen, else the emulator."""
        emulated = self.local_url("emulator") + _EMULATED_API_PATH if self.options.provider is None else ""
        return self.options.provider or Provider(emulated, self.state.secrets["provider"])

    @property
    def gateway_port(self) -> int:
        return self.options.gateway_port or self.state.ports["gateway"]

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers on this machine."""
        host = LOOPBACK if self.options.gateway_host in {"0.0.0.0", "::"} else self.options.gateway_host  # noqa: S104
        return f"http://{host}:{self.gateway_port}"

    @property
    def public_url(self) -> str:
        """Where clients reach the gateway."""
        return self.options.public_url or self.gateway_url


def environment(service: str, facts: Facts) -> dict[str, str]:
    """One service's whole environment: ours, and the stack's facts as TELECINE_ variables.

    This is the one place where a fact gets the name of a setting. A secret goes to those only who need it.
    """
    return dict(os.environ) | {
        "PYTHONUNBUFFERED": "1",
        "TELECINE_NATS_URL": facts.nats.url,
        "TELECINE_DATABASE_URL": f"sqlite:///{facts.data / service}.db",
        "TELECINE_HEALTH_HOST": LOOPBACK,
        "TELECINE_HEALTH_PORT": str(facts.state.ports[f"{service}-health"]),
        **_own_settings(service, facts),
    }


def _own_settings(service: str, facts: Facts) -> Mapping[str, str]:
    match service:
        case "gateway":
            return {
                "TELECINE_HOST": facts.options.gateway_host,
                "TELECINE_PORT": str(facts.gateway_port),
                "TELECINE_PUBLIC_URL": facts.public_url,
                "TELECINE_STORAGE_URL": facts.local_url("storage-health"),
                "TELECINE_CONTENT_SECRET": facts.state.secrets["content"],
                "TELECINE_CALLBACK_SECRET": facts.state.secrets["callback"],
            }
        case "generation":
            return {
                "TELECINE_PROVIDER_BASE_URL": facts.provider.base_url,
                "TELECINE_PROVIDER_API_KEY": facts.provider.api_key,
                "TELECINE_CALLBACK_BASE_URL": facts.public_url,
                "TELECINE_CALLBACK_SECRET": facts.state.secrets["callback"],
            }
        case "storage":
            return {
                "TELECINE_S3_ENDPOINT": facts.s3.endpoint,
                "TELECINE_S3_REGION": REGION,
                "TELECINE_S3_BUCKET": facts.s3.bucket,
                "TELECINE_S3_ACCESS_KEY": facts.s3.access_key,
                "TELECINE_S3_SECRET_KEY": facts.s3.secret_key,
                "TELECINE_CONTENT_SECRET": facts.state.secrets["content"],
            }
        case _:
            return {}
