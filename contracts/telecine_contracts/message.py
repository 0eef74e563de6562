"""Base class of events: an immutable pydantic model with its type name, its stream and its subject tokens."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

MAX_CREDITS = 2**53 - 1
"""Largest amount or balance, in credits: the largest integer that every JSON reader keeps exact."""


_NAME = {"pattern": "^[A-Za-z0-9_-]{1,64}$"}
Account = Annotated[
    str, Field(description="The account that pays; a token of the subject", json_schema_extra=_NAME)
]
Generation = Annotated[
    str,
    Field(
        description="Id of the request and everything that follows from it; a token of the subject",
        json_schema_extra=_NAME,
    ),
]


class Event(BaseModel):
    """A fact in the past tense. Readers ignore unknown fields, which newer producers may send."""

    # As in every model here, validation errors do not contain the input: it may be a prompt.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: ClassVar[str]
    """Name and version, e.g. ``credits.debited.v1``; never reused for another shape."""
    stream: ClassVar[str]
    """The JetStream stream that stores it."""
    action: ClassVar[str]
    """Last token of its subject, e.g. ``debited``; the same in every version."""
    about_account: ClassVar[bool] = False
    """Whether an event of VIDEO is about an account: `subjects.ACCOUNT` takes the place of the generation."""
    written_by: ClassVar[str]
    """The one service that may publish it."""
    informational: ClassVar[bool] = False
    """Whether no decision is based on it: readers that do not know the type may ignore it.

    Also sent in the envelope, since a reader that does not know the type does not have the class. Entries of the
    ledger are never informational: their numbers have no gaps.
    """

    @property
    def aggregate(self) -> tuple[str, ...]:
        """The subject tokens between the stream's prefix and the action: the ids of what the event is about."""
        raise TypeError(f"{type(self).__name__} does not say which aggregate it belongs to")

    @property
    def about(self) -> dict[str, str]:
        """Account and generation, where the event has them: for logs and searches, without content."""
        names = ("account", "generation")
        return {name: value for name in names if isinstance(value := getattr(self, name, None), str)}
