"""ArkProvider against a server that violates Ark's documentation: it neither guesses nor retries."""

import asyncio
import gzip
import json
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.support.data.submit_requests import submit_request, with_parameters
from tests.support.http_servers.scripted_server import (
    RawRequest,
    answer,
    answer_json,
    never_respond,
    raw_server,
    reset,
    send_slowly,
)

from telecine_contracts.generation import DeferralReason, FailureCode
from telecine_generation.provider.ark import ArkConfig, ArkProvider
from telecine_generation.provider.port import (
    Accepted,
    Ambiguous,
    CancelOutcome,
    Deferred,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
)

KEY = "key-that-is-secret"
PROMPT = "prompt-that-is-secret"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
REQUEST = submit_request(prompt=PROMPT)
MARK = SubmissionMark(seed=42, safety_identifier="mark-1", model=REQUEST.model, since=NOON)
FAR = 5.0
EMPTY_LIST = answer_json(200, {"total": 0, "items": []})


def provider_at(url: str, **settings: Any) -> AbstractAsyncContextManager[ArkProvider]:
    limits = {"post_timeout": FAR, "read_timeout": FAR, "max_body_bytes": 4096} | settings
    return aclosing(ArkProvider(ArkConfig(f"{url}/api/v3", SecretStr(KEY), **limits)))


def record(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"cgt-{number}", "status": "running", "created_at": int(NOON.timestamp())} | fields


def error(code: str, message: str = "no") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class TestSubmit:
    async def test_the_request_has_the_documented_form(self) -> None:
        async with (
            raw_server(answer_json(200, {"id": "cgt-1"})) as server,
            provider_at(server.url) as provider,
        ):
            assert await provider.submit(REQUEST) == Accepted("cgt-1")
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/api/v3/contents/generations/tasks")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept-encoding"] == "identity"
        assert request.json["content"] == [{"type": "text", "text": PROMPT}]
        assert None not in request.json.values()

    async def test_any_text_can_be_sent(self) -> None:
        async with (
            raw_server(answer_json(200, {"id": "cgt-1"})) as server,
            provider_at(server.url) as provider,
        ):
            await provider.submit(with_parameters(REQUEST, prompt="灯塔 \U0001f3ac \ud800"))
        assert server.requests[0].json["content"][0]["text"] == "灯塔 \U0001f3ac \ud800"

    @pytest.mark.parametrize(
        ("reply", "settings"),
        [
            (reset(), {}),
            (reset(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"), {}),
            (reset(b"SSH-2.0-OpenSSH\r\n"), {}),
            (never_respond(), {"post_timeout": 0.1}),
            (send_slowly(0.01), {"post_timeout": 0.1}),
            (answer(200, b'{"id": "cgt-1"}' + b" " * 5000), {}),
            (answer(200, b"<html>it works</html>"), {}),
            (answer(200, gzip.compress(b'{"id": "cgt-1"}'), content_encoding="gzip"), {}),
            (answer_json(200, {"task": "cgt-1"}), {}),
            (answer_json(500, error("InternalServiceError")), {}),
            (answer(502, b"<html>bad gateway</html>"), {}),
            (answer_json(503, error("ServerOverloaded"), retry_after="1"), {}),
            (answer_json(408, {}), {}),
        ],
        ids=[
            *("reset", "cut short", "not HTTP", "no answer", "endless answer", "too large", "HTML"),
            *("compressed", "no id", "500", "502", "503", "408"),
        ],
    )
    async def test_an_ambiguous_answer_is_not_retried(self, reply: Any, settings: dict[str, Any]) -> None:
        async with raw_server(reply) as server, provider_at(server.url, **settings) as provider:
            assert isinstance(await provider.submit(REQUEST), Ambiguous)
        assert server.methods == ["POST"]

    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (
                answer_json(429, error("ServerOverloaded"), retry_after="3"),
                Deferred(DeferralReason.RATE_LIMITED, "ServerOverloaded", 3.0),
            ),
            (answer(429, b"slow down"), Deferred(DeferralReason.RATE_LIMITED)),
            (
                answer_json(
                    400, error("InputTextSensitiveContentDetected", "Mind your words. Request id: 5")
                ),
                Refused(
                    FailureCode.MODERATION_INPUT,
                    "InputTextSensitiveContentDetected",
                    "The prompt or the image was refused by the provider's content filter. Mind your words.",
                ),
            ),
            (
                answer_json(403, error("AccountOverdueError", "Account 2100 owes money")),
                Refused(
                    FailureCode.PROVIDER_CONFIGURATION,
                    "AccountOverdueError",
                    "Video generation is not available at the moment.",
                ),
            ),
        ],
        ids=["429", "429 without a code", "400", "403"],
    )
    async def test_a_refusal_is_not_retried(self, reply: Any, outcome: Any) -> None:
        async with raw_server(reply) as server, provider_at(server.url) as provider:
            assert await provider.submit(REQUEST) == outcome
        assert server.methods == ["POST"]

    async def test_a_redirect_is_not_followed(self) -> None:
        async with (
            raw_server(answer_json(200, {"id": "cgt-1"})) as other,
            raw_server(answer(307, b"", location=other.url)) as server,
            provider_at(server.url) as provider,
        ):
            outcome = await provider.submit(REQUEST)
        assert isinstance(outcome, Refused) and outcome.code is FailureCode.PROVIDER_CONFIGURATION
        assert (server.methods, other.methods) == (["POST"], [])

    async def test_a_refused_connection_defers(self) -> None:
        async with raw_server(EMPTY_LIST) as server:
            pass
        async with provider_at(server.url) as provider:
            assert await provider.submit(REQUEST) == Deferred(DeferralReason.UNREACHABLE)

    async def test_waiting_for_the_connection_pool_counts_towards_the_timeout(self) -> None:
        one_lane = {"post_timeout": 0.1, "max_concurrency": 1}
        async with raw_server(never_respond()) as server, provider_at(server.url, **one_lane) as provider:
            poll = asyncio.create_task(provider.tasks(["cgt-1"]))
            await asyncio.wait_for(server.asked.wait(), FAR)
            assert await provider.submit(REQUEST) == Deferred(DeferralReason.UNREACHABLE)
            poll.cancel()
        assert server.methods == ["GET"]

    async def test_a_proxy_in_the_environment_is_ignored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with raw_server(answer_json(200, {"id": "cgt-1"})) as server, raw_server(reset()) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            async with provider_at(server.url) as provider:
                assert await provider.submit(REQUEST) == Accepted("cgt-1")
        assert proxy.requests == []


class TestAlarm:
    @pytest.mark.parametrize(
        ("status", "code"), [(401, "AuthenticationError"), (404, "ModelNotOpen"), (429, "SetLimitExceeded")]
    )
    async def test_configuration_errors_are_logged_for_the_operator(self, status: int, code: str) -> None:
        with capture_logs() as logs:
            reply = answer_json(status, error(code, f"about {KEY}"), x_request_id="r-1")
            async with raw_server(reply) as server, provider_at(server.url) as provider:
                await provider.submit(REQUEST)
                with pytest.raises(ProviderUnavailable):
                    await provider.tasks(["cgt-1"])
        said = {
            "event": "operator_alarm",
            "log_level": "error",
            "cause": "provider_configuration",
            "http_status": status,
            "provider_code": code,
            "request_id": "r-1",
        }
        assert logs == [said, said]

    @pytest.mark.parametrize(
        "reply", [answer_json(400, error("InvalidParameter", PROMPT)), answer_json(429, {}), answer(500, b"")]
    )
    async def test_other_errors_are_not_logged_for_the_operator(self, reply: Any) -> None:
        with capture_logs() as logs:
            async with raw_server(reply) as server, provider_at(server.url) as provider:
                await provider.submit(REQUEST)
        assert logs == []

    async def test_the_representation_of_the_settings_hides_the_key(self) -> None:
        assert KEY not in repr(ArkConfig("https://ark.example/api/v3", SecretStr(KEY)))

    @pytest.mark.parametrize("key", ["", "a b", "line\n", "schlüssel"])
    def test_an_invalid_key_is_refused_at_start(self, key: str) -> None:
        with pytest.raises(ValueError, match="API key") as caught:
            ArkConfig("https://ark.example/api/v3", SecretStr(key))
        assert not key or key not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["", "ark.example/api/v3", "ftp://ark.example", "https://", "https://a.example?x=1"]
    )
    def test_an_invalid_url_is_refused_at_start(self, url: str) -> None:
        with pytest.raises(ValueError, match="base URL"):
            ArkConfig(url, SecretStr(KEY))


class TestTasks:
    async def test_a_call_reads_at_most_a_hundred_ids(self) -> None:
        ids = [f"cgt-{number}" for number in range(250)]
        async with (
            raw_server(listed_as_asked) as server,
            provider_at(server.url, max_body_bytes=65536) as provider,
        ):
            found = await provider.tasks([*ids, "cgt-7"])
        assert list(found) == ids
        queries = [query_of(request) for request in server.requests]
        assert [len(query["filter.task_ids"]) for query in queries] == [100, 100, 50]
        assert [query["page_size"] for query in queries] == [["100"], ["100"], ["50"]]

    async def test_an_empty_list_of_ids_sends_no_request(self) -> None:
        async with raw_server(reset()) as server, provider_at(server.url) as provider:
            assert await provider.tasks([]) == {}
        assert server.requests == []

    async def test_unknown_ids_are_absent(self) -> None:
        reply = answer_json(200, {"total": 1, "items": [record(1)]})
        async with raw_server(reply) as server, provider_at(server.url) as provider:
            assert list(await provider.tasks(["cgt-1", "cgt-2"])) == ["cgt-1"]

    @pytest.mark.parametrize(
        "reply",
        [
            reset(),
            send_slowly(0.01),
            answer(200, b"<html>"),
            answer_json(200, {"total": 0, "items": [], "more": " " * 5000}),
            answer_json(500, {}),
            answer_json(404, {}),
            answer_json(200, {"total": 2, "items": [record(1)]}),
            answer_json(200, {"total": 2, "items": [record(1), record(9)]}),
            answer_json(200, {"total": 2, "items": [record(1), {"status": "running"}]}),
        ],
        ids=[
            "reset",
            "endless",
            "HTML",
            "too large",
            "500",
            "404",
            "incomplete",
            "not what was asked",
            "odd record",
        ],
    )
    async def test_an_error_is_not_absence(self, reply: Any) -> None:
        async with raw_server(reply) as server, provider_at(server.url, read_timeout=0.2) as provider:
            with pytest.raises(ProviderUnavailable):
                await provider.tasks(["cgt-1", "cgt-2"])
        assert len(server.requests) == 1

    async def test_retry_after_is_passed_on(self) -> None:
        async with (
            raw_server(answer_json(429, {}, retry_after="9")) as server,
            provider_at(server.url) as provider,
        ):
            with pytest.raises(ProviderUnavailable) as caught:
                await provider.tasks(["cgt-1"])
        assert caught.value.retry_after == 9.0

    async def test_concurrency_is_bounded(self) -> None:
        async with (
            raw_server(listed_as_asked) as server,
            provider_at(server.url, max_concurrency=3) as provider,
        ):
            await asyncio.gather(*(provider.tasks([f"cgt-{number}"]) for number in range(20)))
        assert len(server.requests) == 20
        assert server.most_at_once <= 3


class TestFind:
    async def test_find_reads_all_pages(self) -> None:
        pages = [[record(1, seed=1), record(2, seed=2)], [record(3, seed=42)]]
        replies = [answer_json(200, {"total": 3, "items": items}) for items in pages]
        async with raw_server(*replies) as server, provider_at(server.url) as provider:
            found = await provider.find(MARK)
        assert found and found.task_id == "cgt-3"
        assert [query_of(request)["page_num"] for request in server.requests] == [["1"], ["2"]]

    @pytest.mark.parametrize(
        "reply", [EMPTY_LIST, answer_json(200, {"total": 0, "items": None})], ids=["empty", "null"]
    )
    async def test_find_returns_none_for_an_absent_task(self, reply: Any) -> None:
        async with raw_server(reply) as server, provider_at(server.url) as provider:
            assert await provider.find(MARK) is None

    async def test_a_failed_page_is_unavailable_not_absent(self) -> None:
        first = answer_json(200, {"total": 3, "items": [record(1, seed=1)]})
        async with raw_server(first, answer_json(500, {})) as server, provider_at(server.url) as provider:
            with pytest.raises(ProviderUnavailable):
                await provider.find(MARK)


class TestCancel:
    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("running", CancelOutcome.RUNNING),
            ("succeeded", CancelOutcome.FINISHED),
            ("failed", CancelOutcome.FINISHED),
            ("expired", CancelOutcome.FINISHED),
            ("cancelled", CancelOutcome.CANCELLED),
            ("paused", CancelOutcome.UNKNOWN),
        ],
    )
    async def test_only_a_queued_task_is_deleted(self, status: str, outcome: CancelOutcome) -> None:
        reply = answer_json(200, record(1, status=status))
        async with raw_server(reply) as server, provider_at(server.url) as provider:
            assert await provider.cancel("cgt-1") is outcome
        assert server.methods == ["GET"]

    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (answer_json(200, {}), CancelOutcome.CANCELLED),
            (answer_json(409, error("InvalidAction.RunningTaskDeletion")), CancelOutcome.RUNNING),
            (answer_json(404, {}), CancelOutcome.UNKNOWN),
            (answer_json(500, {}), CancelOutcome.UNKNOWN),
            (reset(), CancelOutcome.UNKNOWN),
        ],
        ids=["200", "409", "404", "500", "reset"],
    )
    async def test_a_queued_task_is_deleted_once(self, reply: Any, outcome: CancelOutcome) -> None:
        queued = answer_json(200, record(1, status="queued"))
        async with raw_server(queued, reply) as server, provider_at(server.url) as provider:
            assert await provider.cancel("cgt-1") is outcome
        assert server.methods == ["GET", "DELETE"]
        assert {request.target for request in server.requests} == {"/api/v3/contents/generations/tasks/cgt-1"}

    @pytest.mark.parametrize(
        "reply", [answer_json(404, {}), answer_json(500, {}), answer(200, b"<html>"), reset()]
    )
    async def test_a_task_of_unknown_status_is_not_deleted(self, reply: Any) -> None:
        async with raw_server(reply) as server, provider_at(server.url) as provider:
            assert await provider.cancel("cgt-1") is CancelOutcome.UNKNOWN
        assert server.methods == ["GET"]

    async def test_a_task_id_is_percent_encoded(self) -> None:
        async with raw_server(answer_json(404, {})) as server, provider_at(server.url) as provider:
            await provider.cancel("../x?y#z")
        assert server.requests[0].target == "/api/v3/contents/generations/tasks/..%2Fx%3Fy%23z"


def query_of(request: RawRequest) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.target).query)


async def listed_as_asked(request: RawRequest, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    ids = query_of(request)["filter.task_ids"]
    items = [{"id": task_id, "status": "running"} for task_id in ids]
    await answer(200, json.dumps({"total": len(ids), "items": items}).encode())(request, _, writer)
