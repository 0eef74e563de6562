"""Handlers of the credits service, one module per durable consumer; `register_consumers` is the table of them."""

from collections.abc import Callable
from datetime import datetime

from telecine_chassis.consumers.reactor import Reactor
from telecine_chassis.eventstore.command_handler import CommandHandler
from telecine_chassis.timers.port import Timers
from telecine_contracts import Event
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.streams import CREDITS_CLOSE, CREDITS_DEBIT, CREDITS_EXPIRY, CREDITS_TIMERS
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import TimedCommand

from .debit import DebitHandler
from .expire import EXPIRY, ExpiryHandler
from .settle import SettlementHandler

__all__ = ["register_consumers"]


def register_consumers(
    reactor: Reactor,
    ledger: CommandHandler[TimedCommand, Account],
    timers: Timers,
    clock: Callable[[], datetime],
) -> None:
    """Bind every durable consumer of the service to its handler."""
    expiry = ExpiryHandler(ledger, timers, clock)
    reactor.on(CREDITS_DEBIT, GenerationRequested, DebitHandler(ledger, clock).debit)
    reactor.on(CREDITS_CLOSE, Event, SettlementHandler(ledger, clock).settle)
    reactor.on(CREDITS_EXPIRY, Event, expiry.set_timers)
    reactor.on_timers(CREDITS_TIMERS, {EXPIRY: expiry.expire_due}, {EXPIRY: ("account", "grant")})
