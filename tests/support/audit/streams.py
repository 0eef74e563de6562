"""A ledger and the stream of its videos as an auditor reads them: written by credits' own rules, kept in a mirror."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage, encode_headers
from telecine_contracts import Envelope, Event, subjects
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import GrantKind, LedgerEvent
from telecine_contracts.envelope import derive_id
from telecine_contracts.gateway import GenerationRequested, Kind, VideoParameters
from telecine_contracts.pricing import seed_price
from telecine_contracts.registry import encode
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Debit, Expire, Refund, Settle, TimedCommand
from telecine_credits.rules.decider import decide

__all__ = ["HOSTILE_TEXTS", "StreamBuilder", "november_streams", "november_time"]

HOSTILE_TEXTS = (
    "=cmd|' /C calc'!A0,\"a\";b\n2020-01-01 * x\n    spent  9 CREDIT\n"
    '\\" date:1999-01-01 [2001-01-01] 雨\u202e\u2028\x1b[2J%41'
)
"""What a user may write who wants to be somewhere else: a formula, a line of a journal, a date, a terminal's code."""


def november_time(day: int, hour: int = 12, minute: int = 0, second: float = 0) -> datetime:
    """A time in November 2026, UTC."""
    whole = int(second)
    return datetime(2026, 11, day, hour, minute, whole, round((second - whole) * 1_000_000), tzinfo=UTC)


@dataclass
class StreamBuilder:
    """Entries of LEDGER and VIDEO so far."""

    ledger: list[StoredMessage] = field(default_factory=list)
    video: list[StoredMessage] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)

    def do(self, timed: TimedCommand) -> LedgerEvent:
        """Carry out a command; the entry that it led to."""
        name = timed.command.account
        account = self.accounts.get(name, Account())
        event = decide(timed, account)
        assert isinstance(event, LedgerEvent), timed
        self.accounts[name] = evolve(account, event)
        self.say(event, timed.at)
        return event

    def say(self, event: Event, at: datetime) -> None:
        """Append an event to its stream."""
        stream = self.ledger if event.stream == "LEDGER" else self.video
        subject = subjects.of_event(event)
        headers = Envelope(
            id=derive_id(f"{event.stream} {len(stream)}", subject),
            source=f"telecine/{event.written_by}",
            type=event.type,
            time=at,
            subject=subject,
            correlation="c",
            causation="c",
        ).to_headers()
        stored = int(at.timestamp() * 1_000_000) * 1000
        stream.append(StoredMessage(len(stream) + 1, stored, subject, encode_headers(headers), encode(event)))

    def ask(self, generation: str, at: datetime, *, account: str = "ann", resolution: str = "720p") -> None:
        """A user asks for a video of five seconds, and it is paid for."""
        price = seed_price(resolution, 5)
        asked = VideoParameters(
            model=DEFAULT_MODEL, prompt="rain", resolution=resolution, ratio="16:9", duration=5
        )
        self.say(
            GenerationRequested(
                account=account,
                generation=generation,
                kind=Kind.TEXT_TO_VIDEO,
                parameters=asked,
                price=price,
                digest="0" * 64,
            ),
            at,
        )
        self.do(TimedCommand(Debit(account=account, generation=generation, price=price), at))

    def change(self, sequence: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the body of an entry of LEDGER, as an attacker with access to the server's disk could."""
        entry = self.ledger[sequence - 1]
        body = json.loads(entry.body)
        change(body)
        self.ledger[sequence - 1] = entry._replace(body=json.dumps(body, separators=(",", ":")).encode())

    def mirror(self, folder: Path) -> Path:
        """A mirror of both streams."""
        streams: Mapping[str, list[StoredMessage]] = {"LEDGER": self.ledger, "VIDEO": self.video}
        with open_mirror(folder) as mirror:
            for name, entries in streams.items():
                writer = mirror.stream(name)
                writer.append(entries)
                writer.close()
        return folder


def november_streams() -> StreamBuilder:
    """Every kind of entry, three accounts, and texts of a user who means no good.

    ann is left with 460 credits and 50 held, bob with 30 of a plan that expires in December; `mal_lory-` is closed.
    """
    streams = StreamBuilder()
    ann = streams.do(
        TimedCommand(
            GrantCredits(account="ann", amount=500, kind=GrantKind.PAID, reference="pay-1"), november_time(1)
        )
    )
    streams.do(
        TimedCommand(
            GrantCredits(
                account="ann",
                amount=60,
                kind=GrantKind.PROMOTIONAL,
                reference="welcome",
                expires_at=november_time(10),
            ),
            november_time(1, 13),
        )
    )
    assert ann.entry == 1
    streams.ask("g1", november_time(5))
    settled = streams.do(TimedCommand(Settle(account="ann", generation="g1"), november_time(5, 13)))
    streams.do(
        TimedCommand(
            GrantCredits(
                account="bob",
                amount=100,
                kind=GrantKind.PLAN,
                reference="plan-11",
                expires_at=datetime(2026, 12, 31, tzinfo=UTC),
            ),
            november_time(6),
        )
    )
    streams.ask("g2", november_time(9))
    streams.do(TimedCommand(Refund(account="ann", generation="g2", reason="deadline"), november_time(12)))
    streams.do(TimedCommand(Expire(account="ann", grant=2), november_time(14)))
    streams.do(
        TimedCommand(
            AdjustCredits(
                account="ann",
                corrects=settled.entry,
                amount=20,
                reference="ticket-1",
                reason="black",
            ),
            november_time(15),
        )
    )
    streams.do(
        TimedCommand(
            GrantCredits.model_construct(  # control characters: not accepted today
                account="mal_lory-",
                amount=7,
                kind=GrantKind.PAID,
                reference=HOSTILE_TEXTS,
                reason=HOSTILE_TEXTS,
            ),
            november_time(16),
        )
    )
    streams.do(
        TimedCommand(
            CloseAccount.model_construct(account="mal_lory-", reason=HOSTILE_TEXTS), november_time(16, 13)
        )
    )
    streams.do(TimedCommand(SetSpendLimits(account="ann", per_day=60), november_time(17)))
    streams.ask("g3", november_time(20))
    streams.ask("g4", november_time(20, 13))
    streams.ask("g5", november_time(30, 23, 59, 59.5), account="bob", resolution="1080p")
    # Another replica, whose clock is behind, settles it: the books do not go back.
    streams.do(TimedCommand(Settle(account="bob", generation="g5"), november_time(30, 23, 59, 59.25)))
    streams.do(
        TimedCommand(
            ReopenAccount(account="mal_lory-", reason="sorry"), datetime(2026, 12, 1, 10, tzinfo=UTC)
        )
    )
    return streams
