"""`telecine up`: a complete stack on this machine."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

__all__ = ["EXAMPLES", "up"]

EXAMPLES = """Examples:

    telecine up

    telecine up --data /srv/telecine --port 8080

    TELECINE_PROVIDER_API_KEY=… telecine up --provider-url https://ark.cn-beijing.volces.com/api/v3"""

_PROVIDER = "The provider"


def up(
    data: Annotated[
        Path, typer.Option(help="The folder for all data; start on it again to continue with the same data.")
    ] = Path("data"),
    host: Annotated[str, typer.Option(help="The address on which the gateway listens.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            metavar="PORT",
            help="Its port. [default: a free one, the same at every start]",
            show_default=False,
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The URL by which clients reach the gateway, if it is another one.",
            show_default=False,
        ),
    ] = None,
    provider_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Base URL of Volcano Ark or BytePlus, ending in /api/v3. Without it an emulator is started, which "
            "costs nothing and makes small real videos.",
            show_default=False,
            rich_help_panel=_PROVIDER,
        ),
    ] = None,
    provider_key: Annotated[
        str | None,
        typer.Option(
            envvar="TELECINE_PROVIDER_API_KEY",
            metavar="KEY",
            help="The provider's API key. Other users can read command lines: better set the variable.",
            show_default=False,
            show_envvar=True,
            rich_help_panel=_PROVIDER,
        ),
    ] = None,
    task_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long the emulator takes per video. [default: 3]",
            show_default=False,
            rich_help_panel=_PROVIDER,
        ),
    ] = None,
) -> None:
    """Start everything on this machine and keep it running: the four services and the servers that they need.

    Prints the address, an API key and a request to paste. Ctrl-C stops everything in order; no data is lost.
    """
    for option, url in (("--provider-url", provider_url), ("--public-url", public_url)):
        if url is not None and not _is_web_address(url):
            raise typer.BadParameter("invalid URL, expected e.g. https://host/path", param_hint=option)
    if provider_url is not None and not provider_key:
        raise typer.BadParameter("requires the provider's key", param_hint="--provider-url")
    if provider_url is not None and task_seconds is not None:
        raise typer.BadParameter("is for the emulator only", param_hint="--task-seconds")
    from telecine_cli.preload.program import UNUSED, without

    with without(*UNUSED):
        from telecine_cli.preload.services import SERVICE_IMPORTS, PreloadedServices
        from telecine_cli.runner import run
        from telecine_cli.stack.config import Provider, StackOptions
        from telecine_cli.stack.foreground import run_in_foreground
        from telecine_cli.stack.state import private_files

    options = StackOptions(
        gateway_host=host,
        gateway_port=port,
        public_url=public_url and public_url.rstrip("/"),
        provider=Provider(provider_url.rstrip("/"), provider_key) if provider_url and provider_key else None,
        emulator_arguments=() if task_seconds is None else (f"--task-seconds={task_seconds}",),
    )
    # Before there is an event loop or a thread: the services are forked from here.
    with private_files(), PreloadedServices.fork(SERVICE_IMPORTS) as preloaded:
        run(run_in_foreground(data, options, preloaded), interrupted=0)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
