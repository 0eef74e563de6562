"""A real nats-server with users: an operator with a password, and those that a test adds."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import nkeys  # type: ignore[import-untyped]
from nats.errors import Error as NatsError

from telecine_cli.stack.binaries import find_nats_server
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

__all__ = ["OPERATOR", "PASSWORD", "AuthenticatedServer", "authenticated_server", "new_seed", "public_key"]

OPERATOR, PASSWORD = "operator", "only-a-test"
_READY_SECONDS = 20.0


@dataclass(frozen=True)
class AuthenticatedServer:
    """A server that accepts listed users only."""

    port: int

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def operator_url(self) -> str:
        """With the operator's name and password in it."""
        return f"nats://{OPERATOR}:{PASSWORD}@{LOOPBACK}:{self.port}"


def new_seed(file: Path) -> Path:
    """A file with the seed of a new nkey."""
    from nacl.utils import random

    pair = nkeys.from_seed(bytearray(nkeys.encode_seed(random(32), nkeys.PREFIX_BYTE_USER)))
    file.write_bytes(pair.seed + b"\n")
    return file


def public_key(seed: Path) -> str:
    """The public key that belongs to a seed."""
    return str(nkeys.from_seed(bytearray(seed.read_bytes().strip())).public_key.decode())


def nats_permissions(publish: Sequence[str], subscribe: Sequence[str]) -> Mapping[str, Any]:
    """Permissions in the server's words."""
    return {"publish": {"allow": list(publish)}, "subscribe": {"allow": list(subscribe)}}


@asynccontextmanager
async def authenticated_server(folder: Path, *users: Mapping[str, Any]) -> AsyncIterator[AuthenticatedServer]:
    """A server with an empty JetStream for the operator and these users (the server's own words)."""
    server = AuthenticatedServer(free_port())
    config = _config_file(folder, server.port, users)
    command = (str(find_nats_server(None)), "--config", str(config))
    process = Process(Command("nats", command, folder / "nats.log"))
    process.start()
    try:
        await process.wait_ready(lambda: _ready(server.operator_url), _READY_SECONDS)
        yield server
    finally:
        process.kill()


def _config_file(folder: Path, port: int, users: Sequence[Mapping[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats-server.conf"
    settings = {
        "host": LOOPBACK,
        "port": port,
        "jetstream": {"store_dir": str(folder / "store")},
        "authorization": {"users": [{"user": OPERATOR, "password": PASSWORD}, *users]},
    }
    config.write_text(json.dumps(settings))
    return config


async def _ready(url: str) -> bool:
    async def quiet(error: Exception) -> None:
        pass

    try:
        connection = await nats.connect(
            url,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=1,
            error_cb=quiet,
        )
    except (OSError, NatsError):
        return False
    await connection.close()
    return True
