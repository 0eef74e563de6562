"""Where the demo runs: on a stack that it starts, or on a telecine that is already running."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import StackConfig, StackOptions
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import Target, stack_target
from telecine_contracts.permissions import AUDITOR
from telecine_jetstream.identity import NatsIdentity

__all__ = ["AuditorAccess", "DemoEnvironment", "LocalStack", "RemoteStack"]


@dataclass(frozen=True)
class AuditorAccess:
    """How the auditor connects to the ledger, and the public key of its checkpoints."""

    nats_url: str
    access: NatsIdentity
    checkpoint_key: Path


@dataclass(frozen=True)
class DemoEnvironment:
    """Everything that the demo needs. `data`: the folder for the key of the demo account."""

    gateway_url: str
    target: Target
    data: Path
    sample_image: str
    auditor: AuditorAccess


@dataclass(frozen=True)
class RemoteStack:
    """A telecine that is already running, as named by the user."""

    gateway_url: str
    target: Target
    sample_image: str
    auditor_seed: Path | None
    checkpoint_key: Path

    @asynccontextmanager
    async def open(self, say: Callable[[str], None]) -> AsyncIterator[DemoEnvironment]:
        """Use it during the block; nothing is stopped at the end."""
        with tempfile.TemporaryDirectory(prefix="telecine-demo-") as folder:
            access = NatsIdentity(
                nkey_seed=self.auditor_seed,
                tls_ca=self.target.access.tls_ca,
                tls_cert=self.target.access.tls_cert,
                tls_key=self.target.access.tls_key,
            )
            auditor = AuditorAccess(self.target.nats_url, access, self.checkpoint_key)
            yield DemoEnvironment(self.gateway_url, self.target, Path(folder), self.sample_image, auditor)


@dataclass(frozen=True)
class LocalStack:
    """A stack that is started for the demo, on a temporary folder if `data` is None."""

    data: Path | None
    task_seconds: float

    @asynccontextmanager
    async def open(self, say: Callable[[str], None]) -> AsyncIterator[DemoEnvironment]:
        """Run the stack during the block."""
        say("starting nats-server, an S3 server, an emulated provider and the four services …")
        options = StackOptions(
            emulator_arguments=(f"--task-seconds={self.task_seconds}",), checkpoint_entries=1
        )
        with _folder(self.data) as data:
            async with Stack(data, options, provision=provision_stack, say=say) as stack:
                yield _environment_of(stack.config)
                say("stopping everything …")


def _environment_of(config: StackConfig) -> DemoEnvironment:
    auditor = AuditorAccess(config.nats.url, config.nats.access(AUDITOR), config.checkpoint_key_file)
    sample = f"{config.local_url('emulator')}/samples/harbour.png"
    return DemoEnvironment(config.gateway_url, stack_target(config), config.data, sample, auditor)


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
