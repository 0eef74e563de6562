"""Credits: granted by asking the credits service, shown from the ledger."""

import nats.errors
from nats.aio.client import Client

from telecine_chassis.store import Recorded
from telecine_chassis.store_jetstream import JetStreamEventStore
from telecine_cli.failure import Failure
from telecine_contracts import registry, subjects
from telecine_contracts.commands import GRANT_CREDITS, GrantCredits, LedgerAnswer
from telecine_contracts.credits import Balances, LedgerEvent

__all__ = ["balances_after", "grant", "ledger_of"]

_ANSWER_SECONDS = 10


async def grant(connection: Client, request: GrantCredits) -> LedgerAnswer:
    """Have credits granted; the same reference grants once, so that it may be asked again.

    Raises:
        Failure: when the credits service refuses or does not answer.
    """
    body = request.model_dump_json().encode()
    try:
        reply = await connection.request(GRANT_CREDITS, body, timeout=_ANSWER_SECONDS)
    except (nats.errors.NoRespondersError, TimeoutError) as error:
        raise Failure(
            "the credits service does not answer: is it running? (a grant may be asked for again, "
            "the same reference is granted once)"
        ) from error
    answer = LedgerAnswer.model_validate_json(reply.data)
    if answer.error is not None:
        raise Failure(answer.error)
    return answer


async def ledger_of(connection: Client, account: str) -> list[Recorded]:
    """Every entry of an account's ledger, in order."""
    return list(await JetStreamEventStore(connection, registry()).load(subjects.ledger(account)))


def balances_after(entries: list[Recorded]) -> Balances:
    """What an account has after all of its entries."""
    last = entries[-1].event if entries else None
    return last.balances if isinstance(last, LedgerEvent) else Balances(available=0, held=0)
