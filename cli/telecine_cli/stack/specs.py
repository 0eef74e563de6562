"""The children of a stack, as data: what runs each, when it is ready, which ports it needs."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .config import SERVICES, Facts, Options, environment, health_port
from .http_probe import http_answer
from .ports import LOOPBACK
from .process import Command, Probe

__all__ = ["Child", "Stage", "answers", "children_of"]

# A service gives its running handlers 15 s (stop_grace) before it leaves by itself.
_SERVICE_GRACE_SECONDS = 20.0


class Stage(Enum):
    """When a child starts: parts first, all at once; services when the streams are provisioned."""

    PART = "part"
    SERVICE = "service"


@dataclass(frozen=True)
class Child:
    """One child of a stack. `ready` is asked until it says True, for at most `ready_seconds`.

    `needs_restart`, where it is given, says of a child that runs whether it works again only after a restart.
    """

    name: str
    stage: Stage
    command: Callable[[Facts], Command]
    ready: Callable[[Facts], Probe]
    ports: tuple[str, ...] = ()
    ready_seconds: float = 30.0
    grace_seconds: float = 10.0
    needs_restart: Callable[[Facts], Probe] | None = None


def children_of(options: Options) -> tuple[Child, ...]:
    """The children of a full stack, in the order in which they depend on each other."""
    emulator = (_EMULATOR,) if options.provider is None else ()
    return (_NATS, _S3, *emulator, *(_service(name, options) for name in SERVICES))


def answers(url: str) -> Probe:
    """A probe: does a GET of `url` answer 200?"""

    async def probe() -> bool:
        answer = await http_answer(url)
        return answer is not None and answer[0] == 200

    return probe


def _emulator_command(facts: Facts) -> Command:
    data = facts.data / "emulator"
    data.mkdir(exist_ok=True)
    port = str(facts.state.ports["emulator"])
    argv = ("--host", LOOPBACK, "--port", port, "--data", str(data))
    return Command(
        "emulator",
        (sys.executable, "-m", "telecine_emulator", *argv, *facts.options.emulator_arguments),
        facts.log("emulator"),
        # Everybody can read a command line.
        env=dict(os.environ) | {"PYTHONUNBUFFERED": "1", "EMULATOR_API_KEY": facts.provider.api_key},
    )


_NATS = Child(
    name="nats",
    stage=Stage.PART,
    command=lambda facts: facts.nats.command(facts.log("nats")),
    ready=lambda facts: facts.nats.ready,
    ports=("nats", "nats-monitoring"),
    needs_restart=lambda facts: facts.nats.needs_restart,
)
_S3 = Child(
    name="s3",
    stage=Stage.PART,
    command=lambda facts: facts.s3.command(facts.log("s3")),
    ready=lambda facts: facts.s3.ready,
    ports=("s3",),
)
_EMULATOR = Child(
    name="emulator",
    stage=Stage.PART,
    command=_emulator_command,
    ready=lambda facts: answers(f"{facts.local_url('emulator')}/healthz"),
    ports=("emulator",),
)


def _service(name: str, options: Options) -> Child:
    def command(facts: Facts) -> Command:
        argv = (sys.executable, "-m", f"telecine_{name}")
        return Command(name, argv, facts.log(name), env=environment(name, facts))

    def ready(facts: Facts) -> Probe:
        # The gateway says it where its clients ask, the others beside their work.
        base = facts.gateway_url if name == "gateway" else facts.local_url(health_port(name))
        return answers(f"{base}/readyz")

    return Child(
        name, Stage.SERVICE, command, ready, _ports(name, options), grace_seconds=_SERVICE_GRACE_SECONDS
    )


def _ports(name: str, options: Options) -> tuple[str, ...]:
    public = ("gateway",) if name == "gateway" and options.gateway_port is None else ()
    return (*public, health_port(name))
