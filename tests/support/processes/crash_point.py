"""Run a service that kills itself, with SIGKILL, before or after a certain call: a crash at an exact moment.

python die_at.py telecine_generation telecine_generation.provider.ark:ArkProvider.submit after 1
"""

import functools
import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any


def install_crash(target: str, moment: str, count: int) -> None:
    """Make the `count`-th call of `target` the last thing this process does (or, `before`, does not do)."""
    module_name, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, name, _crash_wrapper(getattr(owner, name), moment, count))


def _crash_wrapper(original: Callable[..., Any], moment: str, count: int) -> Callable[..., Any]:
    left = count

    def last_call() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            dying = last_call()
            if dying and moment == "before":
                _die()
            result = await original(*args, **kwargs)
            if dying:
                _die()
            return result

        return wrapped

    @functools.wraps(original)
    def plain(*args: Any, **kwargs: Any) -> Any:
        dying = last_call()
        if dying and moment == "before":
            _die()
        result = original(*args, **kwargs)
        if dying:
            _die()
        return result

    return plain


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    service, where, when, times, *arguments = sys.argv[1:]
    install_crash(where, when, int(times))
    sys.argv = [service, *arguments]
    runpy.run_module(service, run_name="__main__", alter_sys=True)
