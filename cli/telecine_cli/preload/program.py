"""The process from which services are forked: it imports, starts what it is asked to start, and ends.

Forking is safe here because the process has one thread, no event loop and no connection. A service is then a process
like any other: in a session of its own, a direct child of the supervisor (which must be a "child subreaper" meanwhile),
and killed by the kernel when the supervisor dies.
"""

import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

__all__ = ["UNUSED", "Order", "freeze", "serve", "without"]

UNUSED = ("psutil", "pygments", "rich")
"""structlog, httpx and OpenTelemetry import them for features that nothing here uses; with their own imports 10 MB."""
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_M_ARENA_MAX, _ARENAS = -8, 2


class Order(TypedDict):
    """One service: run `module` as `python -m` does, in this environment, and append its output to `log`."""

    module: str
    env: dict[str, str]
    log: str
    umask: int


def serve(modules: Sequence[str], supervisor: int, orders: int, answer: int) -> None:
    """Import `modules`, read a list of `Order`s as JSON, fork them, and write their process ids as JSON.

    `orders` and `answer` are file descriptors. Returns only in the services, by their SystemExit.
    """
    end_with_parent(supervisor)
    os.setsid()
    # A module that cannot be imported is reported by its service, which then starts by itself, in its log.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    gc.disable()
    with without(*UNUSED):
        for name in modules:
            importlib.import_module(name)
    freeze()
    # Read by glibc from MALLOC_ARENA_MAX when a program starts, but the services are not started like that.
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
    with os.fdopen(orders, "rb") as source:
        wanted: list[Order] = json.load(source)
    if threading.active_count() > 1:
        raise RuntimeError("a module has started a thread, which may hold a lock at the fork")
    pids = [_start(order, supervisor, answer) for order in wanted]
    os.write(answer, json.dumps(pids).encode())


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Within the block these packages can't be imported, for libraries that import them just because they are there."""
    hidden: dict[str, Any] = {name: None for name in packages if name not in sys.modules}
    sys.modules.update(hidden)  # None: the import system does not search, and raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def freeze() -> None:
    """Take all objects out of garbage collection, which would write to them, and so copy the pages that are shared."""
    gc.collect()
    gc.freeze()


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit if it has died."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _start(order: Order, supervisor: int, answer: int) -> int:
    """Fork twice, so that the service becomes the supervisor's child; returns its process id."""
    gate, opened = os.pipe()
    report, reported = os.pipe()
    between = os.fork()
    if between == 0:
        service = os.fork()
        if service:
            os.write(reported, str(service).encode())
            os._exit(0)
        for end in (opened, report, reported, answer):
            os.close(end)
        os.read(gate, 1)
        os.close(gate)
        _run(order, supervisor)
    os.waitpid(between, 0)  # from here on the supervisor is its parent
    os.write(opened, b"\n")
    pid = int(os.read(report, 32))
    for end in (gate, opened, report, reported):
        os.close(end)
    return pid


def _run(order: Order, supervisor: int) -> None:
    """Become the service, and exit like it."""
    end_with_parent(supervisor)
    os.setsid()
    os.umask(order["umask"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(write_through=True)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [order["module"]]
    _show_as(order["module"])
    gc.enable()
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


def _show_as(module: str) -> None:
    """Show this process as `python -m MODULE` in lists of processes, not as its supervisor."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, module.encode(), 0, 0, 0)
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    begin, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc(5)
    shown = f"{sys.executable}\0-m\0{module}\0".encode()[: end - begin]
    ctypes.memmove(begin, shown.ljust(end - begin, b"\0"), end - begin)
