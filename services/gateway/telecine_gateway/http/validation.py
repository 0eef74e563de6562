"""Validation of request bodies: checks with messages of our own, and all invalid fields in one error. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from telecine_contracts.characters import unfit
from telecine_contracts.timestamps import InvalidTimestamp, parse_timestamp

from .errors import InvalidField, InvalidRequest
from .schemas import RequestBody

__all__ = [
    "check_choice",
    "check_name",
    "check_text",
    "check_timestamp",
    "check_whole_number",
    "invalid_value",
    "validate_body",
    "whole_number",
]

Body = TypeVar("Body", bound=RequestBody)
Check = Callable[[object], object]
"""Takes a field's value as it came, None if it is absent; for a BeforeValidator."""
MAX_UNKNOWN_SHOWN = 20
_MAX_NAME_SHOWN = 64


def validate_body(
    model: type[Body], body: Mapping[str, Any], *, context: object = None, first: str = ""
) -> Body:
    """`body` as a `model`; a null counts as absent. Raises InvalidRequest, which names every invalid field.

    `context` is for the model's validators. `first` is an error of the body as a whole, which the message begins with.
    """
    known = [field.alias or name for name, field in model.model_fields.items()]
    present = {name: value for name, value in body.items() if value is not None or name not in known}
    try:
        valid = model.model_validate(present, context=context)
    except ValidationError as error:
        fields = list(_invalid_fields(error, model.unknown_field_message()))
        raise InvalidRequest.from_fields(fields, first=first) from None
    if first:
        raise InvalidRequest(first)
    return valid


def _invalid_fields(error: ValidationError, unknown_field: str) -> Iterator[InvalidField]:
    unknown = 0
    problems = error.errors(include_url=False, include_input=False)
    for problem in sorted(problems, key=lambda problem: problem["type"] != "extra_forbidden"):
        name = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            unknown += 1
            if unknown <= MAX_UNKNOWN_SHOWN:
                yield InvalidField(name[:_MAX_NAME_SHOWN], unknown_field)
        elif problem["type"] == "missing":
            yield InvalidField(name, "is required")
        else:
            for message in problem.get("ctx", {}).get("messages", [problem["msg"]]):
                yield InvalidField(name, message)


def invalid_value(*messages: str) -> PydanticCustomError:
    """The error of a field; each message follows the field's name."""
    context = {"message": "; ".join(messages), "messages": messages}
    return PydanticCustomError("invalid_value", "{message}", context)


def check_text(longest: int) -> Check:
    """A text of at most `longest` characters that is safe to store and to show."""
    return lambda value: _checked(value, longest, lambda text: [])


def check_name(longest: int, pattern_message: Callable[[str], str | None] = lambda text: None) -> Check:
    """A text that has to be the same again later; `pattern_message` says what else is wrong with it."""

    def problems(text: str) -> list[str]:
        found = []
        if not text or text != text.strip():
            found.append("must not be empty, and not begin or end with a blank")
        if text and (message := pattern_message(text)):
            found.append(message)
        return found

    return lambda value: _checked(value, longest, problems)


def _checked(value: object, longest: int, more: Callable[[str], list[str]]) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid_value("must be a string")
    problems = []
    if len(value) > longest:
        problems.append(f"must not be longer than {longest} characters, but has {len(value)}")
    if (characters := unfit(value)) is not None:
        problems.append(f"must not contain {characters}")
    if problems := problems + more(value):
        raise invalid_value(*problems)
    return value


def check_whole_number(least: int, most: int) -> Check:
    """A whole number of JSON: 5.0 as well as 5, but no fraction, text or boolean."""

    def check(value: object) -> object:
        if value is None:
            return None
        number = whole_number(value)
        if number is None or not least <= number <= most:
            raise invalid_value(f"must be a whole number from {least} to {most}")
        return number

    return check


def check_choice(offered: tuple[str, ...]) -> Check:
    """One of the offered texts."""

    def check(value: object) -> object:
        if value is None or (isinstance(value, str) and value in offered):
            return value
        raise invalid_value(f"must be one of {', '.join(offered)}")

    return check


def check_timestamp(value: object) -> object:
    """A time with its zone."""
    if value is None:
        return None
    try:
        return parse_timestamp(value if isinstance(value, str) else "")
    except InvalidTimestamp as error:
        raise invalid_value(str(error)) from None


def whole_number(value: object) -> int | None:
    """5 and 5.0, but neither 5.5 nor true nor "5"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value)
