"""Durable consumers of subscribers (other teams' programs): create, list with lag, reset and delete.

Source: the JetStream API of nats-server 2.14, ``$JS.API.CONSUMER.…`` (server/jetstream_api.go).
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from nats.aio.client import Client

from telecine_cli.errors import CommandError
from telecine_contracts.permissions import SUBSCRIBED
from telecine_contracts.streams import CONSUMERS
from telecine_contracts.subjects import TOKEN, BadToken, stream_of

from .streams import CONSUMER_NOT_FOUND, NANOSECONDS, STREAM_NOT_FOUND

__all__ = [
    "Action",
    "Start",
    "Subscription",
    "create",
    "delete",
    "filters_by_stream",
    "list_subscriptions",
    "reset",
]

Start = Literal["beginning", "now"]
"""The first event of a subscription: the first one of the stream, or the next one."""
Action = Literal["created", "kept", "updated"]
ACK_WAIT = 30.0
"""Seconds until an unacknowledged event is delivered again."""
IN_FLIGHT = 1
"""Events that may be unacknowledged at the same time. With one, a redelivered event never arrives after a later one."""
_TIMEOUT = 5.0
_OWN_CONSUMERS = frozenset((consumer.stream, consumer.name) for consumer in CONSUMERS)
_STREAMS = {stream.name: stream for stream in SUBSCRIBED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One durable consumer, as reported by the server.

    `pending`: events not delivered yet; `unacknowledged`: delivered but not acknowledged; `waiting`: open requests for
    events, 0 if no program is connected; `acknowledged_at`: the time of the newest acknowledgement.
    """

    name: str
    stream: str
    filters: tuple[str, ...]
    pending: int
    unacknowledged: int
    redelivered: int
    waiting: int
    acknowledged_at: datetime | None

    @property
    def lag(self) -> int:
        """The number of events that the program has not acknowledged."""
        return self.pending + self.unacknowledged


def filters_by_stream(streams: Iterable[str], filters: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The subjects to consume from each stream.

    A filter belongs to the stream whose subjects it selects; a stream without filters is consumed completely. Without
    streams and filters it is VIDEO.

    Raises:
        CommandError: a filter selects no event of VIDEO or LEDGER, an event of a stream that was not named, or the
            same events as another filter.
    """
    named, found = list(dict.fromkeys(streams)), dict[str, list[str]]()
    for subject in dict.fromkeys(filters):
        stream = _checked(subject)
        if named and stream not in named:
            raise CommandError(f"filter {subject!r} selects events of {stream}: add --stream {stream}")
        found.setdefault(stream, []).append(subject)
    for stream, subjects in found.items():
        for subject in subjects:
            if overlap := next(
                (each for each in subjects if each != subject and _overlap(each, subject)), None
            ):
                raise CommandError(
                    f"filters {subject!r} and {overlap!r} of {stream} select the same events: leave one out"
                )
    if not named and not found:
        named = [SUBSCRIBED[0].name]
    return {
        name: tuple(found.get(name) or stream.subjects)
        for name, stream in _STREAMS.items()
        if name in named or name in found
    }


def _checked(subject: str) -> str:
    """The stream that a filter belongs to. Raises CommandError."""
    try:
        stream = stream_of(subject)
    except BadToken:
        stream = ""
    if stream not in _STREAMS:
        raise CommandError(
            f"invalid filter {subject!r}: it must begin with 'video.' or 'ledger.', e.g. 'ledger.acme.>'"
        )
    length = _STREAMS[stream].subjects[0].count(".") + 1
    tokens = subject.split(".")
    whole = tokens[-1] == ">" and len(tokens) <= length
    if not (whole or len(tokens) == length) or not all(
        part == "*" or TOKEN.fullmatch(part) for part in (tokens[:-1] if whole else tokens)
    ):
        raise CommandError(
            f"invalid filter {subject!r}: subjects of {stream} are like '{_STREAMS[stream].subjects[0]}', "
            "with names, '*' for any name, or a final '>' for all further tokens"
        )
    return stream


def _overlap(one: str, other: str) -> bool:
    """Whether both filters select a common subject; the server rejects such filters in one consumer."""
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if ">" in (left, right):
            return True
        if left != right and "*" not in (left, right):
            return False
    return True


async def create(
    connection: Client,
    name: str,
    filters: Mapping[str, Sequence[str]],
    *,
    start: Start = "beginning",
    ack_wait: float = ACK_WAIT,
    in_flight: int = IN_FLIGHT,
) -> dict[str, Action]:
    """Create the durable consumer `name` on each stream of `filters`; returns the action by stream.

    An existing consumer gets these filters and keeps its position.

    Raises:
        CommandError: the server rejects the consumer.
    """
    made: dict[str, Action] = {}
    for stream, subjects in filters.items():
        config = await _consumer_config(connection, stream, name)
        before = None if config is None else _filters(config)
        made[stream] = "created" if before is None else "kept" if set(before) == set(subjects) else "updated"
        if config is None:
            config = {**_config(name, ack_wait, in_flight), **await _beginning(connection, stream, start)}
        config.pop("filter_subject", None)
        await _create(connection, stream, config | {"filter_subjects": list(subjects)})
    return made


async def _beginning(connection: Client, stream: str, start: Start) -> dict[str, Any]:
    if start == "beginning":
        return {"deliver_policy": "all"}
    # By sequence instead of "new": the start must not depend on the moment at which the consumer is created.
    state = (await _request_checked(connection, f"STREAM.INFO.{stream}"))["state"]
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": int(state["last_seq"]) + 1}


async def _create(connection: Client, stream: str, config: Mapping[str, Any]) -> None:
    body = {"stream_name": stream, "config": config}
    await _request_checked(connection, f"CONSUMER.DURABLE.CREATE.{stream}.{config['name']}", body)


def _config(name: str, ack_wait: float, in_flight: int) -> dict[str, Any]:
    return {
        "name": name,
        "durable_name": name,
        "description": "subscriber: created by `telecine subscribers add`",
        "ack_policy": "explicit",
        "ack_wait": int(ack_wait * NANOSECONDS),
        "max_ack_pending": in_flight,
        "max_deliver": -1,
        "replay_policy": "instant",
    }


async def list_subscriptions(connection: Client, name: str | None = None) -> list[Subscription]:
    """Every durable consumer that is not one of telecine's own, or only those called `name`."""
    found = [
        _subscription(info)
        for stream in _STREAMS
        async for info in _consumers(connection, stream)
        if info["config"].get("durable_name") and (stream, info["name"]) not in _OWN_CONSUMERS
    ]
    return [each for each in found if name in (None, each.name)]


async def reset(connection: Client, name: str, streams: Iterable[str], start: Start) -> None:
    """Move the consumer `name` of each stream to the stream's beginning or end.

    It is deleted and created again, and a connected program gets status 409. CONSUMER.RESET is no alternative:
    nats-server 2.14 does not answer it across NATS accounts (`processResetReq` publishes the answer in the account of
    the request), and it cannot move a consumer to before its start.

    Raises:
        CommandError: there is no such consumer.
    """
    for stream in streams:
        config = await _consumer_config(connection, stream, name)
        if config is None:
            raise CommandError(f"{name} has no consumer on {stream}")
        config.pop("opt_start_seq", None)
        moved = config | await _beginning(connection, stream, start)
        await _request_checked(connection, f"CONSUMER.DELETE.{stream}.{name}")
        await _create(connection, stream, moved)


async def delete(connection: Client, name: str, streams: Iterable[str]) -> None:
    """Delete the consumer `name` of each stream, including its position."""
    for stream in streams:
        if (stream, name) in _OWN_CONSUMERS:
            raise CommandError(f"{name} is one of telecine's own consumers and cannot be removed")
        await _request_checked(connection, f"CONSUMER.DELETE.{stream}.{name}")


async def _consumers(connection: Client, stream: str) -> AsyncIterator[dict[str, Any]]:
    """All consumers of a stream: the server returns them in pages."""
    seen, total = 0, 1
    while seen < total:
        page = await _request_checked(connection, f"CONSUMER.LIST.{stream}", {"offset": seen})
        total = int(page["total"])
        infos = page.get("consumers") or []
        if not infos:
            return
        seen += len(infos)
        for info in infos:
            yield info


def _subscription(info: Mapping[str, Any]) -> Subscription:
    at = info.get("ack_floor", {}).get("last_active")
    return Subscription(
        name=info["name"],
        stream=info["stream_name"],
        filters=_filters(info["config"]),
        pending=int(info.get("num_pending", 0)),
        unacknowledged=int(info.get("num_ack_pending", 0)),
        redelivered=int(info.get("num_redelivered", 0)),
        waiting=int(info.get("num_waiting", 0)),
        acknowledged_at=datetime.fromisoformat(_microseconds(at)) if at else None,
    )


def _filters(config: Mapping[str, Any]) -> tuple[str, ...]:
    single = config.get("filter_subject")
    return (single,) if single else tuple(config.get("filter_subjects") or (">",))


def _microseconds(text: str) -> str:
    """An RFC 3339 time with six decimals: the server writes up to nine, Python reads six."""
    seconds, dot, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}{dot}{fraction[:6].ljust(6, '0') if dot else ''}+00:00"


async def _consumer_config(connection: Client, stream: str, name: str) -> dict[str, Any] | None:
    """The configuration of a consumer; None if there is no such consumer."""
    answer = await _request(connection, f"CONSUMER.INFO.{stream}.{name}")
    if answer.get("error", {}).get("err_code") == CONSUMER_NOT_FOUND:
        return None
    config: dict[str, Any] = _checked_answer(f"CONSUMER.INFO.{stream}.{name}", answer)["config"]
    # The metadata describes the server, not the consumer.
    return {key: value for key, value in config.items() if key != "metadata"}


async def _request_checked(connection: Client, subject: str, body: Any = None) -> dict[str, Any]:
    return _checked_answer(subject, await _request(connection, subject, body))


def _checked_answer(subject: str, answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is None:
        return answer
    if error.get("err_code") == STREAM_NOT_FOUND:
        raise CommandError("the streams do not exist yet: run `telecine provision` first")
    raise CommandError(f"the NATS server rejected {subject}: {error.get('description')}")


async def _request(connection: Client, subject: str, body: Any = None) -> dict[str, Any]:
    data = b"" if body is None else json.dumps(body).encode()
    message = await connection.request(f"$JS.API.{subject}", data, timeout=_TIMEOUT)
    answer: dict[str, Any] = json.loads(message.data)
    return answer
