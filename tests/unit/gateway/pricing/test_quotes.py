"""A quote's token says what was quoted, to the account that it was given to, until it expires."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts.gateway import Kind, VideoParameters
from telecine_contracts.pricing import seed_price
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_gateway.http.errors import ApiError
from telecine_gateway.pricing.current_prices import CurrentPrices
from telecine_gateway.pricing.quotes import InvalidQuote, Quotes, inputs_digest
from telecine_gateway.pricing.request_prices import QuoteRefused, RequestPrices
from telecine_gateway.read_model.queries import Queries
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import RequestRules

NOW = datetime(2026, 12, 1, 12, 0, 0, 500_000, tzinfo=UTC)
QUOTES = Quotes("a secret of the tests", ttl=60)
PRICE = seed_price("720p", 5)
RULES = RequestRules((DEFAULT_MODEL,), DEFAULT_MODEL)
REQUEST = GenerateBody.parse({"prompt": "a cat"}, RULES)


def token(account: str = "ann") -> str:
    return QUOTES.sign(account, PRICE, REQUEST.kind, REQUEST.parameters, NOW)[0]


def test_a_quote_says_what_was_quoted() -> None:
    quote = QUOTES.read("ann", token())
    assert (quote.price, quote.expires_at) == (PRICE, NOW.replace(microsecond=0) + timedelta(seconds=60))
    assert quote.inputs == inputs_digest(REQUEST.kind, REQUEST.parameters)
    assert quote.inputs != inputs_digest(Kind.IMAGE_TO_VIDEO, REQUEST.parameters)


@given(st.integers(0, 2000), st.sampled_from("ABab01-_=%\n"))
def test_no_changed_token_is_read(at: int, letter: str) -> None:
    right = token()
    changed = right[: at % len(right)] + letter + right[at % len(right) + 1 :]
    if changed != right:
        with pytest.raises(InvalidQuote):
            QUOTES.read("ann", changed)


@pytest.mark.parametrize("text", ["", "AAAA", "é", "A" * 43, "A" * 500])
def test_other_texts_are_no_quotes(text: str) -> None:
    with pytest.raises(InvalidQuote):
        QUOTES.read("ann", text)


def test_a_quote_belongs_to_its_account_and_secret() -> None:
    with pytest.raises(InvalidQuote):
        QUOTES.read("bob", token())
    with pytest.raises(InvalidQuote):
        Quotes("another secret", ttl=60).read("ann", token())


@pytest.mark.parametrize(("seconds", "is_refused"), [(0, False), (59, False), (60, True), (3600, True)])
async def test_a_quote_expires(seconds: int, is_refused: bool) -> None:
    def clock() -> datetime:
        return NOW + timedelta(seconds=seconds)

    def no_engine() -> None:
        raise AssertionError("a quoted request needs no table")

    prices = RequestPrices(CurrentPrices(Queries(no_engine), clock), QUOTES, clock)  # type: ignore[arg-type]
    request = REQUEST.model_copy(update={"quote": token()})
    if is_refused:
        with pytest.raises(QuoteRefused) as refused:
            await prices.price("ann", request)
        assert isinstance(refused.value, ApiError)
        assert (refused.value.status, refused.value.body.code) == (422, "quote_expired")
    else:
        assert await prices.price("ann", request) == PRICE


def test_every_input_is_in_the_digest() -> None:
    known = REQUEST.parameters
    for field, value in {
        "model": "other",
        "prompt": "a dog",
        "image_url": "https://images.example/a.png",
        "last_frame_url": "https://images.example/b.png",
        "resolution": "480p",
        "ratio": "1:1",
        "duration": 6,
        "seed": 1,
        "watermark": True,
        "camera_fixed": True,
    }.items():
        changed: VideoParameters = known.model_copy(update={field: value})
        assert inputs_digest(REQUEST.kind, changed) != inputs_digest(REQUEST.kind, known), field
