"""Estimates how hard a secret is to guess; pure functions."""

import itertools
import re

__all__ = ["PASSWORD_GUESSES", "SIGNING_GUESSES", "can_be_guessed"]

PASSWORD_GUESSES = 10**10
"""For passwords and keys that a server checks, which can limit the rate."""
SIGNING_GUESSES = 10**20
"""For signing keys: with one signature, keys can be tried offline."""
_GENERATED = re.compile(r"[0-9a-f]{64,}|[A-Za-z0-9_+/-]{43,}={0,2}")
"""32 random bytes or more, as hexadecimal digits or base64."""
_MOST_STEPS = 0.25
"""Largest share of characters that continue a run such as 4567 or dcba; in random text about 1/40."""
_LONGEST_JUDGED = 72
"""Characters: the maximum that zxcvbn accepts."""
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
"""Words that an attacker would try first on an installation of telecine."""


def can_be_guessed(secret: str, within: int) -> bool:
    """Whether zxcvbn estimates fewer than `within` guesses for the secret."""
    if _is_generated(secret):
        return False
    # Its word lists take 15 MB: a process whose secrets are all generated never loads them.
    from zxcvbn import zxcvbn

    judged = secret[:_LONGEST_JUDGED]
    return not judged or zxcvbn(judged, user_inputs=_OF_TELECINE)["guesses"] < within


def _is_generated(secret: str) -> bool:
    return bool(_GENERATED.fullmatch(secret)) and not _repeats(secret) and not _counts(secret)


def _repeats(text: str) -> bool:
    """Whether a text repeats a shorter one: only then does it occur inside its double without the ends."""
    return text in (text + text)[1:-1]


def _counts(text: str) -> bool:
    """Whether many characters continue the step of the two before them: 3456, fedc, aaaa."""
    codes = [ord(character) for character in text]
    steps = [after - before for before, after in itertools.pairwise(codes)]
    continued = sum(a == b and abs(a) <= 1 for a, b in itertools.pairwise(steps))
    return continued > len(text) * _MOST_STEPS
