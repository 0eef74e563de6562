"""`GET /api/video/{id}/content`: the bytes of a video, with byte ranges, for players and downloads."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from telecine_gateway.access.api_keys import Scope as KeyScope
from telecine_gateway.access.auth import Auth, check_scope, has_credentials
from telecine_gateway.documentation.openapi import scope_requirement
from telecine_gateway.documentation.responses import failure_responses
from telecine_gateway.http.errors import ApiError, NotFound
from telecine_gateway.http.middleware import is_head
from telecine_gateway.http.parameters import parse_generation_id
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.read_model.tables import GenerationRow
from telecine_gateway.videos.reader import GenerationReader, GenerationState

from .byte_ranges import ByteRange, RangeNotSatisfiable, if_match_holds, is_not_modified, parse_range
from .download_slots import DownloadSlots
from .port import Content, ContentUnavailable, Download
from .signed_urls import SignedUrls

__all__ = ["ContentAccess", "router"]

log = structlog.get_logger(__name__)
_BINARY: dict[str, Any] = {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}
_RANGE = {
    "name": "Range",
    "in": "header",
    "description": "One range of bytes; several get the whole video",
    "schema": {"type": "string"},
    "example": "bytes=0-1048575",
}
BAD_LINK = "This link is not valid or has expired"
UNREADABLE = "The video can't be read right now; please try again"


@dataclass(frozen=True, slots=True)
class Link:
    """The query of a signed URL; all empty in other requests."""

    account: str
    expires: str
    signature: str


class ContentAccess:
    """Authorises the request, by key or signed URL, and looks up the video."""

    def __init__(
        self,
        auth: Auth,
        links: SignedUrls,
        generations: GenerationReader,
        clock: Callable[[], datetime],
    ) -> None:
        self._auth = auth
        self._links = links
        self._generations = generations
        self._clock = clock

    async def stored_video(self, request: Request, generation: str, link: "Link") -> GenerationRow:
        """The completed generation. Raises ApiError when the caller may not see it or there is no video yet."""
        account = await self._account(request, generation, link)
        state = await self._generations.state(account, generation)
        if state is None:
            raise NotFound
        if state.status != "completed":
            raise _unavailable_video(state)
        expires_at = state.row.stopgap_expires_at
        if state.row.stopgap_url and expires_at and expires_at <= self._clock():
            text = "The video was never stored, and the provider's temporary URL has expired"
            raise ApiError(410, ErrorCode.NO_VIDEO, text)
        return state.row

    async def _account(self, request: Request, generation: str, link: "Link") -> str:
        if link.expires or link.signature:
            if self._links.is_valid(
                link.account, generation, expires=link.expires, signature=link.signature, now=self._clock()
            ):
                return link.account
            if not has_credentials(request):
                raise ApiError(403, ErrorCode.INVALID_LINK, BAD_LINK)
        return check_scope(await self._auth(request), KeyScope.GENERATE).account


def router(reading: ContentAccess, content: Content, slots: DownloadSlots) -> APIRouter:
    """The route of a video's content."""
    routes = APIRouter(tags=["videos"])

    @routes.get(
        "/api/video/{id}/content",
        summary="The video",
        responses={
            200: {"description": "The whole video", "content": _BINARY},
            206: {"description": "A part of it", "content": _BINARY},
            302: {"description": "Only the provider has it, at this temporary URL"},
            304: {"description": "The client has it already"},
            **failure_responses(400, 401, 403, 404, 409, 410, 412, 416, 429, 502, 503),
        },
        openapi_extra=scope_requirement(KeyScope.GENERATE) | {"parameters": [_RANGE]},
        response_class=Response,
    )
    async def video(
        request: Request,
        id: Annotated[str, Path(description="Generation id")],
        account: Annotated[str, Query(description="From a signed link")] = "",
        expires: Annotated[str, Query(description="From a signed link")] = "",
        signature: Annotated[str, Query(description="From a signed link")] = "",
    ) -> Response:
        row = await reading.stored_video(request, parse_generation_id(id), Link(account, expires, signature))
        if row.stopgap_url is not None:
            return RedirectResponse(row.stopgap_url, 302)
        return await _send(request, row, content, slots)

    return routes


def _unavailable_video(state: GenerationState) -> ApiError:
    match state.status:
        case "failed":
            return ApiError(410, ErrorCode.NO_VIDEO, state.error or "The generation failed", status="failed")
        case "cancelled":
            return ApiError(410, ErrorCode.NO_VIDEO, "The generation was cancelled", status="cancelled")
        case status:
            return ApiError(409, ErrorCode.NOT_COMPLETED, "The video is not completed yet", status=status)


async def _send(request: Request, row: GenerationRow, content: Content, slots: DownloadSlots) -> Response:
    assert row.bytes is not None and row.bucket is not None and row.key is not None
    etag = f'"{row.sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": f'inline; filename="video_{row.id}.mp4"',
    }
    if not if_match_holds(_header(request, "if-match"), etag):
        text = "The video has another ETag than If-Match names"
        raise ApiError(412, ErrorCode.PRECONDITION_FAILED, text, {"ETag": etag})
    if is_not_modified(_header(request, "if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    wanted = None if is_head(request) else _header(request, "range")  # a range is for GET alone
    try:
        part = parse_range(row.bytes, wanted, request.headers.get("if-range"), etag)
    except RangeNotSatisfiable:
        text = f"The range is outside the video, which has {row.bytes} bytes"
        content_range = {"Content-Range": f"bytes */{row.bytes}"}
        raise ApiError(416, ErrorCode.RANGE_NOT_SATISFIABLE, text, content_range) from None
    if part is not None:
        headers["Content-Range"] = str(part)
    status, part = (206, part) if part else (200, ByteRange(0, row.bytes - 1, row.bytes))
    headers["Content-Length"] = str(part.length)
    if is_head(request):
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    with ExitStack() as held:
        held.callback(slots.acquire(row.account, row.id))
        try:
            download = await content.open(row.bucket, row.key, part)
        except ContentUnavailable as error:
            log.error("content.unavailable", generation=row.id, error=str(error))
            raise ApiError(502, ErrorCode.STORAGE_UNAVAILABLE, UNREADABLE) from None
        return _Streamed(download, held.pop_all(), row.id, status, headers)


def _header(request: Request, name: str) -> str | None:
    """A header field that may be split over several lines (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getlist(name)) or None


class _Streamed(StreamingResponse):
    """Sends a download, then closes it and releases its slot, also when the client disconnects."""

    def __init__(
        self, download: Download, slot: ExitStack, generation: str, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(download.chunks(), status, headers, media_type="video/mp4")
        self._download = download
        self._slot = slot
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except* ContentUnavailable as errors:
            # The head has been sent: only a broken connection can still tell the client.
            log.error("content.broken_off", generation=self._generation, error=str(errors.exceptions[0]))
        finally:
            with self._slot:
                await self._download.close()
