"""The keys of all shards: KEYS and RANDOMKEY; SCAN is a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import (
    Parts,
    Target,
    ask_primary,
    heard,
    is_silence,
    may_be_partial,
    primary_of,
)
from rproxy.dispatch.scan import scan
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.routing.assembler import MISMATCH, elements_of, first_error
from rproxy.routing.scan_cursor import page_of
from rproxy.upstream.sink import Sink

TOO_MANY_KEYS = encode.error("ERR KEYS matches more than the keys_reply_limit of rproxy: use SCAN")
_GONE = encode.error("ERR the client is gone")
_STEP = b"1000"
"""COUNT of the scans that make up a KEYS: a node is never held up for longer."""


# -- RANDOMKEY


def random_key(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """RANDOMKEY: every shard's size and one of its keys, drawn by size; nil only if all shards are empty."""
    count = len(targets)

    def finish(replies: list[bytes]) -> None:
        sizes, keys = replies[:count], replies[count:]
        answered = [(size, key) for size, key in zip(sizes, keys, strict=True) if size.startswith(b":")]
        found = [(int(size[1:-2]), key) for size, key in answered if key.startswith(b"$") and key != encode.NULL]
        is_whole = len(answered) == count or (answered and may_be_partial(command, context))
        if found and is_whole:
            command.reply(_drawn(found, targets[0][0].draw()))
        else:
            failure = first_error(replies)
            if failure is not None and may_be_partial(command, context):
                failure = first_error(heard(replies))
            command.reply(failure or encode.reply(None, command.session.protocol))

    sink = Parts(2 * count, finish)
    size = encode.command([b"DBSIZE"])
    for index, target in enumerate(targets):
        ask_primary(command, size, sink, index, target)
        ask_primary(command, command.data, sink, count + index, target)


def _drawn(found: Sequence[tuple[int, bytes]], draw: float) -> bytes:
    """One of the keys, each with the weight of its shard; ``draw`` is in [0, 1)."""
    mark = draw * sum(max(size, 1) for size, _ in found)
    for size, key in found:
        mark -= max(size, 1)
        if mark < 0:
            return key
    return found[-1][1]


# -- KEYS


class KeysReply(Sink):
    """KEYS by SCANs of all shards side by side (a token is a shard's index), each key once.

    A real KEYS would hold up every node, and its reply could take any room here. The client's next command waits.
    """

    __slots__ = ("_asked", "_command", "_is_over", "_keys", "_missing", "_room", "_silent", "_targets", "_tolerates")

    def __init__(self, command: Command, context: Context, targets: Sequence[Target]) -> None:
        self._command = command
        self._targets = targets
        self._asked = [primary_of(target) for target in targets]
        self._room = context.settings.keys_reply_limit
        self._tolerates = may_be_partial(command, context)
        self._keys: dict[bytes, None] = {}
        self._silent: list[bytes] = []
        self._missing = len(targets)
        self._is_over = False

    def begin(self) -> None:
        """Ask every shard for the first of its keys."""
        session = self._command.session
        session.at_close.add(self._leave)
        session.hold()
        for index in range(len(self._targets)):
            self._ask(index, 0)

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take some keys of shard ``token``, and ask for more."""
        if self._is_over:
            return
        reply = bytes(chunk[start:end])
        try:
            own, page = page_of(reply)
            keys = elements_of(page)
        except ValueError:
            self._on_error(reply if reply.startswith(b"-") else MISMATCH)
            return
        for key in keys:
            if key not in self._keys:
                self._keys[key] = None
                self._room -= len(key)
        if self._room < 0:
            self._answer(TOO_MANY_KEYS)
        elif own or self._has_moved(token):
            self._ask(token, 0 if self._has_moved(token) else own)
        else:
            self._end_shard()

    def _has_moved(self, index: int) -> bool:
        """Whether a shard has another primary than it was asked for, to which a cursor means nothing."""
        return primary_of(self._targets[index]) != self._asked[index]

    def _ask(self, index: int, own: int) -> None:
        self._asked[index] = primary_of(self._targets[index])
        data = encode.command([b"SCAN", b"%d" % own, b"MATCH", self._command.args[1], b"COUNT", _STEP])
        ask_primary(self._command, data, self, index, self._targets[index])

    def _on_error(self, line: bytes) -> None:
        if self._tolerates and is_silence(line):
            self._silent.append(line)
            self._end_shard()
        else:
            self._answer(line)

    def _end_shard(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            is_unheard = len(self._silent) == len(self._targets)
            self._answer(self._silent[0] if is_unheard else encode.array(self._keys))

    def _answer(self, reply: bytes) -> None:
        session = self._command.session
        session.at_close.discard(self._leave)
        self._is_over = True
        self._keys = {}
        self._command.reply(reply)
        session.release()

    def _leave(self) -> None:
        """The client is gone: ask for no more."""
        self._answer(_GONE)


def all_keys(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """KEYS pattern: bounded by ``keys_reply_limit``."""
    KeysReply(command, context, targets).begin()


SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = {
    b"KEYS": all_keys,
    b"RANDOMKEY": random_key,
    b"SCAN": scan,
}
"""Commands of the key space, by name."""
