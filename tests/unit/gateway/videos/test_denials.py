"""Why a generation was not paid for: the same in the response, the status and the history."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import Envelope
from telecine_contracts.subjects import of_event
from telecine_gateway.read_model.charges import Charge
from telecine_gateway.read_model.generations import apply_event
from telecine_gateway.read_model.tables import GenerationRow
from telecine_gateway.videos.denials import denial_response, describe_denial
from telecine_gateway.videos.reader import GenerationState


def denied(reason: str | None, **limit: Any) -> Charge:
    return Charge(
        generation="g-1",
        account="acme",
        state="denied",
        amount=50,
        available=30,
        reason=reason,
        limit={"scope": "account", "per": "day", "limit": 200, "used": 160} | limit if limit else None,
    )


def response_to(charge: Charge) -> tuple[int, dict[str, Any]]:
    status, body = denial_response(charge)
    return status, body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_insufficient_credits_keeps_the_fields_of_front_ends() -> None:
    body = {
        "error": "Insufficient credits",
        "code": "insufficient_credits",
        "creditsNeeded": 50,
        "remainingCredits": 30,
    }
    assert response_to(denied("insufficient_credits")) == (402, body)
    assert response_to(denied("a reason of tomorrow")) == (402, body)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"scope": "api_key"}, "200 credits per day (UTC) for this API key, 160 used, 50 needed"),
        ({"per": "generation", "used": 0}, "200 credits per generation for the account, 50 needed"),
    ],
)
def test_spend_limit_names_its_figures(limit: dict[str, Any], words: str) -> None:
    charge = denied("spend_limit", **limit)
    status, body = response_to(charge)
    assert (status, body["error"]) == (402, f"Spend limit reached: {words}")
    assert body["code"] == "spend_limit"
    assert body["limit"] == charge.limit
    assert describe_denial(charge) == body["error"]


def test_closed_account_and_ended_generation() -> None:
    assert response_to(denied("account_closed")) == (
        403,
        {"error": "The account is closed", "code": "account_closed"},
    )
    status, body = response_to(denied("generation_ended"))
    assert (status, body["id"], body["code"]) == (409, "g-1", "generation_ended")


def row(*, failed: bool) -> GenerationRow:
    of, found = GenerationEvents("acme", "g-1"), None
    for sequence, event in enumerate([of.requested(), *([of.failed()] if failed else [])], 1):
        envelope = Envelope(
            id=f"e{sequence}",
            source="test",
            type=event.type,
            time=datetime(2026, 11, 23, tzinfo=UTC),
            subject=of_event(event),
            correlation="c",
            causation="c",
        )
        found = apply_event(found, RecordedEvent(event, envelope, sequence))
    assert found is not None
    return found


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("reason", ["insufficient_credits", "spend_limit", "account_closed"])
def test_status_is_the_same_before_and_after_the_failure_is_recorded(reason: str, failed: bool) -> None:
    limit = {"scope": "account"} if reason == "spend_limit" else {}
    charge = denied(reason, **limit)
    state = GenerationState(row(failed=failed), charge)
    assert (state.status, state.error_code, state.error) == ("failed", reason, describe_denial(charge))
    assert state.credits_used == 0


def test_failure_before_payment_keeps_its_own_reason() -> None:
    state = GenerationState(row(failed=True), denied("generation_ended"))
    assert state.error == row(failed=True).error
    assert state.error_code == row(failed=True).error_code
    assert GenerationState(row(failed=False), None).error is None
