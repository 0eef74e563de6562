"""Limits of concurrent downloads: of one video, for one account, and in total."""

from collections import Counter
from collections.abc import Callable

from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.rate_limits.headers import QUOTA_EXCEEDED

__all__ = ["DownloadSlots"]

RETRY_AFTER = "5"
"""Seconds. A slot is released when a download ends, or when its client has read nothing for a while."""


class DownloadSlots:
    """The slots of one gateway. The limit of an account is below the total, so that no account can take all slots."""

    def __init__(self, total: int, *, per_account: int, per_video: int) -> None:
        self._total = total
        self._per_account = per_account
        self._per_video = per_video
        self._accounts: Counter[str] = Counter()
        self._videos: Counter[str] = Counter()

    def acquire(self, account: str, video: str) -> Callable[[], None]:
        """Take a slot; call the result to release it. Raises ApiError 429 or 503, both with Retry-After."""
        if self._videos[video] >= self._per_video:
            raise _too_many(f"{self._per_video} downloads of this video", "video-downloads", self._per_video)
        if self._accounts[account] >= self._per_account:
            raise _too_many(f"{self._per_account} downloads of this account", "downloads", self._per_account)
        if self._accounts.total() >= self._total:
            text = "The service has too many downloads open; please try again"
            raise ApiError(503, ErrorCode.TOO_MANY_DOWNLOADS, text, {"Retry-After": RETRY_AFTER})
        self._accounts[account] += 1
        self._videos[video] += 1

        def release() -> None:
            for counted, key in ((self._accounts, account), (self._videos, video)):
                counted[key] -= 1
                if not counted[key]:
                    del counted[key]

        return release


def _too_many(what: str, policy: str, quota: int) -> ApiError:
    text = f"{what} are open already; let one end, then try again"
    headers = {
        "Retry-After": RETRY_AFTER,
        "RateLimit-Policy": f'"{policy}";q={quota};qu="concurrent-requests"',
        "RateLimit": f'"{policy}";r=0;t={RETRY_AFTER}',
    }
    return ApiError(
        429,
        ErrorCode.TOO_MANY_DOWNLOADS,
        text,
        headers,
        type=QUOTA_EXCEEDED,
        violated_policies=[policy],
    )
