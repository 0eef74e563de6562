"""Random histories that the rules of credits produce have no breach."""

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from tests.support.audit.random_histories import assert_clean, run_history

pytestmark = pytest.mark.slow


@seed(1)
@settings(max_examples=2500, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(st.binary(min_size=12, max_size=90))
def test_histories_written_by_credits_have_no_breach(data: bytes) -> None:
    assert_clean(run_history(data))


@seed(3)
@settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(st.binary(min_size=12, max_size=90), st.integers(3, 20))
def test_entries_before_0_2_are_attributed_as_credits_does(data: bytes, old: int) -> None:
    replay = assert_clean(run_history(data, old=old))

    assert replay.unattributed > 0
