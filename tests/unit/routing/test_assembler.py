"""Replies of parts become the reply of the whole."""

from __future__ import annotations

import pytest

from rproxy.commands.spec import ResponsePolicy
from rproxy.routing.assembler import assemble, elements_of, merge


@pytest.mark.parametrize(
    ("policy", "replies", "merged"),
    [
        (ResponsePolicy.AGG_SUM, [b":1\r\n", b":41\r\n"], b":42\r\n"),
        (ResponsePolicy.AGG_MIN, [b":3\r\n", b":2\r\n"], b":2\r\n"),
        (ResponsePolicy.AGG_MAX, [b":3\r\n", b":2\r\n"], b":3\r\n"),
        (ResponsePolicy.ALL_SUCCEEDED, [b"+OK\r\n", b"+OK\r\n"], b"+OK\r\n"),
        (ResponsePolicy.ALL_SUCCEEDED, [b"+OK\r\n", b"-ERR x\r\n"], b"-ERR x\r\n"),
        (ResponsePolicy.ONE_SUCCEEDED, [b"-NOTBUSY\r\n", b"+OK\r\n"], b"+OK\r\n"),
        (ResponsePolicy.ONE_SUCCEEDED, [b"-NOTBUSY\r\n", b"-NOTBUSY\r\n"], b"-NOTBUSY\r\n"),
        (ResponsePolicy.AGG_LOGICAL_AND, [b":1\r\n", b":0\r\n"], b":0\r\n"),
        (ResponsePolicy.AGG_LOGICAL_AND, [b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n"], b"*2\r\n:0\r\n:1\r\n"),
        (ResponsePolicy.AGG_LOGICAL_OR, [b":0\r\n", b":1\r\n"], b":1\r\n"),
        (ResponsePolicy.CONCATENATE, [b"*1\r\n$1\r\na\r\n", b"*0\r\n"], b"*1\r\n$1\r\na\r\n"),
    ],
)
def test_merge(policy: ResponsePolicy, replies: list[bytes], merged: bytes) -> None:
    assert merge(policy, replies) == merged


def test_replies_that_do_not_go_together_are_an_error() -> None:
    assert merge(ResponsePolicy.AGG_SUM, [b":1\r\n", b"+OK\r\n"]).startswith(b"-ERR ")


def test_mget_is_put_back_into_the_order_of_its_keys() -> None:
    replies = [b"*2\r\n$1\r\na\r\n$-1\r\n", b"*1\r\n$1\r\nb\r\n"]
    assembled = assemble(ResponsePolicy.CONCATENATE, [[1, 3], [2]], replies)
    assert assembled == b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n"


def test_an_error_of_one_fragment_is_the_answer() -> None:
    assert assemble(ResponsePolicy.CONCATENATE, [[1], [2]], [b"*1\r\n$-1\r\n", b"-ERR x\r\n"]) == b"-ERR x\r\n"


def test_elements_of_nested_arrays() -> None:
    assert elements_of(b"*2\r\n*1\r\n:1\r\n$0\r\n\r\n") == [b"*1\r\n:1\r\n", b"$0\r\n\r\n"]
    with pytest.raises(ValueError, match="not an array"):
        elements_of(b"+OK\r\n")
