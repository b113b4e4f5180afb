"""Scripts that every shard seems to have: rproxy remembers their bodies and sends them where they are missing.

A node learns a script from EVAL or SCRIPT LOAD and loses it with a restart or a failover. An EVALSHA whose body is
remembered goes as EVAL to a primary that is not known to have it, so that it is executed in the client's order; where
that knowledge was wrong, NOSCRIPT is answered with an EVAL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import Target, send_to_all
from rproxy.dispatch.placement import Place
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.routing import assembler
from rproxy.routing.script_cache import Script
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink

NO_SCRIPT = encode.error("NOSCRIPT No matching script. Please use EVAL.")
_NO_SCRIPT = b"-NOSCRIPT "
_BROKEN = b"-ERR Error compiling script"
_IN_FULL = {b"EVALSHA": b"EVAL", b"EVALSHA_RO": b"EVAL_RO"}
_BODIES = {b"EVAL": 1, b"EVAL_RO": 1, b"SCRIPT|LOAD": 2}
"""Where the body of a script stands."""


def prepare(command: Command, context: Context, place: Place) -> None:
    """Remember the body of an EVAL; let an EVALSHA find its script wherever it is sent."""
    name = command.spec.name
    if name not in _IN_FULL:
        context.scripts.remember(command.args[1])
        return
    script = context.scripts.find(command.args[1].lower())
    if script is None:
        return
    reply = command.sink = ScriptReply(command, context, place, script)
    shard = place.route.cluster.topology.shard_of(place.slot) if place.slot >= 0 else None
    if not command.spec.is_read and shard is not None and shard.primary not in script.endpoints:
        command.data = reply.take_in_full(shard.primary)


def in_full(command: Command, context: Context) -> bytes:
    """A command of a transaction as it is sent: an EVALSHA as EVAL, since EXEC cannot be asked again after NOSCRIPT."""
    name, args = command.spec.name, command.args
    if name in _BODIES:
        context.scripts.remember(args[_BODIES[name]])
    script = context.scripts.find(args[1].lower()) if name in _IN_FULL else None
    return encode.command([_IN_FULL[name], script.body, *args[2:]]) if script is not None else command.data


class ScriptReply(Sink):
    """The sink of an EVALSHA whose script is remembered."""

    __slots__ = ("_affinity", "_args", "_context", "_is_in_full", "_place", "_script", "_sink", "_spec", "_to")

    def __init__(self, command: Command, context: Context, place: Place, script: Script) -> None:
        # Not the command, whose sink this is: the two would keep each other alive.
        self._args = command.args
        self._spec = command.spec
        self._affinity = command.session.affinity
        self._context = context
        self._place = place
        self._script = script
        self._sink = command.sink
        self._is_in_full = False
        self._to: Endpoint | None = None

    def take_in_full(self, endpoint: Endpoint | None) -> bytes:
        """The command with the script's body, which ``endpoint`` will have then."""
        self._is_in_full = True
        self._to = endpoint
        return encode.command([_IN_FULL[self._spec.name], self._script.body, *self._args[2:]])

    def affinity(self) -> int:
        """That of the client's session."""
        return self._sink.affinity()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply; an error that tells of a missing script is not the client's."""
        line = bytes(chunk[start : min(end, start + len(_BROKEN))])
        if line.startswith(_NO_SCRIPT) and not self._is_in_full:
            self._script.endpoints.clear()
            self._send_in_full(token)
        elif line == _BROKEN and self._is_in_full:
            self._context.scripts.forget(self._args[1].lower())
            self._sink.deliver(token, NO_SCRIPT, 0, len(NO_SCRIPT))
        else:
            if self._to is not None and not line.startswith(b"-"):
                self._script.endpoints.add(self._to)
            self._sink.deliver(token, chunk, start, end)

    def _send_in_full(self, token: int) -> None:
        cluster = self._place.route.cluster
        data = self.take_in_full(None)
        is_read, now = self._spec.is_read, cluster.turn.tick()
        cluster.submit(Request(data, self, token, None, self._place.slot, is_read, self._affinity, now))


# -- SCRIPT


def load(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """SCRIPT LOAD: on all nodes, and remembered for those that come later."""
    shards = [cluster.topology.shard_of(slot) for cluster, slot in targets]
    primaries = [shard.primary for shard in shards if shard is not None]

    def finish(replies: list[bytes]) -> bytes:
        reply = assembler.merge(command.spec.response_policy, replies)
        if not reply.startswith(b"-"):
            context.scripts.remember(command.args[2], primaries)
        return reply

    send_to_all(command, context, targets, finish)


def exists(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """SCRIPT EXISTS: 1 for what an EVALSHA would find, be it that all shards have it or that rproxy remembers it."""
    remembered = [context.scripts.find(digest.lower()) is not None for digest in command.args[2:]]

    def finish(replies: list[bytes]) -> bytes:
        reply = assembler.merge(command.spec.response_policy, replies)
        if not reply.startswith(b"*"):
            return reply
        found = assembler.elements_of(reply)
        pairs = zip(found, remembered, strict=False)
        return encode.array(encode.integer(1) if is_known else cell for cell, is_known in pairs)

    send_to_all(command, context, targets, finish)


def flush(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """SCRIPT FLUSH: on all nodes, and here."""

    def finish(replies: list[bytes]) -> bytes:
        reply = assembler.merge(command.spec.response_policy, replies)
        if not reply.startswith(b"-"):
            context.crew.ask(FORGET, None, lambda _: None)
        return reply

    send_to_all(command, context, targets, finish)


def forget_scripts(_: Any, context: Context) -> None:
    """Forget every body that this worker remembers."""
    context.scripts.clear()


FORGET = "forget scripts"
"""The question with which all workers are told."""
QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {FORGET: forget_scripts}


COMMANDS = frozenset({b"EVAL", b"EVAL_RO", *_IN_FULL})
"""The commands to ``prepare``."""
SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = {
    b"SCRIPT|EXISTS": exists,
    b"SCRIPT|FLUSH": flush,
    b"SCRIPT|LOAD": load,
}
