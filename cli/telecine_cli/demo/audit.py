"""Have a stack's books checked by the auditor, as anybody outside would: its own program, its own process."""

import asyncio
import sys

from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_cli.errors import CommandError
from telecine_contracts.streams import CHECKPOINTS
from telecine_jetstream.client import NatsClient

from .environment import AuditorAccess

__all__ = ["run_audit", "wait_for_checkpoint"]

_CHECKPOINT_SECONDS = 15.0


async def wait_for_checkpoint(connection: NatsClient) -> None:
    """Until credits has signed what the ledger is. Raises Failure if it does not."""
    checkpoints = CatchUpSubscription(connection, CHECKPOINTS)
    try:
        async with asyncio.timeout(_CHECKPOINT_SECONDS):
            while await checkpoints.last() == 0:  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(f"credits signed no checkpoint within {_CHECKPOINT_SECONDS:g} s") from None


async def run_audit(auditing: AuditorAccess, *, as_json: bool) -> str:
    """What `telecine-audit verify` says of the ledger, for people or as one JSON document.

    Raises:
        Failure: when it found a breach or could not find out; with all that it said.
    """
    access = auditing.access
    arguments = ["verify", "--nats", auditing.nats_url, "--key", str(auditing.checkpoint_key)]
    arguments += ["--nkey-seed", str(access.nkey_seed)] if access.nkey_seed else []
    arguments += ["--tls-ca", str(access.tls_ca)] if access.tls_ca else []
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_auditor", *arguments, *(["--json"] if as_json else [])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    text = said.decode("utf-8", "replace")
    if child.returncode != 0:
        raise CommandError(f"the audit did not pass (exit code {child.returncode}):\n{text}")
    return text
