"""Five thousand random histories beside those of test_audit_histories, so that two workers share them."""

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from tests.support.audit.random_histories import assert_clean, run_history

pytestmark = pytest.mark.slow


@seed(2)
@settings(max_examples=5000, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(st.binary(min_size=12, max_size=90))
def test_what_credits_writes_passes_the_audit(data: bytes) -> None:
    assert_clean(run_history(data))


@seed(3)
@settings(max_examples=500, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(st.binary(min_size=12, max_size=90), st.integers(3, 20))
def test_entries_of_old_are_attributed_as_credits_attributes_them(data: bytes, old: int) -> None:
    books = assert_clean(run_history(data, old=old))

    assert books.unattributed > 0
