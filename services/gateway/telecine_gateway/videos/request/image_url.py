"""Validation and normalisation of image URLs, by their syntax alone: no name is resolved. Pure.

The provider gets the normalised URL (RFC 3986, section 6.2), so that it contacts the host that was checked: another
parser might read `HTTPS://`, `010.8.8.8` or `例。example` differently, or refuse it long after it was paid for.
"""

from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

from telecine_chassis.network import is_public

__all__ = ["MAX_URL", "InvalidImageUrl", "normalize_image_url"]

MAX_URL = 2048
"""Characters."""

_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PRIVATE_NAMES = frozenset(
    {"localhost", "local", "localdomain", "internal", "intranet", "private"}
    | {"corp", "home", "lan", "test", "invalid", "onion"}
)
_PRIVATE_DOMAINS = (("home", "arpa"), ("in-addr", "arpa"), ("ip6", "arpa"))
_BEHIND_HOST = ("path", "query", "fragment")


class InvalidImageUrl(ValueError):
    """A URL that is refused; the message is for the user and follows the field's name."""


def normalize_image_url(url: str, allowed: Collection[str] = ()) -> str:
    """`url` in its normal form. Raises InvalidImageUrl.

    Scheme and host in lower case, the host in ASCII without a final dot, an IPv4 address in its four decimals, no port
    if it is the scheme's default, and path and query in ASCII; ASCII characters there are unchanged, since signatures
    cover them. `allowed` lists private hosts (`host:port`) that are accepted, for a sandbox.
    """
    if len(url) > MAX_URL:
        raise InvalidImageUrl(f"must not be longer than {MAX_URL} characters")
    if any(character <= " " or character in "\\\x7f" for character in url) or not url.isprintable():
        raise InvalidImageUrl("must be a URL without spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidImageUrl("is not a valid URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidImageUrl("must be an http or https URL")
    if "@" in parts.netloc:
        raise InvalidImageUrl("must not contain a user name or password")
    default = _DEFAULT_PORTS[parts.scheme]
    host = _public_host(parts, default if port is None else port, allowed)
    netloc = host if port in (None, default) else f"{host}:{port}"
    normal = parts._replace(netloc=netloc, **{name: _quoted(getattr(parts, name)) for name in _BEHIND_HOST})
    if len(normal.geturl()) > MAX_URL:
        raise InvalidImageUrl(f"must not be longer than {MAX_URL} characters in ASCII")
    return normal.geturl()


def _quoted(text: str) -> str:
    """`text` with all but ASCII percent-encoded, as UTF-8."""
    return quote(text, safe="".join(map(chr, range(0x21, 0x7F))))


def _public_host(parts: SplitResult, port: int, allowed: Collection[str]) -> str:
    """The host in its normal form, if it is public or allowed. Raises InvalidImageUrl."""
    host = _ascii(parts.hostname or "")
    if host is None or not host or "%" in host:
        raise InvalidImageUrl("must name a valid host")
    normal = f"[{_v6(host) or host}]" if ":" in host else host
    if f"{normal}:{port}" in {name.lower() for name in allowed}:
        return normal
    if ":" in host:
        address: IPv4Address | IPv6Address | None = _v6(host)
    elif _is_number(host.rsplit(".", 1)[-1]):
        address = _inet_aton(host)
        normal = str(address)
    else:
        _check_name(host)
        return normal
    if address is None or not is_public(address):
        raise InvalidImageUrl("must not point to a private or special address")
    return normal


def _ascii(host: str) -> str | None:
    """The host as a resolver sees it, without the final dot; None if it is not a host name."""
    host = host.translate(_DOTS)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return host.lower().removesuffix(".")


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_is_label(label) for label in labels):
        raise InvalidImageUrl("must name a valid host")
    if len(labels) == 1 or labels[-1] in _PRIVATE_NAMES or tuple(labels[-2:]) in _PRIVATE_DOMAINS:
        raise InvalidImageUrl("must not point to a private host name")


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and all(c.isalnum() or c in "-_" for c in label)


def _is_number(label: str) -> bool:
    """Whether a host that ends in this label is read as an IPv4 address (WHATWG URL: decimal, octal or hex)."""
    return label.isdigit() or (label.startswith("0x") and all(c in "0123456789abcdef" for c in label[2:]))


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


def _v6(host: str) -> IPv6Address | None:
    try:
        return IPv6Address(host)
    except AddressValueError:
        return None
