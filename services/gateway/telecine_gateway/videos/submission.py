"""Records a request for a generation and waits for its outcome: a synchronous response on an asynchronous core."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_contracts import derive_id, subjects
from telecine_contracts.pricing import Price
from telecine_gateway.access.auth import Requester
from telecine_gateway.domain import Command, Generation, IdempotencyConflict, RequestGeneration
from telecine_gateway.read_model.charges import Charge
from telecine_gateway.read_model.consistency import ReadYourWrites, Waiters
from telecine_gateway.read_model.queries import Queries

from .idempotency import IdempotentRequest
from .request.schemas import GenerateBody

__all__ = ["Commands", "Submission", "Submissions"]

log = structlog.get_logger(__name__)
Commands = CommandHandler[Command, Generation]


@dataclass(frozen=True, slots=True)
class Submission:
    """A recorded request. Without a charge, whether it is paid for is not known yet."""

    generation: str
    charge: Charge | None


class Submissions:
    """Records requests. `timeout`: seconds to wait for the outcome."""

    def __init__(
        self,
        commands: Commands,
        queries: Queries,
        outcomes: Waiters[Charge],
        requests: ReadYourWrites,
        wait_until_current: Callable[[str], Awaitable[None]],
        *,
        timeout: float,
    ) -> None:
        self._commands = commands
        self._queries = queries
        self._outcomes = outcomes
        self._requests = requests
        self._wait_until_current = wait_until_current
        self._timeout = timeout

    async def submit(
        self,
        requester: Requester,
        sent: IdempotentRequest,
        request: GenerateBody,
        price: Price,
        generation: str,
        *,
        traceparent: str | None,
        repeatable: bool,
    ) -> Submission:
        """Record the request at its price, once per `generation`, and wait until credits has charged or denied it.

        `repeatable`: the id comes from an idempotency key, so the outcome may be known already. Raises
        IdempotencyConflict, Refused, or Unavailable when it is not known whether the request was recorded.
        """
        command = RequestGeneration(
            account=requester.account,
            generation=generation,
            kind=request.kind,
            parameters=request.parameters,
            price=price,
            digest=sent.digest,
            api_key=requester.key_id,
            cancel_after=request.cancel_after,
        )
        # With the digest in the cause, another request under the same key is not taken for a repetition.
        cause = Cause(derive_id(generation, f"request {sent.digest}"), generation, traceparent)
        aggregate = subjects.video(requester.account, generation)
        with self._outcomes.expect(generation) as outcome:
            try:
                done = await self._commands.handle(aggregate, command, cause)
            except IdempotencyConflict:
                await self._recorded(requester.account, sent, generation)
            else:
                if done.event is not None:
                    self._requests.record_write(requester.account, done.event.sequence)
                    log.info("generation.requested", account=requester.account, generation=generation)
            charge = await self._known(requester.account, generation) if repeatable else None
            charge = charge or await self._wait(outcome)
        # The listeners miss events while a rebuild is promoted, so the tables are queried once more.
        charge = charge or await self._queries.charge(requester.account, generation)
        return Submission(generation, charge)

    async def find_earlier(
        self, requester: Requester, sent: IdempotentRequest, generation: str
    ) -> Submission | None:
        """The outcome of an earlier submission of the same request; None if the generation does not exist.

        Raises IdempotencyConflict if another request led to it, or Unavailable.
        """
        account = requester.account
        with self._outcomes.expect(generation) as outcome:
            if not await self._recorded(account, sent, generation):
                return None
            charge = await self._known(account, generation) or await self._wait(outcome)
        return Submission(generation, charge or await self._queries.charge(account, generation))

    async def _recorded(self, account: str, sent: IdempotentRequest, generation: str) -> bool:
        """Whether the generation is recorded. Raises IdempotencyConflict if another request led to it."""
        found = await self._commands.read(subjects.video(account, generation))
        if found.digest is not None and not sent.matches(found):
            raise IdempotencyConflict
        return found.digest is not None

    async def _known(self, account: str, generation: str) -> Charge | None:
        await self._wait_until_current(account)
        return await self._queries.charge(account, generation)

    async def _wait(self, outcome: asyncio.Future[Charge]) -> Charge | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await outcome
        except TimeoutError:
            return None
