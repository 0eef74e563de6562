"""The account of a local stack: one API key, stored in the data folder, and some credits."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from telecine_cli.api_keys import create, is_active
from telecine_cli.ledger_client import grant
from telecine_cli.stack.state import read_private_json, write_private_json
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_gateway.access.api_keys import NewKey, fingerprint, new_key
from telecine_jetstream.client import NatsClient

__all__ = ["ACCOUNT", "WelcomeGrant", "key_file", "open_account"]

ACCOUNT = "demo"


@dataclass(frozen=True)
class WelcomeGrant:
    """Credits for the account, granted once per `reference`."""

    amount: int
    reference: str


def key_file(data: Path) -> Path:
    """The file with the account's key, readable by its owner only."""
    return data / "demo-account.json"


async def open_account(connection: NatsClient, data: Path, welcome: WelcomeGrant) -> str:
    """Make sure that the account has a key and the credits of `welcome`; the same key every time until it is revoked.

    Raises:
        CommandError: the credits service does not answer.
    """
    key = _read_key(data) or _write_key(data, new_key())
    active = await is_active(connection, ACCOUNT, key.key_id)
    if active is False:
        key, active = _write_key(data, new_key()), None
    if active is None:
        await create(connection, ACCOUNT, key, name="made by telecine for its data folder")
    request = GrantCredits(
        account=ACCOUNT,
        amount=welcome.amount,
        reference=welcome.reference,
        reason="to try telecine with",
        kind=GrantKind.PROMOTIONAL,
    )
    await grant(connection, request)
    return key.secret


class _KeyFile(BaseModel):
    """The content of the file with the account's key."""

    key: str
    key_id: str


def _read_key(data: Path) -> NewKey | None:
    kept = read_private_json(key_file(data), _KeyFile)
    return None if kept is None else NewKey(kept.key, kept.key_id, fingerprint(kept.key))


def _write_key(data: Path, key: NewKey) -> NewKey:
    # Written before the key is created: if this process died in between, the created key would be lost.
    write_private_json(key_file(data), {"account": ACCOUNT, "key_id": key.key_id, "key": key.secret})
    return key
