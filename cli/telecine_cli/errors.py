"""The errors that a user can act on. Each message says what is wrong and what to do; the exit code is 1.

CommandError                  base class; raised itself where no caller tells the case apart
├── AlreadyRunning            another stack uses the data folder
├── InvalidStateFile          a file in the data folder has unexpected content
├── NoFreePort                no loopback port is free
├── ProgramNotFound           nats-server or rclone is missing
├── ProcessError              a child process failed; the message ends with the tail of its log
│   ├── ProcessExited         it ended before it was ready
│   └── ProcessNotReady       it runs, but was not ready at the deadline
└── ProvisioningRefused       an unsafe server, or a change that could lose events
"""

from pathlib import Path

__all__ = [
    "AlreadyRunning",
    "CommandError",
    "InvalidStateFile",
    "NoFreePort",
    "ProcessError",
    "ProcessExited",
    "ProcessNotReady",
    "ProgramNotFound",
    "ProvisioningRefused",
]


class CommandError(Exception):
    """The command failed. The message is printed without a traceback."""


class AlreadyRunning(CommandError):
    """Another stack uses the data folder."""


class InvalidStateFile(CommandError):
    """A file in the data folder that telecine did not write, or that was changed since."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} has unexpected content: restore it from a backup, or choose another folder with --data"
        )


class NoFreePort(CommandError):
    """No loopback port is free in the range that stacks use."""


class ProgramNotFound(CommandError):
    """An embedded program is neither where the setting says, nor in its wheel, nor on PATH."""


class ProcessError(CommandError):
    """A child process failed; the message ends with the tail of its log."""


class ProcessExited(ProcessError):
    """The child ended before it was ready."""


class ProcessNotReady(ProcessError):
    """The child runs, but was not ready at the deadline."""


class ProvisioningRefused(CommandError):
    """The server is unsafe, or a change could lose events; the message says what to do."""
