"""The auditor's command line, run from within a test that has a loop of its own."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from telecine_auditor.cli import run

__all__ = ["Audited", "Auditor"]


@dataclass(frozen=True)
class Audited:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Auditor:
    """Runs commands in this process, each with `options` behind it."""

    capsys: pytest.CaptureFixture[str]
    options: tuple[str, ...] = ()

    def using(self, *options: object) -> "Auditor":
        """The same with other options."""
        return Auditor(self.capsys, tuple(map(str, options)))

    async def __call__(self, *arguments: object) -> Audited:
        self.capsys.readouterr()
        code = await asyncio.to_thread(run, [*map(str, arguments), *self.options])
        said = self.capsys.readouterr()
        return Audited(code, said.out, said.err)
