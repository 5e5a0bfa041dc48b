"""Page tokens lead back to their key, and to nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerlock_gateway.core.paging import make_token, page_size, read_token
from aerlock_gateway.errors import InvalidArgumentError


@given(st.integers(0, 2**63 - 1))
def test_number_in_a_token_comes_back(key):
    assert read_token("jobs", make_token("jobs", key), 0) == key


@given(st.text(max_size=100))
def test_text_in_a_token_comes_back(key):
    assert read_token("programs", make_token("programs", key), "") == key


@given(st.text(max_size=2000))
def test_any_other_text_is_refused_with_the_field_named(token):
    if not token:
        assert read_token("jobs", token, 7) == 7
        return
    with pytest.raises(InvalidArgumentError) as raised:
        read_token("jobs", token, 7)
    assert [violation.field for violation in raised.value.violations] == ["page_token"]


@pytest.mark.parametrize(
    "token", [make_token("programs", "x"), make_token("jobs", "x"), make_token("jobs", 2**63)]
)
def test_token_of_another_method_or_kind_is_refused(token):
    with pytest.raises(InvalidArgumentError):
        read_token("jobs", token, 0)


def test_page_size_is_bounded():
    assert [page_size(size) for size in (0, 1, 1000, 2**31 - 1)] == [50, 1, 1000, 1000]
    with pytest.raises(InvalidArgumentError):
        page_size(-1)
