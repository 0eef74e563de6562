"""docs/subscribing.md as a new team follows it: its commands as they stand there, on a local stack with identities."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.processes.node import installed_packages, node
from tests.support.security.nats_identities import connect_as

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import StackOptions
from telecine_cli.stack.process import Command, Process
from telecine_cli.stack.specs import process_specs
from telecine_cli.stack.supervisor import Stack
from telecine_contracts import registry, subjects
from telecine_contracts.examples import envelope, example
from telecine_contracts.gateway import GenerationRequested

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "subscribing.md"
EXAMPLE = ROOT / "examples" / "notifier-javascript"


def blocks(heading: str) -> list[str]:
    """The commands below a heading of the page, a text for each block."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE} shows no command below {heading!r}"
    return found


@dataclass
class Terminal:
    """A shell that stays in the folder it went to. Its PATH has telecine, python and node."""

    folder: Path
    stack: Stack
    environment: dict[str, str] = field(default_factory=dict)

    async def run(self, commands: str) -> str:
        """What they print. AssertionError when one fails."""
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-euc",
            f"{commands}\npwd",
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await shell.communicate())[0].decode()
        assert shell.returncode == 0, f"{commands}\n{printed}"
        said, _, folder = printed.rstrip("\n").rpartition("\n")
        self.folder = Path(folder)
        return said

    def program(self, command: str, log: str) -> Process:
        """A program of the subscriber, not started yet."""
        argv = ("bash", "-c", f"exec {command}")
        return Process(Command(log, argv, self.folder / f"{log}.log", self.environment, self.folder))

    async def event(self, account: str) -> None:
        """A generation of `account` is requested."""
        event = example(GenerationRequested).model_copy(update={"account": account})
        async with connect_as("gateway", self.stack.config.nats) as connection:
            await JetStreamEventStore(connection, registry()).append(
                event, replace(envelope(event), id=account), aggregate=subjects.of_event(event), expected=0
            )


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """Beside the data folder of a stack that is its NATS server alone."""
    [nats] = (child for child in process_specs(StackOptions()) if child.name == "nats")
    async with Stack(tmp_path / "data", children=[nats], provision=provision_stack) as stack:
        programs = (str(Path(sys.executable).parent), str(Path(node()).parent))
        path = os.pathsep.join([*programs, os.environ["PATH"]])
        yield Terminal(tmp_path, stack, {**os.environ, "PATH": path, "PYTHONWARNINGS": "default"})


async def wait_for_output(terminal: Terminal, command: str, account: str) -> None:
    """The program prints a new event, of `account`."""
    await terminal.event(account)
    process = terminal.program(command, account)
    process.start()
    try:
        said = f"video.{account}."
        await eventually(
            lambda: said in process.log_tail(), within=40, what=f"no event: {process.log_tail()}"
        )
    finally:
        process.kill()


async def test_a_new_team_follows_the_page(terminal: Terminal) -> None:
    add, prepare, *programs = blocks("On `telecine up`")
    said = await terminal.run(add)
    assert said.count("reloaded") == 1
    await terminal.run(prepare)
    (terminal.folder / "node_modules").symlink_to(installed_packages(EXAMPLE))
    for number, block in enumerate(programs):
        *preparation, program = block.splitlines()
        await terminal.run("\n".join(line for line in preparation if not line.startswith("npm install")))
        await wait_for_output(terminal, program, f"acme-{number}")
    await terminal.run("cd ..")

    assert re.search(r"^my-team +VIDEO +0 ", await terminal.run(blocks("Lag")[0]), re.MULTILINE)
    assert "3 events to deliver" in await terminal.run(blocks("Replay from the beginning")[0])
    old = (terminal.folder / "my-team" / "my-team.nk").read_text()
    await terminal.run(blocks("Rotate the key")[0])
    key = terminal.folder / "data" / "credentials" / "my-team.nk"
    assert key.read_text() != old
    assert key.stat().st_mode & 0o777 == 0o600

    for block in blocks("Choose the events"):
        await terminal.run(block)
    lines = (await terminal.run("telecine subscribers list")).splitlines()
    assert {tuple(line.split()[:2]) for line in lines[1:]} == {
        ("my-team", "VIDEO"),
        ("revenue", "LEDGER"),
        ("acme", "VIDEO"),
        ("acme", "LEDGER"),
    }
    assert "removed   consumer my-team" in await terminal.run(blocks("Remove")[0])
    assert "my-team" not in await terminal.run("telecine subscribers list")
    assert not key.exists()
