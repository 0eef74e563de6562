"""The processes of a stack as data: the command of each, its readiness probe, its ports."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .config import SERVICES, StackConfig, StackOptions, environment, health_port
from .http_probe import http_answer
from .ports import LOOPBACK
from .process import Command, Probe

__all__ = ["ProcessSpec", "StartPhase", "http_ready", "process_specs", "service_module"]

# A service gives its running handlers 15 s (stop_grace) before it exits.
_SERVICE_GRACE_SECONDS = 20.0


class StartPhase(Enum):
    """Infrastructure starts first, all at once; services start when the streams are provisioned."""

    INFRASTRUCTURE = "infrastructure"
    SERVICE = "service"


@dataclass(frozen=True)
class ProcessSpec:
    """One process of a stack. `ready` is polled until it returns True, for at most `ready_seconds`.

    `needs_restart`, if given, says whether a running process will work again only after a restart.
    """

    name: str
    stage: StartPhase
    command: Callable[[StackConfig], Command]
    ready: Callable[[StackConfig], Probe]
    ports: tuple[str, ...] = ()
    ready_seconds: float = 30.0
    grace_seconds: float = 10.0
    needs_restart: Callable[[StackConfig], Probe] | None = None


def process_specs(options: StackOptions) -> tuple[ProcessSpec, ...]:
    """The processes of a complete stack; each depends only on those before it."""
    emulator = (_EMULATOR,) if options.provider is None else ()
    return (_NATS, _S3, *emulator, *(_service(name, options) for name in SERVICES))


def http_ready(url: str) -> Probe:
    """A probe that succeeds when a GET of `url` returns 200."""

    async def probe() -> bool:
        answer = await http_answer(url)
        return answer is not None and answer[0] == 200

    return probe


def service_module(name: str) -> str:
    """The package of a service, which runs with `python -m`."""
    return f"telecine_{name}"


def _emulator_command(config: StackConfig) -> Command:
    data = config.data / "emulator"
    data.mkdir(exist_ok=True)
    port = str(config.state.ports["emulator"])
    argv = ("--host", LOOPBACK, "--port", port, "--data", str(data))
    return Command(
        "emulator",
        (sys.executable, "-m", "telecine_emulator", *argv, *config.options.emulator_arguments),
        config.log("emulator"),
        # The key is in the environment, because every user of the machine can read a command line.
        env=dict(os.environ) | {"PYTHONUNBUFFERED": "1", "EMULATOR_API_KEY": config.provider.api_key},
    )


_NATS = ProcessSpec(
    name="nats",
    stage=StartPhase.INFRASTRUCTURE,
    command=lambda config: config.nats.command(config.log("nats")),
    ready=lambda config: config.nats.ready,
    ports=("nats", "nats-monitoring"),
    needs_restart=lambda config: config.nats.needs_restart,
)
_S3 = ProcessSpec(
    name="s3",
    stage=StartPhase.INFRASTRUCTURE,
    command=lambda config: config.s3.command(config.log("s3")),
    ready=lambda config: config.s3.ready,
    ports=("s3",),
)
_EMULATOR = ProcessSpec(
    name="emulator",
    stage=StartPhase.INFRASTRUCTURE,
    command=_emulator_command,
    ready=lambda config: http_ready(f"{config.local_url('emulator')}/healthz"),
    ports=("emulator",),
)


def _service(name: str, options: StackOptions) -> ProcessSpec:
    def command(config: StackConfig) -> Command:
        module = service_module(name)
        argv = (sys.executable, "-m", module)
        return Command(name, argv, config.log(name), env=environment(name, config), module=module)

    def ready(config: StackConfig) -> Probe:
        # The gateway serves /readyz on its public port, the other services on their health port.
        base = config.gateway_url if name == "gateway" else config.local_url(health_port(name))
        return http_ready(f"{base}/readyz")

    return ProcessSpec(
        name, StartPhase.SERVICE, command, ready, _ports(name, options), grace_seconds=_SERVICE_GRACE_SECONDS
    )


def _ports(name: str, options: StackOptions) -> tuple[str, ...]:
    public = ("gateway",) if name == "gateway" and options.gateway_port is None else ()
    return (*public, health_port(name))
