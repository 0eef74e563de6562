"""Starts services from a process that has imported them (Linux); elsewhere they start by themselves."""

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, Self

from telecine_cli.stack.config import SERVICES
from telecine_cli.stack.process import PRIVATE_UMASK, Process
from telecine_cli.stack.specs import service_module

from .child import AdoptedChild
from .program import Order, freeze, serve

__all__ = ["SERVICE_IMPORTS", "PreloadedServices"]

SERVICE_IMPORTS = (
    *(f"{service_module(name)}.app" for name in SERVICES),
    # What one or the other imports while it starts. An import writes to the names that modules have in common, and so
    # copies thousands of shared pages: it is worth its place here even if one service alone needs it.
    "anyio._backends._asyncio",
    "boto3.s3.inject",
    "boto3.session",
    "botocore.docs.docstring",
    "botocore.retries.adaptive",
    "pydantic.v1",
    "sqlalchemy.dialects.sqlite",
    "telecine_chassis.nats.broker",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
)
"""What the services share."""
_SUPERVISOR_IMPORTS = ("encodings.idna", "importlib.resources.readers", "nacl.signing", "nkeys")
"""What the supervisor imports while it starts a stack, and the services, too."""

_PR_SET_CHILD_SUBREAPER = 36


class PreloadedServices:
    """The process that imports the services; it ends when they are started, or at the end of the `with` block.

    Every failure has the same consequence: the services do not run after `start`, and are to be started by themselves.
    """

    def __init__(self, program: AdoptedChild | None, orders: BinaryIO, answer: BinaryIO) -> None:
        self._program = program
        self._orders = orders
        self._answer = answer

    @classmethod
    def fork(cls, modules: Sequence[str]) -> Self:
        """Begin to import `modules` in a new process; one that does nothing where services cannot be forked.

        Call it where SystemExit ends the process: in the services it is raised here. What this process has imported
        is shared, too.
        """
        supervisor = os.getpid()
        order_source, orders = os.pipe()
        answer, answer_sink = os.pipe()
        program: AdoptedChild | None = None
        if sys.platform.startswith("linux") and threading.active_count() == 1:
            for name in _SUPERVISOR_IMPORTS:
                importlib.import_module(name)
            freeze()
            pid = os.fork()
            if pid == 0:
                os.close(orders)
                os.close(answer)
                try:
                    serve(modules, supervisor, order_source, answer_sink)
                except Exception:
                    os._exit(1)
                os._exit(0)
            program = AdoptedChild(pid)
        os.close(order_source)
        os.close(answer_sink)
        return cls(program, os.fdopen(orders, "wb"), os.fdopen(answer, "rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    async def start(self, processes: Sequence[Process]) -> None:
        """Start those of `processes` whose command names a module. Works once."""
        waiting = [process for process in processes if process.command.module and not process.running]
        if self._program is None or not waiting:
            return
        _adopt_orphans(True)
        try:
            pids = await asyncio.to_thread(self._request, [_order(process) for process in waiting])
        finally:
            _adopt_orphans(False)
        for process, pid in zip(waiting, pids, strict=False):
            process.adopt(AdoptedChild(pid))

    def _request(self, orders: Sequence[Order]) -> Sequence[int]:
        try:
            with self._orders:
                self._orders.write(json.dumps(orders).encode())
            pids: Sequence[int] = json.load(self._answer)
        except (BrokenPipeError, ValueError):
            pids = []
        self._close()
        return pids

    def _close(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.send_signal(signal.SIGKILL)
            program.wait()
        with suppress(BrokenPipeError):
            self._orders.close()
        self._answer.close()


def _order(process: Process) -> Order:
    assert process.command.module is not None
    return {
        "module": process.command.module,
        "env": dict(process.command.env),
        "log": str(process.begin_log()),
        "umask": PRIVATE_UMASK,
    }


def _adopt_orphans(wanted: bool) -> None:
    """Whether processes whose parent ends become children of this process, instead of those of process 1."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)
