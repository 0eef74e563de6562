"""Plain English: words that this repository does not use, each with what to write instead."""

import re

from tests.tidy.test_code import ROOT, tracked

# Word or phrase (a regular expression): what to write.
BANNED = {
    r"whoever": "name the actor: the caller, the supervisor, the operator, any client",
    r"nobody|no one": "no client, no service, none; or say what is missing",
    r"somebody|someone": "name the actor: an operator, another service, a client",
    r"anybody|anyone": "any client, any reader",
    r"everybody|everyone": "every client, all users",
    r"for ever": "without limit, indefinitely, permanently",
    r"to be had": "available",
    r"mend(s|ed|ing)?": "fix, repair, recover",
    r"as things stand": "currently",
    r"what (has |had )?bec[ao]mes? of": "the outcome of, the state of",
    r"stand(s|ing)? in for": "replace, is used instead of",
    r"heed(s|ed|ing)?": "check, respect",
    r"outlast(s|ed|ing)?": "retry while it is unavailable",
    r"good for anything": "healthy",
    r"deaf(ens?)?": "disconnected, not consuming; fatal",
    r"is no (time|date|day|number|account|key|id|amount)": "invalid time 'x', expected e.g. 2026-11-30T12:00:00Z",
    r"strangers?": "independent of, does not import",
}
# Bytes that never change, data of others, and this list.
EXEMPT = re.compile(
    r"tests/contract/.*golden|LICENSE|tests/tidy/test_language\.py|schemas/released|package-lock\.json|requirements"
)
TEXT = {".py", ".md", ".toml", ".in", ".yml", ".yaml", ".json", ".js", ".html", ".css", ".conf", ".cfg", ""}


def banned_lines() -> dict[str, list[str]]:
    """Lines with a banned word, by area: the first folder of the path."""
    pattern = re.compile(rf"(?<![a-z])({'|'.join(BANNED)})(?![a-z])", re.IGNORECASE)
    found: dict[str, list[str]] = {}
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in TEXT or EXEMPT.search(name) or path.is_symlink():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if match := pattern.search(line):
                instead = next(text for word, text in BANNED.items() if re.fullmatch(word, match[0], re.I))
                found.setdefault(name.split("/")[0], []).append(f"{name}:{number}: {match[0]} -> {instead}")
    return found


def test_no_banned_word_is_used() -> None:
    assert banned_lines() == {}, "write the replacement that stands behind the arrow"
