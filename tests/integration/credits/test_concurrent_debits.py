"""Many debits at once, over several grants and from two replicas: never more than there is."""

import asyncio
from pathlib import Path

from tests.support.data.ledger_histories import totals_by_grant
from tests.support.environments.credits import credits_environment
from tests.support.environments.databases import database_url
from tests.support.servers.instances import NatsServer

from telecine_contracts.credits import CreditsDebited, CreditsDenied, DenialReason, GrantKind
from telecine_credits.app import build


async def test_fifty_at_once_over_several_grants_never_overdraw(nats: NatsServer, tmp_path: Path) -> None:
    async with credits_environment(nats, tmp_path) as world:
        for amount, kind in ((35, GrantKind.PAID), (50, GrantKind.PROMOTIONAL), (15, GrantKind.PLAN)):
            await world.grant(amount, kind=kind)
        other = database_url(tmp_path, "other")
        replica = build(world.settings.model_copy(update={"database_url": other}))
        await replica.start()
        try:
            generations = await asyncio.gather(*(world.requested(9) for _ in range(50)))
            entries = await world.until(lambda entries: len(entries) == 53, within=30)
        finally:
            await replica.stop()

    debited = [entry for entry in entries if isinstance(entry, CreditsDebited)]
    denied = [entry for entry in entries if isinstance(entry, CreditsDenied)]
    assert len(debited) == 100 // 9
    assert {entry.generation for entry in debited} | {entry.generation for entry in denied} == set(
        generations
    )
    assert {entry.reason for entry in denied} == {DenialReason.INSUFFICIENT_CREDITS}
    for count in range(1, len(entries) + 1):
        for sides in totals_by_grant(entries[:count]).values():
            assert sides["available"] >= 0
    left = {grant: sides["available"] for grant, sides in totals_by_grant(entries).items()}
    assert left == {2: 0, 3: 0, 1: 1}
    taken = [(leg.grant, leg.amount) for entry in debited for leg in entry.postings if leg.amount > 0]
    assert taken[:8] == [(2, 9), (2, 9), (2, 9), (2, 9), (2, 9), (2, 5), (3, 4), (3, 9)]
