"""One reply from several: the pure half of split and fanned-out commands.

An assembler gets the encoded replies of the parts and returns the encoded reply of the whole. An error of any part is
the answer of the whole, but where the policy says otherwise (Redis command tip ``response_policy``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.commands.spec import ResponsePolicy
from rproxy.resp import encode
from rproxy.resp.integer import integer_of
from rproxy.resp.wire import ReplyScanner

Merge = Callable[[Sequence[bytes]], bytes]

MISMATCH = encode.error("ERR the nodes gave replies that do not go together")


def first_error(replies: Sequence[bytes]) -> bytes | None:
    """The first error among ``replies``."""
    for reply in replies:
        if reply.startswith(b"-"):
            return reply
    return None


def elements_of(reply: bytes) -> list[bytes]:
    """The encoded elements of an array reply. Raises ``ValueError`` if it is no array."""
    header_end = reply.index(b"\r\n") + 2
    if not reply.startswith(b"*"):
        raise ValueError("not an array")
    scanner = ReplyScanner()
    elements = []
    position = header_end
    while position < len(reply):
        size = scanner.next(reply, position, len(reply))
        if size <= 0:
            raise ValueError("not whole")
        elements.append(reply[position : position + size])
        position += size
    return elements


def _number(reply: bytes) -> int:
    if not reply.startswith(b":"):
        raise ValueError("not an integer")
    return integer_of(reply[1:-2])


def _sum(replies: Sequence[bytes]) -> bytes:
    total = sum(map(_number, replies))
    if not -(1 << 63) <= total < 1 << 63:
        raise ValueError("more than an integer reply holds")
    return encode.integer(total)


def _min(replies: Sequence[bytes]) -> bytes:
    return encode.integer(min(map(_number, replies)))


def _max(replies: Sequence[bytes]) -> bytes:
    return encode.integer(max(map(_number, replies)))


def _concatenate(replies: Sequence[bytes]) -> bytes:
    """The elements of all arrays as one array."""
    counts = 0
    bodies = []
    for reply in replies:
        header_end = reply.index(b"\r\n")
        counts += int(reply[1:header_end])
        bodies.append(reply[header_end + 2 :])
    return b"*%d\r\n" % counts + b"".join(bodies)


def _each(combine: Callable[[Sequence[int]], bool]) -> Merge:
    """Integers combined, or arrays of integers element by element (SCRIPT EXISTS)."""

    def merge(replies: Sequence[bytes]) -> bytes:
        if replies[0].startswith(b":"):
            return encode.integer(int(combine([_number(reply) for reply in replies])))
        rows = zip(*(elements_of(reply) for reply in replies), strict=True)
        return encode.array(encode.integer(int(combine([_number(cell) for cell in row]))) for row in rows)

    return merge


def _first(replies: Sequence[bytes]) -> bytes:
    return replies[0]


MERGES: dict[ResponsePolicy, Merge] = {
    ResponsePolicy.FIRST: _first,
    ResponsePolicy.ALL_SUCCEEDED: _first,
    ResponsePolicy.AGG_SUM: _sum,
    ResponsePolicy.AGG_MIN: _min,
    ResponsePolicy.AGG_MAX: _max,
    ResponsePolicy.AGG_LOGICAL_AND: _each(all),
    ResponsePolicy.AGG_LOGICAL_OR: _each(any),
    ResponsePolicy.CONCATENATE: _concatenate,
}
"""How the replies of several shards become one when none is an error."""


def merge(policy: ResponsePolicy, replies: Sequence[bytes]) -> bytes:
    """The reply of a command that was sent to several nodes."""
    if policy is ResponsePolicy.ONE_SUCCEEDED:
        return next((reply for reply in replies if not reply.startswith(b"-")), replies[0])
    error = first_error(replies)
    if error is not None:
        return error
    try:
        return MERGES[policy](replies)
    except ValueError:
        return MISMATCH


def assemble(policy: ResponsePolicy, positions: Sequence[Sequence[int]], replies: Sequence[bytes]) -> bytes:
    """The reply of a split command; ``positions`` are those of each fragment's keys in the command.

    Arrays (MGET) are put back into the order of the keys; everything else is merged as its policy says.
    """
    if policy is not ResponsePolicy.CONCATENATE:
        return merge(policy, replies)
    error = first_error(replies)
    if error is not None:
        return error
    placed: list[tuple[int, bytes]] = []
    try:
        for keys, reply in zip(positions, replies, strict=True):
            if len(keys) == 1 and reply.startswith(b"*1\r\n"):
                placed.append((keys[0], reply[4:]))
            else:
                placed += zip(keys, elements_of(reply), strict=True)
    except ValueError:
        return MISMATCH
    placed.sort()
    return b"*%d\r\n" % len(placed) + b"".join([element for _, element in placed])
