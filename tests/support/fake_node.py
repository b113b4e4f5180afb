"""A fake Redis node on loopback that says what a test has scripted, and remembers what it was told.

Its script is a table of answers by command name (``GET``, or ``CLUSTER SLOTS`` with the second word); what is not in it
is answered ``+OK``. Commands of one connection are answered in order, as Redis does, so an answer that waits for
something holds back those behind it.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import hiredis

from rproxy.demo.ports import free_port
from rproxy.resp import encode
from rproxy.topology.snapshot import Endpoint

SILENCE = b""
"""The answer that never comes."""
CLOSE = b"close"
"""Not an answer: the node closes the connection instead."""
PATIENCE = 30.0
"""Seconds after which an awaited event is taken as never coming."""

Command = tuple[bytes, ...]
Pieces = tuple[bytes, ...]
"""An answer that is written piece by piece, the event loop turning in between."""
Said = bytes | Pieces
Answer = Said | list[Said] | Callable[[Command], Said | Awaitable[Said]]
"""Bytes as they are, pieces, successive answers of which the last is repeated, or a function of the command."""


class Peer:
    """One connection that the node accepted, with the commands that came on it."""

    def __init__(self, node: FakeNode, writer: asyncio.StreamWriter) -> None:
        self.commands: list[Command] = []
        self.closed = asyncio.Event()
        self._node = node
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Say something without being asked."""
        self._writer.write(data)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Record commands as they come, and answer them in turn, until either side closes."""
        waiting: asyncio.Queue[Command] = asyncio.Queue()
        answering = asyncio.create_task(self._answer(waiting))
        parser = hiredis.Reader()
        try:
            while data := await reader.read(65536):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    self.commands.append(tuple(command))
                    self._node.on_command(tuple(command))
                    waiting.put_nowait(tuple(command))
        except ConnectionError:
            pass
        finally:
            answering.cancel()
            self._writer.close()
            self.closed.set()

    async def _answer(self, waiting: asyncio.Queue[Command]) -> None:
        while True:
            answer = await self._node.answer(await waiting.get())
            if answer == CLOSE:
                self._writer.close()
                return
            for piece in (answer,) if isinstance(answer, bytes) else answer:
                self._writer.write(piece)
                await asyncio.sleep(0)


class FakeNode:
    """``async with FakeNode({...}) as node``: listens at ``node.endpoint``. ``answers`` may be changed at any time.

    It speaks TLS if it is given a context; another one counts from the next start.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.answers: dict[str, Answer] = dict(answers or {})
        self.received: list[Command] = []
        self.peers: list[Peer] = []
        self.endpoint = Endpoint("127.0.0.1", 0)
        self._heard = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, on the same port at every start."""
        if not self.endpoint.port:  # not one of the system's choice, which another may get while the node is stopped
            self.endpoint = Endpoint("127.0.0.1", free_port())
        self._server = await asyncio.start_server(self._accept, self.endpoint.host, self.endpoint.port, ssl=self.tls)

    async def stop(self) -> None:
        """Stop listening and close every connection, as a node does that dies."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        peer = Peer(self, writer)
        self.peers.append(peer)
        try:
            await peer.serve(reader)
        except asyncio.CancelledError:
            pass  # stopped
        finally:
            self._serving.discard(serving)

    def on_command(self, command: Command) -> None:
        """A command came on any connection."""
        self.received.append(command)
        self._heard.set()

    async def answer(self, command: Command) -> Said:
        """What the script says to ``command``."""
        words = [word.decode("latin-1").upper() for word in command[:2]]
        name = " ".join(words) if " ".join(words) in self.answers else words[0]
        answer = self.answers.get(name, encode.OK)
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        if not callable(answer):
            return answer
        said = answer(command)
        return await said if inspect.isawaitable(said) else said

    def count(self, name: str) -> int:
        """How many commands called ``name`` came."""
        return sum(command[0] == name.encode() for command in self.received)

    async def heard(self, name: str, times: int = 1) -> None:
        """Wait until ``times`` commands called ``name`` have come. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            while self.count(name) < times:
                self._heard.clear()
                await self._heard.wait()

    async def until_closed(self, peer: int) -> None:
        """Wait until the connection number ``peer`` is closed. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            await self.peers[peer].closed.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def echo(command: Command) -> bytes:
    """The last argument as a bulk string: an answer that shows to which request it belongs."""
    return encode.bulk(command[-1])


class Gate:
    """An answer that is held back until the gate is opened."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()

    async def __call__(self, command: Command) -> Said:
        await self.is_open.wait()
        return echo(command)


def cluster_answers(
    *shards: Sequence[Endpoint], epoch: int = 1, state: str = "ok", covered: int = 16384, name: bytes = b"id"
) -> dict[str, Answer]:
    """The answers of a node that knows ``shards`` (primary first), which divide the first ``covered`` slots evenly.

    All nodes have one ``name``: those of another cluster have another.
    """
    starts = [index * covered // len(shards) for index in range(len(shards) + 1)]
    ranges = [
        encode.array([encode.integer(start), encode.integer(end - 1), *(_node(node, name) for node in shard)])
        for shard, start, end in zip(shards, starts, starts[1:], strict=False)
    ]
    info = f"cluster_state:{state}\r\ncluster_current_epoch:{epoch}\r\n"
    return {"CLUSTER SLOTS": encode.array(ranges), "CLUSTER INFO": encode.bulk(info.encode())}


def _node(endpoint: Endpoint, name: bytes) -> bytes:
    return encode.array([encode.bulk(endpoint.host.encode()), encode.integer(endpoint.port), encode.bulk(name)])
