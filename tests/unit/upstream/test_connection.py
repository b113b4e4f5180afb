"""An upstream connection by itself: bytes go in as from a socket; what its pool and cluster hear is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from rproxy.metrics.counters import CommandStats
from rproxy.resp.wire import Chunk
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.connection import Connection, Traffic, Transport, Turn
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.failure import GARBAGE, LOST, Failure
from rproxy.upstream.request import Request
from rproxy.upstream.sink import DISCARD, LATER, RELAYED, WHOLE, Sink
from rproxy.upstream.slow_log import SlowLog
from tests.support.upstream import Replies

GET = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
LONGER = b"*2\r\n$3\r\nGET\r\n$5\r\nbbbbb\r\n"


class Socket(Transport):
    """Takes everything that is flushed."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_closed = False
        self.is_reading = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def flush(self, connection: Connection) -> None:
        self.sent += connection.outbox.take()

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Lost:
    request: Request
    failure: Failure
    reason: str
    was_written: bool


class Owner:
    """Stands for the pool and the cluster of one connection."""

    def __init__(self) -> None:
        self.turn = Turn(asyncio.get_running_loop())
        self.traffic = Traffic()
        self.endpoint = Endpoint("node", 7000)
        self.cluster = self
        self.slow_log = SlowLog()
        self.follows = False
        self.followed: list[tuple[Request, bytes]] = []
        self.failures: list[str] = []
        self.lost: list[Lost] = []
        self.relieved: list[UpstreamConnection] = []
        self.restored: list[int] = []

    def on_connection_lost(self, connection: UpstreamConnection, reason: str, had_requests: bool) -> None:
        assert not connection.is_open
        self.failures.append(reason)

    def relieve(self, connection: UpstreamConnection) -> None:
        self.relieved.append(connection)

    def restore(self, lane: int) -> None:
        self.restored.append(lane)

    def follow(self, request: Request, line: bytes, asked: UpstreamConnection) -> bool:
        self.followed.append((request, line))
        return self.follows

    def on_request_lost(
        self, request: Request, failure: Failure, reason: str, endpoint: Endpoint, was_written: bool
    ) -> None:
        assert endpoint == self.endpoint
        self.lost.append(Lost(request, failure, reason, was_written))


class Client(Sink):
    """A client that takes what it has room for, and notes what it hears."""

    def __init__(self, affinity: int = 2) -> None:
        self.taken = b""
        self.way = RELAYED
        self.is_full = False
        self.waiting: list[Connection] = []
        self.ends: list[bool] = []
        self.given_up: list[str] = []
        self._affinity = affinity

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> Sink | None:
        self.taken += bytes(chunk[start:end])
        return self if self.is_full else None

    def takes(self, token: int, size: int) -> int:
        return self.way

    def relay(self, token: int, chunk: Chunk, start: int, end: int, is_last: bool) -> Sink | None:
        self.ends.append(is_last)
        return self.deliver(token, chunk, start, end)

    def await_room(self, feeder: Connection) -> None:
        self.waiting.append(feeder)

    def give_up(self, reason: str) -> None:
        self.given_up.append(reason)

    def affinity(self) -> int:
        return self._affinity


class Link:
    """A connection with its surroundings."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.socket = Socket()
        self.replies = Replies()
        self.stats = CommandStats()
        self.connection = UpstreamConnection(self.owner, 3)  # type: ignore[arg-type]
        self.connection.transport = self.socket

    def send(self, token: int, data: bytes = GET, *, slot: int = 5, is_read: bool = True) -> None:
        self.connection.send(data, 0, len(data), self.replies, token, self.stats, slot, is_read)

    def ask(self, client: Sink, stats: CommandStats | None = None) -> None:
        self.connection.send(GET, 0, len(GET), client, 0, stats, 5, True)
        self.flush()

    def flush(self) -> None:
        self.owner.turn.finish()

    def receive(self, data: bytes) -> None:
        if self.connection.inbox is None:
            self.connection.receive(data, len(data))
        else:
            # As a transport does: the new bytes stand behind those that were kept.
            chunk = self.connection.inbox[: self.connection.filled] + data
            self.connection.inbox = chunk
            self.connection.receive(chunk, len(chunk))


@pytest.fixture
async def link() -> Link:
    return Link()


async def test_requests_of_one_turn_leave_in_one_piece(link: Link) -> None:
    link.send(0)
    link.send(1, LONGER)
    assert link.socket.sent == b""
    await asyncio.sleep(0)
    assert link.socket.sent == GET + LONGER


async def test_replies_go_to_the_requests_in_order(link: Link) -> None:
    for token in range(3):
        link.send(token)
    link.flush()
    link.receive(b"+A\r\n$2\r\nBB\r\n*1\r\n:3\r\n")
    assert link.replies.delivered == [(0, b"+A\r\n"), (1, b"$2\r\nBB\r\n"), (2, b"*1\r\n:3\r\n")]
    assert (link.connection.in_flight.count(), link.connection.outbox.size()) == (0, 0)
    assert (link.stats.success, link.stats.error) == (3, 0)


async def test_a_reply_may_come_byte_by_byte(link: Link) -> None:
    link.send(0)
    link.send(1)
    link.flush()
    for byte in b"*2\r\n$2\r\nAB\r\n_\r\n:1\r\n":
        link.receive(bytes([byte]))
    assert link.replies.delivered == [(0, b"*2\r\n$2\r\nAB\r\n_\r\n"), (1, b":1\r\n")]
    assert link.connection.inbox is None


async def test_a_push_is_nobodys_reply(link: Link) -> None:
    link.send(0)
    link.flush()
    link.receive(b">2\r\n$10\r\ninvalidate\r\n_\r\n+A\r\n")
    assert link.replies.delivered == [(0, b"+A\r\n")]


async def test_an_error_is_shown_to_the_cluster_with_the_whole_request(link: Link) -> None:
    now = link.owner.turn.tick()
    link.send(0, LONGER)
    link.send(1, GET, slot=9, is_read=False)
    link.flush()
    link.receive(b"+A\r\n-ERR no\r\n")
    ((request, line),) = link.owner.followed
    assert line == b"-ERR no\r\n"
    assert (request.data, request.token, request.slot, request.is_read) == (GET, 1, 9, False)
    assert (request.affinity, request.started, request.hops) == (3, now, 0)
    assert link.replies.delivered == [(0, b"+A\r\n"), (1, b"-ERR no\r\n")]
    assert (link.stats.success, link.stats.error) == (1, 1)


async def test_an_error_that_is_followed_is_not_delivered(link: Link) -> None:
    link.owner.follows = True
    link.send(0, LONGER)
    link.send(1)
    link.flush()
    link.receive(b"-MOVED 5 node:7001\r\n+B\r\n")
    assert link.replies.delivered == [(1, b"+B\r\n")]
    assert link.connection.outbox.size() == 0
    assert (link.stats.success, link.stats.error) == (1, 0)


async def test_a_request_that_is_sent_again_keeps_its_start_and_its_hops(link: Link) -> None:
    link.connection.resend(Request(GET, link.replies, 7, None, 5, True, 3, 1.5, hops=4))
    link.flush()
    link.receive(b"-MOVED 5 node:7001\r\n")
    ((request, _),) = link.owner.followed
    assert (request.started, request.hops, request.data) == (1.5, 4, GET)


async def test_the_error_of_a_request_that_nobody_awaits_is_dropped(link: Link) -> None:
    link.connection.send(GET, 0, len(GET), DISCARD, 0, None, -1, True)
    link.flush()
    link.receive(b"-MOVED 5 node:7001\r\n")
    assert link.owner.followed == []
    assert link.connection.is_open


async def test_a_late_reply_takes_its_turn(link: Link) -> None:
    link.owner.turn.now = 1.0
    link.send(0)
    link.owner.turn.now = 3.0
    link.send(1)
    link.flush()
    assert link.connection.expire(2.0) == [(link.replies, 0, link.stats)]
    assert link.connection.expire(2.0) == []
    link.receive(b"+LATE\r\n+B\r\n")
    assert link.replies.delivered == [(1, b"+B\r\n")]


async def test_a_lost_connection_hands_on_every_request_in_order(link: Link) -> None:
    link.send(0, LONGER, is_read=False)
    link.connection.send(GET, 0, len(GET), DISCARD, 0, None, -1, True)
    link.send(1, GET)
    link.flush()
    link.send(2, LONGER)
    link.connection.on_lost("Connection reset by peer")
    assert [(lost.request.token, lost.request.data, lost.was_written) for lost in link.owner.lost] == [
        (0, LONGER, True),
        (1, GET, True),
        (2, LONGER, False),
    ]
    assert {(lost.failure.label, lost.reason) for lost in link.owner.lost} == {
        ("connection_lost", "Connection reset by peer")
    }
    assert link.owner.failures == ["Connection reset by peer"]
    assert link.socket.is_closed
    assert (link.connection.is_open, link.connection.outbox.size()) == (False, 0)


async def test_a_connection_fails_once(link: Link) -> None:
    link.send(0)
    link.connection.on_eof()
    link.connection.on_lost("again")
    assert link.owner.failures == ["closed by the node"]
    assert len(link.owner.lost) == 1
    assert link.owner.lost[0].failure is LOST


async def test_garbage_fails_the_connection(link: Link) -> None:
    link.send(0)
    link.send(1)
    link.flush()
    link.receive(b"+A\r\n?what\r\n+B\r\n")
    assert link.replies.delivered == [(0, b"+A\r\n")]
    assert [(lost.request.token, lost.failure, lost.was_written) for lost in link.owner.lost] == [(1, GARBAGE, True)]
    assert link.owner.failures == ["a reply is no RESP"]
    assert link.socket.is_closed


async def test_a_reply_without_a_request_fails_the_connection(link: Link) -> None:
    link.receive(b"+HELLO\r\n")
    assert link.owner.failures == ["a reply without a request"]
    assert not link.connection.is_open


@pytest.mark.parametrize("early", [b"+OK\r\n", b"-ERR max number of clients reached\r\n", b"-MOVED 5 node:7001\r\n"])
async def test_a_reply_before_its_request_was_sent_fails_the_connection(link: Link, early: bytes) -> None:
    link.owner.follows = True
    link.send(0, LONGER)
    link.flush()
    link.send(1, GET)
    link.send(2, LONGER)
    link.receive(b"+A\r\n" + early)
    assert link.owner.failures == ["a reply before its request was sent"]
    assert link.replies.delivered == [(0, b"+A\r\n")]
    assert link.owner.followed == []
    assert [(lost.request.token, lost.request.data, lost.was_written) for lost in link.owner.lost] == [
        (1, GET, False),
        (2, LONGER, False),
    ]


# -- large replies and slow readers

LARGE = b"$2000000\r\n" + bytes(range(250)) * 8000 + b"\r\n"
NEXT = b"$4\r\nnext\r\n"


def pieces(data: bytes, size: int = 100_000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize(
    "reply",
    [LARGE, b"*3\r\n:1\r\n" + LARGE + b"+end\r\n", b"*20000\r\n" + (b"$100\r\n" + b"x" * 100 + b"\r\n") * 20_000],
    ids=["a bulk string", "an array with one", "an array of many"],
)
async def test_a_large_reply_is_relayed_as_it_comes(link: Link, reply: bytes) -> None:
    client, behind = Client(), Client(4)
    link.ask(client, link.stats)
    link.ask(behind)
    kept = 0
    for piece in pieces(reply + NEXT + b"+late\r\n"[:3]):
        link.receive(piece)
        kept = max(kept, link.connection.filled)
    assert client.taken == reply
    assert client.ends.index(True) == len(client.ends) - 1 > 5
    assert behind.taken == NEXT
    assert kept <= 1_100_000
    assert (link.stats.success, link.stats.error) == (1, 0)
    assert link.owner.relieved
    assert set(link.owner.relieved) == {link.connection}
    assert link.owner.restored == [3]
    assert (link.connection.is_busy, link.connection.outbox.size()) == (False, 0)


async def test_what_nobody_awaits_is_dropped_as_it_comes(link: Link) -> None:
    link.ask(DISCARD)
    link.ask(client := Client())
    for piece in pieces(LARGE):
        link.receive(piece)
        assert link.connection.filled == 0
    link.receive(NEXT)
    assert client.taken == NEXT


@pytest.mark.parametrize("way", [WHOLE, RELAYED])
async def test_a_sink_that_takes_it_whole_gets_it_whole(link: Link, way: int) -> None:
    client = Client()
    client.way = way
    link.ask(client)
    for piece in pieces(LARGE):
        link.receive(piece)
    assert client.taken == LARGE
    assert (client.ends == []) == (way == WHOLE)


async def test_a_client_without_room_stalls_its_reply_and_nothing_is_read_meanwhile(link: Link) -> None:
    client, behind = Client(), Client(4)
    link.ask(client)
    link.ask(behind)
    first, second, *rest = pieces(LARGE)
    client.is_full = True
    link.receive(first)
    assert (client.taken, link.socket.is_reading, client.waiting) == (first, False, [link.connection])
    link.receive(second)  # what a socket gives that has ended
    assert client.taken == first
    client.is_full = False
    link.connection.go_on()
    assert (client.taken, link.socket.is_reading) == (first + second, True)
    for piece in rest:
        link.receive(piece)
    link.receive(NEXT)
    assert (client.taken, behind.taken) == (LARGE, NEXT)


async def test_a_reply_whose_turn_is_later_waits_for_it(link: Link) -> None:
    client = Client()
    client.way = LATER
    link.ask(client)
    link.receive(LARGE[:1000])
    assert (client.taken, link.socket.is_reading, link.connection.in_flight.count()) == (b"", False, 1)
    link.connection.go_on()
    assert len(client.waiting) == 2
    client.way = RELAYED
    link.connection.go_on()
    assert (client.taken, link.socket.is_reading) == (LARGE[:1000], True)
    link.receive(LARGE[1000:])
    assert client.taken == LARGE


async def test_replies_of_any_size_stall_a_client_that_is_full(link: Link) -> None:
    client, behind = Client(), Client(4)
    link.ask(client)
    link.ask(client)
    link.ask(behind)
    client.is_full = True
    link.receive(NEXT + NEXT + NEXT)
    assert (client.taken, behind.taken, link.socket.is_reading) == (NEXT, b"", False)
    client.is_full = False
    link.connection.go_on()
    assert (client.taken, behind.taken, link.socket.is_reading) == (NEXT + NEXT, NEXT, True)


async def test_the_time_of_a_stall_counts_against_no_deadline(link: Link) -> None:
    client = Client()
    client.is_full = True
    link.owner.turn.now = 1.0
    link.ask(client)
    link.ask(client)
    link.receive(NEXT)
    client.is_full = False
    link.owner.turn.now = 0.0
    now = link.owner.turn.tick()
    link.connection.go_on()
    assert link.connection.expire(now - 1.0) == []


async def test_a_client_that_others_wait_behind_is_given_up_after_a_while(link: Link) -> None:
    slow, behind = Client(), Client(4)
    slow.is_full = True
    now = link.owner.turn.now
    link.ask(slow)
    link.ask(slow)
    link.receive(NEXT)
    link.connection.look_after(now + 100.0, 5.0)
    assert slow.given_up == []  # nobody waits but itself
    link.ask(behind)
    link.connection.look_after(now + 0.5, 5.0)
    assert slow.given_up == []
    link.connection.look_after(now + 1.1, 5.0)
    assert slow.given_up == ["in_the_way"]


async def test_a_stall_that_is_over_is_no_reason_against_the_next_client(link: Link) -> None:
    slow, later, behind = Client(), Client(4), Client(6)
    slow.is_full = True
    link.ask(slow)
    link.receive(NEXT)
    link.connection.stalled_at -= 100.0
    slow.is_full = False
    link.connection.go_on()
    link.connection.look_after(link.owner.turn.now, 5.0)
    link.ask(later)
    link.ask(behind)
    link.receive(LARGE[:1000])
    link.connection.look_after(link.owner.turn.now, 5.0)
    assert (slow.given_up, later.given_up) == ([], [])


@pytest.mark.parametrize("trouble", ["lost", "garbage", "silence"])
async def test_a_reply_that_breaks_off_gives_its_client_up_and_nothing_false_is_said(link: Link, trouble: str) -> None:
    client, behind = Client(), Client(4)
    link.ask(client, link.stats)
    link.ask(behind)
    reply = b"*2\r\n" + LARGE
    link.receive(reply[:500_000])
    if trouble == "lost":
        link.connection.on_eof()
    elif trouble == "garbage":
        link.receive(reply[500_000:] + b"nonsense\r\n")
    else:
        now = link.connection.heard_at
        link.connection.look_after(now + 4.9, 5.0)
        assert link.connection.is_open
        link.connection.look_after(now + 5.1, 5.0)
    assert not link.connection.is_open
    assert client.given_up == ["cut"]
    assert client.taken == reply[:500_000]
    assert [lost.request.sink for lost in link.owner.lost] == [behind]
    assert (link.stats.success, link.stats.error) == (0, 1)
