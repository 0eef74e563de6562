"""The OpenAPI document and the gateway agree: what the one allows the other takes, and what it forbids is refused."""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.environments.gateway import gateway_environment
from tests.support.servers.instances import NatsServer

CONFIGURATION = """
seed = 1
[generation]
database = "none"
[checks]
positive_data_acceptance.enabled = false
"""
"""`valid_data_is_accepted` takes the place of the check that is off."""
EXAMPLES = 4
"""A phase and operation. More find more, and take longer."""


async def test_openapi_document_matches_the_gateway(nats: NatsServer, tmp_path: Path) -> None:
    """Positive and negative data, and sequences of operations along the document's links."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    async with (
        gateway_environment(nats, tmp_path) as parts,
        parts.credits(),
        parts.gateway(cancel_timeout=0.1) as gateway,
    ):
        owner = await parts.owner(gateway, credits=1_000_000, scopes=("admin", "generate", "keys"))
        run = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", "schemathesis.toml"),
            *("run", f"{gateway.http.base_url}/openapi.json", "--no-color", "--mode", "all"),
            *("--max-examples", str(EXAMPLES), "--continue-on-failure", "--warnings", "off"),
            *("--header", f"Authorization: Bearer {owner.key.secret}"),
            cwd=tmp_path,
            env=os.environ
            | {
                "SCHEMATHESIS_HOOKS": "tests.support.processes.schemathesis_hooks",
                "PYTHONPATH": str(Path.cwd()),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await run.communicate()

    assert run.returncode == 0, told.decode()
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅  {phase}" in told.decode(), told.decode()
