"""Streams of requests as no client library sends them, and who sends them: ``python -m tests.support.bad_bytes``.

It is a process of its own, so that what good clients wait for meanwhile is not the test's own doing. It ends with the
number of streams that were sent, and fails if rproxy kept a connection open whose stream had ended.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import sys
from collections.abc import Sequence

from tests.support.client import pack

TOGETHER = 64
"""Connections that are open at a time."""
PATIENCE = 60.0
CORPUS: tuple[bytes, ...] = (
    pack("SET", "bad:a", "1") + pack("GET", "bad:a") + pack("DEL", "bad:a"),
    pack("MSET", "bad:a", "1", "bad:b", "2") + pack("MGET", "bad:a", "bad:b", "bad:c"),
    pack("MULTI") + pack("INCR", "{bad}n") + pack("GET", "{bad}n") + pack("EXEC"),
    pack("WATCH", "{bad}n") + pack("MULTI") + pack("SET", "{bad}n", "5") + pack("DISCARD"),
    pack("EVAL", "return {KEYS[1], ARGV[1]}", "1", "bad:a", "x" * 300),
    pack("SUBSCRIBE", "bad:1", "bad:2") + pack("PSUBSCRIBE", "bad:*") + pack("PING") + pack("UNSUBSCRIBE"),
    pack("HELLO", "3") + pack("CLIENT", "SETNAME", "bad") + pack("HGETALL", "bad:h") + pack("PUBLISH", "bad:3", "m"),
    pack("LPUSH", "bad:l", *map(str, range(50))) + pack("BLPOP", "bad:l", "0") + pack("BLPOP", "bad:none", "0"),
    pack("XADD", "bad:s", "MAXLEN", "5", "*", "f", "v") + pack("XREAD", "BLOCK", "0", "STREAMS", "bad:s", "$"),
    pack("SCAN", "0", "MATCH", "bad:*") + pack("DBSIZE") + pack("KEYS", "bad:*") + pack("INFO"),
    pack("SET", "bad:v", "v" * 5000, "EX", "100")
    + pack("APPEND", "bad:v", "w" * 5000)
    + pack("GETRANGE", "bad:v", "0", "9"),
    b"PING\r\nSET bad:i 'a b' \r\nGET bad:i\r\n\r\nECHO \"x\\x00y\"\r\nQUIT\r\n",
    pack("GET", "bad:a") * 500,
)
"""Valid pipelines of every kind that rproxy treats in a way of its own."""
REFUSED: tuple[bytes, ...] = (
    b"*3\r\n$99999999999\r\n",
    b"*2\r\n$3\r\nSET\r\n$536870913\r\nhalf",
    b"*9223372036854775808\r\n",
    b"*x\r\n",
    b"*1\r\n:5\r\n",
    b"*1\r\n$-1\r\n",
    b"*-5\r\n*1\r\n$-1\r\n",
    b"*" + b"1" * 70_000,
    b"*1\r\n$" + b"1" * 70_000,
    b"x" * 70_000,
    b"'" * 1001 + b"\r\n",
)
"""What no server takes."""
NASTY: tuple[bytes, ...] = (
    *REFUSED,
    b"*1000000000\r\n",
    b"*1048576\r\n$3\r\nGET\r\n",
    b"*2\r\n$3\r\nGET\r\n$536870912\r\nhalf",
    b"$5\r\n",
    b"\x00\xff\r\n" * 100,
    b"\r\n" * 5000,
    b"*0\r\n" * 5000,
    b"*1\r\n$0\r\n\r\n" * 500,
    b"GET / HTTP/1.1\r\nHost: redis\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
)
"""Further counts, lengths and lines that are no good, and other protocols."""


def mutated(draw: random.Random) -> bytes:
    """A valid stream with bits flipped, bytes changed, cut out or doubled, lengths that lie, or another's end."""
    data = bytearray(draw.choice(CORPUS))
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(data)) if data else 0
        match draw.randrange(7):
            case 0 if data:
                data[place] ^= 1 << draw.randrange(8)
            case 1:
                data[place : place + draw.randint(0, 3)] = draw.randbytes(draw.randint(0, 3))
            case 2:
                del data[place:]
            case 3:
                del data[place : place + draw.randint(1, 20)]
            case 4:
                data[place:place] = data[place : place + draw.randint(1, 40)]
            case 5:
                _change_a_length(data, place, draw)
            case _:
                other = draw.choice(CORPUS)
                data[place:] = other[draw.randrange(len(other)) :]
    return bytes(data)


def _change_a_length(data: bytearray, place: int, draw: random.Random) -> None:
    """Have the next line of a length after ``place`` say something else."""
    marks = [found for found in (data.find(b"*", place), data.find(b"$", place)) if found >= 0]
    if marks and (end := data.find(b"\r\n", min(marks))) > 0:
        said = draw.choice(
            [b"-1", b"0", b"1", b"9", b"00", b"65536", b"1048576", b"536870912", b"4294967296", b"x", b""]
        )
        data[min(marks) + 1 : end] = said


def stream(draw: random.Random) -> bytes:
    """One in sixteen is nasty, all others are mutated."""
    return draw.choice(NASTY) if draw.randrange(16) == 0 else mutated(draw)


def begin(port: int, number: int, data: bytes) -> socket.socket:
    """A connection that has sent ``data``, as far as rproxy takes it. The ports of one address would not suffice."""
    client = socket.create_connection(("127.0.0.1", port), PATIENCE, (f"127.0.1.{1 + number // TOGETHER % 200}", 0))
    with contextlib.suppress(OSError):
        client.sendall(data)
    return client


def end(client: socket.socket, way: int) -> None:
    """Leave with a reset, after a part of the replies, or when rproxy has closed, which it has to.

    Raises ``TimeoutError`` if it does not.
    """
    with client, contextlib.suppress(ConnectionError):
        if way == 0:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == 1:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.recv(1000)
        else:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass


def offend(port: int, count: int, seed: int) -> int:
    """Send ``count`` streams, the same for the same ``seed``; how many it were."""
    draw = random.Random(seed)
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(first + TOGETHER, count))
        clients = [begin(port, number, stream(draw)) for number in numbers]
        for client in clients:
            end(client, draw.randrange(3))
    return count


def main(arguments: Sequence[str]) -> int:
    """PORT COUNT SEED."""
    print(offend(*map(int, arguments)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
