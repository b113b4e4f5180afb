"""What scans bytes of strangers: requests, replies, keys and names. The twin is the oracle, with what must hold."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

from rproxy.resp import encode
from rproxy.resp.hash_slot import hash_slot
from rproxy.resp.name_index import NameIndex
from tests.fuzz.source import Source
from tests.support.forms import forms

WIRES = forms("resp.wire")
SLOTS = forms("resp.hash_slot")
INDEXES = forms("resp.name_index")
LIMITS: tuple[dict[str, Any], ...] = (
    {},
    {"is_trusted": False},
    {"max_argument_size": 3},
    {"max_arguments": 2},
    {"max_inline_size": 10},
)
REPLY_LIMITS = (1000, 10, 512 * 1024 * 1024)
NAMES = NameIndex()
NAMES.put(b"GET", b"GET")


def requests(data: bytes) -> None:
    """A client's stream is read alike by both forms, whole, in pieces, as ``bytes`` and as ``bytearray``."""
    source = Source(data)
    limits, cuts, stream = source.of(LIMITS), source.cuts(), source.rest()
    readings = [
        _requests_in(wire, kind, limits, stream, ends)
        for wire in WIRES
        for kind in (bytes, bytearray)
        for ends in ([], [cut for cut in cuts if cut < len(stream)])
    ]
    assert all(reading == readings[0] for reading in readings), readings


def _requests_in(wire: ModuleType, kind: type, limits: dict[str, Any], stream: bytes, cuts: list[int]) -> list[object]:
    scanner = wire.RequestScanner()
    for name, value in limits.items():
        setattr(scanner, name, value)
    seen: list[object] = []
    start = 0
    for end in (*cuts, len(stream)):
        chunk = kind(stream[:end])
        while (status := scanner.next(chunk, start, end)) != wire.NEED_MORE:
            if status == wire.MALFORMED:
                return [*seen, scanner.error]
            assert 0 < scanner.consumed <= end - start
            if status == wire.COMMAND:
                seen.append((scanner.args(), _facts_of(scanner)))
            start += scanner.consumed
        assert start == end or scanner.needed > end - start
    return seen


def _facts_of(scanner: Any) -> tuple[object, ...]:
    """What a scanner tells of its command, checked against the arguments."""
    args = scanner.args()
    assert len(args) == scanner.argc > 0
    assert args == [scanner.arg(index) for index in range(scanner.argc)]
    chunk, base = scanner.chunk, scanner.base
    assert bytes(chunk[base : base + scanner.size]) == encode.command(args)
    last = len(args) - 1
    for index in range(1, len(args)):
        raw = bytes(chunk[scanner.raw_start(index) : scanner.raw_end(index)])
        assert raw == b"$%d\r\n%b\r\n" % (len(args[index]), args[index])
    slots = [scanner.slot(index) for index in range(len(args))]
    assert slots == [hash_slot(argument) for argument in args]
    assert scanner.common_slot(0, last, 1) == (slots[0] if len(set(slots)) == 1 else -1)
    assert scanner.find(NAMES) == (b"GET" if args[0].upper() == b"GET" else None)
    return scanner.find(NAMES), *slots


def replies(data: bytes) -> None:
    """A node's stream is framed alike by both forms, whole and in pieces."""
    source = Source(data)
    limit, cuts, stream = source.of(REPLY_LIMITS), source.cuts(), source.rest()
    readings = [
        _replies_in(wire, limit, stream, ends)
        for wire in WIRES
        for ends in ([], [cut for cut in cuts if cut < len(stream)])
    ]
    assert all(reading == readings[0] for reading in readings), readings


def _replies_in(wire: ModuleType, limit: int, stream: bytes, cuts: list[int]) -> list[object]:
    scanner = wire.ReplyScanner(max_size=limit)
    seen: list[object] = []
    start = 0
    for end in (*cuts, len(stream)):
        chunk = stream[:end]
        while (size := scanner.next(chunk, start, end)) > 0:
            assert size <= end - start
            seen.append((chunk[start : start + size], scanner.first))
            start += size
        if size < 0:
            return [*seen, None]
        assert scanner.needed > end - start
    return seen


def slots(data: bytes) -> None:
    """A key's slot is that of its hash tag, in both forms."""
    opening, _, rest = data.partition(b"{")
    tag, closing, _ = rest.partition(b"}")
    found = {form.hash_slot(data) for form in SLOTS}
    if closing and tag and len(opening) < len(data):
        found |= {form.hash_slot(tag) for form in SLOTS}
    assert len(found) == 1
    assert 0 <= found.pop() < 16384


def names(data: bytes) -> None:
    """An index holds what was put last under a name, in any case, and nothing under any other."""
    source = Source(data)
    indexes = [module.NameIndex() for module in INDEXES]
    held: dict[bytes, int] = {}
    for number in itertools.count():
        if not source.has_more():
            return
        is_put, name = source.below(2), source.word()
        is_valid = 0 < len(name) <= 32 and 0 not in name
        for index in indexes:
            try:
                if is_put:
                    index.put(name, number)
                    assert is_valid
            except ValueError:
                assert not is_valid
        if is_put and is_valid:
            held[name.upper()] = number
        for asked in (name, name.lower(), name + b"\0", name[:-1]):
            assert {index.get(asked) for index in indexes} == {held.get(asked.upper())}
