"""The sign-up grant: promotional credits, once for each account that comes with a token."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from telecine_contracts.commands import GrantCredits, LedgerAnswer
from telecine_contracts.credits import GrantKind
from telecine_gateway.ledger.port import Ledger, LedgerUnavailable

__all__ = ["REFERENCE", "SignUpGrants"]

log = structlog.get_logger(__name__)
REFERENCE = "sign-up"
"""The ledger grants a reference once per account, whichever gateways ask for it, and however often."""
MAX_ACCOUNTS = 10_000
"""Accounts that are known to have the grant; of another one the tables are asked."""
RETRY_INTERVAL = 30
"""Seconds after a grant without an answer in which no other is tried: requests would wait for it in vain."""


class SignUpGrants:
    """Makes the grant on an account's first request, which waits for it, so that it can be spent at once.

    `is_granted` asks the tables whether an account has it; `wait_for_entry` waits until they show an entry. Without an
    answer of the credits service the request goes on, and a later one tries again.
    """

    def __init__(
        self,
        ledger: Ledger,
        is_granted: Callable[[str, str], Awaitable[bool]],
        wait_for_entry: Callable[[str, int], Awaitable[None]],
        *,
        credits: int,
    ) -> None:
        self._ledger = ledger
        self._is_granted = is_granted
        self._wait_for_entry = wait_for_entry
        self._credits = credits
        self._settled: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._next_try = float("-inf")

    async def ensure(self, account: str) -> None:
        """Until the account has the grant, or it is clear that it will not get it now."""
        if (
            not self._credits
            or account in self._settled
            or asyncio.get_running_loop().time() < self._next_try
        ):
            return
        task = self._running.get(account)
        if task is None:
            task = self._running[account] = asyncio.create_task(self._grant(account), name="sign-up-grant")
            task.add_done_callback(lambda task: self._running.pop(account, None))
        await asyncio.shield(task)

    async def _grant(self, account: str) -> None:
        if not await self._is_granted(account, REFERENCE):
            command = GrantCredits(
                account=account,
                amount=self._credits,
                reference=REFERENCE,
                reason="sign-up",
                kind=GrantKind.PROMOTIONAL,
            )
            try:
                answer = await self._ledger.execute(command)
            except LedgerUnavailable as error:
                log.warning("sign_up.silent", detail=str(error))
                self._next_try = asyncio.get_running_loop().time() + RETRY_INTERVAL
                return
            await self._settle(account, answer)
        self._settled[account] = None
        if len(self._settled) > MAX_ACCOUNTS:
            self._settled.popitem(last=False)

    async def _settle(self, account: str, answer: LedgerAnswer) -> None:
        """A refusal stands until this process ends: the account is closed, or had a grant of another amount."""
        log.info(
            "sign_up.granted" if answer.done else "sign_up.not_granted",
            account=account,
            entry=answer.entry,
            refusal=answer.refusal and answer.refusal.value,
        )
        if answer.done and answer.entry:
            await self._wait_for_entry(account, answer.entry)
