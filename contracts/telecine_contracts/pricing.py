"""Prices of generations in whole credits, and what the provider charges for them, in versioned tables.

A table consists of three lists of lines, each with conditions and a value:

    rates     credits for each clip and for each second; the first line whose conditions hold applies
    factors   multiply the credits; every line whose conditions hold applies
    costs     the provider's price of a million tokens; the first line whose conditions hold applies

`credits = ceil((per_clip + per_second × seconds) × factors)`, computed exactly. What no rate covers is not sold. A
table never changes: a change of price is a new table with another version.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Annotated, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from .message import MAX_CREDITS

__all__ = [
    "SEED_TABLE",
    "Condition",
    "Cost",
    "Factor",
    "NotSold",
    "Price",
    "PriceTable",
    "PricedInputs",
    "QuotedPrice",
    "Rate",
    "Tier",
    "price_inputs",
    "price_of_length",
    "seed_price",
]

Tier = Literal["default", "flex"]
"""Service tiers of the provider: flex is cheaper and may wait for hours."""
# On the wire a decimal number is a text: JSON's numbers are binary fractions to most readers.
_DECIMAL = WithJsonSchema({"type": "string", "format": "decimal"})
_Amount = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6), _DECIMAL]
_PER_MILLION = 1_000_000


class NotSold(LookupError):
    """No rate of the table covers the inputs. The message names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedInputs:
    """Everything that a price depends on. `model`: None in requests from before tables distinguished models.

    `shortest`: the model chooses the length, from `shortest` to `seconds`; None: `seconds` is the length.
    """

    model: str | None
    resolution: str
    seconds: int
    audio: bool = False
    input_video: bool = False
    tier: Tier = "default"
    shortest: int | None = None


class Price(BaseModel):
    """A quoted price and the inputs that it was computed from."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    credits: Annotated[int, Field(ge=1, le=MAX_CREDITS, description="Whole credits")]
    table: Annotated[str, Field(description="Version of the price table")]
    resolution: Annotated[str, Field(description="The resolution that was priced")]
    duration: Annotated[int, Field(description="The duration that was priced, in seconds")]
    model: Annotated[
        str | None, Field(description="The model that was priced; absent: the table has one price for all")
    ] = None
    audio: Annotated[bool | None, Field(description="Whether sound was priced; absent: no")] = None
    input_video: Annotated[
        bool | None, Field(description="Whether a video as input was priced; absent: no")
    ] = None
    tier: Annotated[str | None, Field(description="The service tier that was priced; absent: default")] = None
    by_seconds: Annotated[
        tuple[tuple[int, int], ...] | None,
        Field(
            description="Where the model chooses the length: each length in seconds and its credits, shortest first. "
            "`credits` is the most of them and is held; the settlement takes those of the actual length"
        ),
    ] = None


class QuotedPrice(Protocol):
    """What `price_inputs` reads: a Price, or the same fields in a reader's own form."""

    @property
    def model(self) -> str | None: ...
    @property
    def resolution(self) -> str: ...
    @property
    def duration(self) -> int: ...
    @property
    def audio(self) -> bool | None: ...
    @property
    def input_video(self) -> bool | None: ...
    @property
    def tier(self) -> str | None: ...
    @property
    def by_seconds(self) -> Sequence[tuple[int, int]] | None: ...


class Condition(BaseModel):
    """When a line of a table applies. A condition that is left out always holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    models: Annotated[tuple[str, ...] | None, Field(min_length=1, description="Names of models")] = None
    resolutions: Annotated[
        tuple[str, ...] | None, Field(min_length=1, description="Resolutions, e.g. 720p")
    ] = None
    audio: Annotated[bool | None, Field(description="With sound, or without")] = None
    input_video: Annotated[bool | None, Field(description="With a video as input, or without")] = None
    tier: Annotated[Tier | None, Field(description="The service tier")] = None
    longer_than: Annotated[int | None, Field(ge=0, le=3600, description="Clips of more seconds")] = None

    def holds(self, inputs: PricedInputs) -> bool:
        """Whether the line applies to these inputs."""
        return (
            (self.models is None or inputs.model in self.models)
            and (self.resolutions is None or inputs.resolution in self.resolutions)
            and (self.audio is None or self.audio == inputs.audio)
            and (self.input_video is None or self.input_video == inputs.input_video)
            and (self.tier is None or self.tier == inputs.tier)
            and (self.longer_than is None or inputs.seconds > self.longer_than)
        )


class Rate(Condition):
    """Credits for a clip: `per_clip`, and `per_second` for each of its seconds. One of them is more than 0."""

    per_clip: Annotated[_Amount, Field(description="Credits for each clip")] = Decimal(0)
    per_second: Annotated[_Amount, Field(description="Credits for each second")] = Decimal(0)

    @model_validator(mode="after")
    def _is_not_free(self) -> Self:
        if not self.per_clip and not self.per_second:
            raise ValueError("needs per_clip or per_second: nothing is free")
        return self


class Factor(Condition):
    """Multiplies the credits."""

    factor: Annotated[
        Decimal, Field(gt=0, le=1000, decimal_places=6), _DECIMAL, Field(description="The multiplier")
    ]


class Cost(Condition):
    """What the provider charges, in the currency of the table."""

    per_million_tokens: Annotated[_Amount, Field(description="The provider's price of a million tokens")]


_Line = TypeVar("_Line", bound=Condition)


class PriceTable(BaseModel):
    """A version of the prices."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$", description="Name of the table")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="Currency of the costs (ISO 4217)")] = (
        "CNY"
    )
    rates: Annotated[tuple[Rate, ...], Field(min_length=1, description="The first that applies")]
    factors: Annotated[tuple[Factor, ...], Field(description="All that apply")] = ()
    costs: Annotated[tuple[Cost, ...], Field(description="The first that applies")] = ()

    def quote(self, inputs: PricedInputs) -> Price:
        """The price of a clip. Raises NotSold."""
        by_seconds = self._by_seconds(inputs)
        return Price(
            credits=self.credits(inputs) if by_seconds is None else max(credits for _, credits in by_seconds),
            table=self.version,
            resolution=inputs.resolution,
            duration=inputs.seconds,
            model=inputs.model,
            audio=inputs.audio or None,
            input_video=inputs.input_video or None,
            tier=inputs.tier if inputs.tier != "default" else None,
            by_seconds=by_seconds,
        )

    def credits(self, inputs: PricedInputs) -> int:
        """Whole credits for a clip of `seconds`. Raises NotSold."""
        rate = _first(self.rates, inputs)
        if rate is None:
            raise NotSold(f"{_describe(inputs)} has no price in table {self.version}")
        # Exactly: a decimal context would round the product of long factors.
        amount = Fraction(rate.per_clip) + Fraction(rate.per_second) * inputs.seconds
        for line in self.factors:
            if line.holds(inputs):
                amount *= Fraction(line.factor)
        return min(max(ceil(amount), 1), MAX_CREDITS)

    def _by_seconds(self, inputs: PricedInputs) -> tuple[tuple[int, int], ...] | None:
        if inputs.shortest is None:
            return None
        lengths = range(inputs.shortest, inputs.seconds + 1)
        return tuple((seconds, self.credits(replace(inputs, seconds=seconds))) for seconds in lengths)

    def cost(self, inputs: PricedInputs, tokens: int) -> Decimal | None:
        """What the provider charges for `tokens`, in `currency`; None if the table does not say."""
        line = _first(self.costs, inputs)
        return line.per_million_tokens * tokens / _PER_MILLION if line is not None else None


def price_inputs(price: QuotedPrice) -> PricedInputs:
    """The inputs of a price that was quoted."""
    return PricedInputs(
        model=price.model,
        resolution=price.resolution,
        seconds=price.duration,
        audio=bool(price.audio),
        input_video=bool(price.input_video),
        tier="flex" if price.tier == "flex" else "default",
        shortest=price.by_seconds[0][0] if price.by_seconds else None,
    )


def price_of_length(by_seconds: Sequence[tuple[int, int]], seconds: float) -> tuple[int, int]:
    """The length that a clip of `seconds` counts as, in whole seconds, and its credits.

    A file is some hundredths of a second longer than asked for, and may be a little shorter: it counts as the nearest
    whole second, within the lengths that were priced.
    """
    return min(by_seconds, key=lambda each: (abs(each[0] - seconds), each[0]))


def _first(lines: Iterable[_Line], inputs: PricedInputs) -> _Line | None:
    return next((line for line in lines if line.holds(inputs)), None)


def _describe(inputs: PricedInputs) -> str:
    marks = [
        mark
        for mark, holds in (
            ("with sound", inputs.audio),
            ("with a video as input", inputs.input_video),
            ("in the flex tier", inputs.tier == "flex"),
        )
        if holds
    ]
    clip = f"{inputs.resolution} for {inputs.seconds} s"
    return " ".join([f"{clip} with {inputs.model}" if inputs.model else clip, *marks])


SEED_TABLE = PriceTable(
    version="2026-11",
    rates=tuple(
        Rate(resolutions=(resolution,), per_clip=Decimal(credits))
        for resolution, credits in (("480p", 40), ("720p", 50), ("1080p", 70))
    ),
    factors=(Factor(longer_than=10, factor=Decimal("1.5")),),
)
"""The only table before tables were published: one price for all models."""


def seed_price(resolution: str, seconds: int) -> Price:
    """A price of SEED_TABLE. Raises NotSold."""
    return SEED_TABLE.quote(PricedInputs(model=None, resolution=resolution, seconds=seconds))
