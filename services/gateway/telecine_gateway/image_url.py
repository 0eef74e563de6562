"""Whether an image URL may be handed to the provider, by its shape alone: nothing is looked up or fetched."""

from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

import idna

__all__ = ["MAX_URL", "problem"]

MAX_URL = 2048
"""Characters."""

_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PRIVATE_NAMES = frozenset(
    {"localhost", "local", "localdomain", "internal", "intranet", "private"}
    | {"corp", "home", "lan", "test", "invalid", "onion"}
)
_PRIVATE_SUFFIXES = (".home.arpa", ".in-addr.arpa", ".ip6.arpa")
# Protocol assignments and 6to4 relays: "global" by the book, but no picture is there.
_SPECIAL_V4 = ("192.0.0.", "192.88.99.")
_PUBLIC_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


def problem(url: str, allowed: Collection[str] = ()) -> str | None:
    """What is wrong with `url`, or None.

    `allowed` lists `host:port` that pass in spite of being private, for a sandbox.
    """
    if len(url) > MAX_URL:
        return f"must not be longer than {MAX_URL} characters"
    if any(character <= " " or character in "\\\x7f" for character in url) or not url.isprintable():
        return "must be a URL without spaces, backslashes or control characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in _DEFAULT_PORTS:
        return "must be an http or https URL"
    if "@" in parts.netloc:
        return "must not contain a user name or password"
    return _host_problem(parts, port or _DEFAULT_PORTS[parts.scheme], allowed)


def _host_problem(parts: SplitResult, port: int, allowed: Collection[str]) -> str | None:
    host = _ascii(parts.hostname or "")
    if host is None or not host or "%" in host:
        return "must name a valid host"
    bracketed = f"[{host}]" if ":" in host else host
    if f"{bracketed}:{port}" in allowed:
        return None
    if ":" in host:
        return None if _is_public_v6(host) else "must not point to a private or special address"
    if _is_number(host.rsplit(".", 1)[-1]):
        return None if _is_public_v4(host) else "must not point to a private or special address"
    return _name_problem(host)


def _ascii(host: str) -> str | None:
    """The host as a resolver sees it, without the final dot; None when it is no host name."""
    host = host.translate(_DOTS)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return host.lower().removesuffix(".")


def _name_problem(host: str) -> str | None:
    labels = host.split(".")
    if len(host) > 253 or not all(_is_label(label) for label in labels):
        return "must name a valid host"
    if len(labels) == 1 or labels[-1] in _PRIVATE_NAMES or host.endswith(_PRIVATE_SUFFIXES):
        return "must not point to a private host name"
    return None


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and all(c.isalnum() or c in "-_" for c in label)


def _is_number(label: str) -> bool:
    """Whether a host that ends in this label is read as an IPv4 address (WHATWG URL: decimal, octal or hex)."""
    return label.isdigit() or (label.startswith("0x") and all(c in "0123456789abcdef" for c in label[2:]))


def _is_public_v4(host: str) -> bool:
    address = _inet_aton(host)
    if address is None:
        return False
    special = address.is_multicast or address.is_reserved or str(address).startswith(_SPECIAL_V4)
    return address.is_global and not special


def _inet_aton(host: str) -> IPv4Address | None:
    """The forms that resolvers take: one to four numbers, each decimal, 0-octal or 0x-hex, the last one filling up."""
    numbers: list[int] = []
    for part in host.split("."):
        try:
            numbers.append(_number(part))
        except ValueError:
            return None
    *heads, last = numbers
    if len(heads) > 3 or any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = sum(head << (24 - 8 * place) for place, head in enumerate(heads)) + last
    return IPv4Address(value)


def _number(text: str) -> int:
    if not _is_number(text) or len(text) > 20:
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if len(text) > 1 and text.startswith("0") else 10)


def _is_public_v6(host: str) -> bool:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        return False
    special = address.is_multicast or any(address in network for network in _SPECIAL_V6)
    return address.scope_id is None and address in _PUBLIC_V6 and address.is_global and not special
