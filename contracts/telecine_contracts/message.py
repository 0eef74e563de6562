"""What every event is: an immutable pydantic model that knows its type name, its stream and its place in a subject."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

MAX_CREDITS = 2**53 - 1
"""Largest amount or balance, in credits: the largest integer that every JSON reader keeps exact."""


_NAME = {"pattern": "^[A-Za-z0-9_-]{1,64}$"}
Account = Annotated[str, Field(description="Who pays; a token of the subject", json_schema_extra=_NAME)]
Generation = Annotated[
    str,
    Field(
        description="One request and all that follows from it; a token of the subject",
        json_schema_extra=_NAME,
    ),
]


class Event(BaseModel):
    """A fact in the past tense. Readers ignore fields they do not know: a newer producer is normal.

    What is wrong with a field is told without its value, as by every model here: a value may be a prompt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: ClassVar[str]
    """Name and version, e.g. ``credits.debited.v1``; never reused for another shape."""
    stream: ClassVar[str]
    """The JetStream stream that keeps it."""
    action: ClassVar[str]
    """Last token of its subject, e.g. ``debited``; the same in every version."""
    written_by: ClassVar[str]
    """The one service that may publish it."""
    informational: ClassVar[bool] = False
    """Whether nothing is decided on it: a reader that does not know it may decide as if it were not there.

    Travels in the envelope, since a reader that does not know the type does not have the class. Entries of the ledger
    are never informational: their numbers have no gaps.
    """

    @property
    def aggregate(self) -> tuple[str, ...]:
        """The subject tokens between the stream's prefix and the action: who this event is about."""
        raise TypeError(f"{type(self).__name__} does not say which aggregate it belongs to")

    @property
    def about(self) -> dict[str, str]:
        """The ids by which a log line or a person finds what this event belongs to; no content."""
        names = ("account", "generation")
        return {name: value for name in names if isinstance(value := getattr(self, name, None), str)}
