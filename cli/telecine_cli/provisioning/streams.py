"""Provisions the streams and consumers that `contracts` defines: shows drift and refuses dangerous changes."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import nats.errors
from nats.aio.client import Client

from telecine_cli.errors import ProvisioningRefused
from telecine_cli.stack.http_probe import http_answer
from telecine_contracts.streams import CONSUMERS, STREAMS, Consumer, Stream
from telecine_contracts.subjects import stored

Action = Literal["created", "unchanged", "updated"]
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
FORMING = frozenset({10005, 10008, 10009})
"""Server error codes while a cluster is forming: no suitable peers, temporarily unavailable, not the leader."""
TIMEOUT_SECONDS = 30.0
"""Time for a cluster to form: its servers find each other and elect a leader."""
MONITORING_SECONDS = 5.0
"""Time for the monitoring endpoint of a server to answer."""
RETRY_SECONDS = 0.25
"""Delay before a request is repeated while the cluster is forming."""
NANOSECONDS = 1_000_000_000
_MOVE = "copy its events to a new stream with this definition, or restore the definition with which it was created"


@dataclass(frozen=True, slots=True)
class Change:
    """The action for one stream or consumer; `drift` lists the settings that differed."""

    name: str
    action: Action
    drift: tuple[str, ...] = ()


async def check_durability(
    monitoring_urls: str, *, replicas: int = 1, allow_unsafe: bool = False
) -> str | None:
    """Refuse servers that acknowledge events before they are on disk, or that would store them on one machine only.

    Reads `sync_always` and the size of the cluster from the monitoring endpoint of every server (URLs, separated by
    commas). With `allow_unsafe` returns a warning instead of raising.

    Raises:
        ProvisioningRefused: events could be lost.
    """
    seen = [await _server_status(url.strip().rstrip("/")) for url in monitoring_urls.split(",")]
    problems = [problem for server in seen for problem in server.problems]
    size, known = max(server.cluster_size for server in seen), {server.id for server in seen}
    if not problems and size > len(known):
        problems.append(
            f"it is one of {size} servers of a cluster, and only {len(known)} could be checked: "
            "pass the monitoring endpoints of all servers, separated by commas"
        )
    if size > 1 and replicas == 1:
        problems.append("it is in a cluster, but each stream would be on one server only: pass --replicas 3")
    if not problems:
        return None
    text = f"this server may lose acknowledged events: {'; '.join(problems)}"
    if allow_unsafe:
        return text
    raise ProvisioningRefused(f"{text}. Fix this, or pass --allow-unsafe-server.")


@dataclass(frozen=True, slots=True)
class _ServerStatus:
    """What the monitoring endpoint of one server reports."""

    id: str
    problems: tuple[str, ...] = ()
    cluster_size: int = 1


async def _server_status(url: str) -> _ServerStatus:
    response = await http_answer(f"{url}/jsz?config=1", timeout=MONITORING_SECONDS)
    if response is None or response[0] != 200:
        return _ServerStatus(url, (f"its monitoring endpoint {url} does not answer",))
    try:
        answer = json.loads(response[1])
        synced = bool(answer.get("config", {}).get("sync_always"))
        size = int(answer.get("meta_cluster", {}).get("cluster_size", 1))
    except (ValueError, AttributeError, TypeError):
        return _ServerStatus(url, (f"its monitoring endpoint {url} is not that of a nats-server",))
    unsynced = f"its JetStream does not sync every write (set jetstream {{ sync_interval: always }}; {url})"
    return _ServerStatus(str(answer.get("server_id", url)), () if synced else (unsynced,), size)


async def provision(
    connection: Client,
    *,
    replicas: int = 1,
    dry_run: bool = False,
    consumers: Sequence[Consumer] = CONSUMERS,
) -> list[Change]:
    """Create or update every stream and consumer. With `dry_run` nothing is changed. Waits for a forming cluster.

    Raises:
        ProvisioningRefused: before anything is changed, if a change would drop events or weaken the ledger.
    """
    api = _Api(connection)
    if not dry_run:
        for stream in STREAMS:
            await _stream(api, stream, replicas, dry_run=True)
    changes = [await _stream(api, stream, replicas, dry_run) for stream in STREAMS]
    return changes + [await _consumer(api, consumer, dry_run) for consumer in consumers]


def stream_config(stream: Stream, replicas: int) -> dict[str, Any]:
    """A stream's configuration as JSON for the server: a client library would drop settings that it does not know."""
    config: dict[str, Any] = {
        "name": stream.name,
        "description": stream.description,
        "subjects": list(stream.subjects),
        "retention": stream.retention,
        "storage": "file",
        "discard": stream.discard,
        "max_bytes": stream.max_bytes or -1,
        "max_age": int(stream.max_age * NANOSECONDS),
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": stream.max_message_bytes,
        "max_consumers": stream.max_consumers,
        "num_replicas": replicas,
        "duplicate_window": int(stream.duplicate_window * NANOSECONDS),
        "deny_delete": stream.deny_delete,
        "deny_purge": stream.deny_purge,
        "allow_direct": True,
    }
    if stream.announced:
        config["republish"] = {"src": ">", "dest": stored(">")}
    if stream.schedules:
        config |= {"allow_msg_schedules": True, "allow_rollup_hdrs": True}
    if stream.asynchronous and replicas == 1:
        config["persist_mode"] = "async"
    return config


def consumer_config(consumer: Consumer) -> dict[str, Any]:
    """A durable pull consumer's configuration. Retries are unlimited: the reactor decides about them, not a counter."""
    return {
        "name": consumer.name,
        "durable_name": consumer.name,
        "filter_subjects": list(consumer.filters),
        "ack_policy": "explicit",
        "ack_wait": int(consumer.ack_wait * NANOSECONDS),
        "max_ack_pending": consumer.max_ack_pending,
        "max_deliver": -1,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }


class _Api:
    """The JetStream API. Every call may be repeated: creating what exists in the same form succeeds."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def call(self, subject: str, body: Any = None) -> dict[str, Any]:
        data = json.dumps(body).encode() if body is not None else b""
        give_up = asyncio.get_running_loop().time() + TIMEOUT_SECONDS
        while True:
            waiting = asyncio.get_running_loop().time() < give_up
            try:
                message = await self._connection.request(f"$JS.API.{subject}", data, timeout=5)
            except nats.errors.TimeoutError:  # there is no answer while there is no leader
                if not waiting:
                    raise
                continue
            answer: dict[str, Any] = json.loads(message.data)
            if not (waiting and answer.get("error", {}).get("err_code") in FORMING):
                return answer
            await asyncio.sleep(RETRY_SECONDS)

    async def call_checked(self, subject: str, body: Any) -> None:
        _refuse_errors(subject, await self.call(subject, body))


def _refuse_errors(subject: str, answer: dict[str, Any]) -> None:
    if "error" in answer:
        raise ProvisioningRefused(f"the server rejected {subject}: {answer['error'].get('description')}")


async def _stream(api: _Api, stream: Stream, replicas: int, dry_run: bool) -> Change:
    wanted = stream_config(stream, replicas)
    answer = await api.call(f"STREAM.INFO.{stream.name}")
    if answer.get("error", {}).get("err_code") == STREAM_NOT_FOUND:
        if not dry_run:
            await api.call_checked(f"STREAM.CREATE.{stream.name}", wanted)
        return Change(stream.name, "created")
    _refuse_errors(f"STREAM.INFO.{stream.name}", answer)
    found = answer["config"]
    drift = tuple(_drift(wanted, found))
    if not drift:
        return Change(stream.name, "unchanged")
    for danger in _dangers(wanted, found):
        raise ProvisioningRefused(f"stream {stream.name}: {danger}")
    if not dry_run:
        await api.call_checked(f"STREAM.UPDATE.{stream.name}", found | wanted)
    return Change(stream.name, "updated", drift)


async def _consumer(api: _Api, consumer: Consumer, dry_run: bool) -> Change:
    wanted = consumer_config(consumer)
    answer = await api.call(f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")
    exists = answer.get("error", {}).get("err_code") not in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)
    if exists:
        _refuse_errors(f"CONSUMER.INFO.{consumer.stream}.{consumer.name}", answer)
    drift = tuple(_drift(wanted, _one_filter_as_list(answer["config"]))) if exists else ()
    if exists and not drift:
        return Change(consumer.name, "unchanged")
    if not dry_run:
        subject = f"CONSUMER.DURABLE.CREATE.{consumer.stream}.{consumer.name}"
        await api.call_checked(subject, {"stream_name": consumer.stream, "config": wanted})
    return Change(consumer.name, "updated" if exists else "created", drift)


def _one_filter_as_list(config: dict[str, Any]) -> dict[str, Any]:
    single = config.get("filter_subject")
    return config | {"filter_subjects": [single]} if single else config


def _drift(wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for name, value in wanted.items():
        present = found.get(name, False if isinstance(value, bool) else 0 if value == 0 else None)
        if present != value:
            yield f"{name}: {present!r} instead of {value!r}"


def _dangers(wanted: dict[str, Any], found: dict[str, Any]) -> Iterable[str]:
    if found.get("storage") != wanted["storage"] or found.get("retention") != wanted["retention"]:
        yield f"its storage or retention cannot be changed without losing events: {_MOVE}"
    if found.get("persist_mode") == "async" and wanted["num_replicas"] > 1:
        yield (
            "it was created for one server and cannot be replicated. It contains timers, derived from events: "
            "remove it (nats stream rm, with sufficient rights) and provision again; the services set the timers again"
        )
    if wanted["num_replicas"] < found.get("num_replicas", 1):
        count = found["num_replicas"]
        yield f"it has {count} replicas and fewer could lose events: pass --replicas {count}"
    for limit in ("max_bytes", "max_msgs", "max_age", "max_msgs_per_subject"):
        now, then = found.get(limit, -1), wanted[limit]
        if then > 0 and (now <= 0 or then < now) and wanted["discard"] == "old":
            continue
        if then > 0 and (now <= 0 or then < now):
            yield f"a smaller {limit} could drop events: {_MOVE}"
    for guard in ("deny_delete", "deny_purge"):
        if found.get(guard) and not wanted[guard]:
            yield f"{guard} cannot be removed from a stream: {_MOVE}"
