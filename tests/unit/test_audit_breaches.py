"""A ledger with exactly one breach planted: it is found, called by its name, and nothing else is."""

import re
from pathlib import Path

import pytest
from tests.support.audit_cases import Case, audit, clean, continued
from tests.support.audit_faults_of_accounts import FAULTS_OF_ACCOUNTS
from tests.support.audit_faults_of_entries import FAULTS_OF_ENTRIES
from tests.support.audit_faults_of_generations import FAULTS_OF_GENERATIONS
from tests.support.audit_faults_of_grants import FAULTS_OF_GRANTS

from telecine_auditor.breach import BREACHES, BreachKind

CASES = (*FAULTS_OF_ENTRIES, *FAULTS_OF_GRANTS, *FAULTS_OF_GENERATIONS, *FAULTS_OF_ACCOUNTS)
TESTS = Path(__file__).parents[1]
ELSEWHERE = {
    BreachKind.SEQUENCE_GAP: "unit/test_audit_any_bytes.py",
    BreachKind.TRUNCATED: "integration/test_audit_tampering.py",
    BreachKind.CHECKPOINT_MISMATCH: "integration/test_audit_tampering.py",
    BreachKind.CHECKPOINT_FORGED: "unit/test_auditor_checkpoints.py",
    BreachKind.CHECKPOINT_MISSING: "unit/test_auditor_checkpoints.py",
    BreachKind.UNSIGNED_TOO_LONG: "integration/test_audit_tampering_modes.py",
    BreachKind.MIRROR_CHANGED: "unit/test_auditor_mirror_form.py",
    BreachKind.STREAM_CHANGED: "integration/test_audit_mirror.py",
    BreachKind.COMPLETED_NOT_SETTLED: "unit/test_audit_videos.py",
    BreachKind.SETTLED_NOT_COMPLETED: "unit/test_audit_videos.py",
    BreachKind.FAILED_NOT_REFUNDED: "unit/test_audit_videos.py",
    BreachKind.REFUNDED_NOT_FAILED: "unit/test_audit_videos.py",
    BreachKind.NOT_ASKED_FOR: "unit/test_audit_videos.py",
    BreachKind.PRICE_NOT_AS_ASKED: "unit/test_audit_videos.py",
    BreachKind.WRONG_ACCOUNT: "unit/test_audit_videos.py",
    BreachKind.TWO_ENDS: "unit/test_audit_videos.py",
    BreachKind.DATABASE_DIFFERS: "integration/test_audit_compare.py",
    BreachKind.OBJECT_MISSING: "integration/test_audit_objects.py",
    BreachKind.OBJECT_DIFFERS: "integration/test_audit_objects.py",
    BreachKind.WRONG_SKIP: "unit/test_audit_skips.py",
}
"""Breaches that are planted in another file."""


def test_a_clean_ledger_has_no_breach() -> None:
    ledger = clean()
    continued(ledger)

    assert audit(ledger.entries()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind.value}: {case.name}")
def test_a_planted_breach_is_named_and_nothing_else_is(case: Case) -> None:
    ledger = clean()
    case.plant(ledger)
    planted = len(ledger.lines) + (case.at or 0)
    continued(ledger)

    found = audit(ledger.entries(), case.after)

    assert [(breach.kind, breach.sequence) for breach in found] == [(case.kind, planted)]


def test_every_kind_of_breach_is_planted_somewhere() -> None:
    here = {case.kind for case in CASES}
    there = {kind for kind, file in ELSEWHERE.items() if names((TESTS / file).read_text(), kind)}

    assert here | there == set(BreachKind)


def names(source: str, kind: BreachKind) -> bool:
    return re.search(rf"\b{kind.name}\b|(?<!-)\b{kind.value}\b(?!-)", source) is not None


def test_every_kind_of_breach_has_its_meaning() -> None:
    assert set(BREACHES) == set(BreachKind)
