"""Runs a stack on one data folder: starts servers, provisions streams, starts services, and stops all in reverse."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from telecine_cli.errors import ProcessError
from telecine_cli.preload.services import PreloadedServices

from .config import SECRETS, StackConfig, StackOptions
from .process import Probe, Process
from .specs import ProcessSpec, StartPhase, process_specs
from .state import load_or_create_state, lock, make_private, resolve_data_folder

__all__ = ["Provision", "Say", "Stack"]

Provision = Callable[[StackConfig], Awaitable[None]]
"""Creates streams and consumers before the services start."""
Say = Callable[[str], None]
"""Shows one message to the user."""

_WATCH_SECONDS = 0.2
_CHECK_SECONDS = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_STABLE_SECONDS = 60.0


class Stack:
    """All processes of telecine on one folder, with the same ports and secrets at every start.

        async with Stack(Path("data"), provision=provision) as stack:
            await stack.watch()

    Leaving the block stops everything that was started, also after an exception.
    """

    def __init__(
        self,
        data: Path,
        options: StackOptions | None = None,
        *,
        provision: Provision | None = None,
        children: Iterable[ProcessSpec] | None = None,
        say: Say = lambda message: None,
        preloaded: PreloadedServices | None = None,
    ) -> None:
        """`preloaded` starts the services at first; at a restart each starts by itself."""
        self._data = resolve_data_folder(data)
        self._options = options or StackOptions()
        self._children = {c.name: c for c in (process_specs(self._options) if children is None else children)}
        self._provision = provision
        self._say = say
        self._preloaded = preloaded
        self._held = ExitStack()
        self._config: StackConfig | None = None
        self._processes: dict[str, Process] = {}
        self._wanted: set[str] = set()

    @property
    def config(self) -> StackConfig:
        """The configuration, known as soon as `up` has begun. Raises RuntimeError before."""
        if self._config is None:
            raise RuntimeError("this stack is not up")
        return self._config

    def process(self, name: str) -> Process:
        """The process of one child."""
        return self._processes[name]

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Start everything and return when all processes are ready. On an error nothing is left running.

        Raises:
            AlreadyRunning: another stack uses the folder.
            CommandError: others may enter the folder, and it contains other things than a stack.
            ProgramNotFound: nats-server or rclone is missing.
            ProcessError: a process exited or was not ready in time; with the end of its log.
        """
        if make_private(self._data):
            self._say(f"other users could enter {self._data}; its mode is now 0700")
        self._held.enter_context(lock(self._data))
        try:
            self._config = self._resolve_config()
            self._config.write_checkpoint_key()
            await self._start_all(StartPhase.INFRASTRUCTURE)
            if self._provision is not None:
                await self._provision(self.config)
            if self._preloaded is not None:
                await self._preloaded.start([self._process(name) for name in self._names(StartPhase.SERVICE)])
            await self._start_all(StartPhase.SERVICE)
        except BaseException:
            await self.down()
            raise

    def _resolve_config(self) -> StackConfig:
        self._processes.clear()
        # Also the ports of processes that this stack leaves out: every service gets the addresses of all others.
        children = [*process_specs(self._options), *self._children.values()]
        ports = [port for child in children for port in child.ports]
        return StackConfig(self._data, self._options, load_or_create_state(self._data, ports, SECRETS))

    async def _start_all(self, stage: StartPhase) -> None:
        names = self._names(stage)
        for name in names:
            self._begin(name)
        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(self._until_ready(name))
        except ExceptionGroup as several:
            # The first failure is the probable cause; the other tasks were cancelled because of it.
            raise several.exceptions[0] from None

    def _names(self, stage: StartPhase) -> list[str]:
        return [child.name for child in self._children.values() if child.stage is stage]

    def _process(self, name: str) -> Process:
        if name not in self._processes:
            self._processes[name] = Process(self._children[name].command(self.config))
        return self._processes[name]

    def _begin(self, name: str) -> None:
        self._wanted.add(name)
        self._process(name).start()

    async def _until_ready(self, name: str) -> None:
        child = self._children[name]
        await self._processes[name].wait_ready(child.ready(self.config), child.ready_seconds)

    async def start(self, name: str) -> None:
        """Start or restart one process on its port and wait until it is ready. Raises as `up`."""
        self._begin(name)
        await self._until_ready(name)

    async def stop(self, name: str) -> None:
        """Stop one process gracefully; `watch` does not restart it."""
        self._wanted.discard(name)
        if name in self._processes:
            await self._processes[name].terminate(self._children[name].grace_seconds)

    def kill(self, name: str) -> None:
        """Kill one process, for tests; `watch` does not restart it."""
        self._wanted.discard(name)
        self._processes[name].kill()

    async def down(self) -> None:
        """Stop all services at once, then the infrastructure in reverse order; SIGKILL if cancelled."""
        self._wanted.clear()
        try:
            await asyncio.gather(*(self.stop(name) for name in self._names(StartPhase.SERVICE)))
            for name in reversed(self._names(StartPhase.INFRASTRUCTURE)):
                await self.stop(name)
        finally:
            for process in self._processes.values():
                process.kill()
            self._held.close()

    async def watch(self) -> None:
        """Restart every process that exits by itself, with exponential back-off; runs until cancelled.

        A process that reports that it needs a restart is terminated first.
        """
        async with asyncio.TaskGroup() as group:
            for name, child in self._children.items():
                group.create_task(self._restart_when_exited(name))
                if child.needs_restart is not None:
                    group.create_task(self._restart_when_unhealthy(name, child.needs_restart(self.config)))

    async def _restart_when_exited(self, name: str) -> None:
        delay = _FIRST_DELAY
        while True:
            began = time.monotonic()
            await self._wait_for_exit(name)
            if time.monotonic() - began > _STABLE_SECONDS:
                delay = _FIRST_DELAY
            self._say(
                f"{name} ended with code {self._processes[name].returncode}; restarting it in {delay:g} s"
            )
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
            if name in self._wanted:
                await self._restart(name)

    async def _restart_when_unhealthy(self, name: str, needs_restart: Probe) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            if name in self._wanted and self._processes[name].running and await needs_restart():
                self._say(f"{name} needs a restart: see its log")
                await self._processes[name].terminate(self._children[name].grace_seconds)

    async def _wait_for_exit(self, name: str) -> None:
        while name not in self._wanted or self._processes[name].running:  # noqa: ASYNC110  processes set no event
            await asyncio.sleep(_WATCH_SECONDS)

    async def _restart(self, name: str) -> None:
        try:
            await self.start(name)
        except (ProcessError, OSError) as error:
            self._say(str(error))
            # A process that runs without becoming ready would otherwise never be restarted.
            self._processes[name].kill()
        else:
            self._say(f"{name} is ready again")
