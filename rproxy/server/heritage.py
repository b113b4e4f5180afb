"""Going on with the clients of another rproxy, which ends: the other end of ``server.hand_over``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any

from rproxy.downstream.listener import Listener
from rproxy.upstream.subscription import Claim, Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions

MESSAGE_MOST = 1024 * 1024
TAKEN_AT_ONCE = 64
"""Messages before the worker's other sockets have their turn."""

log = logging.getLogger("rproxy.restart")


class Heritage:
    """Takes what comes through ``inbox``, until the other side has nothing more to hand over."""

    def __init__(self, inbox: socket.socket, find: Callable[[str], Listener | None]) -> None:
        self._inbox = inbox
        self._find = find
        self._loop = asyncio.get_running_loop()
        self._claims: dict[int, list[tuple[Subscriptions, Claim]]] = {}  # by the process that announced them
        self._resuming: set[asyncio.Task[None]] = set()
        inbox.setblocking(False)
        self._loop.add_reader(inbox, self._on_readable)

    def close(self) -> None:
        """Take no more."""
        if self._inbox.fileno() < 0:
            return
        self._loop.remove_reader(self._inbox)
        self._inbox.close()
        for subscriptions, claim in chain.from_iterable(self._claims.values()):
            subscriptions.release(claim)
        self._claims.clear()

    def _on_readable(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(TAKEN_AT_ONCE):
                try:
                    data, descriptors, _, _ = socket.recv_fds(self._inbox, MESSAGE_MOST, 2)
                except ConnectionError:
                    data, descriptors = b"", []
                if not data:
                    self.close()
                    return
                self._take(json.loads(data), descriptors)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "settled" in message:
            for subscriptions, claim in self._claims.get(message["settled"], ()):
                subscriptions.expected.remove(claim)
            return
        listener = self._find(message["listener"])
        if listener is None:
            for descriptor in descriptors:
                os.close(descriptor)
        elif "topics" in message:
            self._expect(message["topics"], listener, message["process"])
        elif "scripts" in message:
            for body in json.loads(_content_of(descriptors[0])):
                listener.dispatcher.context.scripts.remember(body.encode("latin-1"))
        else:
            sock, *rest = descriptors
            unread = b"".join(map(_content_of, rest))
            task = self._loop.create_task(listener.resume(socket.socket(fileno=sock), message["session"], unread))
            self._resuming.add(task)
            task.add_done_callback(self._resuming.discard)

    def _expect(self, topics: list[tuple[str, str]], listener: Listener, process: int) -> None:
        """Subscribe to what clients to come are subscribed to, so that they miss nothing meanwhile."""
        claims = self._claims.setdefault(process, [])
        context = listener.dispatcher.context
        for kind, text in topics:
            name = text.encode("latin-1")
            route = context.route_of(name) if kind == Kind.SHARD.name else context.keyless_route()
            if route is not None:
                shown = route.rule.upstream_key(name) if kind == Kind.SHARD.name else name
                subscriptions = route.cluster.subscriptions
                claims.append((subscriptions, subscriptions.claim(Topic(Kind[kind], shown), _ignore)))


def _content_of(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def _ignore(_: bytes | None) -> None:
    """A claim that is refused is made again by the client that has it."""
