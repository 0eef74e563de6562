"""The configuration of one stack: addresses, folders and secrets, and the environment of each service."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from telecine_chassis.network import is_loopback
from telecine_cli.provisioning.credentials import seed_file
from telecine_credits.checkpoints.key import Signer

from .nats_server import EmbeddedNats
from .ports import LOOPBACK
from .s3_server import REGION, EmbeddedS3
from .state import StackState, random_secret

__all__ = [
    "SECRETS",
    "SERVICES",
    "Provider",
    "StackConfig",
    "StackOptions",
    "credentials_folder",
    "database_url",
    "environment",
    "health_port",
]

SERVICES = ("credits", "generation", "storage", "gateway")
_LOG = "telecine/ledger"
SECRETS: Mapping[str, Callable[[], str]] = {
    "s3": random_secret,
    "provider": random_secret,
    "content": random_secret,
    "callback": random_secret,
    "checkpoint": lambda: Signer.new(_LOG).secret_text(),
}
"""The generator of each secret of a stack."""
_S3_ACCESS_KEY = "telecine"
_EVERY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104  read from settings, never bound here
_EMULATED_API_PATH = "/api/v3"


def health_port(service: str) -> str:
    """The name of the port on which a service serves its health and its metrics."""
    return f"{service}-health"


# glibc gives every thread its own arena and seldom returns it: two are enough and save tens of megabytes.
_PROCESS = {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True)
class Provider:
    """A provider outside the stack: the base URL of its API (Ark: ends in /api/v3) and the key."""

    base_url: str
    api_key: str


@dataclass(frozen=True)
class StackOptions:
    """The user's choices for a stack. Without a provider the emulator is started."""

    gateway_host: str = LOOPBACK
    gateway_port: int | None = None
    """None: a free port, the same at the next start."""
    public_url: str | None = None
    """The URL by which clients reach the gateway; None: its own host and port."""
    provider: Provider | None = None
    emulator_arguments: tuple[str, ...] = ()
    checkpoint_entries: int | None = None
    """Entries of the ledger between two signed checkpoints; None: the default."""
    nats_server: Path | None = None
    rclone: Path | None = None


@dataclass(frozen=True)
class StackConfig:
    """Everything that is decided before the first process starts. `data` is an absolute path."""

    data: Path
    options: StackOptions
    state: StackState

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.data / "logs" / f"{name}.log"

    def local_url(self, port_name: str) -> str:
        """The URL of a port on the loopback interface."""
        return f"http://{LOOPBACK}:{self.state.ports[port_name]}"

    @property
    def nats(self) -> EmbeddedNats:
        ports = self.state.ports
        return EmbeddedNats(
            self.data / "nats",
            ports["nats"],
            ports["nats-monitoring"],
            self.options.nats_server,
            credentials=credentials_folder(self.data),
        )

    @property
    def s3(self) -> EmbeddedS3:
        return EmbeddedS3(
            self.data / "s3",
            self.state.ports["s3"],
            access_key=_S3_ACCESS_KEY,
            secret_key=self.state.secrets["s3"],
            program=self.options.rclone,
        )

    @property
    def checkpoint_key_file(self) -> Path:
        """The file with the public key of the ledger's checkpoints, for auditors."""
        return self.data / "checkpoint-key.txt"

    @property
    def checkpoint_folder(self) -> Path:
        """The folder for copies of the ledger's checkpoints outside NATS."""
        return self.data / "checkpoints"

    def write_checkpoint_key(self) -> None:
        """Write the public half of the signing key for auditors."""
        signer = Signer.of(self.state.secrets["checkpoint"])
        self.checkpoint_key_file.write_text(f"{signer.verifier}\n", encoding="utf-8")

    @property
    def emulated(self) -> bool:
        """Whether the emulator is used as the provider."""
        return self.options.provider is None

    @property
    def emulator_address(self) -> str:
        """Host and port of the emulator."""
        return f"{LOOPBACK}:{self.state.ports['emulator']}"

    @property
    def provider_is_local(self) -> bool:
        """Whether the provider runs on this machine: then its results may be downloaded from private addresses."""
        host = urlsplit(self.provider.base_url).hostname or ""
        return self.emulated or is_loopback(host)

    @property
    def provider(self) -> Provider:
        """The configured provider, or the emulator."""
        emulated = self.local_url("emulator") + _EMULATED_API_PATH if self.emulated else ""
        return self.options.provider or Provider(emulated, self.state.secrets["provider"])

    @property
    def gateway_port(self) -> int:
        return self.options.gateway_port or self.state.ports["gateway"]

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway on this machine."""
        host = self.options.gateway_host
        host = LOOPBACK if host in _EVERY_INTERFACE else f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.gateway_port}"

    @property
    def public_url(self) -> str:
        """The URL by which clients reach the gateway."""
        return self.options.public_url or self.gateway_url


def credentials_folder(data: Path) -> Path:
    """The folder with the identities of a stack's NATS server."""
    return data / "credentials"


def database_url(data: Path, service: str) -> str:
    """The SQLite URL of one service's database, with every character of the path quoted."""
    # As `sqlalchemy.URL` writes it; SQLAlchemy itself would be 10 MB of the supervisor.
    return f"sqlite:///{quote(f'{data / service}.db', safe=' +/')}"


def environment(service: str, config: StackConfig) -> dict[str, str]:
    """The complete environment of one service: this process's own, and the stack's TELECINE_ variables.

    The only place that maps the configuration to settings. A secret is given only to the services that need it.
    What the stack does not decide may be set by the user's own TELECINE_ variables.
    """
    # Settings are read case-insensitively, by lower case; for some letters upper case would compare differently.
    decided = {name.lower() for each in SERVICES for name in _settings(each, config)}
    inherited = {name: value for name, value in os.environ.items() if name.lower() not in decided}
    return inherited | _PROCESS | _settings(service, config)


def _settings(service: str, config: StackConfig) -> dict[str, str]:
    match service:
        case "gateway":
            own = _gateway(config)
        case "generation":
            own = _generation(config)
        case "storage":
            own = _storage(config)
        case "credits":
            own = _credits(config)
        case _:
            own = {}
    seed = seed_file(credentials_folder(config.data), service)
    nats = {"TELECINE_NATS_URL": config.nats.url, "TELECINE_NATS_NKEY_SEED_FILE": str(seed)}
    return {**nats, **_health(service, config), **own}


def _health(service: str, config: StackConfig) -> dict[str, str]:
    port = config.state.ports.get(health_port(service))
    return {} if port is None else {"TELECINE_HEALTH_HOST": LOOPBACK, "TELECINE_HEALTH_PORT": str(port)}


def _credits(config: StackConfig) -> dict[str, str]:
    entries = config.options.checkpoint_entries
    return {
        "TELECINE_DATABASE_URL": database_url(config.data, "credits"),
        "TELECINE_CHECKPOINT_KEY": config.state.secrets["checkpoint"],
        "TELECINE_CHECKPOINT_FOLDER": str(config.checkpoint_folder),
        **({"TELECINE_CHECKPOINT_ENTRIES": str(entries)} if entries else {}),
    }


def _gateway(config: StackConfig) -> dict[str, str]:
    return {
        "TELECINE_DATABASE_URL": database_url(config.data, "gateway"),
        "TELECINE_HTTP_HOST": config.options.gateway_host,
        "TELECINE_HTTP_PORT": str(config.gateway_port),
        "TELECINE_PUBLIC_URL": config.public_url,
        "TELECINE_CONTENT_SECRET": config.state.secrets["content"],
        "TELECINE_CALLBACK_SECRET": config.state.secrets["callback"],
        **_object_store(config),
        **(
            {"TELECINE_IMAGE_URL_PRIVATE_HOSTS": json.dumps([config.emulator_address])}
            if config.emulated
            else {}
        ),
    }


def _generation(config: StackConfig) -> dict[str, str]:
    # A provider on this machine reaches the gateway locally; any other needs a public address.
    callbacks = config.gateway_url if config.provider_is_local else config.options.public_url
    return {
        "TELECINE_DATABASE_URL": database_url(config.data, "generation"),
        "TELECINE_PROVIDER_BASE_URL": config.provider.base_url,
        "TELECINE_PROVIDER_API_KEY": config.provider.api_key,
        "TELECINE_CALLBACK_SECRET": config.state.secrets["callback"],
        **({"TELECINE_CALLBACK_BASE_URL": callbacks} if callbacks else {}),
    }


def _storage(config: StackConfig) -> dict[str, str]:
    sandbox = {"TELECINE_RESULT_ALLOW_PRIVATE": "true", "TELECINE_RESULT_HOSTS": "[]"}
    return {
        "TELECINE_DATABASE_URL": database_url(config.data, "storage"),
        "TELECINE_S3_BUCKET": config.s3.bucket,
        "TELECINE_S3_FILES": str(config.s3.folder),
        **_object_store(config),
        **(sandbox if config.provider_is_local else {}),
    }


def _object_store(config: StackConfig) -> dict[str, str]:
    return {
        "TELECINE_S3_ENDPOINT": config.s3.endpoint,
        "TELECINE_S3_REGION": REGION,
        "TELECINE_S3_ACCESS_KEY": config.s3.access_key,
        "TELECINE_S3_SECRET_KEY": config.s3.secret_key,
    }
