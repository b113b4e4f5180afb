"""The scanner of replies: RESP's rules, and that both forms agree on any bytes cut anywhere."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.resp.streams import CUTS, FORMS, STREAMS, each_form


def frame_all(wire: ModuleType, stream: bytes, cuts: tuple[int, ...] = ()) -> list[object]:
    """The replies that a scanner finds in ``stream`` arriving in pieces; a last ``None`` for garbage."""
    scanner = wire.ReplyScanner(max_size=1000)
    seen: list[object] = []
    start = 0
    for end in (*sorted(cuts), len(stream)):
        while (size := scanner.next(stream[:end], start, end)) > 0:
            seen.append((stream[start : start + size], scanner.first))
            start += size
        if size < 0:
            return [*seen, None]
        assert scanner.needed > end - start
    return seen


@given(STREAMS, CUTS)
@settings(max_examples=1500)
def test_both_forms_frame_any_stream_alike_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    pieces = tuple(cut for cut in cuts if cut < len(stream))
    whole = [frame_all(form, stream) for form in FORMS]
    in_pieces = [frame_all(form, stream, pieces) for form in FORMS]
    assert all(seen == whole[0] for seen in [*whole, *in_pieces])


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*1\r\n$1\r\na\r\n*0\r\n",
        b"%1\r\n+a\r\n:1\r\n",
        b"~2\r\n:1\r\n:2\r\n",
        b">2\r\n+a\r\n+b\r\n",
        b"|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(12345678901234567890\r\n",
        b"=5\r\ntxt:a\r\n",
        b"!5\r\nERR a\r\n",
        b"*1\r\n" * 1000 + b":1\r\n",
    ],
)
@each_form
def test_replies_are_framed(wire: ModuleType, reply: bytes) -> None:
    assert frame_all(wire, reply * 3) == [(reply, reply[0])] * 3
    assert frame_all(wire, reply, cuts=tuple(range(1, len(reply)))) == [(reply, reply[0])]


@pytest.mark.parametrize(
    "garbage", [b"hello\r\n", b"$x\r\n", b"$-2\r\n", b"$1001\r\n", b"*-2\r\n", b"$1\r\nabc", b"+a\n", b"*1\rx"]
)
@each_form
def test_what_is_no_resp_is_told(wire: ModuleType, garbage: bytes) -> None:
    assert frame_all(wire, b"+OK\r\n" + garbage) == [(b"+OK\r\n", 0x2B), None]


@each_form
def test_a_reply_that_begins_like_the_one_before_is_framed_as_what_it_is(wire: ModuleType) -> None:
    first = b"$3\r\nabc\r\n"
    for other in (b"$3\r\na\r\n\r\n", b"$3\r\n\r\na\r\n", b"$30\r\n" + 30 * b"a" + b"\r\n", b"$-1\r\n"):
        assert frame_all(wire, first + other + first) == [(first, 0x24), (other, 0x24), (first, 0x24)]
    assert frame_all(wire, first + b"$3\r\nabcd\r\n") == [(first, 0x24), None]
    assert frame_all(wire, first + b"$3\r\nabc") == [(first, 0x24)]


@each_form
def test_a_bulk_string_is_as_large_as_the_bound_and_no_larger(wire: ModuleType) -> None:
    for size, framed in ((10, 17), (11, -1)):
        reply = b"$%d\r\n%b\r\n" % (size, b"a" * size)
        assert wire.ReplyScanner(max_size=10).next(reply, 0, len(reply)) == framed


@each_form
def test_a_line_without_an_end_is_given_up_after_a_mebibyte(wire: ModuleType) -> None:
    line = b"+" + b"a" * (1 << 20)
    assert wire.ReplyScanner().next(line, 0, len(line) - 1) == 0
    assert wire.ReplyScanner().next(line, 0, len(line)) == -1


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"*2147483647\r\n", 0),
        (b"*2147483648\r\n", -1),
        (b"%2147483647\r\n", 0),
        (b"%2147483647\r\n*1\r\n", 0),
        (b"%2147483647\r\n*2\r\n", -1),
        (b"%2147483647\r\n*3\r\n", -1),
    ],
)
@each_form
def test_elements_to_come_are_counted_up_to_32_bits(wire: ModuleType, begun: bytes, status: int) -> None:
    assert wire.ReplyScanner().next(begun, 0, len(begun)) == status


@each_form
def test_needed_tells_how_much_a_bulk_string_still_takes(wire: ModuleType) -> None:
    scanner = wire.ReplyScanner()
    head = b"*2\r\n:1\r\n$1000\r\n"
    assert scanner.next(head + b"abc", 0, len(head) + 3) == 0
    assert scanner.needed == len(head) + 1002


@each_form
def test_a_reply_is_begun_until_it_has_ended(wire: ModuleType) -> None:
    scanner = wire.ReplyScanner()
    reply = b"*2\r\n:1\r\n:2\r\n"
    begun = []
    for end in (0, 5, 8, len(reply)):
        scanner.next(reply, 0, end)
        begun.append(scanner.is_mid_reply())
    assert begun == [False, True, True, False]


# -- replies that are relayed as they come


def pour_all(wire: ModuleType, stream: bytes, cuts: tuple[int, ...]) -> list[object]:
    """The steps of relaying the first reply of ``stream``, which comes in pieces; a last ``None`` for garbage."""
    scanner = wire.ReplyScanner(max_size=1000)
    steps: list[object] = []
    start = 0
    for end in (*sorted(cuts), len(stream)):
        chunk = bytearray(stream[:end]) if end % 2 else stream[:end]
        if not scanner.is_mid_reply():
            size = scanner.next(chunk, start, end)
            if size:
                return [*steps, size if size > 0 else None]
            if not scanner.is_mid_reply():
                continue
        size = scanner.pour(chunk, start, end)
        if size < 0:
            return [*steps, None]
        steps.append(size)
        start += size
        if not scanner.is_mid_reply():
            break
        assert start <= end
    return steps


def nested(depth: int) -> st.SearchStrategy[bytes]:
    """Replies of any kind."""
    bulk = st.binary(max_size=60).map(lambda data: b"$%d\r\n%b\r\n" % (len(data), data))
    leaf = st.one_of(bulk, st.sampled_from([b"+OK\r\n", b":12\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"-ERR no\r\n"]))
    if not depth:
        return leaf
    inner = st.lists(nested(depth - 1), max_size=4)
    array = inner.map(lambda items: b"*%d\r\n%b" % (len(items), b"".join(items)))
    pairs = inner.map(lambda items: b"%%%d\r\n%b" % (len(items) // 2, b"".join(items[: len(items) // 2 * 2])))
    return st.one_of(leaf, array, pairs)


@given(nested(3), st.lists(st.integers(0, 400), max_size=12))
def test_the_pieces_of_a_reply_are_the_reply_and_no_more(reply: bytes, cuts: list[int]) -> None:
    stream = reply + b"+NEXT\r\n" * 3
    places = tuple(cut for cut in cuts if cut < len(stream))
    for wire in FORMS:
        assert sum(pour_all(wire, stream, places)) == len(reply)  # type: ignore[arg-type]


@given(nested(2), st.lists(st.integers(0, 300), max_size=8), st.integers(0, 300), st.binary(max_size=3))
def test_both_forms_pour_alike_whatever_comes(reply: bytes, cuts: list[int], place: int, nonsense: bytes) -> None:
    stream = reply[:place] + nonsense + reply[place + 1 :]
    places = tuple(cut for cut in cuts if cut < len(stream))
    assert len({repr(pour_all(wire, stream, places)) for wire in FORMS}) == 1


@pytest.mark.parametrize("end", [b"x\n", b"\rx", b"xx"])
@each_form
def test_a_bulk_string_that_ends_wrongly_is_noticed_while_it_is_poured(wire: ModuleType, end: bytes) -> None:
    stream = b"$100\r\n" + b"v" * 100
    scanner = wire.ReplyScanner()
    assert scanner.next(stream[:50], 0, 50) == 0
    assert scanner.pour(stream[:50], 0, 50) == 50
    assert scanner.pour(stream, 50, len(stream)) == len(stream) - 50
    assert scanner.pour(stream + end[:1], len(stream), len(stream) + 1) == (1 if end[:1] == b"\r" else -1)
    if end[:1] == b"\r":
        assert scanner.pour(stream + end, len(stream) + 1, len(stream) + 2) == -1
