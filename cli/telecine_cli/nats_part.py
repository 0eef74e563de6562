"""The embedded nats-server: JetStream on the loopback interface, every append synced to disk."""

import json
from dataclasses import dataclass
from pathlib import Path

import nats
from nats.errors import Error as NatsError

from telecine_cli.ports import LOOPBACK
from telecine_cli.process import Command
from telecine_cli.programs import find_nats_server

__all__ = ["NatsPart"]

_GIGABYTE = 1024**3
_MAX_PAYLOAD_BYTES = 256 * 1024
_MAX_STORE_BYTES = 10 * _GIGABYTE
_CONNECT_SECONDS = 1


@dataclass(frozen=True)
class NatsPart:
    """One nats-server on a folder of its own. `program` overrides where the server is looked for."""

    folder: Path
    port: int
    monitoring_port: int
    program: Path | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def monitoring_url(self) -> str:
        """The HTTP monitoring endpoint: /varz says whether every append is synced."""
        return f"http://{LOOPBACK}:{self.monitoring_port}"

    def command(self, log: Path) -> Command:
        """Write the server's configuration file and return what runs it.

        Raises:
            ProgramNotFound: when there is no nats-server.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats-server.conf"
        config.write_text(self._configuration(), encoding="utf-8")
        program = find_nats_server(self.program)
        return Command("nats", (str(program), "--config", str(config)), log)

    def _configuration(self) -> str:
        # The server's format is a superset of JSON, which also quotes any path.
        return json.dumps(
            {
                "host": LOOPBACK,
                "port": self.port,
                "http": f"{LOOPBACK}:{self.monitoring_port}",
                "max_payload": _MAX_PAYLOAD_BYTES,
                "jetstream": {
                    "store_dir": str(self.folder / "store"),
                    # The default syncs every two minutes: acknowledged events are lost with the power.
                    "sync_interval": "always",
                    "max_file_store": _MAX_STORE_BYTES,
                },
            },
            indent=2,
            ensure_ascii=False,
        )

    async def ready(self) -> bool:
        """Whether JetStream answers (a listening socket is no proof: the store may be unusable)."""
        try:
            # With its defaults the client tries a refused connection 60 times, 2 s apart.
            connection = await nats.connect(
                self.url,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_SECONDS,
                error_cb=_quiet,
            )
        except (OSError, NatsError):
            return False
        try:
            await connection.jetstream(timeout=_CONNECT_SECONDS).account_info()
        except (OSError, NatsError):
            return False
        finally:
            await connection.close()
        return True


async def _quiet(error: Exception) -> None:
    """Not being able to connect yet is an answer here, not an error to log."""
