"""What rproxy says is RESP: another parser reads it back."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.resp import encode
from rproxy.resp.wire import ReplyScanner

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=50)
VALUES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.binary(max_size=5), children, max_size=4),
    max_leaves=12,
)


def read(data: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(data)
    value = reader.gets()
    assert reader.gets() is False
    return value


def flat(value: Any) -> Any:
    """How RESP2 shows ``value``: maps as flat arrays, booleans as numbers."""
    if isinstance(value, dict):
        return [flat(part) for item in value.items() for part in item]
    return [flat(element) for element in value] if isinstance(value, list) else value


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_command_is_an_array_of_bulk_strings(arguments: list[bytes]) -> None:
    assert read(encode.command(arguments)) == arguments


@given(VALUES)
def test_a_value_is_read_back_in_resp2(value: Any) -> None:
    assert read(encode.reply(value)) == flat(value)


@given(VALUES)
def test_a_value_is_read_back_in_resp3(value: Any) -> None:
    data = encode.reply(value, 3)
    assert read(data) == value
    assert ReplyScanner().next(data, 0, len(data)) == len(data)


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (None, b"$-1\r\n", b"_\r\n"),
        (True, b":1\r\n", b":1\r\n"),
        (encode.Text(b"a b"), b"$3\r\na b\r\n", b"=7\r\ntxt:a b\r\n"),
        (encode.Distinct(("x", b"y")), b"*2\r\n+x\r\n$1\r\ny\r\n", b"~2\r\n+x\r\n$1\r\ny\r\n"),
        (-7, b":-7\r\n", b":-7\r\n"),
        ("OK", b"+OK\r\n", b"+OK\r\n"),
        (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
        ([], b"*0\r\n", b"*0\r\n"),
        ({}, b"*0\r\n", b"%0\r\n"),
        (
            {b"a": {b"b": None}},
            b"*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$-1\r\n",
            b"%1\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n_\r\n",
        ),
    ],
)
def test_the_bytes_of_a_value(value: Any, resp2: bytes, resp3: bytes) -> None:
    assert encode.reply(value) == resp2
    assert encode.reply(value, 3) == resp3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ERR no", b"-ERR no\r\n"),
        ("ERR a\r\nb\nc", b"-ERR a  b c\r\n"),
        ("ERR '\xff'", b"-ERR '\xff'\r\n"),
        ("ERR '\u20ac'", b"-ERR '?'\r\n"),
    ],
)
def test_an_error_is_one_line(text: str, line: bytes) -> None:
    assert encode.error(text) == line


def test_the_constants_are_what_their_names_say() -> None:
    assert (encode.simple("OK"), encode.simple("PONG"), encode.array([])) == (
        encode.OK,
        encode.PONG,
        encode.EMPTY_ARRAY,
    )
    assert (encode.reply(None), encode.reply(None, 3)) == (encode.NULL, encode.NULL_3)


def test_an_array_of_encoded_elements() -> None:
    assert encode.array(iter([encode.integer(1), encode.bulk(b"\r\n")])) == b"*2\r\n:1\r\n$2\r\n\r\n\r\n"
