"""Unsafe characters: invisible ones, ones that reorder text, and ones that start a spreadsheet formula. Pure."""

import re

__all__ = ["HYPHENS", "INVISIBLE", "spreadsheet_text", "unfit"]

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""For a regular expression's character class: invisible characters. Unicode's Default_Ignorable_Code_Point
(DerivedCoreProperties.txt), which has zero-width characters, soft hyphen and directional marks, and the annotations
U+FFF9 to U+FFFB."""
HYPHENS = "\\-\u2010-\u2013\u2212\ufe63\uff0d"
"""For a character class: hyphens, figure and en dash, minus. Not the em dash: two are punctuation in Chinese."""
_FORMULA = re.compile(
    r"(?:^|(?<=[;|\t\r\n]))(?=[^\S\t\r\n]*[=+\-@'\uff1d\uff0b\uff0d\uff20])|^(?=[^\S\t\r\n]*[\t\r\n])"
)
_UNFIT = {
    "control characters": re.compile("[\0-\x1f\x7f-\x9f]"),
    "half of a surrogate pair": re.compile("[\ud800-\udfff]"),
    "characters that override the direction of the text (U+202A to U+202E)": re.compile("[\u202a-\u202e]"),
}


def unfit(text: str, *, lines: bool = False) -> str | None:
    """Description of the first kind of character in `text` that is unsafe in databases, logs or pages; None if none is.

    `lines`: tabs and line ends are allowed. Isolates (U+2066 to U+2069) and marks are allowed: texts in Arabic and
    Hebrew need them, while Unicode discourages the overrides (UAX #9, section 2.7).
    """
    seen = re.sub("[\t\r\n]", " ", text) if lines else text
    return next((words for words, pattern in _UNFIT.items() if pattern.search(seen)), None)


def spreadsheet_text(text: str) -> str:
    """`text` for a CSV cell, with an apostrophe before each part that a spreadsheet would evaluate as a formula.

    A part begins at the start of the text and after a semicolon, a bar, a tab or a line end: a spreadsheet that splits
    lines at these, as many locales do, ignores the quotation marks around a cell. An apostrophe at the beginning of a
    part is escaped as well, so that removing one from each part restores the text.
    """
    return _FORMULA.sub("'", text)
