"""Start and stop of a server, the same for every backend."""

from typing import Protocol

from telecine_cli.stack.process import Probe

__all__ = ["READY_SECONDS", "ServerProcess"]

READY_SECONDS = 30.0


class ServerProcess(Protocol):
    """Begins and ends one server: each time on the same ports, and on the data that it has acknowledged.

    A child process is one (telecine_cli.stack.process).
    """

    def start(self) -> None:
        """Begin. Nothing where it runs already."""
        ...

    async def wait_ready(self, probe: Probe, deadline: float) -> None:
        """Until `probe` says so, at most `deadline` seconds; an error at once if the server has ended."""
        ...

    async def terminate(self) -> None:
        """End in order (SIGTERM)."""
        ...

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        ...
