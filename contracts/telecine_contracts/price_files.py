"""Price files: a price table as TOML, as operators write it (docs/pricing.md)."""

import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from .pricing import Condition, PriceTable
from .video_models import MODELS

__all__ = ["InvalidPriceFile", "built_in_table", "format_price_file", "parse_price_file"]

_LISTS = ("rates", "factors", "costs")


class InvalidPriceFile(ValueError):
    """A file that is not a price table. `problems`: each names the field and what it must be."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse_price_file(text: str) -> PriceTable:
    """The table in the text of a file. Raises InvalidPriceFile with everything that is wrong."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPriceFile([f"is not TOML: {error}"]) from None
    try:
        table = PriceTable.model_validate(content)
    except ValidationError as error:
        raise InvalidPriceFile([_problem(each) for each in error.errors(include_input=False)]) from None
    problems = [problem for name in _LISTS for problem in _unknown_names(name, getattr(table, name))]
    if problems:
        raise InvalidPriceFile(problems)
    return table


def format_price_file(table: PriceTable) -> str:
    """The text of a file with this table."""
    blocks = [[f'version = "{table.version}"', f'currency = "{table.currency}"']]
    for name in _LISTS:
        for line in getattr(table, name):
            blocks.append(
                [f"[[{name}]]", *(f"{field} = {_toml(value)}" for field, value in line if value is not None)]
            )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


@cache
def built_in_table() -> PriceTable:
    """The table that comes with telecine: `prices.toml` in this package."""
    return parse_price_file(files(__package__).joinpath("prices.toml").read_text(encoding="utf-8"))


def _toml(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    # JSON's strings, numbers, booleans and lists of strings are TOML's too.
    return json.dumps(value, ensure_ascii=False)


def _problem(error: Any) -> str:
    """``rates[3].factor: Field required``."""
    where = ""
    for part in error["loc"]:
        where += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if where else str(part)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "is not a field of a price table"
    return f"{where}: {message}" if where else message


def _unknown_names(name: str, lines: tuple[Condition, ...]) -> Iterator[str]:
    """A misspelt name would never apply, and the model would not be sold, or at another price."""
    resolutions = {each for model in MODELS.values() for each in model.resolutions}
    for number, line in enumerate(lines, 1):
        for model in line.models or ():
            if model not in MODELS:
                yield f"{name}[{number}].models: there is no model {model!r}"
        for resolution in line.resolutions or ():
            if resolution not in resolutions:
                yield f"{name}[{number}].resolutions: no model has the resolution {resolution!r}"
