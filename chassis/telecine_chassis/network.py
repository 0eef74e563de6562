"""What a host is, by its parsed address or by whole labels of its name: never by how its text begins or ends."""

from ipaddress import ip_address

__all__ = ["is_in_domain", "is_loopback"]


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


def _labels(name: str) -> list[str]:
    return name.lower().strip(".").split(".")
