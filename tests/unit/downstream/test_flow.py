"""How much of one client may be under way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rproxy.downstream.flow import FIRST_GUESS, bounds, reply_size, window

MIB = 1024 * 1024


def test_a_guess_grows_at_once_and_shrinks_by_half() -> None:
    assert reply_size(1000, 80_000, 8, 0) == 10_000
    assert reply_size(1000, 80, 8, 0) == 500
    assert reply_size(1000, 0, 0, 0) == 1000
    assert reply_size(1, 0, 3, 0) == 1


def test_a_reply_that_has_begun_counts_as_soon_as_it_is_larger() -> None:
    assert reply_size(1000, 0, 0, 999) == 1000
    assert reply_size(1000, 0, 0, 5000) == 5000


def test_a_new_client_may_have_large_replies() -> None:
    most, _ = bounds(64 * MIB)
    assert window(most, FIRST_GUESS, 1024) == 4
    assert reply_size(FIRST_GUESS, 0, 0, 0) == FIRST_GUESS


def test_the_first_replies_tell_what_they_are_like_at_once() -> None:
    assert reply_size(FIRST_GUESS, 40, 8, 0) == 5


@given(st.integers(1, 1 << 40), st.integers(-(1 << 40), 1 << 40), st.integers(1, 5000))
def test_at_least_one_command_gets_on_and_never_too_many(size: int, room: int, most: int) -> None:
    assert 1 <= window(room, size, most) <= most
    assert window(room, size, most) == 1 or window(room, size, most) * size <= room


@given(st.integers(1, 1 << 40))
def test_the_bounds_are_inside_the_limit(limit: int) -> None:
    nodes_wait, commands_wait = bounds(limit)
    assert 0 < commands_wait <= nodes_wait <= limit
