"""`telecine up`: starts the stack, prints how to use it, and keeps it running."""

import asyncio
import contextlib
import json
import shlex
import socket
import time
from pathlib import Path

import typer

from telecine_cli.demo.account import ACCOUNT, WelcomeGrant, key_file, open_account
from telecine_cli.errors import CommandError
from telecine_cli.output.provision import provision_stack
from telecine_cli.preload.services import PreloadedServices
from telecine_cli.target import connected, stack_target

from .config import StackConfig, StackOptions
from .state import resolve_data_folder
from .supervisor import Stack

__all__ = ["run_in_foreground", "welcome"]

_WELCOME_GRANT = WelcomeGrant(1000, "telecine up")


async def run_in_foreground(
    data: Path, options: StackOptions, preloaded: PreloadedServices | None = None
) -> None:
    """Run a stack until cancelled. Processes that exit are restarted.

    Raises:
        CommandError: the port is taken, or as `Stack.up`.
    """
    began = time.monotonic()
    _check_port(options)
    typer.echo(f"starting telecine on {data} …")
    stack = Stack(data, options, provision=provision_stack, say=_say, preloaded=preloaded)
    try:
        async with stack:
            async with connected(stack_target(stack.config)) as connection:
                key = await open_account(connection, stack.config.data, _WELCOME_GRANT)
            typer.echo(welcome(stack.config, key, time.monotonic() - began))
            try:
                await stack.watch()
            finally:
                typer.echo("\nstopping …")
    except asyncio.CancelledError:
        typer.echo("stopped; start it on the same folder again to continue with its data")
        raise


def _say(message: str) -> None:
    """Print a message of the running stack. The stack keeps running if standard error is closed or its disk is full."""
    with contextlib.suppress(OSError):
        typer.echo(message, err=True)


def _check_port(options: StackOptions) -> None:
    # Before anything is started: the gateway, which starts last, would report it after half a minute.
    if options.gateway_port is None:
        return
    family = socket.AF_INET6 if ":" in options.gateway_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.gateway_host, options.gateway_port))
            probe.listen(1)
        except OSError as error:
            raise CommandError(
                f"cannot listen on {options.gateway_host} port {options.gateway_port} ({error.strerror}): "
                "choose another port with --port, or omit it for a free one"
            ) from None


def welcome(config: StackConfig, key: str, seconds: float) -> str:
    """The text that says how to use a stack which has just become ready."""
    url = config.public_url
    if config.emulated:
        provider = "emulated: small real videos at no cost (--provider-url for a real provider)"
    else:
        provider = config.provider.base_url
    body = json.dumps({"prompt": "A lighthouse in a storm, waves breaking", "duration": 5})
    return f"""
telecine is ready, after {seconds:.1f} s.

  gateway    {url}   (API reference: {url}/docs)
  API key    {key}
             account {ACCOUNT!r}, stored in {key_file(config.data)}
  provider   {provider}
  data       {config.data}
  logs       {config.data / "logs"}

Request a video:

  curl -sS {url}/api/video/generate \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d {shlex.quote(body)}

Get its status, with the id and taskId of the response:

  curl -sS '{url}/api/video/status?taskId=TASKID&historyId=ID' \\
    -H 'Authorization: Bearer {key}'

In another terminal:

  telecine events tail{_data_option(config)}
  telecine subscribers add my-team{_data_option(config)}   (events for your own program)

Ctrl-C stops everything in order.
"""


def _data_option(config: StackConfig) -> str:
    default = config.data == resolve_data_folder(Path("data"))
    return "" if default else f" --data {shlex.quote(str(config.data))}"
