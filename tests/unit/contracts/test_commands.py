"""Commands to the ledger: their subjects, and the values that are refused before any rule is asked."""

from typing import Any

import pytest
from pydantic import ValidationError

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import AdjustCredits, GrantCredits, LedgerCommand, SetSpendLimits


def test_every_command_has_a_subject_of_its_own() -> None:
    subjects = [command.subject for command in LedgerCommand.__subclasses__()]
    assert all(subject.startswith("commands.credits.") for subject in subjects)
    assert len(set(subjects)) == len(subjects) == 6


GRANT = {"account": "ann", "amount": 5, "reference": "r"}
ADJUST = {"account": "ann", "amount": 5, "reference": "r", "corrects": 1}


@pytest.mark.parametrize(
    ("command", "fields", "field"),
    [
        (GrantCredits, GRANT | {"amount": 0}, "amount"),
        (GrantCredits, GRANT | {"amount": MAX_CREDITS + 1}, "amount"),
        (GrantCredits, GRANT | {"amount": "5"}, "amount"),
        (GrantCredits, GRANT | {"account": "a.b"}, "account"),
        (GrantCredits, GRANT | {"reference": "two\nlines"}, "reference"),
        (GrantCredits, GRANT | {"expires_at": "2026-12-01T00:00:00"}, "expires_at"),
        (GrantCredits, GRANT | {"note": "x"}, "note"),
        (AdjustCredits, ADJUST | {"amount": -5}, "amount"),
        (AdjustCredits, ADJUST | {"corrects": 0}, "corrects"),
        (SetSpendLimits, {"account": "ann", "per_day": -1}, "per_day"),
        (SetSpendLimits, {"account": "ann", "per_generation": MAX_CREDITS + 1}, "per_generation"),
    ],
)
def test_invalid_values_are_refused(command: type[LedgerCommand], fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        command.model_validate(fields)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
