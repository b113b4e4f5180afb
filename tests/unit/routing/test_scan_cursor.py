"""SCAN's joined cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.resp import encode
from rproxy.routing.scan_cursor import join_cursor, split_cursor

EMPTY = b"*0\r\n"


def reply(cursor: int) -> bytes:
    return b"*2\r\n" + encode.bulk(b"%d" % cursor) + EMPTY


def cursor_of(joined: bytes) -> bytes:
    return joined.split(b"\r\n")[2]


def test_zero_begins_at_the_first_shard() -> None:
    assert split_cursor(b"0") == (0, b"0")


@given(st.integers(1, 2**52 - 1), st.integers(0, 4095))
def test_a_nodes_cursor_and_its_shard_come_back(cursor: int, shard: int) -> None:
    joined = cursor_of(join_cursor(reply(cursor), shard, 4096))
    assert int(joined) < 2**64
    assert split_cursor(joined) == (shard, b"%d" % cursor)


def test_the_next_shard_follows_and_the_last_ends() -> None:
    assert split_cursor(cursor_of(join_cursor(reply(0), 0, 2))) == (1, b"0")
    assert join_cursor(reply(0), 1, 2) == reply(0)


def test_an_error_passes() -> None:
    assert join_cursor(b"-ERR syntax error\r\n", 0, 2) == b"-ERR syntax error\r\n"


@pytest.mark.parametrize("text", [b"", b"x", b"-1", b"18446744073709551616"])
def test_what_is_no_cursor_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        split_cursor(text)
