"""The embedded nats-server: JetStream on the loopback interface, every append synced to disk."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from telecine_cli.provisioning.credentials import STREAMS_ACCOUNT, make_credentials, seed_file
from telecine_contracts.permissions import OPERATOR, rights
from telecine_jetstream.identity import NatsIdentity

from .binaries import find_nats_server
from .http_probe import http_answer
from .ports import LOOPBACK
from .process import Command

__all__ = ["PID_FILE", "EmbeddedNats"]

PID_FILE = "nats-server.pid"

_GIGABYTE = 1024**3
_MAX_PAYLOAD_BYTES = 256 * 1024
_MAX_STORE_BYTES = 10 * _GIGABYTE
_CONNECT_SECONDS = 1
_WRITE_ERROR = b"write error"
"""Part of the server's health report for a stream that rejects writes after a failed one."""
_MIN_FREE_BYTES = 64 * 1024**2
_DEFAULT_ACCOUNT = "$G"
"""The account of all streams while nats-server has no accounts configured."""


@dataclass(frozen=True)
class EmbeddedNats:
    """One nats-server with its own folder. `program`: its path; None to search for it.

    `credentials`: the folder with the identities that may connect, created if missing; None: no credentials needed.
    """

    folder: Path
    port: int
    monitoring_port: int
    program: Path | None = None
    credentials: Path | None = None

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def monitoring_url(self) -> str:
        """The HTTP monitoring endpoint; its /varz says whether every append is synced."""
        return f"http://{LOOPBACK}:{self.monitoring_port}"

    def access(self, identity: str) -> NatsIdentity:
        """The credentials with which one identity connects to this server."""
        return NatsIdentity(
            nkey_seed=None if self.credentials is None else seed_file(self.credentials, identity)
        )

    def command(self, log: Path) -> Command:
        """Write the server's configuration file and return the command that runs it.

        Raises:
            ProgramNotFound: there is no nats-server.
            CommandError: credentials cannot be stored.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats-server.conf"
        self.pid_file.unlink(missing_ok=True)
        lines = [_line(name, value) for name, value in self._settings().items()]
        if self.credentials is not None:
            page = make_credentials(self.credentials).page
            # The server treats the path of an included file as relative even if it begins with a slash.
            lines.append(f"include {_quoted(os.path.relpath(page, self.folder))}")
            self._move_streams()
        # Encoded like every path: in a Latin-1 locale UTF-8 would name another folder.
        config.write_bytes(os.fsencode("\n".join([*lines, ""])))
        program = find_nats_server(self.program)
        return Command("nats", (str(program), "--config", str(config)), log)

    def _settings(self) -> dict[str, Any]:
        return {
            "host": LOOPBACK,
            "port": self.port,
            "http": f"{LOOPBACK}:{self.monitoring_port}",
            "max_payload": _MAX_PAYLOAD_BYTES,
            "pid_file": str(self.pid_file),
            "jetstream": {
                "store_dir": str(self._store),
                # The default syncs every two minutes: a power failure would lose acknowledged events.
                "sync_interval": "always",
                "max_file_store": _MAX_STORE_BYTES,
            },
        }

    @property
    def pid_file(self) -> Path:
        """The file with the running server's process id."""
        return self.folder / PID_FILE

    @property
    def _store(self) -> Path:
        return self.folder / "store"

    def _move_streams(self) -> None:
        # Before there were identities, nats-server stored the streams under its default account.
        old, new = (self._store / "jetstream" / name for name in (_DEFAULT_ACCOUNT, STREAMS_ACCOUNT))
        if old.is_dir() and not new.exists():
            old.rename(new)

    async def ready(self) -> bool:
        """Whether JetStream answers. A listening socket is not enough: the store may be unusable."""
        connection = Client()
        try:
            # With its defaults the client tries a refused connection 60 times, 2 s apart.
            await connection.connect(
                self.url,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_SECONDS,
                error_cb=_ignore_connection_error,
                inbox_prefix=rights(OPERATOR).inbox,
                **self.access(OPERATOR).client_options(),
            )
            await connection.jetstream(timeout=_CONNECT_SECONDS).account_info()
        except (OSError, NatsError):
            return False
        finally:
            await connection.close()
        return True

    async def needs_restart(self) -> bool:
        """Whether a write to a stream failed, which only a restart repairs, and the disk has free space again."""
        answer = await http_answer(f"{self.monitoring_url}/healthz")
        failed = answer is not None and answer[0] != 200 and _WRITE_ERROR in answer[1]
        return failed and shutil.disk_usage(self.folder).free > _MIN_FREE_BYTES


def _line(name: str, value: Any) -> str:
    # The server's format is a superset of JSON, which also quotes any path.
    return f"{name}: {_quoted(value)}"


def _quoted(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


async def _ignore_connection_error(error: Exception) -> None:
    """A refused connection means "not ready" here and is not an error to log."""
