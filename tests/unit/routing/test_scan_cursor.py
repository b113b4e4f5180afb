"""SCAN's joined cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.routing.scan_cursor import Place, find_place, join_cursor, page, page_of, split_cursor
from rproxy.topology.shard_tags import Mark

FIRST, SECOND, THIRD = (Place(0, Mark(tag, 5)) for tag in (10, 20, 30))
PLACES = [FIRST, SECOND, THIRD]


@given(st.integers(0, 2**31), st.integers(1, 2**14 - 1), st.integers(1, 2**8 - 1))
def test_a_nodes_cursor_and_its_place_come_back_and_stay_small(own: int, tag: int, check: int) -> None:
    place = Place(0, Mark(tag, check))
    joined = join_cursor(place, own, 1)
    assert 0 < joined < 2**53 + 2**22
    assert split_cursor(b"%d" % joined, 1) == (place, own)


@given(st.integers(0, 2**36), st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_so_does_the_cluster(own: int, clusters: tuple[int, int]) -> None:
    place = Place(clusters[1], Mark(1, 255))
    joined = join_cursor(place, own, clusters[0])
    assert joined < 2**64
    assert split_cursor(b"%d" % joined, clusters[0]) == (place, own)


@pytest.mark.parametrize("text", [b"-", b"x", b" 1", b"--1", b"18446744073709551616"])
def test_what_is_no_cursor_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        split_cursor(text, 1)


@pytest.mark.parametrize(("text", "number"), [(b"", b"0"), (b"+7", b"7"), (b"007", b"7"), (b"-1", b"%d" % (2**64 - 1))])
def test_it_is_read_as_c_reads_it(text: bytes, number: bytes) -> None:
    assert split_cursor(text, 1) == split_cursor(number, 1)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (SECOND, (1, True)),
        (Place(0, Mark(20, 6)), (1, False)),  # another primary leads the shard
        (Place(0, Mark(15, 5)), (1, False)),  # the shard is gone
        (Place(0, Mark(31, 5)), None),
        (Place(1, Mark(1, 1)), None),
        (Place(0, Mark(0, 0)), (0, False)),
    ],
)
def test_a_walk_goes_on_where_it_stood(wanted: Place, found: tuple[int, bool] | None) -> None:
    assert find_place(PLACES, wanted) == found


def test_two_shards_of_one_tag_are_told_apart_by_their_checks() -> None:
    twins = [Place(0, Mark(10, 5)), Place(0, Mark(10, 9))]
    assert find_place(twins, twins[1]) == (1, True)


def test_a_page_is_taken_apart_and_put_together() -> None:
    reply = b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n"
    assert page_of(reply) == (17, b"*1\r\n$1\r\na\r\n")
    assert page(*page_of(reply)) == reply


def test_an_error_is_no_page() -> None:
    with pytest.raises(ValueError, match="no page"):
        page_of(b"-ERR syntax error\r\n")
