"""Texts as every database can keep them. Pure."""

__all__ = ["storable"]


def storable(text: str) -> str:
    """`text` without the one character that Postgres refuses in a text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
