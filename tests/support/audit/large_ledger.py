"""Ledgers without a breach, as bytes: as large as wanted, quickly made, the same for the same seed.

The rules are applied by hand here, in their simplest cases: neither the services nor the auditor have a part in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from random import Random

from telecine_auditor.sources.message import StoredMessage

__all__ = ["START", "event_head", "event_id", "large_ledger"]

START = datetime(2026, 3, 1, tzinfo=UTC)
_PRICES = (("480p", 5, 40), ("720p", 5, 50), ("1080p", 5, 70), ("720p", 12, 75))
_TOP_UP = 5_000
_RUNNING = 200


@dataclass
class _Account:
    """An account: its entries so far, and what is left of its grants."""

    name: str
    entries: int = 0
    available: int = 0
    held: int = 0
    live: dict[int, int] = field(default_factory=dict)

    def pay(self, amount: int) -> list[tuple[int, int]]:
        """Take from the oldest grant first."""
        parts = []
        for number in sorted(self.live):
            taken = min(amount, self.live[number])
            parts.append((number, taken))
            self.live[number] -= taken
            amount -= taken
            if not self.live[number]:
                del self.live[number]
            if not amount:
                break
        return parts


@dataclass(frozen=True)
class _Running:
    """A generation that was debited."""

    owner: _Account
    generation: str
    amount: int
    parts: list[tuple[int, int]]


def event_id(*words: object) -> str:
    """An id in the form of a UUID that is the same for the same words."""
    digest = sha1(" ".join(map(str, words)).encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def event_head(ident: str, type_name: str, subject: str, at: str, correlation: str) -> bytes:
    """The header lines that credits sends with an event."""
    return (
        f"Nats-Msg-Id: {ident}\r\nce-specversion: 1.0\r\nce-id: {ident}\r\nce-source: telecine/credits\r\n"
        f"ce-type: {type_name}\r\nce-time: {at}+00:00\r\nce-subject: {subject}\r\nce-correlation: {correlation}\r\n"
        f"ce-causation: {correlation}\r\ncontent-type: application/json\r\n"
        f"Nats-Expected-Last-Subject-Sequence: 1\r\n"
        f"Nats-Expected-Last-Subject-Sequence-Subject: {subject.rpartition('.')[0]}.*\r\n"
        "Nats-Expected-Stream: LEDGER\r\n"
    ).encode()


def large_ledger(entries: int, *, accounts: int = 1000, seed: int = 1) -> Iterator[StoredMessage]:
    """That many entries of that many accounts: grants, debits, settlements, refunds.

    A generation runs for some hundred entries; the last ones are running still.
    """
    chance = Random(seed)  # noqa: S311 - a test wants the same numbers again
    owners = [_Account(f"account-{number:05}") for number in range(accounts)]
    running: deque[_Running] = deque()
    for sequence in range(1, entries + 1):
        clock = (START + timedelta(milliseconds=40 * sequence)).isoformat()[:-6]
        owner = owners[int(chance.random() * accounts)]
        if len(running) > _RUNNING and chance.random() < 0.5:
            yield _ended(sequence, clock, running.popleft(), chance.random() < 0.9)
        elif owner.available < _PRICES[-1][2]:
            yield _granted(sequence, clock, owner)
        else:
            price = _PRICES[int(chance.random() * len(_PRICES))]
            generation = event_id(seed, sequence, "generation")
            parts = owner.pay(price[2])
            running.append(_Running(owner, generation, price[2], parts))
            yield _debited(sequence, clock, running[-1], price)


def _granted(sequence: int, clock: str, owner: _Account) -> StoredMessage:
    number = owner.entries + 1
    owner.live[number] = _TOP_UP
    owner.available += _TOP_UP
    legs = _legs("issued", f"{owner.name}:available", [(number, _TOP_UP)])
    own = f'"amount":{_TOP_UP},"kind":"paid","reference":"payment-{sequence}","reason":"Top up"'
    return _entry(sequence, clock, owner, ("granted", legs, own, owner.name))


def _debited(sequence: int, clock: str, running: _Running, price: tuple[str, int, int]) -> StoredMessage:
    owner, (resolution, duration, amount) = running.owner, price
    owner.available -= amount
    owner.held += amount
    legs = _legs(f"{owner.name}:available", f"{owner.name}:held", running.parts)
    own = (
        f'"generation":"{running.generation}","amount":{amount},"price":{{"credits":{amount},"table":"2026-11",'
        f'"resolution":"{resolution}","duration":{duration}}},"api_key":"key_{owner.entries % 3}"'
    )
    return _entry(sequence, clock, owner, ("debited", legs, own, running.generation))


def _ended(sequence: int, clock: str, running: _Running, delivered: bool) -> StoredMessage:
    owner, amount = running.owner, running.amount
    owner.held -= amount
    own = f'"generation":"{running.generation}","amount":{amount}'
    if delivered:
        legs = _legs(f"{owner.name}:held", "spent", running.parts)
        return _entry(sequence, clock, owner, ("settled", legs, own, running.generation))
    owner.available += amount
    for number, part in running.parts:
        owner.live[number] = owner.live.get(number, 0) + part
    legs = _legs(f"{owner.name}:held", f"{owner.name}:available", running.parts)
    return _entry(
        sequence, clock, owner, ("refunded", legs, f'{own},"reason":"deadline"', running.generation)
    )


def _legs(source: str, target: str, parts: list[tuple[int, int]]) -> str:
    return ",".join(
        f'{{"account":"{source}","amount":{-amount},"grant":{number}}},'
        f'{{"account":"{target}","amount":{amount},"grant":{number}}}'
        for number, amount in parts
    )


def _entry(sequence: int, clock: str, owner: _Account, said: tuple[str, str, str, str]) -> StoredMessage:
    action, legs, own, correlation = said
    owner.entries += 1
    body = (
        f'{{"account":"{owner.name}","entry":{owner.entries},"postings":[{legs}],"balances":{{"available":'
        f'{owner.available},"held":{owner.held}}},"decided_at":"{clock}Z",{own}}}'
    ).encode()
    subject = f"ledger.{owner.name}.{action}"
    ident = event_id(correlation, action, sequence)
    head = event_head(ident, f"credits.{action}.v1", subject, clock, correlation)
    stored_at = 1_772_323_200_000_000_000 + sequence * 40_000_000
    return StoredMessage(sequence, stored_at, subject, head, body)
