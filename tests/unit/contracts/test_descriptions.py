"""Descriptions of events and denials: one sentence each, without prompts, URLs and keys."""

import pytest

from telecine_contracts import EVENTS, Event
from telecine_contracts.access import ApiKeyCreated
from telecine_contracts.credits import (
    CreditsDenied,
    CreditsGranted,
    DenialReason,
    LimitPeriod,
    LimitReached,
    LimitScope,
    SpendLimitsSet,
)
from telecine_contracts.descriptions import describe, describe_denial, format_size
from telecine_contracts.examples import EXAMPLES, example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationFailed, VideoReady
from telecine_contracts.storage import VideoStorageFailed


def test_every_event_has_a_description() -> None:
    for event in EVENTS:
        description = describe(example(event))
        assert description != event.type
        assert 0 < len(description) <= 150


def test_descriptions_contain_no_urls_prompts_or_keys() -> None:
    for event in EXAMPLES:
        description = describe(event)
        match event:
            case GenerationRequested():
                assert event.parameters.prompt not in (None, description)
                assert str(event.parameters.prompt) not in description
            case ApiKeyCreated():
                assert event.key_sha256 not in description
            case VideoReady():
                assert event.url not in description
            case VideoStorageFailed():
                assert str(event.stopgap_url) not in description
        assert "http" not in description


def test_events_outside_the_catalog_are_described_by_their_type() -> None:
    class Noted(Event):
        type = "generation.noted.v1"

    assert describe(Noted()) == "generation.noted.v1"


@pytest.mark.parametrize(
    ("event", "description"),
    [
        (
            example(CreditsGranted).model_copy(update={"expires_at": None, "reason": ""}),
            "granted 500 credits (paid), reference payment-2026-000117",
        ),
        (
            example(SpendLimitsSet).model_copy(update={"api_key": None, "per_day": None}),
            "set limits of the account: 100 credits per generation",
        ),
        (
            example(SpendLimitsSet).model_copy(update={"per_day": None, "per_generation": None}),
            "removed limits of API key key_5f1c9e",
        ),
        (
            example(CreditsDenied).model_copy(update={"reason": DenialReason.INSUFFICIENT_CREDITS}),
            "denied (insufficient_credits): Insufficient credits, 50 needed, 180 available",
        ),
        (
            example(VideoStorageFailed).model_copy(update={"stopgap_url": None}),
            "storage failed (bucket): The bucket did not take the video",
        ),
        (
            example(GenerationFailed).model_copy(update={"denial_reason": DenialReason.ACCOUNT_CLOSED}),
            "failed (account_closed): Video generation timeout after 5 minutes",
        ),
    ],
)
def test_absent_fields_are_left_out(event: Event, description: str) -> None:
    assert describe(event) == description


def limit(scope: LimitScope, per: LimitPeriod) -> LimitReached:
    return LimitReached(scope=scope, per=per, limit=200, used=0 if per is LimitPeriod.GENERATION else 160)


@pytest.mark.parametrize(
    ("reason", "reached", "message"),
    [
        (DenialReason.INSUFFICIENT_CREDITS, None, "Insufficient credits"),
        ("a_reason_of_a_newer_version", None, "Insufficient credits"),
        (DenialReason.ACCOUNT_CLOSED, None, "The account is closed"),
        (DenialReason.GENERATION_ENDED, None, "The generation ended before it was paid for"),
        (DenialReason.SPEND_LIMIT, None, "Spend limit reached"),
        (
            DenialReason.SPEND_LIMIT,
            limit(LimitScope.API_KEY, LimitPeriod.DAY),
            "Spend limit reached: 200 credits per day (UTC) for this API key, 160 used, 50 needed",
        ),
        (
            DenialReason.SPEND_LIMIT,
            limit(LimitScope.ACCOUNT, LimitPeriod.GENERATION),
            "Spend limit reached: 200 credits per generation for the account, 50 needed",
        ),
    ],
)
def test_a_denial_states_its_reason_and_figures(
    reason: str, reached: LimitReached | None, message: str
) -> None:
    assert describe_denial(reason, 50, reached) == message


def test_format_sizes_have_decimal_units() -> None:
    assert [format_size(count) for count in (999, 81_999, 1_250_000)] == ["999 B", "82 kB", "1.2 MB"]
