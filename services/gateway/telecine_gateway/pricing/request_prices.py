"""The price of a request: that of the quote that it carries, or of the table in force."""

from collections.abc import Callable
from datetime import datetime

from telecine_contracts.pricing import NotSold, Price
from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.videos.request.schemas import GenerateBody

from .current_prices import CurrentPrices
from .quotes import InvalidQuote, Quotes, inputs_digest

__all__ = ["QuoteRefused", "RequestPrices"]

NOT_A_QUOTE = "is not a quote for this account; POST /api/quotes gives one"
EXPIRED = "The quote has expired; POST /api/quotes gives a new one"
MISMATCH = "The quote is for other inputs than this request has; POST /api/quotes gives one for these"


class QuoteRefused(ApiError):
    """422: the quote has expired, or is for other inputs."""


class RequestPrices:
    """Prices of requests, with and without a quote."""

    def __init__(self, prices: CurrentPrices, quotes: Quotes, clock: Callable[[], datetime]) -> None:
        self._prices = prices
        self._quotes = quotes
        self._clock = clock

    async def price(self, account: str, request: GenerateBody) -> Price:
        """What the request is charged. Raises QuoteRefused, or ApiError 400 or 503."""
        if request.quote is not None:
            return self._quoted(account, request, request.quote)
        try:
            return await self._prices.quote(request.parameters)
        except NotSold as error:
            raise ApiError.invalid_field("resolution", f"is not sold: {error}") from None

    async def offer(self, account: str, request: GenerateBody) -> tuple[Price, str, datetime]:
        """A price, its token, and when the token expires. Raises ApiError 400 or 503."""
        price = await self.price(account, request)
        token, expires_at = self._quotes.sign(account, price, request.kind, request.parameters, self._clock())
        return price, token, expires_at

    def _quoted(self, account: str, request: GenerateBody, token: str) -> Price:
        try:
            quote = self._quotes.read(account, token)
        except InvalidQuote:
            raise ApiError.invalid_field("quote", NOT_A_QUOTE) from None
        if quote.inputs != inputs_digest(request.kind, request.parameters):
            raise QuoteRefused(422, ErrorCode.QUOTE_MISMATCH, MISMATCH)
        if self._clock() >= quote.expires_at:
            raise QuoteRefused(422, ErrorCode.QUOTE_EXPIRED, EXPIRED)
        return quote.price
