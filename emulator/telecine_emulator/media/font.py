"""A bitmap font of five by seven points, drawn for the emulator: seven rows a glyph, five bits a row."""

import hashlib
from types import MappingProxyType

WIDTH = 5
HEIGHT = 7

Glyph = tuple[int, ...]


def _glyphs() -> dict[str, Glyph]:
    drawn = {
        "A": "0e 11 11 1f 11 11 11",
        "B": "1e 11 11 1e 11 11 1e",
        "C": "0f 10 10 10 10 10 0f",
        "D": "1e 11 11 11 11 11 1e",
        "E": "1f 10 10 1e 10 10 1f",
        "F": "1f 10 10 1e 10 10 10",
        "G": "0f 10 10 13 11 11 0f",
        "H": "11 11 11 1f 11 11 11",
        "I": "0e 04 04 04 04 04 0e",
        "J": "07 02 02 02 02 12 0c",
        "K": "11 12 14 18 14 12 11",
        "L": "10 10 10 10 10 10 1f",
        "M": "11 1b 15 15 11 11 11",
        "N": "11 19 19 15 13 13 11",
        "O": "0e 11 11 11 11 11 0e",
        "P": "1e 11 11 1e 10 10 10",
        "Q": "0e 11 11 11 15 12 0d",
        "R": "1e 11 11 1e 14 12 11",
        "S": "0f 10 10 0e 01 01 1e",
        "T": "1f 04 04 04 04 04 04",
        "U": "11 11 11 11 11 11 0e",
        "V": "11 11 11 0a 0a 0a 04",
        "W": "11 11 11 15 15 1b 11",
        "X": "11 11 0a 04 0a 11 11",
        "Y": "11 11 0a 04 04 04 04",
        "Z": "1f 01 02 04 08 10 1f",
        "0": "0e 13 13 15 19 19 0e",
        "1": "04 0c 04 04 04 04 0e",
        "2": "1e 01 01 0e 10 10 1f",
        "3": "1e 01 01 0e 01 01 1e",
        "4": "12 12 12 1f 02 02 02",
        "5": "1f 10 10 1e 01 01 1e",
        "6": "0e 10 10 1e 11 11 0e",
        "7": "1f 01 02 02 04 04 04",
        "8": "0e 11 11 0e 11 11 0e",
        "9": "0e 11 11 0f 01 01 0e",
        ".": "00 00 00 00 00 0c 0c",
        ",": "00 00 00 00 0c 04 08",
        ":": "00 0c 0c 00 0c 0c 00",
        "!": "04 04 04 04 04 00 04",
        "?": "0e 11 01 06 04 00 04",
        "'": "04 04 00 00 00 00 00",
        "-": "00 00 00 1f 00 00 00",
        "/": "01 01 02 04 08 10 10",
        " ": "00 00 00 00 00 00 00",
    }
    return {letter: tuple(int(row, 16) for row in rows.split()) for letter, rows in drawn.items()}


GLYPHS = MappingProxyType(_glyphs())


def glyph(letter: str) -> Glyph:
    """The seven rows of a character; one that isn't drawn gets a pattern of its own, inside a frame."""
    known = GLYPHS.get(letter.upper())
    if known is not None:
        return known
    points = hashlib.sha256(letter.encode("utf-8", "replace")).digest()
    return (0x1F, *(0x11 | points[row] & 0x0E for row in range(HEIGHT - 2)), 0x1F)


def text_row(text: str, row: int, scale: int) -> list[tuple[int, bool]]:
    """One row of points of a line of text, as runs of (pixels, lit)."""
    bits = "".join(f"{glyph(letter)[row]:05b}0" for letter in text)
    return [(scale, bit == "1") for bit in bits]
