"""Paths and queries whose text is fit to be kept, shown and compared: anything else is a 400 that names the place.

The framework would replace what is not UTF-8 by U+FFFD, so a request would be about another text than was sent, and
databases differ in what they take: Postgres refuses NUL.
"""

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from telecine_contracts.characters import unfit

from .errors import ApiError, json_response

__all__ = ["TextValidationMiddleware"]

_SHOWN_NAME = 64
"""Characters of a parameter's name that an answer repeats."""


class TextValidationMiddleware:
    """Plain ASGI. JSON bodies have rules of their own, and no header's text is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = next(_problems(scope), None) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await json_response(problem.status, problem.body)(scope, receive, send)


def _problems(scope: Scope) -> Iterator[ApiError]:
    path = scope.get("raw_path") or scope["path"].encode()
    if words := _unfit(path):
        yield ApiError.invalid_field("path", f"must not contain {words}")
    for pair in scope.get("query_string", b"").split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        if words := _unfit(name):
            yield ApiError.invalid_field("query", f"must not have a parameter whose name contains {words}")
        elif words := _unfit(value):
            yield ApiError.invalid_field(
                unquote_to_bytes(name).decode()[:_SHOWN_NAME], f"must not contain {words}"
            )


def _unfit(quoted: bytes) -> str | None:
    try:
        return unfit(unquote_to_bytes(quoted).decode())
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
