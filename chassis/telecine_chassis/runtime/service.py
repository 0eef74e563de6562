"""Runs a service: starts its components in order, stops them in reverse order."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import nats.errors
import structlog
from pydantic import ValidationError
from pydantic_settings import SettingsError

from telecine_chassis.settings.base import ServiceSettings
from telecine_chassis.settings.secrets import BadSecretFile
from telecine_chassis.telemetry.logging import configure
from telecine_chassis.telemetry.metrics import Metrics
from telecine_chassis.telemetry.tracing import Tracing

from .liveness import event_loop_watchdog
from .supervision import task_supervision

__all__ = ["Component", "Service", "run"]

log = structlog.get_logger(__name__)
GC_THRESHOLD = 10_000
"""New objects, less those that are gone, after which the garbage collector looks for cycles among them."""
READY_TIMEOUT = 5
Settings = TypeVar("Settings", bound=ServiceSettings)


class Component(Protocol):
    """A part of a service with a life cycle: a connection, a reactor, a projector, an HTTP server."""

    async def start(self) -> None:
        """Start. The component works once this returns."""
        ...

    async def stop(self) -> None:
        """Finish work in progress and release all resources. Called only after start."""
        ...


class Service:
    """The service `name`: its components in start order, and readiness checks that return a problem or None."""

    def __init__(
        self,
        name: str,
        parts: Sequence[Component],
        checks: Sequence[Callable[[], Awaitable[str | None]]],
        *,
        tracing: Tracing | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.name = name
        self.tracing = tracing or Tracing(name)
        self.metrics = metrics or Metrics()
        self.log_lines_lost = self.metrics.counter(
            "telecine_log_lines_lost", "Log lines that could not be written, e.g. because the disk is full"
        )
        self._parts = parts
        self._checks = checks
        self._started: list[Component] = []
        self._failure: asyncio.Future[str] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start every component. If one fails, stop those before it and raise its error."""
        self._failure, self._stopping = self._pending_failure(), False
        try:
            with task_supervision(self.fail):
                for part in self._parts:
                    await part.start()
                    self._started.append(part)
        except BaseException:
            await self.stop()
            raise
        log.info("service.started", name=self.name)

    def _pending_failure(self) -> asyncio.Future[str]:
        """The future whose result ends the service; a new one after an earlier run ended."""
        if self._failure is None or self._failure.done():
            return asyncio.get_running_loop().create_future()
        return self._failure

    async def stop(self) -> None:
        """Stop every started component, the last one first; an error of one does not affect the others."""
        self._stopping = True
        while self._started:
            part = self._started.pop()
            try:
                await part.stop()
            except Exception:
                log.exception("service.part_did_not_stop", part=type(part).__name__)

    async def ready(self) -> str | None:
        """Why this service cannot work now, or None."""
        if len(self._started) < len(self._parts):
            return "stopping" if self._stopping else "starting"
        if self._failure is not None and self._failure.done():
            return self._failure.result()
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                for check in self._checks:
                    if problem := await check():
                        return problem
        except Exception as error:
            return f"a readiness check failed ({type(error).__name__})"
        return None

    def fail(self, reason: str) -> None:
        """End the process with exit code 1: a service without one of its components must not stay up.

        Ignored while the service stops, when components are meant to end.
        """
        if self._stopping:
            return
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(reason)
        log.error("service.failed", reason=reason)

    async def run(self) -> int:
        """Start, work until SIGTERM, SIGINT or a failure, stop. The process's exit code."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        self._failure = failure = self._pending_failure()
        stop = asyncio.ensure_future(stopping.wait())
        start = asyncio.ensure_future(self.start())
        first: list[asyncio.Future[Any]] = [start, stop, failure]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():  # e.g. NATS is unreachable: the client retries indefinitely
            if not self._stopping:
                start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            return 1 if failure.done() else 0
        start.result()
        # What was imported stays until the end: without freezing it, every full collection would pause to visit it.
        gc.collect()
        gc.freeze()
        ends: list[asyncio.Future[Any]] = [stop, failure]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        failed = failure.done()
        await self.stop()
        log.info("service.stopped", name=self.name)
        return 1 if failed else 0


def run(read_settings: Callable[[], Settings], build: Callable[[Settings], Service]) -> None:
    """Run the service that `build` makes from the settings until a signal or a failure, then exit.

    Exit code 2: invalid settings (each is named); 1: the service could not start, or lost a component.
    """
    try:
        settings = read_settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(["TELECINE", *map(str, problem["loc"])]).upper()
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    except BadSecretFile as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except SettingsError as error:  # a list or an object that is not JSON
        print(f"TELECINE: {error}", file=sys.stderr)
        sys.exit(2)
    service = build(settings)
    # Events of a batch live longer than 700 allocations, the default: each would be visited several times in vain.
    gc.set_threshold(GC_THRESHOLD)
    lost = service.log_lines_lost.inc
    configure(service.name, level=settings.log_level, form=settings.log_format, lost=lost)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(_run(service))
    except (OSError, RuntimeError, nats.errors.Error) as error:
        log.error("service.not_started", error=f"{type(error).__name__}: {error}")
        code = 1
    except Exception:
        log.exception("service.not_started")
        code = 1
    sys.exit(code)


async def _run(service: Service) -> int:
    watchdog = asyncio.create_task(event_loop_watchdog(), name="pulse")
    try:
        return await service.run()
    finally:
        watchdog.cancel()
        await asyncio.gather(watchdog, return_exceptions=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not available on Windows
        return None
    return uvloop.new_event_loop
