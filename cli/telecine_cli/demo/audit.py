"""Runs the auditor on a stack's ledger, as an outsider would: as a separate program."""

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
    """Wait until credits has signed a checkpoint of the ledger.

    Raises:
        CommandError: there is none after 15 s.
    """
    checkpoints = CatchUpSubscription(connection, CHECKPOINTS)
    try:
        async with asyncio.timeout(_CHECKPOINT_SECONDS):
            while await checkpoints.last() == 0:  # noqa: ASYNC110  another process signs it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(f"credits signed no checkpoint within {_CHECKPOINT_SECONDS:g} s") from None


async def run_audit(auditor: AuditorAccess, *, as_json: bool) -> str:
    """Run `telecine-audit verify` and return its output, for people or as one JSON document.

    Raises:
        CommandError: it found a breach or could not finish; with its output.
    """
    access = auditor.access
    arguments = ["verify", "--nats", auditor.nats_url, "--key", str(auditor.checkpoint_key)]
    arguments += ["--nkey-seed", str(access.nkey_seed)] if access.nkey_seed else []
    arguments += ["--tls-ca", str(access.tls_ca)] if access.tls_ca else []
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_auditor", *arguments, *(["--json"] if as_json else [])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate()
    text = output.decode("utf-8", "replace")
    if child.returncode != 0:
        raise CommandError(f"the audit did not pass (exit code {child.returncode}):\n{text}")
    return text
