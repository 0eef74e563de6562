"""How hard a secret is to guess. Pure."""

import itertools
import re

__all__ = ["PASSWORD_GUESSES", "SIGNING_GUESSES", "can_be_guessed"]

PASSWORD_GUESSES = 10**10
"""For passwords and keys that a server checks and can slow down."""
SIGNING_GUESSES = 10**20
"""For keys that sign: with one signature at hand, keys can be tried without asking a server."""
_GENERATED = re.compile(r"[0-9a-f]{64,}|[A-Za-z0-9_+/-]{43,}={0,2}")
"""32 random bytes or more, as hexadecimal digits or base64."""
_MOST_STEPS = 0.25
"""Share of characters that continue a run such as 4567 or dcba; in random text it is about a fortieth."""
_LONGEST_JUDGED = 72
"""Characters: what zxcvbn takes at most."""
_OF_TELECINE = [
    "telecine",
    "gateway",
    "credits",
    "generation",
    "storage",
    "content",
    "callback",
    "production",
]
"""Words that come to mind first where telecine is installed."""


def can_be_guessed(secret: str, within: int) -> bool:
    """Whether a good guesser finds the secret within so many guesses."""
    if _is_generated(secret):
        return False
    # Its word lists take 15 MB: a process whose secrets are all generated never loads them.
    from zxcvbn import zxcvbn

    judged = secret[:_LONGEST_JUDGED]
    return not judged or zxcvbn(judged, user_inputs=_OF_TELECINE)["guesses"] < within


def _is_generated(secret: str) -> bool:
    return bool(_GENERATED.fullmatch(secret)) and not _repeats(secret) and not _counts(secret)


def _repeats(text: str) -> bool:
    """Whether a text is a shorter one several times over: it then stands in its double without its ends."""
    return text in (text + text)[1:-1]


def _counts(text: str) -> bool:
    """Whether many characters go on as the two before them did: 3456, fedc, aaaa."""
    codes = [ord(character) for character in text]
    steps = [after - before for before, after in itertools.pairwise(codes)]
    continued = sum(a == b and abs(a) <= 1 for a, b in itertools.pairwise(steps))
    return continued > len(text) * _MOST_STEPS
