"""HTTP client of Volcano Ark and BytePlus ModelArk: few kept connections, no retries, bounded time and bytes."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog
from pydantic import SecretStr

from telecine_contracts.generation import DeferralReason, FailureCode

from . import ark_wire as wire
from .ark_errors import is_configuration
from .port import (
    Ambiguous,
    CancelOutcome,
    Deferred,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
    SubmitOutcome,
    SubmitRequest,
)
from .task_search import TaskSearch

TASKS = "/contents/generations/tasks"
IDS_PER_CALL = 100
PAGE_SIZE = 100
KEPT_OPEN = 20.0
"""Seconds that an idle connection is kept: longer than the usual pause between two polls."""
LAST_PAGE = 500  # Ark: page_num 1-500

CANCELLED_BY_STATUS: Mapping[str, CancelOutcome] = {
    "running": CancelOutcome.RUNNING,
    "cancelled": CancelOutcome.CANCELLED,
    "succeeded": CancelOutcome.FINISHED,
    "failed": CancelOutcome.FINISHED,
    "expired": CancelOutcome.FINISHED,
}


@dataclass(frozen=True, slots=True)
class ArkConfig:
    """Address, key and timeouts (seconds) of Ark.

    `base_url` ends before ``/contents``; a key belongs to one region. `post_timeout` bounds a whole submission,
    including the wait for a free connection. Raises ValueError for an invalid URL or key.
    """

    base_url: str
    api_key: SecretStr
    post_timeout: float = 30.0
    read_timeout: float = 10.0
    connect_timeout: float = 5.0
    max_body_bytes: int = 2 * 1024 * 1024
    max_concurrency: int = 8  # measured: with more requests in flight httpx gets slower
    # Largest difference between the local clock and the provider's: a list is read back to this time before the
    # submission. Clocks are often wrong by whole hours, and a task that is missed is bought a second time.
    clock_skew: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        key = self.api_key.get_secret_value()
        if not (key and key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                "the provider's API key is empty or contains characters that a header must not have"
            )
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise ValueError("invalid provider base URL, expected e.g. https://host/api/v3")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _AnswerTooLarge(Exception):
    """The response is larger than a task or a list of tasks can be."""


def _transport(tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """A transport with one connection: a pool of several examines all of them for each request."""
    limits = httpx.Limits(max_connections=1, keepalive_expiry=KEPT_OPEN)
    return httpx.AsyncHTTPTransport(verify=tls, retries=0, trust_env=False, limits=limits)


# Failures after which the request may have reached the provider.
_NO_ANSWER = (httpx.HTTPError, httpx.StreamError, OSError, _AnswerTooLarge)


class ArkProvider:
    """Provider over Ark's HTTP API."""

    def __init__(self, config: ArkConfig) -> None:
        self._config = config
        self._lane = asyncio.Semaphore(config.max_concurrency)
        tls = httpx.create_ssl_context(trust_env=False)
        self._free = [_transport(tls) for _ in range(config.max_concurrency)]
        self._tasks_url = f"{config.base_url.rstrip('/')}{TASKS}"
        self._headers = {
            "authorization": f"Bearer {config.api_key.get_secret_value()}",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "telecine",
        }
        timeout = httpx.Timeout(None, connect=config.connect_timeout)
        self._extensions = {"timeout": timeout.as_dict()}
        self._log = structlog.get_logger("telecine_generation.provider.ark")

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """See Provider."""
        # Ark has no idempotency key, so a request that failed after the connection was made must not be repeated.
        begun = False
        content = json.dumps(wire.create_body(request)).encode()
        try:
            async with asyncio.timeout(self._config.post_timeout), self._lane:
                begun = True
                answer = await self._exchange("POST", self._tasks_url, content)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return Deferred(DeferralReason.UNREACHABLE)
        except TimeoutError:
            return Ambiguous("timeout") if begun else Deferred(DeferralReason.UNREACHABLE)
        except _NO_ANSWER as error:
            return Ambiguous(type(error).__name__)
        outcome = wire.create_outcome(answer.status, answer.headers, answer.body)
        if isinstance(outcome, Refused) and outcome.code is FailureCode.PROVIDER_CONFIGURATION:
            self._log_configuration_error(answer)
        return outcome

    async def tasks(self, task_ids: Sequence[str], *, flex: bool = False) -> Mapping[str, ProviderTask]:
        """See Provider."""
        wanted = list(dict.fromkeys(task_ids))
        found: dict[str, ProviderTask] = {}
        for start in range(0, len(wanted), IDS_PER_CALL):
            found |= await self._task_batch(wanted[start : start + IDS_PER_CALL], _tier_filter(flex=flex))
        return found

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """See Provider. Ark keeps records for 7 days."""
        search = TaskSearch(mark, self._config.clock_skew)
        for number in range(1, LAST_PAGE + 1):
            query = {"page_num": number, "page_size": PAGE_SIZE} | _tier_filter(flex=mark.flex)
            if search.add_page(await self._page(query)):
                return search.result()
        raise ProviderUnavailable("list_too_long")

    async def cancel(self, task_id: str) -> CancelOutcome:
        """See Provider."""
        # Ark: DELETE of a finished task removes its record and thereby the URL of its video, so the status comes first.
        url = f"{self._tasks_url}/{quote(task_id, safe='')}"
        try:
            answer = await self._read("GET", url)
            if answer.status != HTTPStatus.OK:
                return CancelOutcome.UNKNOWN
            task = wire.read_task(answer.body)
            if task.status != "queued":
                return CANCELLED_BY_STATUS.get(task.status, CancelOutcome.UNKNOWN)
            answer = await self._read("DELETE", url)
        except (ProviderUnavailable, wire.UnreadableResponse):
            return CancelOutcome.UNKNOWN
        if answer.status == HTTPStatus.CONFLICT:
            return CancelOutcome.RUNNING
        return CancelOutcome.CANCELLED if answer.status == HTTPStatus.OK else CancelOutcome.UNKNOWN

    async def aclose(self) -> None:
        """See Provider."""
        await asyncio.gather(*(transport.aclose() for transport in self._free))

    async def _task_batch(
        self, wanted: Sequence[str], tier_filter: dict[str, str]
    ) -> dict[str, ProviderTask]:
        query = {"page_num": 1, "page_size": len(wanted), "filter.task_ids": list(wanted)} | tier_filter
        page = await self._page(query)
        tasks = {task.task_id: task for task in page.tasks}
        found = {task_id: tasks[task_id] for task_id in wanted if task_id in tasks}
        if len(found) < len(wanted) and _may_be_incomplete(page, tasks.keys() - set(wanted)):
            raise ProviderUnavailable("incomplete_list")
        return found

    async def _page(self, query: Mapping[str, Any]) -> wire.Page:
        answer = await self._read("GET", f"{self._tasks_url}?{urlencode(query, doseq=True)}")
        if answer.status != HTTPStatus.OK:
            if is_configuration(answer.status, wire.error_of(answer.body)):
                self._log_configuration_error(answer)
            raise ProviderUnavailable(f"http_{answer.status}", wire.retry_after(answer.headers))
        try:
            page = wire.read_page(answer.body)
        except wire.UnreadableResponse as error:
            self._log.warning("provider_answer_unreadable", reason=str(error))
            raise ProviderUnavailable("unreadable_answer") from error
        if page.unreadable:
            self._log.warning("provider_records_unreadable", count=page.unreadable)
        return page

    async def _read(self, method: str, url: str) -> _Answer:
        try:
            async with self._lane, asyncio.timeout(self._config.read_timeout):
                return await self._exchange(method, url)
        except _NO_ANSWER as error:  # TimeoutError is an OSError
            raise ProviderUnavailable(type(error).__name__) from error

    async def _exchange(self, method: str, url: str, content: bytes | None = None) -> _Answer:
        """One request on a free connection; the one used last, since it is most probably still open."""
        headers = self._headers if content is None else self._headers | {"content-type": "application/json"}
        request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        transport = self._free.pop()
        try:
            response = await transport.handle_async_request(request)
            try:
                body = bytearray()
                assert isinstance(response.stream, httpx.AsyncByteStream)
                async for chunk in response.stream:
                    body += chunk
                    if len(body) > self._config.max_body_bytes:
                        raise _AnswerTooLarge
            finally:
                await response.aclose()
        finally:
            self._free.append(transport)
        return _Answer(response.status_code, response.headers, bytes(body))

    def _log_configuration_error(self, answer: _Answer) -> None:
        self._log.error(
            "operator_alarm",
            cause="provider_configuration",
            http_status=answer.status,
            provider_code=wire.error_of(answer.body).code,
            request_id=answer.headers.get("x-request-id"),
        )


def _tier_filter(*, flex: bool) -> dict[str, str]:
    """Ark lists tasks of the flex tier only if asked for them, and then no others."""
    return {"filter.service_tier": "flex"} if flex else {}


def _may_be_incomplete(page: wire.Page, unrequested: Set[str]) -> bool:
    """Whether the page does not prove that a missing task does not exist."""
    # Tasks that were not requested mean that the server ignored the filter, so that others may follow.
    return bool(page.unreadable or unrequested or (page.total or 0) > page.size)
