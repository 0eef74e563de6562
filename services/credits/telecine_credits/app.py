"""How the credits service is put together."""

from telecine_chassis.assembly import Assembly
from telecine_chassis.commands import Aggregates, Decider
from telecine_chassis.service import Service
from telecine_contracts import registry

from .account import Account, evolve
from .domain import decide
from .handlers import listen
from .settings import Settings


def build(settings: Settings) -> Service:
    """The credits service, not yet started."""
    parts = Assembly("credits", settings, registry())
    ledger = Aggregates(
        parts.store, Decider(Account(), decide, evolve), source="telecine/credits", clock=parts.clock
    )
    listen(parts.reactor, parts.broker, ledger, parts.timers, parts.clock)
    return parts.service()
