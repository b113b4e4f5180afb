"""The bytes of fragments, and whose connection they leave on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.split import copy_fragments, send_fragments, write_fragment
from rproxy.resp import encode
from rproxy.resp.wire import COMMAND, RequestScanner
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import NO_SHARD, Shard, Topology
from rproxy.transport.outbox import Outbox
from rproxy.upstream.failure import UNSERVED_SLOT
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode


def scan(data: bytes, before: bytes = b"") -> tuple[CommandSpec, RequestScanner, Fragments]:
    scanner = RequestScanner()
    chunk = before + data
    assert scanner.next(chunk, len(before), len(chunk)) == COMMAND
    spec = scanner.find(COMMANDS)
    return spec, scanner, Fragments(spec, scanner)


@pytest.mark.parametrize(
    ("command", "fragments"),
    [
        ([b"mget", b"a", b"b"], [[b"MGET", b"a"], [b"MGET", b"b"]]),
        ([b"DEL", b"a", b"b", b"{a}", b"\r\n"], [[b"DEL", b"a", b"{a}"], [b"DEL", b"b"], [b"DEL", b"\r\n"]]),
        ([b"MSET", b"a", b"", b"b", b"$1\r\n"], [[b"MSET", b"a", b""], [b"MSET", b"b", b"$1\r\n"]]),
        ([b"EXISTS", *([b"a"] * 12), b"b"], [[b"EXISTS", *([b"a"] * 12)], [b"EXISTS", b"b"]]),
    ],
)
def test_a_fragment_is_a_command(command: list[bytes], fragments: list[list[bytes]]) -> None:
    spec, scanner, cut = scan(encode.command(command), before=b"PING\r\n")
    header_of_one = encode.command([spec.name, *([b""] * spec.key_step)])[: -len(b"$0\r\n\r\n") * spec.key_step]
    for index, expected in enumerate(fragments):
        outbox = Outbox()
        outbox.write(b"before")
        size = write_fragment(outbox, spec, scanner, cut, index, header_of_one)
        written = outbox.take().removeprefix(b"before")
        assert written == encode.command(expected)
        assert size == len(written)


async def test_fragments_of_one_endpoint_leave_in_one_write_each_with_its_token(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    spec, scanner, cut = scan(encode.command([b"MGET", b"a", b"b", b"d"]))
    dispatch.token += cut.count
    send_fragments(dispatch.clusters["main"], spec, scanner, cut, dispatch.replies, 0)
    assert await dispatch.replies.have(3) == [encode.reply([key]) for key in (b"a", b"b", b"d")]
    assert nodes[2].received == [(b"MGET", b"a"), (b"MGET", b"d")]


async def test_a_fragment_whose_slot_is_not_served_is_answered_alone(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": Topology((Shard(nodes[0].endpoint),), (0,) * 4000 + (NO_SHARD,) * 12384)})
    spec, scanner, cut = scan(encode.command([b"MGET", b"b", b"c"]))
    dispatch.token += cut.count
    send_fragments(dispatch.clusters["main"], spec, scanner, cut, dispatch.replies, 0)
    assert await dispatch.replies.have(2) == [encode.reply([b"b"]), UNSERVED_SLOT.line()]


async def test_fragments_are_copied_as_far_as_there_is_room(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode]
) -> None:
    route = Route("mirror", mirrors=(MirrorRule("mirror"),))
    dispatch = make_dispatch({"mirror": topology}, route, settings={"mirror": {"mirror_queue_limit": 1}})
    mirror = dispatch.mirror(route)
    spec, scanner, cut = scan(encode.command([b"DEL", b"a", b"b", b"c", b"d"]))
    copy_fragments(mirror, spec, scanner, cut)
    assert (mirror.sent, mirror.dropped) == (3, 1)
    for node, key in zip(nodes, (b"b", b"c", b"a"), strict=True):
        await node.heard("DEL")
        assert node.received == [(b"DEL", key)]
