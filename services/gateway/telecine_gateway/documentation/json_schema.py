"""Patterns of texts for the JSON Schemas of the API: as exact as JSON Schema can be about what is accepted. Pure.

What it can't express is left to validation: that a cursor was given out, that a host is public, that a time lies in
the future, that no text command is in a prompt.
"""

__all__ = ["BLANK", "LINES", "NAME", "NOT_BLANK", "ONE_LINE", "REQUIRED", "SCHEMA", "URL"]

REQUIRED = "x-required"
"""In the schema of a parameter that the route itself requires, with an error of its own."""
SCHEMA = "x-schema"
"""In the schema of a parameter that validation reads as a text: the schema that the document shows instead."""

_BLANKS = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_OVERRIDES = "\u202a-\u202e"
ONE_LINE = f"^[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""A text without control characters and overrides of direction."""
LINES = f"^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""The same with tabs and line ends."""
_INNER = f"[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
_EDGE = f"[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
NAME = f"^{_EDGE}({_INNER}*{_EDGE})?$"
"""A text of one line that neither is empty nor begins or ends with a blank."""
URL = f"^[{_BLANKS}\\t\\r\\n]*$|^[Hh][Tt][Tt][Pp][Ss]?://[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f\\\\]+$"
"""An absolute http(s) URL, or nothing but blanks."""
NOT_BLANK = {"type": "string", "pattern": f"[^{_BLANKS}\\t\\r\\n]"}
BLANK = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": f"^[{_BLANKS}\\t\\r\\n]*$"}]}
