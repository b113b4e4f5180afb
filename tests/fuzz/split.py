"""How commands are cut by slot, and how what comes back is put together."""

from __future__ import annotations

import asyncio
from typing import Any

from rproxy.commands.lookup import COMMANDS
from rproxy.commands.spec import CommandSpec, ResponsePolicy
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.session import Session
from rproxy.dispatch.split import write_fragment
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.resp.hash_slot import hash_slot
from rproxy.resp.wire import COMMAND, ReplyScanner, RequestScanner
from rproxy.transport.connection import Turn
from rproxy.transport.outbox import Outbox
from rproxy.upstream.sink import Sink
from tests.fuzz.source import Source
from tests.support.forms import forms

CUTTERS = forms("dispatch.fragments")
JOINERS = forms("dispatch.split_reply")
SPLIT = (b"MGET", b"DEL", b"UNLINK", b"EXISTS", b"TOUCH", b"MSET")


class Heard(Sink):
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes]] = []

    def deliver(self, token: int, chunk: Any, start: int, end: int) -> None:
        """Keep a reply."""
        self.replies.append((token, bytes(chunk[start:end])))


def split(data: bytes) -> None:
    """A split command reaches every key once, and its replies, be they what they may, become one."""
    source = Source(data)
    spec: CommandSpec = COMMANDS.get(source.of(SPLIT))
    keys = [source.word() for _ in range(1 + source.below(12))]
    groups = [[key, source.word()] if spec.key_step == 2 else [key] for key in keys]
    scanner = RequestScanner()
    command = encode.command([spec.name, *(word for group in groups for word in group)])
    assert scanner.next(command, 0, len(command)) == COMMAND
    cuts = [module.Fragments(spec, scanner) for module in CUTTERS]
    parts = [_parts_of(cut) for cut in cuts]
    assert all(part == parts[0] for part in parts)
    assert sorted(key for part in parts[0] for key in part) == list(range(len(keys)))
    for index, part in enumerate(parts[0]):
        assert {hash_slot(keys[key]) for key in part} == {cuts[0].slot(index)}
        box = Outbox()
        header = b"*%d\r\n$%d\r\n%b\r\n" % (1 + spec.key_step, len(spec.name), spec.name)
        assert write_fragment(box, spec, scanner, cuts[-1], index, header) == box.size()
        assert box.take() == encode.command([spec.name, *(word for key in part for word in groups[key])])
    _join(source, spec.response_policy, cuts[-1], parts[0])


def _parts_of(fragments: Any) -> list[list[int]]:
    """The keys of each fragment."""
    parts = []
    for index in range(fragments.count):
        part = [fragments.first(index)]
        while (key := fragments.next(part[-1])) >= 0:
            part.append(key)
        assert len(part) == fragments.size(index)
        parts.append(part)
    return parts


def _join(source: Source, policy: ResponsePolicy, fragments: Fragments, parts: list[list[int]]) -> None:
    """Answer every fragment, in any order; both forms come to the same answer, and to one only."""
    loop = asyncio.new_event_loop()
    turn = Turn(loop)
    loop.close()
    heard = [Heard() for _ in JOINERS]
    stats = [CommandStats() for _ in JOINERS]
    joiners = [
        module.SplitReply(policy, fragments, sink, 7, counters, turn, Session(1, "", "", 0.0))
        for module, sink, counters in zip(JOINERS, heard, stats, strict=True)
    ]
    order = list(range(len(parts)))
    while order:
        assert not any(sink.replies for sink in heard)
        fragment = order.pop(source.below(len(order)))
        reply = _reply(source, policy, len(parts[fragment]))
        for joiner in joiners:
            joiner.deliver(fragment, bytearray(b".." + reply + b".."), 2, 2 + len(reply))
    assert all(sink.replies == heard[0].replies for sink in heard), [sink.replies for sink in heard]
    ((token, whole),) = heard[0].replies
    assert token == 7
    assert ReplyScanner().next(whole, 0, len(whole)) == len(whole)
    assert all((each.success, each.error) == (whole[:1] != b"-", whole[:1] == b"-") for each in stats)


def _reply(source: Source, policy: ResponsePolicy, keys: int) -> bytes:
    """The reply of a fragment: as it should be, an error, or any one reply of the source's bytes."""
    kind = source.below(8)
    if kind == 0:
        return b"-ERR %d\r\n" % source.below(10)
    if kind == 1:
        data = source.take(60)
        size = ReplyScanner().next(data, 0, len(data))
        if size > 0:
            return data[:size]
    if policy is ResponsePolicy.CONCATENATE:
        return encode.reply([None if source.below(3) == 0 else source.word() for _ in range(keys)])
    return b"+OK\r\n" if policy is ResponsePolicy.ALL_SUCCEEDED else encode.integer(source.below(100))
