"""Command line of the emulator: `python -m telecine_emulator --help`."""

import argparse
import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from telecine_emulator.api.routes import BASE
from telecine_emulator.faults.registry import NAMES, check_fault

from .app import build, server_config
from .settings import Settings, split_task_seconds

SWITCH_SECONDS = 0.0005


class Server(uvicorn.Server):
    """Prints a JSON line with its address once it listens."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            listening = {"event": "listening", "url": self._url, "base_url": self._url + BASE}
            print(json.dumps(listening), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Runs until SIGINT or SIGTERM."""
    settings = parse_settings(arguments)
    # Encoding threads hold the interpreter lock between calls; with the default of 5 ms requests would wait for them.
    sys.setswitchinterval(SWITCH_SECONDS)
    listener = _bind(settings)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    app = build(settings)
    Server(server_config(app, settings), url).run(sockets=[listener])


def parse_settings(arguments: list[str] | None) -> Settings:
    """The settings that a command line gives. Exits with a usage message if it is invalid."""
    given = _parser().parse_args(arguments)
    settings = Settings(
        data=given.data,
        host=given.host,
        port=given.port,
        api_keys=(*given.api_key, *_keys_of_the_environment()),
        concurrency=given.concurrency,
        queue_cap=given.queue_cap,
        not_ready_seconds=given.not_ready_seconds,
        text_commands_win=given.text_commands_win,
        faults=tuple(given.fault),
        public_url=given.public_url and given.public_url.rstrip("/"),
        random_seed=given.random_seed,
        callback_timeout=given.callback_timeout,
    )
    queued, running = split_task_seconds(given.task_seconds)
    chosen = (given.queue_seconds, given.run_seconds)
    return replace(
        settings,
        queue_seconds=queued if chosen[0] is None else chosen[0],
        run_seconds=running if chosen[1] is None else chosen[1],
    )


def _keys_of_the_environment() -> list[str]:
    # Every user of the machine can read a command line, the environment only the user who runs the program.
    return [key for key in os.environ.get("EMULATOR_API_KEY", "").split(",") if key]


def _bind(settings: Settings) -> socket.socket:
    """A bound socket, so that the address is known before the server starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    return listener


def _fault(text: str) -> str:
    name, _, value = text.partition("=")
    try:
        check_fault(name, value or None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telecine_emulator", description="Emulates Volcano Ark's video API over HTTP."
    )
    add = parser.add_argument
    add(
        "--data", type=Path, required=True, help="folder for tasks and result files; created if it is missing"
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on; 0 takes a free one (default)")
    add(
        "--api-key",
        action="append",
        default=[],
        help="an accepted key; repeatable; also EMULATOR_API_KEY; by default every key is accepted",
    )
    add("--task-seconds", type=float, default=3.0, help="how long a task takes (default: %(default)s)")
    add("--queue-seconds", type=float, help="how long a task is queued (default: a fifth of --task-seconds)")
    add("--run-seconds", type=float, help="how long a task runs (default: the rest of --task-seconds)")
    add("--concurrency", type=int, help="how many tasks run at once (default: no limit)")
    add("--queue-cap", type=int, help="how many tasks may wait; further ones get 429 (default: no limit)")
    add(
        "--not-ready-seconds",
        type=float,
        default=0.0,
        help="for how long after success results respond with video_not_ready (default: %(default)s)",
    )
    add(
        "--text-commands-win", action="store_true", help="--duration 4 in a prompt overrides the body's field"
    )
    add("--fault", type=_fault, action="append", default=[], metavar="NAME[=VALUE]", help=_faults_help())
    add("--public-url", help="base of result URLs (default: the address the client used)")
    add("--random-seed", type=int, help="makes drawn seeds and the choice of the reported field repeatable")
    add("--callback-timeout", type=float, default=5.0, help="timeout of a callback in seconds (default: 5)")
    return parser


def _faults_help() -> str:
    return f"a fault for all requests or tasks; repeatable; one of {', '.join(sorted(NAMES))}"


if __name__ == "__main__":
    main()
