"""Reloads the configuration of the embedded nats-server; connections are kept."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from telecine_cli.errors import CommandError
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.nats_server import PID_FILE
from telecine_cli.target import Target

__all__ = ["reload_server"]

_RELOAD_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.02


async def reload_server(target: Target) -> bool:
    """Reload the server of a local stack and return when it has read its configuration.

    Returns False, without doing anything, for a server that does not belong to a local stack.

    Raises:
        CommandError: the server does not reload, e.g. because it rejects its configuration.
    """
    if target.data is None or target.monitoring_url is None:
        return False
    file = target.data / "nats" / PID_FILE
    before = await _config_load_time(target.monitoring_url)
    try:
        os.kill(int(file.read_text(encoding="ascii")), signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot send a signal to nats-server ({file}: {error})") from error
    give_up = time.monotonic() + _RELOAD_TIMEOUT_SECONDS
    while await _config_load_time(target.monitoring_url) == before:
        if time.monotonic() > give_up:
            raise CommandError(
                f"nats-server did not reload its configuration, see {_log(target.data)}: "
                "restart `telecine up`"
            )
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def _config_load_time(monitoring_url: str) -> str | None:
    answer = await http_answer(f"{monitoring_url}/varz")
    if answer is None or answer[0] != 200:
        return None
    variables: dict[str, Any] = json.loads(answer[1])
    return str(variables.get("config_load_time"))


def _log(data: Path) -> Path:
    return data / "logs" / "nats.log"
