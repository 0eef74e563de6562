"""What a demonstration plays on: a stack of its own, or a telecine that runs already."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from telecine_chassis.nats.identity import NatsIdentity
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import Facts, Options
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import Target, of_stack
from telecine_contracts.permissions import AUDITOR

__all__ = ["Auditing", "DemoStage", "OwnStage", "Running"]


@dataclass(frozen=True)
class Auditing:
    """How an auditor comes to the ledger, and the public key of its checkpoints."""

    nats_url: str
    access: NatsIdentity
    checkpoint_key: Path


@dataclass(frozen=True)
class DemoStage:
    """Everything a demonstration needs to know. `data` keeps the demo account's key."""

    gateway_url: str
    target: Target
    data: Path
    sample_image: str
    auditing: Auditing


@dataclass(frozen=True)
class Running:
    """A telecine that runs already, as the user names it."""

    gateway_url: str
    target: Target
    sample_image: str
    auditor_seed: Path | None
    checkpoint_key: Path

    @asynccontextmanager
    async def stage(self, say: Callable[[str], None]) -> AsyncIterator[DemoStage]:
        """It, for as long as the block lasts; nothing of it is stopped at the end."""
        with tempfile.TemporaryDirectory(prefix="telecine-demo-") as folder:
            access = NatsIdentity(
                nkey_seed=self.auditor_seed,
                tls_ca=self.target.access.tls_ca,
                tls_cert=self.target.access.tls_cert,
                tls_key=self.target.access.tls_key,
            )
            auditing = Auditing(self.target.nats_url, access, self.checkpoint_key)
            yield DemoStage(self.gateway_url, self.target, Path(folder), self.sample_image, auditing)


@dataclass(frozen=True)
class OwnStage:
    """A stack that is started for the demonstration. Without `data` in a temporary folder."""

    data: Path | None
    task_seconds: float

    @asynccontextmanager
    async def stage(self, say: Callable[[str], None]) -> AsyncIterator[DemoStage]:
        """The stack, up for as long as the block lasts."""
        say("starting nats-server, an S3 server, an emulated provider and the four services …")
        options = Options(emulator_arguments=(f"--task-seconds={self.task_seconds}",), checkpoint_entries=1)
        with _folder(self.data) as data:
            async with Stack(data, options, provision=provision_stack, say=say) as stack:
                yield _of(stack.facts)
                say("stopping everything …")


def _of(facts: Facts) -> DemoStage:
    auditing = Auditing(facts.nats.url, facts.nats.access(AUDITOR), facts.checkpoint_key_file)
    sample = f"{facts.local_url('emulator')}/samples/harbour.png"
    return DemoStage(facts.gateway_url, of_stack(facts), facts.data, sample, auditing)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    data = Path(tempfile.mkdtemp(prefix="telecine-demo-"))
    try:
        yield data
    except Exception:
        typer.echo(f"data and logs are kept in {data}", err=True)
        raise
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    shutil.rmtree(data, ignore_errors=True)
