"""Several machines that each run some services of one installation, in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client.parser import text_string_to_metric_families
from tests.support.environments.saga import Saga
from tests.support.eventually import eventually_async

from telecine_chassis.runtime.service import Service
from telecine_cli.stack.ports import free_port

__all__ = ["ReplicatedServices"]

HANDLED_METRIC = "telecine_handler_messages_total"


@dataclass(frozen=True)
class ReplicatedServices:
    """All of them use the same streams, databases, bucket and provider; each has a gateway port of its own."""

    each: Sequence[Saga]

    @classmethod
    def like(cls, world: Saga, count: int) -> "ReplicatedServices":
        """`world` is the first of them; the others run nothing yet."""
        return cls(
            [world, *(replace(world, gateway_port=free_port(), services={}) for _ in range(count - 1))]
        )

    async def start(self, replicas: Mapping[str, int]) -> None:
        """Have so many replicas of each service, one a machine, and wait until they are ready."""
        for name, count in replicas.items():
            for machine in self.each[:count]:
                if name not in machine.services:
                    await machine.start(name)
                    await _ready(machine.services[name])

    async def stop(self) -> None:
        """Stop everything but what runs on the first."""
        for machine in self.each[1:]:
            await machine.stop(*reversed(machine.services))

    def replicas(self, name: str) -> Sequence[Saga]:
        """The machines on which the service runs."""
        return [machine for machine in self.each if name in machine.services]

    def gateways(self) -> Sequence[str]:
        """Where the gateways answer."""
        return [machine.gateway_url for machine in self.replicas("gateway")]

    async def restart(self, name: str) -> None:
        """Stop and start the replicas of a service, one after the other, each ready before the next."""
        for machine in self.replicas(name):
            await machine.stop(name)
            await machine.start(name)
            await _ready(machine.services[name])

    async def handled(self, consumer: str) -> Sequence[int]:
        """How many messages of a consumer each replica of its service has taken."""
        service = consumer.partition("-")[0]
        return [await _handled(machine.services[service], consumer) for machine in self.replicas(service)]


async def _ready(service: Service) -> None:
    async def is_ready() -> bool:
        return await service.ready() is None

    await eventually_async(is_ready, within=20, what=f"{service.name} is not ready")


async def _handled(service: Service, consumer: str) -> int:
    families = text_string_to_metric_families((await service.metrics.page()).decode())
    wanted = {"consumer": consumer, "outcome": "done"}
    samples = (sample for family in families for sample in family.samples if sample.name == HANDLED_METRIC)
    return sum(int(sample.value) for sample in samples if wanted.items() <= sample.labels.items())
