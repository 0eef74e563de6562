"""Five thousand random histories, made by the rules of credits, pass the audit; five thousand more are next door."""

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from tests.support.audit.random_histories import assert_clean, run_history

pytestmark = pytest.mark.slow


@seed(1)
@settings(max_examples=5000, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(st.binary(min_size=12, max_size=90))
def test_histories_written_by_credits_have_no_breach(data: bytes) -> None:
    assert_clean(run_history(data))
