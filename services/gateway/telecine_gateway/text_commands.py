"""Text commands: the provider still obeys `--resolution 1080p` inside a prompt, which would get round the price.

Source: Ark's text commands, still honoured by its 2.0 models in July 2026.
"""

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["TextCommand", "command_in"]

_FIELDS = {
    "resolution": "resolution",
    "rs": "resolution",
    "ratio": "ratio",
    "rt": "ratio",
    "duration": "duration",
    "dur": "duration",
    "frames": "duration",
    "framespersecond": None,
    "fps": None,
    "seed": "seed",
    "camerafixed": "cameraFixed",
    "cf": "cameraFixed",
    "watermark": "watermark",
    "wm": "watermark",
}
# Whatever stands before it: nobody outside knows where the provider's parser sees a command begin.
_COMMAND = re.compile(rf"--({'|'.join(sorted(_FIELDS, key=len, reverse=True))})(?![a-z_-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextCommand:
    """A text command that was found, and what to do instead."""

    text: str
    remedy: str


def command_in(prompt: str) -> TextCommand | None:
    """The first text command in `prompt`; compatibility forms such as full-width hyphens count as plain ones."""
    found = _COMMAND.search(unicodedata.normalize("NFKC", prompt))
    if found is None:
        return None
    name = _FIELDS[found[1].lower()]
    remedy = f"use the field {name} instead" if name else "the frame rate can't be chosen"
    return TextCommand(found[0], remedy)
