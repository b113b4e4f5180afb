"""XREAD over several slots."""

from __future__ import annotations

import pytest

from rproxy.commands.keys import streams
from rproxy.routing.streams import cut_streams, join_streams

A_2 = b"*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
B_2 = A_2.replace(b"$1\r\na\r\n", b"$1\r\nb\r\n")
A_3, B_3 = A_2.removeprefix(b"*2\r\n"), B_2.removeprefix(b"*2\r\n")


def test_a_cut_takes_keys_with_their_ids() -> None:
    args = b"XREAD COUNT 2 STREAMS a b c 1 2 $".split()
    positions = streams(args)
    assert cut_streams(args, positions, [4, 6]) == b"XREAD COUNT 2 STREAMS a c 1 $".split()
    assert cut_streams(args, positions, [5]) == b"XREAD COUNT 2 STREAMS b 2".split()


def test_streams_come_in_the_order_of_the_command() -> None:
    assert join_streams([b"a", b"b"], [b"*1\r\n" + B_2, b"*1\r\n" + A_2], 2) == b"*2\r\n" + A_2 + B_2
    assert join_streams([b"a", b"b"], [b"%1\r\n" + B_3, b"%1\r\n" + A_3], 3) == b"%2\r\n" + A_3 + B_3


def test_slots_without_entries_are_left_out() -> None:
    assert join_streams([b"a", b"b"], [b"*-1\r\n", b"*1\r\n" + A_2], 2) == b"*1\r\n" + A_2
    assert join_streams([b"a", b"b"], [b"_\r\n", b"%1\r\n" + A_3], 3) == b"%1\r\n" + A_3


def test_no_entries_at_all_are_null() -> None:
    assert join_streams([b"a", b"b"], [b"*-1\r\n", b"*-1\r\n"], 2) == b"*-1\r\n"
    assert join_streams([b"a", b"b"], [b"_\r\n", b"_\r\n"], 3) == b"_\r\n"


def test_what_is_no_reply_of_xread_is_refused() -> None:
    with pytest.raises(ValueError, match="no streams"):
        join_streams([b"a"], [b":1\r\n"], 2)
