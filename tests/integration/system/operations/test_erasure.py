"""`telecine accounts erase` on a whole stack: nothing of the account is left in any file, and its ledger holds."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.audit.command import AuditorCommand, AuditResult
from tests.support.eventually import eventually, eventually_async
from tests.support.processes import crash_point
from tests.support.security.nats_identities import connect_as
from tests.support.security.secret_leaks import files_with

from telecine_cli.api_keys import create
from telecine_cli.ledger_client import grant
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import StackOptions
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import connected, stack_target
from telecine_contracts.commands import GrantCredits
from telecine_contracts.generation import VideoReady
from telecine_contracts.permissions import AUDITOR
from telecine_gateway.access.api_keys import new_key

CLIP = {"resolution": "480p", "duration": 2}


@dataclass
class User:
    """A user of a stack; `canary` is in all that the user requests."""

    account: str
    canary: str
    http: httpx.AsyncClient

    async def request(self, fault: str = "", **parameters: Any) -> str:
        body = {"prompt": f"{self.canary} {fault}", **CLIP, **parameters}
        answer = await self.http.post("/api/video/generate", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def ended(self, *generations: str) -> None:
        for generation in generations:

            async def is_over(generation: str = generation) -> bool:
                status = (await self.http.get(f"/api/video/{generation}")).json().get("status")
                return status in ("completed", "failed", "cancelled")

            await eventually_async(is_over, within=60, what=f"{generation} does not end")


@asynccontextmanager
async def user_of(stack: Stack, account: str) -> AsyncIterator[User]:
    key = new_key()
    async with connected(stack_target(stack.config)) as connection:
        await create(connection, account, key, name="tests")
        await grant(connection, GrantCredits(account=account, amount=5000, reference="first", reason=""))
    async with httpx.AsyncClient(
        base_url=stack.config.gateway_url, headers={"X-API-Key": key.secret}, timeout=30, trust_env=False
    ) as http:

        async def key_works() -> bool:
            return (await http.get("/api/credits")).status_code == 200

        await eventually_async(key_works, within=20)
        yield User(account, f"canary{secrets.token_hex(16)}", http)


@asynccontextmanager
async def running_stack(folder: Path, *emulator: str) -> AsyncIterator[Stack]:
    options = StackOptions(emulator_arguments=(*emulator, "--task-seconds=0.3"), checkpoint_entries=1)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {"POLL_INTERVAL": "0.2", "COPY_RETRY_FIRST": "0.1"}.items():
            environment.setenv(f"TELECINE_{name}", value)
        async with Stack(folder / "data", options, provision=provision_stack) as stack:
            yield stack


async def run_erase(
    stack: Stack, account: str, *options: str, crash: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """Exit code and output of the command in a process of its own, killed at a call if `crash` says so."""
    module = ["-m", "telecine_cli"]
    start = [str(Path(crash_point.__file__)), "telecine_cli", *crash] if crash else module
    process = await asyncio.create_subprocess_exec(
        sys.executable, *start, "accounts", "erase", account, "--data", str(stack.config.data), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def left_of(stack: Stack, text: str) -> set[str]:
    """The files of the stack that contain `text`. The emulator is the provider, which has a memory of its own."""
    return {name for name in files_with(stack.config.data, text) if not name.startswith("emulator/")}


def objects_of(stack: Stack, account: str) -> list[str]:
    return [str(path) for path in stack.config.data.rglob(f"videos/{account}/*.mp4")]


async def set_aside(stack: Stack, user: User) -> None:
    """A message of the account that no handler can read becomes a dead letter, with its content."""
    body = {"account": user.account, "generation": "raw", "url": [user.canary]}
    headers = {
        "ce-id": "raw",
        "ce-source": "telecine/generation",
        "ce-type": VideoReady.type,
        "ce-time": "2026-11-23T10:00:00Z",
        "ce-subject": f"video.{user.account}.raw.ready",
        "ce-specversion": "1.0",
    }
    async with connect_as("generation", stack.config.nats) as connection:
        await connection.jetstream().publish(
            f"video.{user.account}.raw.ready", json.dumps(body).encode(), headers=headers
        )
    await eventually(lambda: "reactor.dead_letter" in stack.config.log("storage").read_text(), within=30)


async def audited(stack: Stack, auditor: AuditorCommand, *command: str) -> AuditResult:
    config = stack.config
    seed = config.nats.access(AUDITOR).nkey_seed
    return await auditor.using("--nats", config.nats.url, "--nkey-seed", seed)(*command, "--json")


async def test_nothing_of_an_erased_account_is_left_in_any_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor = AuditorCommand(capsys)
    async with running_stack(tmp_path) as stack, user_of(stack, "ann") as ann, user_of(stack, "bob") as bob:
        image = f"{stack.config.local_url('emulator')}/samples/harbour.png?token={ann.canary}"
        generations = [
            await ann.request(),
            await ann.request("[emulator:fail]"),
            await ann.request(imageUrl=image),
        ]
        kept = await bob.request()
        await ann.ended(*generations)
        await bob.ended(kept)
        await set_aside(stack, ann)
        before = left_of(stack, ann.canary)
        assert any("streams/VIDEO" in name for name in before)
        assert any("streams/DEADLETTERS" in name for name in before)
        assert any(name.startswith("gateway.") for name in before)
        assert len(objects_of(stack, "ann")) == 2

        code, out, err = await run_erase(stack, "ann", "--dry-run", "--json")
        assert (code, json.loads(out)["generations"], json.loads(out)["videos"]) == (0, 4, 2), err
        assert len(objects_of(stack, "ann")) == 2

        code, out, err = await run_erase(stack, "ann", "--yes", "--wait")
        assert (code, out.splitlines()[-1]) == (0, "erased ann"), err
        await eventually(lambda: not left_of(stack, ann.canary), within=20, what="the prompt is still there")
        assert objects_of(stack, "ann") == []
        assert len(objects_of(stack, "bob")) == 1
        assert left_of(stack, bob.canary)
        assert (await ann.http.get("/api/credits")).status_code == 401
        assert (await bob.http.get(f"/api/video/{kept}")).json()["prompt"].strip() == bob.canary

        code, out, _ = await run_erase(stack, "ann", "--yes")
        assert (code, out) == (0, "nothing is left to erase\n")
        verified = await audited(stack, auditor, "verify")
        assert (verified.code, verified.document["video"]["erased"]) == (0, 3), verified.out
    assert left_of(stack, ann.canary) == set()
    assert left_of(stack, bob.canary)


async def test_an_erasure_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, user_of(stack, "ann") as ann:
        generations = [await ann.request() for _ in range(3)]
        await ann.ended(*generations)
        for crash in (
            ("telecine_cli.erasure:send_command", "after", "1"),
            ("telecine_cli.erasure:_revoke", "before", "1"),
            ("telecine_cli.erasure:_record", "after", "1"),
            ("nats.js.client:JetStreamContext.delete_msg", "before", "5"),
            ("telecine_cli.erasure:_delete", "after", "1"),
        ):
            code, out, err = await run_erase(stack, "ann", "--yes", crash=crash)
            assert (crash, code) == (crash, -9), out + err
        code, out, err = await run_erase(stack, "ann", "--yes")
        assert (code, out.splitlines()[-1].startswith(("erased", "nothing"))) == (0, True), err
        await eventually(lambda: not left_of(stack, ann.canary), within=20, what="the prompt is still there")
        assert objects_of(stack, "ann") == []


async def test_an_account_with_running_generations_is_not_erased(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, user_of(stack, "ann") as ann:
        generation = await ann.request("[emulator:task_seconds=600]")
        code, _, err = await run_erase(stack, "ann", "--yes")
        assert (code, generation in err, "nothing was erased yet" in err) == (1, True, True), err
        assert left_of(stack, ann.canary)
