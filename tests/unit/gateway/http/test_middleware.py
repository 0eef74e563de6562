"""An unexpected error returns a 500 that reveals nothing."""

import httpx
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from telecine_gateway.http.errors import mark_possibly_recorded
from telecine_gateway.http.middleware import ApiMiddleware


async def fails_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("very-secret")


async def fails_in_the_middle(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("very-secret")


async def test_an_unexpected_error_is_a_500_without_details() -> None:
    transport = httpx.ASGITransport(ApiMiddleware(fails_at_once))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "Internal server error",
        "code": "internal_error",
        "requestId": answer.headers["x-request-id"],
    }


async def fails_after_it_was_recorded(scope: Scope, receive: Receive, send: Send) -> None:
    mark_possibly_recorded(Request(scope), "Look for it.", id="g1")
    raise RuntimeError("very-secret")


async def test_failure_after_recording_says_that_it_may_be_recorded() -> None:
    transport = httpx.ASGITransport(ApiMiddleware(fails_after_it_was_recorded))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.post("/")

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "Internal server error. It is not known whether the request was recorded. Look for it.",
        "code": "internal_error",
        "id": "g1",
        "requestId": answer.headers["x-request-id"],
    }


async def test_no_second_response_after_the_head_was_sent() -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    await ApiMiddleware(fails_in_the_middle)({"type": "http", "headers": []}, receive, send)

    assert len(sent) == 1
