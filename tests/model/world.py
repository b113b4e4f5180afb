"""A world without sockets around the core: wires, nodes that own slots, clients that check every reply.

The core is the real one, from the bytes of clients to the bytes of nodes: listener, dispatcher, cluster, connections.
Time stands still unless it is moved, and nothing happens by itself but the loop's callbacks.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import hiredis

from rproxy.resp import encode
from rproxy.resp.hash_slot import hash_slot
from rproxy.resp.wire import ReplyScanner
from rproxy.topology.snapshot import Endpoint, Shard, Topology
from rproxy.transport.connection import Connection, Transport, Turn

TAGS = (b"a", b"b", b"c", b"d")
"""Hash tags in slots of their own: two of either node at first."""
NAMES = (b"x", b"y")


class ModelTurn(Turn):
    """A turn whose clock is moved by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        Turn.__init__(self, loop)
        self.clock = self.now = 1000.0

    def tick(self) -> float:
        self.now = self.clock
        return self.clock


class Wire(Transport):
    """One end of a connection in the core; ``peer`` is the other. ``is_blocked``: it takes nothing, as if full."""

    def __init__(self, connection: Connection, peer: Any) -> None:
        self.connection: Connection | None = connection
        self.turn = connection.turn
        self.peer = peer
        self.is_blocked = False
        self.is_reading = True
        self._unread = b""
        self._has_ended = False
        connection.transport = self

    def flush(self, connection: Connection) -> None:
        if self.is_blocked or self.connection is None:
            return
        if connection.outbox.unsent():
            self.peer.take(connection.outbox.take())
        if connection.awaits_sent:
            connection.on_sent()

    def unblock(self) -> None:
        self.is_blocked = False
        if self.connection is not None:
            self.turn.mark(self.connection)
            self.connection.on_sent()

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True
        self.turn.loop.call_soon(self.feed, b"")

    def feed(self, data: bytes) -> None:
        """Bytes of the peer arrive."""
        self._unread += data
        connection = self.connection
        if connection is None or not self.is_reading:
            return
        data, self._unread = self._unread, b""
        self.turn.tick()
        if data:
            self._hand_over(connection, data)
        if self._has_ended and self.is_reading and self.connection is not None:
            self.peer.on_end_heard()
            connection.on_eof()

    def _hand_over(self, connection: Connection, data: bytes) -> None:
        if connection.inbox is None:
            connection.receive(data, len(data))
        else:
            connection.inbox += data
            connection.receive(connection.inbox, len(connection.inbox))

    def end(self) -> None:
        """The peer will send no more; that is heard when all it sent has been read."""
        self._has_ended = True
        self.feed(b"")

    def close(self) -> None:
        if self.connection is not None:
            self.connection.transport = None
            self.connection = None

    def lose(self) -> None:
        """The connection breaks."""
        connection = self.connection
        self.close()
        if connection is not None:
            connection.on_lost("broken")


@dataclass
class Keyspace:
    """Who owns which tag, which keys have gone ahead to the next owner, and what was executed."""

    owner: dict[bytes, Node] = field(default_factory=dict)
    target: dict[bytes, Node] = field(default_factory=dict)
    ahead: set[bytes] = field(default_factory=set)
    executed: Counter[bytes] = field(default_factory=Counter)
    writes: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By key and client, the numbers of the ``SET`` commands in the order in which they were executed."""

    def topology(self, nodes: list[Node]) -> Topology:
        """What a refresh would find."""
        slots = [slot * 2 // 16384 for slot in range(16384)]
        for tag, node in self.owner.items():
            slots[hash_slot(tag)] = nodes.index(node)
        return Topology(tuple(Shard(node.endpoint) for node in nodes), tuple(slots))


class NodeConnection:
    """A node's end of a connection: commands wait until the machine has them answered."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.wire: Wire | None = None
        self.waiting: list[list[bytes]] = []
        self._reader = hiredis.Reader()
        self._is_asking = False
        self._queued: list[list[bytes]] | None = None
        self._is_spoiled = False

    def take(self, data: bytes) -> None:
        """What the core has sent."""
        self._reader.feed(data)
        while (command := self._reader.gets()) is not False:
            self.waiting.append(command)

    def close(self) -> None:
        """The core has no use for the connection any more."""
        self.node.connections.remove(self)

    def execute(self) -> bytes:
        """Execute the oldest command; its reply."""
        command = self.waiting.pop(0)
        name = command[0]
        if name == b"ASKING":
            self._is_asking = True
            return encode.OK
        if name == b"MULTI":
            self._queued, self._is_spoiled = [], False
            return encode.OK
        if name == b"EXEC":
            queued, self._queued = self._queued or [], None
            if self._is_spoiled:
                return b"-EXECABORT Transaction discarded because of previous errors.\r\n"
            return encode.array([self._reply(command) for command in queued])
        refusal = self._redirection(command)
        self._is_asking = False
        if self._queued is not None:
            self._is_spoiled |= refusal is not None
            self._queued.append(command)
            return refusal or b"+QUEUED\r\n"
        return refusal or self._reply(command)

    def _redirection(self, command: list[bytes]) -> bytes | None:
        keys = keys_of(command)
        tag = tag_of(keys[0])
        world, node = self.node.keyspace, self.node
        if node.is_down:
            return b"-CLUSTERDOWN The cluster is down\r\n"
        owner, target = world.owner[tag], world.target.get(tag)
        gone = [key in world.ahead or key[3:] not in NAMES for key in keys]
        slot = hash_slot(tag)
        if owner is node:
            if target is None or not any(gone):
                return None
            if all(gone):
                return b"-ASK %d %b\r\n" % (slot, str(target.endpoint).encode())
            return b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"
        if target is node and self._is_asking:
            return None if len(keys) == 1 or all(gone) else b"-TRYAGAIN Multiple keys request\r\n"
        return b"-MOVED %d %b\r\n" % (slot, str(owner.endpoint).encode())

    def _reply(self, command: list[bytes]) -> bytes:
        """Execute; what is said tells the command apart from all others."""
        name, keys = command[0], keys_of(command)
        world = self.node.keyspace
        if name == b"GET":
            return encode.bulk(keys[0])
        if name == b"MGET":
            return encode.reply(keys)
        values = command[2::2] if name in (b"SET", b"MSET") else keys
        world.executed.update(values)
        if name == b"SET":
            client, _, number = values[0].partition(b"-")
            world.writes[keys[0] + b" " + client].append(int(number))
            return b"+" + values[0] + b"\r\n"
        return encode.OK if name == b"MSET" else encode.integer(len(keys))


class Node:
    """A node with its connections. ``accepts``: what becomes of who connects; ``None`` lets it wait.

    One that ``is_down`` sees too few others, and refuses all commands with keys.
    """

    def __init__(self, port: int, keyspace: Keyspace) -> None:
        self.endpoint = Endpoint("127.0.0.1", port)
        self.keyspace = keyspace
        self.accepts: bool | None = True
        self.is_blocked = False
        self.is_down = False
        self.connections: list[NodeConnection] = []

    def open(self) -> NodeConnection:
        """A new connection."""
        self.connections.append(NodeConnection(self))
        return self.connections[-1]

    def lose(self, executed: int) -> None:
        """Every connection breaks, after so many commands have been executed that nobody hears of."""
        for connection in self.connections:
            for _ in range(min(executed, len(connection.waiting))):
                connection.execute()
            if connection.wire is not None:
                connection.wire.lose()
        self.connections.clear()


def keys_of(command: list[bytes]) -> list[bytes]:
    """The keys of a command that a node gets here."""
    if command[0] in (b"GET", b"SET"):
        return command[1:2]
    return command[1::2] if command[0] == b"MSET" else command[1:]


def tag_of(key: bytes) -> bytes:
    """The hash tag."""
    return key[1:2]


@dataclass
class Expected:
    """A command that a client sent: the only reply that is right, if not an error, and what it writes."""

    reply: bytes
    writes: list[bytes] = field(default_factory=list)


class ModelClient:
    """A client: it checks that every reply is that of its oldest command."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.wire: Wire | None = None
        self.expected: list[Expected] = []
        self.done: list[tuple[Expected, bytes]] = []
        self._number = 0
        self._framer = ReplyScanner()
        self._data = b""

    def number(self) -> int:
        """The next command's."""
        self._number += 1
        return self._number

    def on_end_heard(self) -> None:
        """Who leaves while a command holds it waits for what may never happen: it gets nothing more."""
        if self.wire is not None and self.wire.connection is not None and self.wire.connection.session.is_held:
            self.expected.clear()

    def take(self, data: bytes) -> None:
        """What the core has sent."""
        self._data += data
        while (size := self._framer.next(self._data, 0, len(self._data))) > 0:
            reply, self._data = self._data[:size], self._data[size:]
            assert self.expected, f"{self.name!r} got a reply too many: {reply!r}"
            expected = self.expected.pop(0)
            assert reply[:1] == b"-" or reply == expected.reply, (self.name, reply, expected)
            self.done.append((expected, reply))
        assert size == 0, "no RESP"
