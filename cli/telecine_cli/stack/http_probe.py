"""One HTTP request to a process on the loopback interface, as a readiness probe."""

import asyncio
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

__all__ = ["http_answer"]

_TIMEOUT_SECONDS = 1.0


async def http_answer(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes] | None:
    """GET `url`: status and body, or None without an HTTP response within a second.

    The request is sent directly: proxies named by the environment are not used.
    """
    return await asyncio.to_thread(_get, url, dict(headers or {}))


def _get(url: str, headers: dict[str, str]) -> tuple[int, bytes] | None:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", address.path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
