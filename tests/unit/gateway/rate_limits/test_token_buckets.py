"""Token buckets: what they admit, over any sequence of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_gateway.rate_limits.rules import (
    LONGEST_WAIT,
    Bucket,
    InvalidRate,
    Policy,
    TokenBuckets,
    parse_rate,
)

policies = st.builds(
    Policy, st.just("test"), st.integers(1, 500), st.sampled_from([1, 7, 10, 60, 100])
).filter(lambda policy: policy.seconds <= policy.quota * LONGEST_WAIT)
waits = st.lists(st.floats(0, 200, allow_nan=False), max_size=200)


def admitted(policy: Policy, waits: list[float], start: float = 1e9) -> list[float]:
    """The times at which a bucket admitted requests that came after these waits."""
    bucket, now, times = Bucket(start), start, []
    for wait in waits:
        now += wait
        bucket.drain(policy, now)
        if bucket.admits(policy):
            bucket.add(policy, now)
            times.append(now)
    return times


@given(policies, waits)
def test_no_window_admits_more_than_the_quota_and_what_came_back_in_it(
    policy: Policy, waits: list[float]
) -> None:
    times = admitted(policy, waits)

    for first in range(len(times)):
        for last in range(first, len(times)):
            came_back = (times[last] - times[first]) * policy.per_second
            assert last - first + 1 <= policy.quota + came_back + 1e-3


@given(policies, st.floats(0, 2e9))
def test_an_unused_quota_is_admitted_at_once_and_no_more(policy: Policy, now: float) -> None:
    assert len(admitted(policy, [0.0] * (policy.quota + 5), now)) == policy.quota


@given(policies, waits)
def test_who_waits_as_told_is_admitted(policy: Policy, waits: list[float]) -> None:
    bucket, now = Bucket(1e9), 1e9
    for wait in waits:
        now += wait / 100
        bucket.drain(policy, now)
        use = bucket.use(policy)
        assert 0 <= use.remaining <= policy.quota and 1 <= use.reset <= LONGEST_WAIT
        assert (use.remaining > 0) == bucket.admits(policy)
        if not bucket.admits(policy):
            now += use.reset
            bucket.drain(policy, now)
        assert bucket.admits(policy)
        bucket.add(policy, now)


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    policy = Policy("test", 10, 10)
    bucket = Bucket(1000, 4)

    bucket.drain(policy, 900)
    assert bucket.level == 4
    bucket.drain(policy, 902)

    assert bucket.level == 2


def test_after_a_change_to_a_smaller_quota_the_wait_is_that_of_the_smaller_one() -> None:
    buckets = TokenBuckets(10)
    buckets.find("a", Policy("test", 1000, 60), 0).level = 1000

    use = buckets.find("a", Policy("test", 10, 60), 0).use(Policy("test", 10, 60))

    assert (use.remaining, use.reset) == (0, 6)


def test_the_buckets_used_longest_ago_are_forgotten() -> None:
    policy, buckets = Policy("test", 10, 10), TokenBuckets(3)
    for key in ("a", "b", "c", "a", "d"):
        buckets.find(key, policy, 0).add(policy, 0)

    assert len(buckets) == 3
    assert buckets.find("a", policy, 0).level == 2
    assert "b" not in buckets


@pytest.mark.parametrize(("text", "rate"), [("1000/60", (1000, 60)), (" 5/1 ", (5, 1)), ("0", None)])
def test_rates_are_requests_and_seconds(text: str, rate: tuple[int, int] | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "/60", "-1/60", "1.5/60", "10/0", "0/60", "1/121", "²/60", "1/60/2"]
)
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(InvalidRate, match=r"^must "):
        parse_rate(text)
