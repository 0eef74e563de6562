"""The auditor reads the rules by itself: with a mistake in credits' own rules, what credits writes is found out."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from pydantic import ValidationError
from tests.support.audit.random_histories import Rules, audit_entries, run_history

import telecine_credits.rules.commands
from telecine_auditor.breaches import BreachKind as K
from telecine_credits.rules.commands import LedgerRefused, NotDebited

pytestmark = pytest.mark.slow

SOURCES = Path(telecine_credits.rules.commands.__file__).parent
PACKAGE = "credits_with_a_mistake"
HISTORIES, ENOUGH = 600, 12


@dataclass(frozen=True)
class Mistake:
    """A replacement in the rules of credits, and what its entries must be called; nothing else may come first."""

    name: str
    module: str
    right: str
    wrong: str
    named: frozenset[K]


MISTAKES = (
    Mistake(
        "a hold is refunded again and again",
        "account",
        "holds=account.holds.remove(generation)",
        "holds=account.holds",
        frozenset({K.ENDED_TWICE, K.SETTLED_AND_REFUNDED}),
    ),
    Mistake(
        "a debit leaves no hold",
        "account",
        "holds = account.holds.insert(event.generation, Hold(parts, falls_under, day))",
        "holds = account.holds",
        frozenset({K.DEBITED_TWICE, K.WRONG_DENIAL}),
    ),
    Mistake(
        "the order of kinds is upside down",
        "burn_order",
        "GrantKind.PROMOTIONAL: 0, GrantKind.PLAN: 1, GrantKind.PAID: 2",
        "GrantKind.PROMOTIONAL: 2, GrantKind.PLAN: 1, GrantKind.PAID: 0",
        frozenset({K.GRANT_ORDER}),
    ),
    Mistake(
        "what expires later is spent first",
        "burn_order",
        "return until is None, until or NEVER, RANK[grant.kind], number",
        "return until is None, NEVER, RANK[grant.kind], number",
        frozenset({K.GRANT_ORDER}),
    ),
    Mistake(
        "more is charged than there is",
        "decider",
        "if total(parts) < amount:",
        "if total(parts) < amount // 2:",
        frozenset({K.WRONG_POSTINGS}),
    ),
    Mistake(
        "grants pay more than they have",
        "burn_order",
        "taken = min(amount, grants[number].available)",
        "taken = amount",
        frozenset({K.GRANT_OVERDRAWN, K.NEGATIVE_BALANCE}),
    ),
    Mistake(
        "grants whose time is over pay",
        "burn_order",
        "return grant.usable_until is None or grant.usable_until > at",
        "return True",
        frozenset({K.GRANT_EXPIRED, K.WRONG_DENIAL}),
    ),
    Mistake(
        "a refund goes to the last grant",
        "decider",
        'postings=legs(hold.parts, f"{command.account}:held", f"{command.account}:available")',
        'postings=legs(((hold.parts[-1][0], hold.amount),), f"{command.account}:held", f"{command.account}:available")',
        frozenset({K.WRONG_REFUND}),
    ),
    Mistake(
        "a refund that comes late is lost",
        "postings",
        "return until if any(end is not None and end < until for end in ends) else None",
        "return None",
        frozenset({K.WRONG_REFUND, K.WRONG_ADJUSTMENT}),
    ),
    Mistake(
        "a limit is ignored",
        "decider",
        "if reached is not None:",
        "if reached is not None and amount == 40:",
        frozenset({K.LIMIT_PASSED, K.WRONG_DENIAL}),
    ),
    Mistake(
        "a refund makes no room under a limit",
        "account",
        "return _unspent(account, hold)",
        "return account",
        frozenset({K.WRONG_DENIAL}),
    ),
    Mistake(
        "a refund makes room on any day",
        "account",
        "if day == hold.day:",
        "if True:",
        frozenset({K.WRONG_DENIAL, K.LIMIT_PASSED}),
    ),
    Mistake(
        "something is put on top of the frozen price",
        "decider",
        "    amount = command.price.credits\n",
        "    amount = command.price.credits + 1\n",
        frozenset({K.WRONG_PRICE, K.WRONG_DENIAL}),
    ),
    Mistake(
        "closed accounts are charged",
        "decider",
        "    if account.is_closed:\n        return _denied",
        "    if account.is_closed and amount == 40:\n        return _denied",
        frozenset({K.CHARGED_WHILE_CLOSED, K.WRONG_DENIAL}),
    ),
    Mistake(
        "closed accounts are granted to",
        "grants",
        "if account.is_closed:",
        "if False:",
        frozenset({K.CHARGED_WHILE_CLOSED}),
    ),
    Mistake(
        "a reference grants twice",
        "grants",
        "if command.reference in account.references:",
        "if False:",
        frozenset({K.REFERENCE_USED_TWICE}),
    ),
    Mistake(
        "grants expire before their time",
        "grants",
        "over.available == 0 or is_usable(over, command.at)",
        "over.available == 0",
        frozenset({K.EXPIRED_EARLY}),
    ),
    Mistake(
        "all but one credit expires",
        "grants",
        "legs(((command.grant, over.available),)",
        "legs(((command.grant, over.available - 1),)",
        frozenset({K.WRONG_POSTINGS}),
    ),
    Mistake(
        "more is given back than was settled",
        "adjustments",
        "    if command.amount > left:\n",
        "    if command.amount > left + 100:\n",
        frozenset({K.WRONG_ADJUSTMENT, K.WRONG_POSTINGS}),
    ),
    Mistake(
        "what was given back can be given back again",
        "account",
        "left = replace(movement, parts=without(movement.parts, parts))",
        "left = movement",
        frozenset({K.WRONG_ADJUSTMENT}),
    ),
    Mistake(
        "a grant is taken back though it was spent",
        "adjustments",
        "if command.amount > grant.available:",
        "if command.amount > grant.amount:",
        frozenset({K.WRONG_ADJUSTMENT}),
    ),
    Mistake(
        "balances are off by one",
        "postings",
        "Balances(available=account.available + available,",
        "Balances(available=account.available + available + (held > 70),",
        frozenset({K.WRONG_BALANCE}),
    ),
    Mistake(
        "denials take numbers that are taken",
        "postings",
        'return {**entry(command, account), "postings": ()}',
        'return {**entry(command, account), "postings": (), "entry": account.entry}',
        frozenset({K.OUT_OF_ORDER}),
    ),
)


@pytest.fixture
def rules(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rules]:
    """Credits' rules from a copy of their files, with the mistake made in one of them."""
    mistake: Mistake = request.param
    folder = tmp_path / PACKAGE
    folder.mkdir()
    for source in SOURCES.glob("*.py"):
        (folder / source.name).write_text(source.read_text())
    code = (folder / f"{mistake.module}.py").read_text()
    assert code.count(mistake.right) == 1, f"{mistake.module}.py is written differently now"
    (folder / f"{mistake.module}.py").write_text(code.replace(mistake.right, mistake.wrong))
    yield from imported(folder)


def imported(folder: Path) -> Iterator[Rules]:
    """The rules in that folder, for as long as the test runs; commands are the ones that everybody knows."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    sys.modules[f"{PACKAGE}.commands"] = telecine_credits.rules.commands
    try:
        domain = importlib.import_module(f"{PACKAGE}.decider")
        refusals = (LedgerRefused, NotDebited, ValidationError, KeyError)
        yield Rules(domain.decide, domain.evolve, domain.Account, refusals)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("rules", "named"),
    [pytest.param(mistake, mistake.named, id=mistake.name) for mistake in MISTAKES],
    indirect=["rules"],
)
def test_a_mutated_credits_rule_is_detected(rules: Rules, named: frozenset[K]) -> None:
    chance = Random(20_261_123)  # noqa: S311 - the same histories every time
    first: list[K] = []
    for _ in range(HISTORIES):
        _, found = audit_entries(run_history(chance.randbytes(90), rules).entries)
        first.extend(breach.kind for breach in found[:1])
        if len(first) == ENOUGH:
            break

    assert first, "nothing was found"
    assert set(first) <= named
