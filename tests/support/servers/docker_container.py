"""A server in a container, which is ended and started again on the same ports and data."""

import asyncio
import io
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from docker.errors import NotFound
from testcontainers.core.container import DockerContainer

from telecine_cli.errors import ProcessExited, ProcessNotReady
from telecine_cli.stack.ports import LOOPBACK
from telecine_cli.stack.process import Probe

__all__ = ["Container", "ContainerSpec"]

_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """`ports`: inside → on this machine's loopback interface. `files`: path inside → what is in it."""

    image: str
    command: Sequence[str]
    ports: Mapping[int, int]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict)


class Container:
    """The power over a server in a container (tests/support/servers/lifecycle.py)."""

    def __init__(self, recipe: ContainerSpec) -> None:
        made = DockerContainer(recipe.image, env={**recipe.environment}).with_command([*recipe.command])
        for inside, outside in recipe.ports.items():
            # with_bind_ports would listen on every interface.
            made.ports[f"{inside}/tcp"] = (LOOPBACK, outside)  # type: ignore[assignment]
        for path, text in recipe.files.items():
            made.with_copy_into_container(text.encode(), path)
        self._image = recipe.image
        self._made = made
        self._exists = False

    def start(self) -> None:
        """Make the container, or start it again."""
        if not self._exists:
            self._made.start()
            self._exists = True
        elif not self._runs():
            self._made.get_wrapped_container().start()

    async def wait_ready(self, probe: Probe, deadline: float) -> None:
        """Raises ProcessExited or ProcessNotReady, with the end of the server's log."""
        give_up = time.monotonic() + deadline
        while not await probe():
            if not self._runs():
                raise ProcessExited(f"the container of {self._image} ended: {self._log()}")
            if time.monotonic() > give_up:
                raise ProcessNotReady(f"the container of {self._image} is not ready: {self._log()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def terminate(self) -> None:
        """SIGTERM, or what the image says instead."""
        await asyncio.to_thread(self._made.get_wrapped_container().stop)

    def kill(self) -> None:
        """SIGKILL."""
        if self._runs():
            self._made.get_wrapped_container().kill()
            self._made.get_wrapped_container().wait()

    def remove(self) -> None:
        """End it for good, with its data."""
        if self._exists:
            self._made.stop()

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The files below a folder inside, by their paths; none where there is no such folder."""
        try:
            stream, _ = self._made.get_wrapped_container().get_archive(folder)
        except NotFound:
            return
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            for member in archive:
                if (body := archive.extractfile(member)) is not None:
                    yield member.name, body.read()

    def _runs(self) -> bool:
        if not self._exists:
            return False
        self._made.reload()
        return bool(self._made.status == "running")

    def _log(self) -> str:
        return str(self._made.get_wrapped_container().logs(tail=20).decode(errors="replace"))
