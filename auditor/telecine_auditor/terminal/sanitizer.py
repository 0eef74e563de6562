"""Texts that users wrote, made safe to show: on a screen, in a spreadsheet, in a file that others parse."""

import json
from urllib.parse import quote

from telecine_contracts import characters

__all__ = ["escape_spreadsheet_cell", "one_line", "printable_json", "replace_surrogates"]


def one_line(text: str, *, besides: str = "") -> str:
    """The text with all that is no printable character, percent signs and `besides` percent-encoded (UTF-8).

    What ends a line, moves a cursor or turns the writing direction can't be in the result; unquoting gives it back.
    """
    if text.isprintable() and "%" not in text and not any(mark in text for mark in besides):
        return text
    return "".join(
        character
        if character.isprintable() and character != "%" and character not in besides
        else quote(character, safe="", errors="surrogatepass")
        if ord(character) > 127
        else f"%{ord(character):02X}"
        for character in text
    )


def printable_json(value: object) -> str:
    """The value as JSON for people to read: all that is no printable character is escaped as JSON does it."""
    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in line)


def escape_spreadsheet_cell(text: str) -> str:
    """The text for a CSV cell: an apostrophe is put before whatever of it a spreadsheet would compute."""
    return characters.spreadsheet_text(replace_surrogates(text))


def replace_surrogates(text: str) -> str:
    """The text with what UTF-8 can't hold (halves of a surrogate pair) replaced."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
