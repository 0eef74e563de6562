"""No identity exceeds its permissions on NATS by any operation; a refused operation fails at once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from nats.aio.client import Client
from nats.js.errors import APIError
from tests.support.eventually import eventually_async
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.security.nats_identities import connect_as
from tests.support.security.permission_table import ALL_IDENTITIES, CONSUMERS, OWNERS, PUBLISHING, SUBSCRIBING

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import AppendRejected
from telecine_chassis.nats.connection import connection_options
from telecine_cli.errors import CommandError
from telecine_cli.provisioning.credentials import USERS_FILE, make_credentials, seed_file
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.target import Target, connected
from telecine_contracts import registry, streams, subjects
from telecine_contracts.catalog import EVENTS
from telecine_contracts.credits import CreditsGranted
from telecine_contracts.examples import envelope, example
from telecine_contracts.permissions import IDENTITIES, OPERATOR, rights
from telecine_jetstream.client import NatsClient
from telecine_jetstream.errors import PermissionDenied, PermissionViolation
from telecine_jetstream.identity import NatsIdentity

INJECTION_SUBJECTS = {
    "VIDEO": "video.mallory.loot.smuggled",
    "LEDGER": "ledger.mallory.smuggled",
    "ACCESS": "access.mallory.smuggled",
    "CHECKPOINTS": "checkpoints.mallory.smuggled",
    "CATALOG": "catalog.mallory.smuggled",
    "QUEUE": "queue.mallory.smuggled",
    "TIMERS": "timers.due.mallory.smuggled",
    "DEADLETTERS": "deadletters.mallory.smuggled",
}
"""Subjects that only something sent there by the server could stand on."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path_factory.mktemp("guarded")) as part:
        yield part


class IdentityClient(NatsClient):
    """A connection as some identity, that remembers what it was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[str] = set()

    async def come(self, identity: str, url: str, access: NatsIdentity) -> None:
        shown = connection_options(identity) | access.client_options()
        await self.connect(servers=[url], **shown | {"inbox_prefix": rights(identity).inbox})

    def fail_pending_requests(self, violation: PermissionViolation) -> None:
        self.denied.add(violation.subject)

    async def through(self) -> None:
        """Until the server has seen all that was sent: the client's `flush` overtakes what it has in store."""
        await self.request("$JS.API.INFO", timeout=10)


@pytest.fixture(params=ALL_IDENTITIES)
def identity(request: pytest.FixtureRequest) -> str:
    """One after the other."""
    return str(request.param)


@pytest.fixture
async def identity_client(identity: str, server: EmbeddedNats) -> AsyncIterator[IdentityClient]:
    connection = IdentityClient()
    await connection.come(identity, server.url, server.access(identity))
    yield connection
    await connection.close()


def actions_not_allowed(identity: str, who: dict[str, set[str]]) -> set[str]:
    """The deeds that are not this identity's; the client tells of them in small letters."""
    return {subject.lower() for subject, allowed in who.items() if identity not in allowed}


def test_permission_table_is_complete() -> None:
    assert {subjects.of_type(event) for event in EVENTS} == {pattern(subject) for subject in OWNERS}
    assert set(CONSUMERS) == {f"{consumer.stream}.{consumer.name}" for consumer in streams.CONSUMERS}
    assert set(INJECTION_SUBJECTS) == {stream.name for stream in streams.STREAMS}
    assert set(ALL_IDENTITIES) == set(IDENTITIES)


def pattern(subject: str) -> str:
    prefix, *about, action = subject.split(".")
    names = [token if token == subjects.ACCOUNT else "*" for token in about]
    return ".".join([prefix, *names, action])


async def test_publish_and_request_permissions(identity: str, identity_client: IdentityClient) -> None:
    for subject in PUBLISHING:
        await identity_client.publish(subject, b"forged")
    await identity_client.through()
    assert identity_client.denied == actions_not_allowed(identity, PUBLISHING)


async def test_subscribe_permissions(identity: str, identity_client: IdentityClient) -> None:
    for subject in SUBSCRIBING:
        await identity_client.subscribe(subject)
    await identity_client.through()
    assert identity_client.denied == actions_not_allowed(identity, SUBSCRIBING)


async def try_reply_injection(identity: str, identity_client: IdentityClient) -> None:
    """Ask everything that may be asked, and have the answers sent into streams."""
    mine = [subject for subject, who in PUBLISHING.items() if identity in who]
    for subject in mine:
        for loot in INJECTION_SUBJECTS.values():
            body = (
                json.dumps({"seq": 1, "batch": 5, "next_by_subj": ">"}).encode() if "GET" in subject else b""
            )
            await identity_client.publish(subject, body, reply=loot)
    for subject in mine:
        if subject.partition(".")[0] in ("video", "ledger", "access", "checkpoints", "timers", "deadletters"):
            await identity_client.jetstream().publish(
                subject, b""
            )  # acknowledged after all that came before it
    await identity_client.through()


async def injected_messages(operator: Client) -> dict[str, Any]:
    """What stands in the streams that only the server can have sent there."""
    found: dict[str, Any] = {}
    for stream, loot in INJECTION_SUBJECTS.items():
        body = json.dumps({"subjects_filter": loot}).encode()
        answer = json.loads((await operator.request(f"$JS.API.STREAM.INFO.{stream}", body)).data)
        found |= answer["state"].get("subjects", {})
    return found


async def test_no_answer_is_sent_into_a_stream(
    identity: str, identity_client: IdentityClient, server: EmbeddedNats
) -> None:
    """The requester names the reply subject, and the server needs no permission to publish there."""
    async with connect_as("credits", server) as credits, connect_as(OPERATOR, server) as operator:
        await credits.jetstream().publish("ledger.a.granted", b"there is something to answer with")
        await try_reply_injection(identity, identity_client)
        for stream in ("LEDGER", "CHECKPOINTS"):  # whatever was on its way has come when these are answered
            await operator.jetstream().stream_info(stream)
        assert await injected_messages(operator) == {}


async def test_replies_enter_streams_within_one_account(tmp_path: Path) -> None:
    """What the accounts are for: the same rights, given to users of one account, let it pass into every stream."""
    with guarded_nats(tmp_path, one_account) as part:
        identity_client = IdentityClient()
        await identity_client.come("gateway", part.url, part.access("gateway"))
        await try_reply_injection("gateway", identity_client)
        async with connect_as(OPERATOR, part) as operator:

            async def everywhere() -> bool:
                return (await injected_messages(operator)).keys() == set(INJECTION_SUBJECTS.values())

            await eventually_async(everywhere, what="the server refuses it by now")
        await identity_client.close()


def one_account(page: str) -> str:
    accounts = json.loads(page.partition("accounts: ")[2])
    users = [user for account in accounts.values() for user in account.get("users", ())]
    return f"authorization: {json.dumps({'users': users})}\n"


WRITERS = {
    "video.a.g.stored": "storage",
    "ledger.a.granted": "credits",
    "access.a.key_created": OPERATOR,
    "checkpoints.ledger.signed": "credits",
    "deadletters.storage.storage-x": "storage",
}
"""A subject of every stream but TIMERS, and who may publish there."""


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Nats-Rollup", "all"),
        ("Nats-Rollup", "sub"),
        ("Nats-TTL", "1s"),
        ("Nats-Schedule", "@at 2100-01-01T00:00:00Z"),
    ],
)
async def test_writers_cannot_purge_their_stream(server: EmbeddedNats, header: str, value: str) -> None:
    """JetStream takes such wishes in the headers of a message, where no permission is asked for."""
    for subject, writer in WRITERS.items():
        async with connect_as(writer, server) as connection:
            with pytest.raises(APIError) as refused:
                await connection.jetstream().publish(subject, b"", headers={header: value})
            assert refused.value.code in (400, 500), subject


async def test_timers_alone_can_be_thrown_away_by_anothers_header(server: EmbeddedNats) -> None:
    """A stream with schedules must allow it: what keeps timers is that sweepers set them again (ADR 26)."""
    subjects_of_timers = "timers.at.generation.wake.a.g", "timers.at.storage.copy.a.g"
    later = {
        "Nats-Schedule": "@at 2100-01-01T00:00:00Z",
        "Nats-Schedule-Target": "timers.due.generation.wake.a.g",
    }
    async with connect_as("generation", server) as generation, connect_as("storage", server) as storage:
        await generation.jetstream().publish(subjects_of_timers[0], b"", headers=later)
        await storage.jetstream().publish(subjects_of_timers[1], b"", headers={"Nats-Rollup": "all"})
    async with connect_as(OPERATOR, server) as operator:
        body = json.dumps({"subjects_filter": ">"}).encode()
        answer = json.loads((await operator.request("$JS.API.STREAM.INFO.TIMERS", body)).data)
    assert set(answer["state"]["subjects"]) == {subjects_of_timers[1]}


async def test_a_refused_event_is_told_at_once(server: EmbeddedNats) -> None:
    event = example(CreditsGranted)
    async with connect_as("storage", server) as storage:
        store = JetStreamEventStore(storage, registry(), timeout=30)
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(5):
                with pytest.raises(AppendRejected, match=r"does not let this identity publish on ledger\."):
                    await store.append(event, envelope(event), aggregate=subjects.ledger("acme"), expected=0)
    [denial] = [entry for entry in logs if entry["event"] == "nats.not_allowed"]
    assert (denial["log_level"], denial["action"]) == ("error", "publish")
    assert denial["subject"] == subjects.of_event(event).lower()


async def test_a_refused_request_fails_at_once_and_affects_no_other(server: EmbeddedNats) -> None:
    async with connect_as("storage", server) as storage:
        jetstream = storage.jetstream(timeout=30)
        async with asyncio.timeout(10):
            answers = await asyncio.gather(
                jetstream.stream_info("LEDGER"),
                jetstream.stream_info("VIDEO"),
                jetstream.stream_info("LEDGER"),
                return_exceptions=True,
            )
    assert [type(answer).__name__ for answer in answers] == [
        "PermissionDenied",
        "StreamInfo",
        "PermissionDenied",
    ]


async def test_the_operator_is_told_in_words_what_he_may_not(server: EmbeddedNats) -> None:
    target = Target(server.url, access=server.access(OPERATOR))
    async with connected(target) as connection:
        with pytest.raises(PermissionDenied, match=r"publish on .*purge\.ledger"):
            await connection.jetstream().purge_stream("LEDGER")


@pytest.mark.parametrize("key", ["none", "unknown"])
async def test_unknown_keys_are_refused(server: EmbeddedNats, tmp_path: Path, key: str) -> None:
    make_credentials(tmp_path)
    seed = None if key == "none" else seed_file(tmp_path, OPERATOR)
    with pytest.raises(
        CommandError, match="requires credentials" if key == "none" else "does not accept the key"
    ):
        async with connected(Target(server.url, access=NatsIdentity(nkey_seed=seed))):
            pass


def test_no_user_has_the_account_of_the_streams_and_the_page_has_no_secret(server: EmbeddedNats) -> None:
    page = (server.folder.parent / "credentials" / USERS_FILE).read_text()
    accounts = json.loads(page.partition("accounts: ")[2])
    empty = [name for name, account in accounts.items() if not account.get("users")]
    assert empty[0] == "TELECINE"
    assert empty[1] == "$SYS"
    assert all(name.startswith("TELECINE_subscriber_") and accounts[name] == {} for name in empty[2:])
    assert all(set(user) == {"nkey", "permissions"} for a in accounts.values() for user in a.get("users", ()))
    assert not re.search(r"\bSU[A-Z2-7]{40,}", page)
