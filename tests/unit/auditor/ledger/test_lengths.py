"""Where the model chose the length, the auditor accepts the price of the actual length and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.audit.streams import StreamBuilder

from telecine_auditor.audit.video_checks import VideoChecks
from telecine_auditor.breaches import Breach
from telecine_auditor.breaches import BreachKind as K
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_contracts.gateway import GenerationRequested, Kind, VideoParameters
from telecine_contracts.pricing import SEED_TABLE, Price, PricedInputs, seed_price
from telecine_contracts.storage import VideoStored
from telecine_credits.rules.commands import Debit, Settle, TimedCommand

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
LENGTHS = SEED_TABLE.quote(PricedInputs(model=None, resolution="720p", seconds=12, shortest=4))
"""50 credits up to ten seconds, 75 beyond."""
DEBIT, SETTLEMENT = 3, 4


def ledger_of(price: Price = LENGTHS, *, seconds: float = 5.04) -> StreamBuilder:
    """One generation of two grants, settled for `seconds`."""
    streams = StreamBuilder()
    for number, amount in enumerate((60, 40)):
        grant = GrantCredits(account="ann", amount=amount, kind=GrantKind.PAID, reference=f"r{number}")
        streams.do(TimedCommand(grant, NOON))
    parameters = VideoParameters(
        model="doubao-seedance-1-5-pro-251215", prompt="rain", resolution="720p", duration=12
    )
    requested = GenerationRequested(
        account="ann",
        generation="g1",
        kind=Kind.TEXT_TO_VIDEO,
        parameters=parameters,
        price=price,
        digest="0" * 64,
    )
    streams.say(requested, NOON)
    streams.do(TimedCommand(Debit(account="ann", generation="g1", price=price), NOON))
    stored = VideoStored(
        account="ann",
        generation="g1",
        bucket="b",
        key="k",
        bytes=1,
        sha256="0" * 64,
        content_type="video/mp4",
        width=1,
        height=1,
        duration=seconds,
    )
    streams.say(stored, NOON)
    streams.do(TimedCommand(Settle(account="ann", generation="g1", seconds=seconds), NOON))
    return streams


def audit(streams: StreamBuilder) -> tuple[LedgerReplay, list[Breach]]:
    found: list[Breach] = []
    replay = LedgerReplay(found.append)
    for entry in streams.ledger:
        replay.take(entry)
    videos = VideoChecks(replay, found.append, now=NOON + timedelta(days=1), in_flight=timedelta(minutes=5))
    videos.take(streams.video)
    videos.finish()
    return replay, found


@pytest.mark.parametrize(("seconds", "spent"), [(5.04, 50), (10.4, 50), (10.6, 75), (3, 50), (14, 75)])
def test_the_price_of_the_actual_length_is_accepted(seconds: float, spent: int) -> None:
    replay, found = audit(ledger_of(seconds=seconds))

    assert found == []
    account = replay.accounts["ann"]
    assert (account.available, account.held, account.spent) == (100 - spent, 0, spent)
    assert account.ended["g1"].released == 75 - spent


def to_spent(body: dict[str, Any]) -> None:
    """All of the hold is spent, though the body says otherwise."""
    for posting in body["postings"]:
        if posting["account"] == "ann:available":
            posting["account"] = "spent"
    body["balances"]["available"] -= 25


def to_the_other_grant(body: dict[str, Any]) -> None:
    for posting in body["postings"]:
        posting["grant"] = {1: 2, 2: 1}[posting["grant"]]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda body: body.update(seconds=11), K.WRONG_SETTLEMENT),
        (lambda body: body.update(seconds=2), K.WRONG_SETTLEMENT),
        (lambda body: body.update(amount=60), K.WRONG_SETTLEMENT),
        (lambda body: body.update(amount=75), K.WRONG_SETTLEMENT),
        (lambda body: body.update(released=20), K.WRONG_SETTLEMENT),
        (lambda body: body.pop("seconds"), K.WRONG_SETTLEMENT),
        (lambda body: body.pop("released"), K.WRONG_SETTLEMENT),
        (lambda body: body.update(usable_until="2026-12-03T12:00:00Z"), K.WRONG_SETTLEMENT),
        (to_spent, K.WRONG_POSTINGS),
        (to_the_other_grant, K.WRONG_POSTINGS),
    ],
)
def test_anything_else_is_a_breach(change: Callable[[dict[str, Any]], object], kind: K) -> None:
    streams = ledger_of()
    streams.change(SETTLEMENT, change)

    _, found = audit(streams)

    assert kind in {breach.kind for breach in found}


def test_a_settlement_by_length_needs_a_price_by_length() -> None:
    streams = ledger_of(seed_price("720p", 12))
    streams.change(SETTLEMENT, lambda body: body.update(seconds=5))

    _, found = audit(streams)

    assert [breach.kind for breach in found] == [K.WRONG_SETTLEMENT]


@pytest.mark.parametrize(
    "change",
    [
        lambda price: price["by_seconds"][0].__setitem__(1, 1),
        lambda price: price["by_seconds"].pop(),
        lambda price: price.update(by_seconds=[]),
        lambda price: price.pop("by_seconds"),
    ],
)
def test_the_credits_of_each_length_are_those_of_the_table(change: Callable[[Any], object]) -> None:
    streams = ledger_of()
    streams.change(DEBIT, lambda body: change(body["price"]))

    _, found = audit(streams)

    assert {breach.kind for breach in found} & {K.WRONG_PRICE, K.WRONG_SETTLEMENT}


def test_the_settled_length_is_that_of_the_video() -> None:
    streams, longer = ledger_of(), ledger_of(seconds=12)
    streams.video[-1] = longer.video[-1]

    _, found = audit(streams)

    assert [(breach.kind, breach.stream) for breach in found] == [(K.WRONG_SETTLEMENT, "VIDEO")]
