"""Ledgers with one planted breach: it is reported, and nothing else is."""

import re
from pathlib import Path

import pytest
from tests.support.audit.breaches.accounts import ACCOUNT_BREACHES
from tests.support.audit.breaches.cases import Case, append_valid_entries, audit, clean_ledger
from tests.support.audit.breaches.entries import ENTRY_BREACHES
from tests.support.audit.breaches.generations import GENERATION_BREACHES
from tests.support.audit.breaches.grants import GRANT_BREACHES

from telecine_auditor.breaches import BREACHES, BreachKind

CASES = (*ENTRY_BREACHES, *GRANT_BREACHES, *GENERATION_BREACHES, *ACCOUNT_BREACHES)
TESTS = Path(__file__).parents[3]
ELSEWHERE = {
    BreachKind.SEQUENCE_GAP: "unit/auditor/ledger/test_corrupted_entries.py",
    BreachKind.TRUNCATED: "integration/auditor/audit/test_tampered_ledgers.py",
    BreachKind.CHECKPOINT_MISMATCH: "integration/auditor/audit/test_tampered_ledgers.py",
    BreachKind.CHECKPOINT_FORGED: "unit/auditor/transparency/test_checkpoints.py",
    BreachKind.CHECKPOINT_MISSING: "unit/auditor/transparency/test_checkpoints.py",
    BreachKind.UNSIGNED_TOO_LONG: "integration/auditor/audit/test_verification_modes.py",
    BreachKind.MIRROR_CHANGED: "unit/auditor/mirror/test_format.py",
    BreachKind.STREAM_CHANGED: "integration/auditor/sources/test_mirror.py",
    BreachKind.COMPLETED_NOT_SETTLED: "unit/auditor/audit/test_video_checks.py",
    BreachKind.SETTLED_NOT_COMPLETED: "unit/auditor/audit/test_video_checks.py",
    BreachKind.FAILED_NOT_REFUNDED: "unit/auditor/audit/test_video_checks.py",
    BreachKind.REFUNDED_NOT_FAILED: "unit/auditor/audit/test_video_checks.py",
    BreachKind.NOT_ASKED_FOR: "unit/auditor/audit/test_video_checks.py",
    BreachKind.PRICE_NOT_AS_ASKED: "unit/auditor/audit/test_video_checks.py",
    BreachKind.WRONG_ACCOUNT: "unit/auditor/audit/test_video_checks.py",
    BreachKind.TWO_ENDS: "unit/auditor/audit/test_video_checks.py",
    BreachKind.DATABASE_DIFFERS: "integration/auditor/commands/test_database_comparison.py",
    BreachKind.OBJECT_MISSING: "integration/auditor/commands/test_objects.py",
    BreachKind.OBJECT_DIFFERS: "integration/auditor/commands/test_objects.py",
    BreachKind.WRONG_SKIP: "unit/auditor/ledger/test_skipped_messages.py",
}
"""Breaches that are planted in another file."""


def test_a_clean_ledger_has_no_breach() -> None:
    ledger = clean_ledger()
    append_valid_entries(ledger)

    assert audit(ledger.entries()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind.value}: {case.name}")
def test_a_planted_breach_is_the_only_one_reported(case: Case) -> None:
    ledger = clean_ledger()
    case.plant(ledger)
    planted = len(ledger.lines) + (case.at or 0)
    append_valid_entries(ledger)

    found = audit(ledger.entries(), case.after)

    assert [(breach.kind, breach.sequence) for breach in found] == [(case.kind, planted)]


def test_every_kind_of_breach_is_planted_somewhere() -> None:
    here = {case.kind for case in CASES}
    there = {kind for kind, file in ELSEWHERE.items() if names((TESTS / file).read_text(), kind)}

    assert here | there == set(BreachKind)


def names(source: str, kind: BreachKind) -> bool:
    return re.search(rf"\b{kind.name}\b|(?<!-)\b{kind.value}\b(?!-)", source) is not None


def test_every_kind_of_breach_has_a_description() -> None:
    assert set(BREACHES) == set(BreachKind)
