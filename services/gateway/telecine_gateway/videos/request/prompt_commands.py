"""Detects text commands in prompts: the provider obeys `--resolution 1080p`, which would bypass the price. Pure.

Source: Ark's text commands, still honoured by its 2.0 models in July 2026. How tolerant its parser is of other
characters is not known, so every spelling that some parser might accept counts as a command: any letter case,
compatibility forms, other hyphens, and invisible characters or unusual blanks inside of it.
"""

import re
import unicodedata
from dataclasses import dataclass

from telecine_contracts.characters import HYPHENS, INVISIBLE

__all__ = ["PromptCommand", "find_prompt_command"]

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
_UNUSUAL_BLANK = re.compile(r"[^\S \t\r\n]")
"""No-break space and similar characters: some parsers skip them, some end a word there."""
_ZERO_WIDTH = "\u200b"
_DOTLESS_I = str.maketrans("ı", "i")
# The dot is what lower case leaves of a capital I with a dot.
_GAP = rf"[{INVISIBLE}\u0307]*"
_NAMES = "|".join(_GAP.join(name) for name in sorted(_FIELDS, key=len, reverse=True))
# With any text before it: it is not known where the provider's parser lets a command begin.
_COMMAND = re.compile(rf"[{HYPHENS}]{_GAP}[{HYPHENS}]{_GAP}({_NAMES})(?![a-z_-])")


@dataclass(frozen=True, slots=True)
class PromptCommand:
    """A text command that was found, and what to do instead."""

    text: str
    remedy: str


def find_prompt_command(prompt: str) -> PromptCommand | None:
    """The first text command in `prompt`, in its plain spelling."""
    # The same fold for finding and for looking up: with re.IGNORECASE alone, "ratıo" is found and is no name.
    compatible = unicodedata.normalize("NFKC", _UNUSUAL_BLANK.sub(_ZERO_WIDTH, prompt))
    found = _COMMAND.search(compatible.casefold().translate(_DOTLESS_I))
    if found is None:
        return None
    name = re.sub("[^a-z]", "", found[1])
    field = _FIELDS[name]
    remedy = f"use the field {field} instead" if field else "the frame rate can't be chosen"
    return PromptCommand(f"--{name}", remedy)
