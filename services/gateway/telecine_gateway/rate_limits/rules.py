"""Token buckets: a quota that may be used at once and comes back evenly over a window. Pure; times are in seconds."""

from collections import OrderedDict
from dataclasses import dataclass, field
from math import ceil, floor

__all__ = ["LONGEST_WAIT", "Bucket", "InvalidRate", "Policy", "TokenBuckets", "Use", "parse_rate"]

LONGEST_WAIT = 120
"""Seconds after which a refused client may try again, at most: OpenAI's SDK gives up when told to wait longer."""
_ROUNDING = 1e-6


class InvalidRate(ValueError):
    """The text is not a rate."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests in `seconds`; `name` says what is counted, as clients see it."""

    name: str
    quota: int
    seconds: int
    per_second: float = field(init=False, repr=False, compare=False)
    header: str = field(init=False, repr=False, compare=False)
    """Its item in the header RateLimit-Policy."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_second", self.quota / self.seconds)
        object.__setattr__(self, "header", f'"{self.name}";q={self.quota};w={self.seconds}')


@dataclass(frozen=True, slots=True)
class Use:
    """What is left of a policy's quota: `remaining` requests, and one more after `reset` seconds."""

    policy: Policy
    remaining: int
    reset: int


class Bucket:
    """The requests that still count at the time `at`: `level` of them, fewer as time passes."""

    __slots__ = ("at", "level")

    def __init__(self, at: float, level: float = 0) -> None:
        self.level = level
        self.at = at

    def drain(self, policy: Policy, now: float) -> None:
        """Let the time up to `now` pass. A clock that was set back does not change the level."""
        if now > self.at:
            self.level = max(0.0, self.level - (now - self.at) * policy.per_second)
        self.at = now

    def add(self, policy: Policy, time: float) -> None:
        """Count a request that was admitted at `time`, whether or not it exceeds the quota."""
        self.drain(policy, max(time, self.at))
        self.level += 1

    def admits(self, policy: Policy, more: int = 0) -> bool:
        """Whether the quota has room for a request beside `more` that are not counted yet."""
        return self.level + more + 1 <= policy.quota + _ROUNDING

    def use(self, policy: Policy, more: int = 0) -> Use:
        """What is left."""
        free = policy.quota - self.level - more
        remaining = max(0, floor(free + _ROUNDING))
        wait = ceil((remaining + 1 - free) / policy.per_second - _ROUNDING)
        return Use(policy, remaining, min(max(1, wait), LONGEST_WAIT))


class TokenBuckets:
    """One bucket for each key. Of more than `most`, those unused for longest are forgotten, which fills them again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def __contains__(self, key: str) -> bool:
        return key in self._buckets

    def find(self, key: str, policy: Policy, now: float) -> Bucket:
        """The bucket of `key` at `now`."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            bucket.drain(policy, now)
            # After a change to a smaller quota, no more than all of it is used.
            bucket.level = min(bucket.level, policy.quota)
        return bucket


def parse_rate(text: str) -> tuple[int, int] | None:
    """`1000/60`: requests and seconds. None for `0`: no limit. Raises InvalidRate."""
    quota, slash, seconds = text.strip().partition("/")
    if text.strip() == "0":
        return None
    if not slash or not (quota.isdecimal() and seconds.isdecimal()) or len(quota) > 9 or len(seconds) > 6:
        raise InvalidRate("must be requests/seconds, e.g. 1000/60, or 0 for no limit")
    rate = int(quota), int(seconds)
    if not rate[0] or not rate[1] or rate[1] > rate[0] * LONGEST_WAIT:
        raise InvalidRate(f"must let a request through every {LONGEST_WAIT} seconds, or be 0 for no limit")
    return rate
