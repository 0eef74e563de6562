"""A message on an account's ledger that is not an event stops the account, until a recorded decision skips it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.environments.credits import CreditsEnvironment, credits_environment
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer

from telecine_chassis.consumers.dead_letters import DeadLetter, DeadLetters
from telecine_chassis.eventstore.port import UndecodedEvent
from telecine_contracts import Event, subjects
from telecine_contracts.commands import LedgerAnswer, Refusal, SkipMessage
from telecine_contracts.credits import Balances, CreditsDebited, CreditsSettled, MessageSkipped

FOREIGN = b"no event at all"


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsEnvironment]:
    async with credits_environment(nats, tmp_path) as running:
        yield running


async def publish(environment: CreditsEnvironment, action: str, body: bytes = FOREIGN) -> int:
    """Write to ann's ledger as only a leaked identity could; the sequence."""
    ack = await environment.connection.jetstream().publish(f"ledger.ann.{action}", body)
    return int(ack.seq)


async def skip(environment: CreditsEnvironment, sequence: int, account: str = "ann") -> LedgerAnswer:
    command = SkipMessage(account=account, sequence=sequence, reason="Written by hand, incident 12")
    return await environment.ask(SkipMessage.subject, command)


async def test_skipped_messages_unblock_the_account_and_are_audited(
    environment: CreditsEnvironment, nats: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await environment.grant(100)
    first, second = await publish(environment, "granted"), await publish(environment, "remarked")

    waiting = await environment.requested(50)
    letters = DeadLetters(environment.connection)

    async def kept() -> list[DeadLetter]:
        """Messages that wait for the account; those of the foreign messages themselves are others."""
        return [letter for letter in await letters.list() if letter.error_type == "UnreadableMessage"]

    await eventually_async(kept)
    stopped = await environment.grant(50)
    assert stopped.refusal is Refusal.UNAVAILABLE
    assert f"message {first} of ledger.ann.*" in (stopped.error or "")
    assert (await environment.grant(5, account="bob")).done

    made = await skip(environment, first)
    assert made.refusal is None, made.error
    assert (made.done, made.entry, made.balances) == (True, 2, Balances(available=100, held=0))
    assert (await environment.grant(50)).refusal is Refusal.UNAVAILABLE, "the second one is still there"
    assert (await skip(environment, second)).entry == 3
    assert (await skip(environment, first)).done is False

    assert (await environment.grant(50)).balances == Balances(available=150, held=0)
    await environment.stop()
    await environment.start()
    going_on = await environment.grant(1)
    assert (going_on.entry, going_on.balances) == (5, Balances(available=151, held=0))

    entries = await environment.store.load(subjects.ledger("ann"), include_undecoded=True)
    foreign = [recorded.sequence for recorded in entries if isinstance(recorded.event, UndecodedEvent)]
    decisions = [recorded.event for recorded in entries if isinstance(recorded.event, MessageSkipped)]
    assert foreign == [decision.skips for decision in decisions] == [first, second]

    [letter] = await kept()
    await letters.replay(letter)

    async def has(kind: type[Event]) -> bool:
        account = await environment.store.load(subjects.ledger("ann"), include_undecoded=True)
        found = [recorded.event for recorded in account if isinstance(recorded.event, kind)]
        return [event.about["generation"] for event in found] == [waiting]

    await eventually_async(lambda: has(CreditsDebited))
    await environment.delivered(waiting)
    await eventually_async(lambda: has(CreditsSettled))
    audited = await AuditorCommand(capsys)("verify", "--nats", nats.url)
    assert audited.code == 0, audited
    for sequence in (first, second):
        assert f"LEDGER#{sequence} on the ledger of ann is not an entry" in audited.out
    assert "Written by hand, incident 12" in audited.out
    assert (await AuditorCommand(capsys)("balances", "--nats", nats.url)).code == 0


async def test_an_event_of_an_invented_type_is_skipped_if_the_type_is_named(
    environment: CreditsEnvironment, nats: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await environment.grant(100)
    entry = await environment.connection.jetstream().get_msg("LEDGER", 1)
    headers = {name: value for name, value in (entry.headers or {}).items() if name.startswith("ce-")}
    forged = headers | {"ce-id": "forged", "ce-type": "credits.invented.v1"}
    for action in ("invented", "granted"):
        await environment.connection.jetstream().publish(
            f"ledger.ann.{action}", entry.data or b"", headers=forged
        )

    async def skip_named(sequence: int, name: str | None) -> LedgerAnswer:
        command = SkipMessage(account="ann", sequence=sequence, reason="forged", unknown_type=name)
        return await environment.ask(SkipMessage.subject, command)

    for name in (None, "credits.invented.v2"):
        refused = await skip_named(2, name)
        assert refused.refusal is Refusal.NOT_SKIPPABLE
        assert "credits.invented.v1, perhaps of a newer version" in (refused.error or "")
    assert [(await skip_named(sequence, "credits.invented.v1")).entry for sequence in (2, 3)] == [2, 3]

    assert (await environment.grant(1)).balances == Balances(available=101, held=0)
    audited = await AuditorCommand(capsys)("verify", "--nats", nats.url)
    assert audited.code == 0, audited
    assert "LEDGER#2 on the ledger of ann is not an entry" in audited.out


async def test_possible_events_are_not_skipped(environment: CreditsEnvironment) -> None:
    await environment.grant(100)
    foreign = await publish(environment, "granted")

    refused = {
        "is a valid event": await skip(environment, 1),
        "no message 99": await skip(environment, 99),
        "ledger.bob.* has no message": await skip(environment, foreign, account="bob"),
    }
    for says, answer in refused.items():
        assert answer.refusal is Refusal.NOT_SKIPPABLE
        assert says in (answer.error or "")
    assert (await environment.grant(1)).refusal is Refusal.UNAVAILABLE

    jetstream = environment.connection.jetstream()
    entry = await jetstream.get_msg("LEDGER", 1)
    headers = {name: value for name, value in (entry.headers or {}).items() if name.startswith("ce-")}
    await jetstream.publish(str(entry.subject), entry.data or b"", headers=headers)
    behind = await skip(environment, foreign)
    assert (behind.refusal, "is followed by event" in (behind.error or "")) == (Refusal.NOT_SKIPPABLE, True)
