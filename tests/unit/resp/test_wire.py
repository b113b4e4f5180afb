"""The scanner of requests: RESP's rules, Redis's wording, and that both forms agree on any bytes cut anywhere."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings

from rproxy.resp.hash_slot import hash_slot
from tests.unit.resp.streams import CUTS, FORMS, STREAMS, each_form


def scan_all(wire: ModuleType, stream: bytes, cuts: tuple[int, ...] = (), **limits: int) -> list[object]:
    """What a client's scanner makes of ``stream`` arriving in pieces: commands, then the error if there is one."""
    scanner = wire.RequestScanner()
    for name, value in limits.items():
        setattr(scanner, name, value)
    seen: list[object] = []
    start = 0
    for end in (*sorted(cuts), len(stream)):
        chunk = bytearray(stream[:end]) if len(seen) % 2 else stream[:end]
        while True:
            status = scanner.next(chunk, start, end)
            if status == wire.COMMAND:
                forwarded = bytes(scanner.chunk[scanner.base : scanner.base + scanner.size])
                seen.append((scanner.args(), forwarded, scanner.slot(scanner.argc - 1)))
            elif status == wire.MALFORMED:
                return [*seen, scanner.error]
            elif status == wire.NEED_MORE:
                break
            start += scanner.consumed
    return seen


@each_form
def test_array_of_bulk_strings(wire: ModuleType) -> None:
    stream = b"*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"
    assert scan_all(wire, stream * 2) == [([b"GET", b"b"], stream, 3300)] * 2


@each_form
def test_inline_commands_are_shown_as_arrays(wire: ModuleType) -> None:
    seen = scan_all(wire, b"\r\nset a \"x\\n\\x41y\" 'it\\'s'\nPING\r\n")
    assert [command[0] for command in seen] == [[b"set", b"a", b"x\nAy", b"it's"], [b"PING"]]
    assert seen[1][1] == b"*1\r\n$4\r\nPING\r\n"


@each_form
def test_empty_arrays_and_lines_are_passed_over(wire: ModuleType) -> None:
    assert [c[0] for c in scan_all(wire, b"*0\r\n\r\n*-1\r\n   \nPING\r\n")] == [[b"PING"]]


@each_form
def test_odd_line_ends_are_forwarded_in_canonical_form(wire: ModuleType) -> None:
    assert scan_all(wire, b"*1\rX$4\r\nPINGxy")[0][1] == b"*1\r\n$4\r\nPING\r\n"


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*1048577\r\n", b"invalid multibulk length"),
        (b"*99999999999999999999\r\n", b"invalid multibulk length"),
        (b"*01\r\n", b"invalid multibulk length"),
        (b"*" + b"1" * 70000, b"too big mbulk count string"),
        (b"*1\r\n:1\r\n", b"expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$x\r\n", b"invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$" + b"1" * 70000, b"too big bulk count string"),
        (b"x" * 70000, b"too big inline request"),
        (b'"unbalanced\r\n', b"unbalanced quotes in request"),
        (b'"a"b\r\n', b"unbalanced quotes in request"),
    ],
)
@each_form
def test_protocol_errors_in_the_words_of_redis(wire: ModuleType, stream: bytes, error: bytes) -> None:
    assert scan_all(wire, b"PING\r\n" + stream)[1:] == [b"Protocol error: " + error]


@each_form
def test_a_header_cut_before_its_line_feed_is_not_taken_for_whole(wire: ModuleType) -> None:
    stream = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    for end in range(len(stream)):
        assert scan_all(wire, stream, cuts=(end,)) == [([b"a", b"b"], stream, 3300)]


@each_form
def test_limits_of_a_client_that_is_not_trusted(wire: ModuleType) -> None:
    assert scan_all(wire, b"*11\r\n", is_trusted=False) == [b"Protocol error: unauthenticated multibulk length"]
    assert scan_all(wire, b"*1\r\n$16385\r\n", is_trusted=False) == [b"Protocol error: unauthenticated bulk length"]
    assert scan_all(wire, b"*1\r\n$11\r\n", max_argument_size=10) == [b"Protocol error: invalid bulk length"]


@each_form
def test_limits_of_arguments_do_not_cut_an_inline_command_short(wire: ModuleType) -> None:
    line = b"AUTH a b c d e f g h i j k\r\n"
    for limits in ({"is_trusted": False}, {"max_argument_size": 3}, {"max_arguments": 4}):
        ((arguments, forwarded, _),) = scan_all(wire, line, **limits)
        assert arguments == line.split()
        assert forwarded.startswith(b"*12\r\n$4\r\nAUTH\r\n$1\r\na\r\n")


@each_form
def test_needed_tells_how_much_a_bulk_string_still_takes(wire: ModuleType) -> None:
    scanner = wire.RequestScanner()
    head = b"*2\r\n$3\r\nGET\r\n$1000\r\n"
    assert scanner.next(head, 0, len(head)) == wire.NEED_MORE
    assert scanner.needed == len(head) + 1002


@each_form
def test_many_arguments_grow_the_spans(wire: ModuleType) -> None:
    arguments = [b"%d" % number for number in range(5000)]
    stream = b"*5000\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in arguments)
    (seen,) = scan_all(wire, stream, cuts=tuple(range(1000, 30000, 777)))
    assert seen[0] == arguments


@each_form
def test_common_slot_and_raw_spans(wire: ModuleType) -> None:
    scanner = wire.RequestScanner()
    stream = b"*4\r\n$3\r\nDEL\r\n$4\r\n{t}a\r\n$4\r\n{t}b\r\n$1\r\nz\r\n"
    assert scanner.next(stream, 0, len(stream)) == wire.COMMAND
    assert scanner.common_slot(1, 2, 1) == hash_slot(b"t")
    assert scanner.common_slot(1, 3, 1) == -1
    assert stream[scanner.raw_start(2) : scanner.raw_end(3)] == b"$4\r\n{t}b\r\n$1\r\nz\r\n"
    with pytest.raises(IndexError):
        scanner.arg(4)
    with pytest.raises(IndexError):
        scanner.raw_start(0)


@given(STREAMS, CUTS)
@settings(max_examples=1500)
def test_both_forms_scan_any_stream_alike_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    pieces = tuple(cut for cut in cuts if cut < len(stream))
    whole = [scan_all(form, stream) for form in FORMS]
    in_pieces = [scan_all(form, stream, pieces) for form in FORMS]
    assert all(seen == whole[0] for seen in [*whole, *in_pieces])


@pytest.mark.parametrize(
    ("begun", "missing"),
    [
        (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nvvv", 1),
        (b"*5\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nvvv", 3),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nax\n$100\r\nvvv", -1),
        (b"SET a", 0),
    ],
)
@each_form
def test_it_is_known_how_many_arguments_are_missing(wire: ModuleType, begun: bytes, missing: int) -> None:
    scanner = wire.RequestScanner()
    assert scanner.next(begun, 0, len(begun)) == wire.NEED_MORE
    assert scanner.missing() == missing
