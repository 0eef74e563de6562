"""One HTTP request without a client library: a readiness probe, or a question to a server's monitoring endpoint."""

import asyncio
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

__all__ = ["http_answer"]

_TIMEOUT_SECONDS = 1.0


async def http_answer(
    url: str, headers: Mapping[str, str] | None = None, *, timeout: float = _TIMEOUT_SECONDS
) -> tuple[int, bytes] | None:
    """GET `url`: status and body, or None without an HTTP response. `timeout`: seconds for each step.

    The request is sent directly: proxies named by the environment are not used.
    """
    return await asyncio.to_thread(_get, url, dict(headers or {}), timeout)


def _get(url: str, headers: dict[str, str], timeout: float) -> tuple[int, bytes] | None:
    try:
        address = urlsplit(url)
        kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=timeout)
    except ValueError:  # not a URL
        return None
    try:
        query = f"?{address.query}" if address.query else ""
        connection.request("GET", f"{address.path or '/'}{query}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
