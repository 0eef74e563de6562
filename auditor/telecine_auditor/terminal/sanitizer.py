"""Makes untrusted text safe: on a terminal, in a spreadsheet, in a file that other programs parse."""

import json
from urllib.parse import quote

from telecine_contracts import characters

__all__ = ["escape_spreadsheet_cell", "one_line", "printable_json", "replace_surrogates"]


def one_line(text: str, *, besides: str = "") -> str:
    """The text with unprintable characters, percent signs and the characters in `besides` percent-encoded (UTF-8).

    The result has no character that ends a line, moves the cursor or changes the writing direction; unquoting restores
    the original.
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
    """The value as indented JSON, with unprintable characters escaped as in JSON."""
    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in line)


def escape_spreadsheet_cell(text: str) -> str:
    """The text for a CSV cell: an apostrophe precedes each part that a spreadsheet would compute."""
    return characters.spreadsheet_text(replace_surrogates(text))


def replace_surrogates(text: str) -> str:
    """The text with lone surrogates replaced, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
