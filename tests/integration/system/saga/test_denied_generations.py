"""A generation that is not paid for ends on VIDEO, and says why."""

from pathlib import Path

from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.commands import CloseAccount, LedgerAnswer, LedgerCommand, SetSpendLimits
from telecine_contracts.generation import FailureCode, GenerationFailed, Stage


async def send_command(world: Saga, subject: str, command: LedgerCommand) -> None:
    reply = await world.connection.request(subject, command.model_dump_json().encode(), timeout=5)
    assert LedgerAnswer.model_validate_json(reply.data).done


async def failure(world: Saga, account: str) -> GenerationFailed:
    """Ask for a generation of 40 credits that is denied; how it failed."""
    generation = await world.request(account)
    events = await world.until(account, generation, "failed")
    assert action_names(events) == ["requested", "failed"]
    assert await world.closed(account, generation) == ["denied"]
    failed = events[-1].event
    assert isinstance(failed, GenerationFailed)
    assert (failed.stage, failed.code) == (Stage.CREDITS, FailureCode.INSUFFICIENT_CREDITS)
    return failed


async def test_a_generation_that_is_not_paid_for_says_why(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, without="storage") as world:
        poor = await failure(world, "poor")
        assert (poor.denial_reason, poor.message) == ("insufficient_credits", "Insufficient credits")

        await world.grant("bounded", 100)
        limits = SetSpendLimits(account="bounded", per_generation=39)
        await send_command(world, SetSpendLimits.subject, limits)
        bounded = await failure(world, "bounded")
        assert (bounded.denial_reason, bounded.message) == (
            "spend_limit",
            "Spend limit reached: 39 credits per generation for the account, 40 needed",
        )

        await world.grant("closed", 100)
        await send_command(world, CloseAccount.subject, CloseAccount(account="closed"))
        closed = await failure(world, "closed")
        assert (closed.denial_reason, closed.message) == ("account_closed", "The account is closed")
