"""How the credits service is put together."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from telecine_chassis.assembly import Assembly
from telecine_chassis.commands import Aggregates, Decider
from telecine_chassis.database import Slots
from telecine_chassis.projection import Projections
from telecine_chassis.service import Service
from telecine_chassis.sweeper import Owed, Sweeper
from telecine_contracts import registry

from .account import Account, evolve
from .domain import decide
from .expiring import expiry_timer
from .handlers import listen
from .projections import PROJECTIONS
from .queries import to_expire
from .settings import Settings
from .tables import METADATA, VERSION

AHEAD = timedelta(hours=1)
"""A lost timer of an expiry that is further off than this is looked for later: most grants have their timer."""


def build(settings: Settings) -> Service:
    """The credits service, not yet started."""
    parts = Assembly("credits", settings, registry())
    ledger = Aggregates(
        parts.store, Decider(Account(), decide, evolve), source="telecine/credits", clock=parts.clock
    )
    listen(parts.reactor, parts.broker, ledger, parts.timers, parts.clock)
    projections = Projections(
        Slots(settings.database_url, METADATA, VERSION),
        PROJECTIONS,
        parts.connection,
        parts.registry,
        service="credits",
        on_failure=parts.fail,
    )

    async def unfinished() -> Sequence[Owed]:
        found = await asyncio.to_thread(to_expire, projections.engine, parts.clock() + AHEAD)
        return [Owed(expiry_timer(account, entry), until) for account, entry, until in found]

    sweeper = Sweeper(
        parts.timers, unfinished, projections.wait, interval=settings.sweep_interval, clock=parts.clock
    )
    return parts.service(sweeper, before=[projections])
