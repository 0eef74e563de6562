"""`telecine subscribers`: other teams' programs that consume events."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telecine_cli.provisioning.subscriber_programs import Client

from .options import AsJson, Data, NatsUrl, NkeySeed, ProvisionerSeed, group, with_options_of

if TYPE_CHECKING:
    from telecine_cli.output.subscribers import SubscriberTarget

__all__ = ["app"]


class StreamName(StrEnum):
    """The streams that other teams' programs may consume."""

    VIDEO = "VIDEO"
    LEDGER = "LEDGER"


class StartPosition(StrEnum):
    """The first event of a subscriber."""

    beginning = "beginning"
    now = "now"


def _subscriber(value: str) -> str:
    from telecine_contracts.permissions import subscriber

    try:
        subscriber(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return value


Name = Annotated[
    str,
    typer.Argument(help="The subscriber's name: 1 to 64 letters, digits, _ and -.", callback=_subscriber),
]
Credentials = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="With --nats-url: the folder that `telecine provision --credentials` created, with the seeds and the file "
        "for the server's configuration. Omit it for a server without identities.",
        show_default=False,
        rich_help_panel="Which telecine",
    ),
]
SubscriberUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The URL by which the subscriber reaches the NATS server, for the programs that are shown. [default: the "
        "URL used here]",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class SubscriberTargetOptions:
    """The options that say which telecine a command uses, and the identity that it needs there."""

    data: Path | None
    nats_url: str | None
    nkey_seed: Path | None
    credentials: Path | None
    as_provisioner: bool

    def find(self) -> "SubscriberTarget":
        """The telecine and its folder of credentials. Raises CommandError."""
        from telecine_cli.output.subscribers import find_subscriber_target
        from telecine_contracts.permissions import OPERATOR, PROVISIONER

        identity = PROVISIONER if self.as_provisioner else OPERATOR
        return find_subscriber_target(self.data, self.nats_url, self.nkey_seed, self.credentials, identity)


def with_operator_target(command: Callable[..., None]) -> Callable[..., None]:
    """Add --credentials, --data, --nats-url and --nkey-seed; `target` is used with the operator's identity."""

    def run(
        credentials: Credentials = None,
        data: Data = None,
        nats_url: NatsUrl = None,
        nkey_seed: NkeySeed = None,
        **given: Any,
    ) -> None:
        command(target=SubscriberTargetOptions(data, nats_url, nkey_seed, credentials, False), **given)

    return with_options_of(run, command, without="target")


def with_provisioner_target(command: Callable[..., None]) -> Callable[..., None]:
    """The same with the provisioner's identity, for commands that change consumers or identities."""

    def run(
        credentials: Credentials = None,
        data: Data = None,
        nats_url: NatsUrl = None,
        nkey_seed: ProvisionerSeed = None,
        **given: Any,
    ) -> None:
        command(target=SubscriberTargetOptions(data, nats_url, nkey_seed, credentials, True), **given)

    return with_options_of(run, command, without="target")


def app() -> typer.Typer:
    """The commands of `telecine subscribers`."""
    commands = group(
        "Let other teams' programs consume events: an identity and a durable consumer each. See docs/subscribing.md."
    )
    commands.command(
        epilog="Examples:\n\n    telecine subscribers add revenue-report --stream LEDGER\n\n"
        "    telecine subscribers add acme-notifier --filter 'video.acme.*.stored' --filter 'video.acme.*.failed' "
        "--from now"
    )(add)
    commands.command(
        "list", epilog="Examples:\n\n    telecine subscribers list\n\n    telecine subscribers list --json"
    )(list_)
    commands.command(
        epilog="Example:\n\n    telecine subscribers program revenue-report --client faststream > first.py"
    )(program)
    commands.command(epilog="Example:\n\n    telecine subscribers rotate revenue-report")(rotate)
    commands.command(epilog="Example:\n\n    telecine subscribers reset revenue-report --from beginning")(
        reset
    )
    commands.command(epilog="Example:\n\n    telecine subscribers remove revenue-report")(remove)
    return commands


@with_provisioner_target
def add(
    target: SubscriberTargetOptions,
    name: Name,
    stream: Annotated[
        list[StreamName] | None,
        typer.Option(
            case_sensitive=False,
            help="The stream to consume: VIDEO (generations) or LEDGER (credits); may be repeated. [default: the "
            "stream of the filters, else VIDEO]",
            show_default=False,
        ),
    ] = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="SUBJECT",
            help="Only events on these subjects, e.g. 'ledger.acme.>' or 'video.*.*.stored'; may be repeated. "
            "[default: every event of the stream]",
            show_default=False,
        ),
    ] = None,
    from_: Annotated[
        StartPosition,
        typer.Option("--from", help="Start with the stream's first event, or with the next one."),
    ] = StartPosition.beginning,
    subscriber_url: SubscriberUrl = None,
    json: AsJson = False,
) -> None:
    """Create a subscriber's durable consumer and identity, and show a program for each client library.

    The identity may consume from its own consumer and nothing else. Safe to run again: key and position are kept, the
    filters are replaced by the given ones.
    """
    from telecine_cli.output.subscribers import NewSubscriber, add_subscriber
    from telecine_cli.runner import run

    wanted = NewSubscriber(
        name,
        streams=tuple(each.value for each in stream or ()),
        filters=tuple(filter_ or ()),
        start=from_.value,
        subscriber_url=subscriber_url,
    )
    run(add_subscriber(target.find(), wanted, as_json=json))


@with_operator_target
def list_(
    target: SubscriberTargetOptions,
    json: AsJson = False,
) -> None:
    """List every subscriber with its lag: the events that it has not acknowledged yet."""
    from telecine_cli.output.subscribers import print_subscribers
    from telecine_cli.runner import run

    run(print_subscribers(target.find(), as_json=json))


@with_operator_target
def program(
    target: SubscriberTargetOptions,
    name: Name,
    client: Annotated[Client, typer.Option(help="The client library.")] = Client.NATS_PY,
    stream: Annotated[
        StreamName | None,
        typer.Option(
            case_sensitive=False,
            help="The stream to consume, if the subscriber has both.",
            show_default=False,
        ),
    ] = None,
    subscriber_url: SubscriberUrl = None,
) -> None:
    """Print a program of about ten lines that consumes the events; it expects the seed in its working directory."""
    from telecine_cli.output.subscribers import print_program
    from telecine_cli.runner import run

    run(print_program(target.find(), name, client, stream and stream.value, subscriber_url))


@with_provisioner_target
def rotate(
    target: SubscriberTargetOptions,
    name: Name,
    json: AsJson = False,
) -> None:
    """Replace the subscriber's key. The old key is rejected as soon as the server has reloaded."""
    from telecine_cli.output.subscribers import rotate_key
    from telecine_cli.runner import run

    run(rotate_key(target.find(), name, as_json=json))


@with_provisioner_target
def reset(
    target: SubscriberTargetOptions,
    name: Name,
    from_: Annotated[
        StartPosition,
        typer.Option("--from", help="The stream's first event, or the next one.", show_default=False),
    ],
    stream: Annotated[
        list[StreamName] | None,
        typer.Option(case_sensitive=False, help="Only on this stream; may be repeated.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Move to the first event, or skip all events up to now. Stop the program first."""
    from telecine_cli.output.subscribers import reset_position
    from telecine_cli.runner import run

    streams = tuple(each.value for each in stream or ())
    run(
        reset_position(
            target.find(),
            name,
            streams,
            from_.value,
            as_json=json,
        )
    )


@with_provisioner_target
def remove(
    target: SubscriberTargetOptions,
    name: Name,
    json: AsJson = False,
) -> None:
    """Delete a subscriber: its key and its durable consumers with its position. No event is deleted."""
    from telecine_cli.output.subscribers import delete_subscriber
    from telecine_cli.runner import run

    run(delete_subscriber(target.find(), name, as_json=json))
