"""What a host is, by its parsed address or by whole labels of its name: never by how its text begins or ends."""

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_in_domain", "is_loopback", "is_nats_url"]


def is_loopback(host: str) -> bool:
    """Whether `host`, as `urlsplit(…).hostname` gives it, is certain to be this machine; nothing is looked up.

    `localhost` is (RFC 6761); any other name may lead elsewhere, `127.example.com` too.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def is_in_domain(host: str, domain: str) -> bool:
    """Whether the name is the domain, or a name below it: `notexample.com` is not in `example.com`."""
    labels, wanted = _labels(host), _labels(domain)
    return labels[-len(wanted) :] == wanted


def is_nats_url(url: str) -> bool:
    """Whether a URL names a NATS server: nats:// or tls://, a host, and a port from 1 to 65535 or none."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no address, or no port
        return False


def _labels(name: str) -> list[str]:
    return name.lower().strip(".").split(".")
