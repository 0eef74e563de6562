"""Secrets and contents that are looked for wherever they must not be."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes.command_line import processes_with

from telecine_cli.stack.config import StackConfig

__all__ = ["SecretScanner", "command_lines", "files_with", "log_lines", "stream_files"]


@dataclass
class SecretScanner:
    """What must not be seen, by what it is: `secrets` nowhere, `contents` only where events of VIDEO are."""

    secrets: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: StackConfig) -> "SecretScanner":
        """All secrets that a stack was made with."""
        made = {name: secret for name, secret in config.state.secrets.items() if name != "checkpoint"}
        made["checkpoint"] = config.state.secrets["checkpoint"].split("+", 4)[4]
        seeds = (config.data / "credentials").glob("*.nk")
        return cls(made | {f"seed of {file.stem}": file.read_text().strip() for file in seeds})

    def secrets_in(self, *where: bytes) -> set[str]:
        """Which secrets are there."""
        return _find(self.secrets, where)

    def anything_in(self, *where: bytes) -> set[str]:
        """Which secrets and contents are there."""
        return _find(self.secrets | self.contents, where)


def _find(canaries: Mapping[str, str], where: tuple[bytes, ...]) -> set[str]:
    return {name for name, text in canaries.items() for each in where if text.encode() in each}


def log_lines(config: StackConfig) -> dict[str, bytes]:
    """Every log of a stack, by its name."""
    return {file.name: file.read_bytes() for file in (config.data / "logs").iterdir()}


def stream_files(config: StackConfig) -> dict[str, bytes]:
    """What the NATS server has on disk of every stream, messages with headers."""
    found: dict[str, bytes] = {}
    for stream in (config.data / "nats").rglob("streams/*"):
        found[stream.name] = b"".join(block.read_bytes() for block in sorted(stream.rglob("*.blk")))
    return found


def command_lines(variable: str, value: str) -> Iterator[bytes]:
    """What any user of the machine can read of the processes that have this variable."""
    for process in processes_with(variable, value):
        yield Path(f"/proc/{process}/cmdline").read_bytes()


def files_with(folder: Path, text: str) -> set[str]:
    """The files under `folder` that contain `text`, as it is or in base64, by their paths below it."""
    # In base64 three letters look alike wherever they begin: the whole groups of each alignment are looked for.
    forms = [base64.b64encode(text.encode()[start:])[: (len(text) - start) // 3 * 4] for start in range(3)]
    needles = [text.encode(), *forms]
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and any(needle in file.read_bytes() for needle in needles)
    }
