"""Prices of generations in whole credits, in versioned tables: a change of price is a new table."""

from decimal import ROUND_CEILING, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .message import MAX_CREDITS


class Price(BaseModel):
    """A quoted price and the inputs that it was computed from."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    credits: Annotated[int, Field(ge=1, le=MAX_CREDITS, description="Whole credits")]
    table: Annotated[str, Field(description="Version of the price table")]
    resolution: Annotated[str, Field(description="The resolution that was priced")]
    duration: Annotated[int, Field(description="The duration that was priced, in seconds")]


class PriceTable(BaseModel):
    """`credits = ceil(base × resolution × duration)`; clips longer than `long_after` seconds cost `long_factor`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    version: str
    base: int
    resolutions: dict[str, Decimal]
    long_after: int
    long_factor: Decimal

    def quote(self, resolution: str, duration: int) -> Price:
        """The price of a clip of `duration` seconds.

        Raises KeyError for an unknown resolution.
        """
        factor = self.long_factor if duration > self.long_after else Decimal(1)
        amount = (self.base * self.resolutions[resolution] * factor).to_integral_value(ROUND_CEILING)
        return Price(credits=int(amount), table=self.version, resolution=resolution, duration=duration)


PRICE_TABLE = PriceTable(
    version="2026-11",
    base=50,
    resolutions={"480p": Decimal("0.8"), "720p": Decimal("1.0"), "1080p": Decimal("1.4")},
    long_after=10,
    long_factor=Decimal("1.5"),
)
"""The current prices."""
