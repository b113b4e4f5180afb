"""Replies as Python values."""

from __future__ import annotations

import hiredis
import pytest

from rproxy.resp.decode import as_map, decode


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b":7\r\n", 7),
        (b"$1\r\na\r\n", b"a"),
        (b"=5\r\ntxt:a\r\n", b"a"),
        (b",1.5\r\n", 1.5),
        (b"_\r\n", None),
        (b"*2\r\n:1\r\n$-1\r\n", [1, None]),
        (b"%1\r\n$1\r\na\r\n:1\r\n", {b"a": 1}),
    ],
)
def test_a_reply_becomes_its_value(reply: bytes, value: object) -> None:
    assert decode(reply) == value


def test_an_error_becomes_an_exception() -> None:
    assert isinstance(decode(b"-ERR no\r\n"), hiredis.ReplyError)


def test_a_map_of_both_protocols_is_a_dictionary() -> None:
    assert as_map([b"a", 1]) == as_map({b"a": 1}) == {b"a": 1}
    for value in ([b"a"], b"a", 7):
        with pytest.raises(ValueError, match="no map"):
            as_map(value)
