"""Planted breaches after a saved state, and in reports up to a point."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.support.audit.breaches.cases import Case, append_valid_entries, clean_ledger
from tests.support.audit.breaches.planted_ledger import DAY
from tests.support.audit.nats_ledger import LOG, signed_checkpoint
from tests.unit.auditor.ledger.test_breaches import CASES

from telecine_auditor.audit.snapshot import read_snapshot, write_snapshot
from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_auditor.transparency.checkpoints import SignedCheckpoint
from telecine_auditor.transparency.signatures import verify_note
from telecine_contracts.transparency import Frontier, leaf_hash
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new(LOG)
CLEAN = clean_ledger().entries()
AT_THE_END = {
    BreachKind.DEBIT_WITHOUT_END,
    BreachKind.EXPIRY_OVERDUE,
    BreachKind.TWO_ACCOUNTS,
}
"""Found at the end of an audit, and not by reports; also some prices, see `_told_at_the_end`."""
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind.value}: {case.name}")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved state at a checkpoint over the clean beginning."""
    replay, tree = LedgerReplay(refuse), Frontier()
    replay.take_all(CLEAN, [parse_canonical_headers(entry.head) for entry in CLEAN])
    for entry in CLEAN:
        tree.append(leaf_hash(entry.stated))
    note = signed_checkpoint(SIGNER, CLEAN)
    checkpoint, name = verify_note(note, [SIGNER.verifier])
    path = tmp_path_factory.mktemp("state") / "audited.state"
    write_snapshot(path, replay, tree, SignedCheckpoint(checkpoint, note, name, "here"))
    return path


def refuse(breach: Breach) -> None:
    raise AssertionError(breach)


def planted(case: Case) -> tuple[list[StoredMessage], int]:
    """A ledger with the fault, and the sequence of the faulty entry."""
    ledger = clean_ledger()
    case.plant(ledger)
    sequence = len(ledger.lines) + (case.at or 0)
    append_valid_entries(ledger)
    return ledger.entries(), sequence


@every_case
def test_a_breach_after_a_saved_state_is_found(case: Case, state: Path) -> None:
    entries, sequence = planted(case)
    heads = [parse_canonical_headers(entry.head) for entry in entries]
    found: list[Breach] = []
    replay = read_snapshot(state, [SIGNER.verifier], LedgerReplay(found.append)).replay
    replay.register_ids(entries[: len(CLEAN)], heads[: len(CLEAN)])
    replay.take_all(entries[len(CLEAN) :], heads[len(CLEAN) :])
    assert replay.last_at is not None
    replay.finish(replay.last_at + case.after, hold_limit=DAY)
    assert [(breach.kind, breach.sequence) for breach in found] == [(case.kind, sequence)]


class Ledger:
    """A source with LEDGER only."""

    unread = ()

    def __init__(self, entries: Sequence[StoredMessage]) -> None:
        self.entries = entries

    async def has(self, stream: str) -> bool:
        return stream == "LEDGER"

    async def last(self, stream: str) -> int:
        return len(self.entries)

    async def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        yield self.entries[after:upto]

    async def close(self) -> None:
        pass


@every_case
async def test_a_report_beyond_a_breach_exits_with_1(case: Case) -> None:
    entries, sequence = planted(case)
    source = Ledger(entries)
    whole, up_to_it, before = (
        LedgerReader(source),
        LedgerReader(source, sequence=sequence),
        LedgerReader(source, sequence=len(CLEAN)),
    )
    for walk in (whole, up_to_it, before):
        await walk.read_all()
    if case.kind in AT_THE_END or _told_at_the_end(case):
        # Reports do not judge these; each says that `verify` does.
        assert whole.breaches == []
        assert "`telecine-audit verify`" in whole.not_checked()[0]
    else:
        assert {breach.kind for breach in whole.breaches} == {case.kind}
        assert whole.verdict() == up_to_it.verdict() == 1
    assert before.verdict() == 0


def _told_at_the_end(case: Case) -> bool:
    return case.kind is BreachKind.WRONG_TIME or "by the same table" in case.name
