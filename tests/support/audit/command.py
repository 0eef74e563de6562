"""The auditor's command line, run from within a test that has a loop of its own."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from telecine_auditor.cli import run

__all__ = ["AuditResult", "AuditorCommand"]


@dataclass(frozen=True)
class AuditResult:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class AuditorCommand:
    """Runs commands in this process, each with `options` behind it."""

    capsys: pytest.CaptureFixture[str]
    options: tuple[str, ...] = ()

    def using(self, *options: object) -> "AuditorCommand":
        """The same with other options."""
        return AuditorCommand(self.capsys, tuple(map(str, options)))

    async def __call__(self, *arguments: object) -> AuditResult:
        self.capsys.readouterr()
        code = await asyncio.to_thread(run, [*map(str, arguments), *self.options])
        said = self.capsys.readouterr()
        return AuditResult(code, said.out, said.err)
