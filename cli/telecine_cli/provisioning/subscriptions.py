"""Durable consumers of subscribers, other teams' programs: created, listed with their lag, reset and deleted.

Wire facts: the JetStream API of nats-server 2.14, ``$JS.API.CONSUMER.…`` (server/jetstream_api.go).
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
"""Where a subscription begins: with the first event of its stream, or with the next one."""
Action = Literal["created", "kept", "updated"]
ACK_WAIT = 30.0
"""Seconds until an event that was not acknowledged is delivered again."""
IN_FLIGHT = 1
"""Events that may be unacknowledged at the same time. One: an event that is delivered again never comes after a later
one."""
_TIMEOUT = 5.0
_OWN_CONSUMERS = frozenset((consumer.stream, consumer.name) for consumer in CONSUMERS)
_STREAMS = {stream.name: stream for stream in SUBSCRIBED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One durable consumer, as the server describes it.

    `pending`: events that were not delivered yet; `unacknowledged`: delivered and not acknowledged. `waiting`: requests
    for events that are open now, 0 when no program is connected. `acknowledged_at`: of the newest acknowledgement.
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
        """Events that the program has not acknowledged."""
        return self.pending + self.unacknowledged


def filters_by_stream(streams: Iterable[str], filters: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The subjects to take from each stream.

    A filter belongs to the stream whose subjects it selects; a stream without a filter is taken whole. Without
    either it is VIDEO. Raises Failure for a filter that selects no event of VIDEO or LEDGER, or of a stream that was
    not named.
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
    """The stream that a filter belongs to. Raises Failure."""
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
            "with names, '*' for any name, or '>' at the end for all that follows"
        )
    return stream


def _overlap(one: str, other: str) -> bool:
    """Whether a subject exists that both filters select; the server refuses such filters in one consumer."""
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
    """Create the durable consumer `name` on each stream of `filters`; what was done, by stream.

    One that exists gets these filters and keeps its position. Raises Failure when the server refuses.
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
    # By number, not "new": it must not depend on when a consumer that is moved was deleted and created.
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
    """Every durable consumer that is not one of telecine's own, or those called `name`."""
    found = [
        _subscription(info)
        for stream in _STREAMS
        async for info in _consumers(connection, stream)
        if info["config"].get("durable_name") and (stream, info["name"]) not in _OWN_CONSUMERS
    ]
    return [each for each in found if name in (None, each.name)]


async def reset(connection: Client, name: str, streams: Iterable[str], start: Start) -> None:
    """Move the consumer `name` of each stream to the stream's beginning or end. Raises Failure when there is none.

    It is deleted and created again, and a connected program is told that it is gone (409). CONSUMER.RESET is no
    alternative: nats-server 2.14 does not answer it across NATS accounts (`processResetReq` publishes the answer in the
    account that asked), and it does not go back before the place where a consumer began.
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
    """Delete the consumer `name` of each stream, and with it the position of the program."""
    for stream in streams:
        if (stream, name) in _OWN_CONSUMERS:
            raise CommandError(f"{name} is a consumer of telecine itself: it can't be removed")
        await _request_checked(connection, f"CONSUMER.DELETE.{stream}.{name}")


async def _consumers(connection: Client, stream: str) -> AsyncIterator[dict[str, Any]]:
    """All of them: the server answers in pages."""
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
    """The server writes up to nanoseconds; Python reads six digits."""
    seconds, dot, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}{dot}{fraction[:6].ljust(6, '0') if dot else ''}+00:00"


async def _consumer_config(connection: Client, stream: str, name: str) -> dict[str, Any] | None:
    """The configuration of a consumer, None when there is none."""
    answer = await _request(connection, f"CONSUMER.INFO.{stream}.{name}")
    if answer.get("error", {}).get("err_code") == CONSUMER_NOT_FOUND:
        return None
    config: dict[str, Any] = _checked_answer(f"CONSUMER.INFO.{stream}.{name}", answer)["config"]
    # What the server says about itself, not about the consumer.
    return {key: value for key, value in config.items() if key != "metadata"}


async def _request_checked(connection: Client, subject: str, body: Any = None) -> dict[str, Any]:
    return _checked_answer(subject, await _request(connection, subject, body))


def _checked_answer(subject: str, answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is None:
        return answer
    if error.get("err_code") == STREAM_NOT_FOUND:
        raise CommandError("the streams do not exist yet: run `telecine provision` first")
    raise CommandError(f"the NATS server refused {subject}: {error.get('description')}")


async def _request(connection: Client, subject: str, body: Any = None) -> dict[str, Any]:
    data = b"" if body is None else json.dumps(body).encode()
    message = await connection.request(f"$JS.API.{subject}", data, timeout=_TIMEOUT)
    answer: dict[str, Any] = json.loads(message.data)
    return answer
