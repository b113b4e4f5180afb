"""Nodes that talk nonsense: the connection is failed, the client gets an error, and nobody else is disturbed."""

from collections.abc import AsyncIterator, Iterator

import pytest

from rproxy.resp import encode
from rproxy.topology.slots import hash_slot
from rproxy.upstream.following import HOP_LIMIT
from tests.support import figures
from tests.support.background import Background
from tests.support.client import RawClient, pack
from tests.support.dispatch import Dispatch
from tests.support.fake_node import CLOSE, SILENCE, Answer, FakeNode, Said, cluster_answers, echo
from tests.support.proxy import Proxy, config_of
from tests.support.upstream import OP_TIMEOUT, topology_of
from tests.support.waiting import await_true

LOW, HIGH = "bar", "foo"
"""A key of the first of two shards, and one of the second."""
NESTED = "nesting without end"
GARBAGE = {
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length that is no number": b"$x\r\nabc\r\n",
    "a negative length": b"$-7\r\n",
    "a length beyond all bounds": b"$99999999999999999999\r\n",
    "a count beyond all bounds": b"*99999999999999999999\r\n",
    "a value without its end": b"$3\r\nabcdefgh\r\n",
    "no line end": b"+" + b"x" * 200_000,
    NESTED: b"*1\r\n" * 100_000,
}


@pytest.fixture
async def good() -> AsyncIterator[FakeNode]:
    async with FakeNode({"GET": echo}) as node:
        yield node


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_an_error_and_nothing_of_it_reaches_the_client(good: FakeNode, said: bytes) -> None:
    async with FakeNode({"GET": said}) as bad:
        dispatch = Dispatch({"main": topology_of((bad.endpoint,), (good.endpoint,))}, op_timeout=OP_TIMEOUT)
        try:
            reply = await dispatch.call("GET", LOW)
            assert reply.startswith(b"-ERR upstream ")
            assert await dispatch.call("GET", HIGH) == b"$3\r\nfoo\r\n"
        finally:
            await dispatch.close()


ENDLESS: dict[str, Said] = {
    "a value that breaks off": b"$100\r\nabc",
    "an array that breaks off": b"*3\r\n$1\r\na\r\n",
    "a value that does not end": b"$1000000\r\n" + b"x" * 100_000,
    "an array that does not end": (b"*1000000000\r\n", *(b"$1\r\na\r\n" * 1000,) * 20),
    "arrays in arrays that end too soon": b"*2\r\n*2\r\n$1\r\na\r\n*1\r\n",
}
"""What is right as far as it goes, and stays without its end."""


class TwoNodes(Background):
    """A cluster of two scripted nodes: the ``bad`` one has the lower half of the slots."""

    def __init__(self) -> None:
        super().__init__()
        self.bad, self.good = FakeNode({"GET": echo}), FakeNode({"GET": echo})

    async def on_start(self) -> None:
        """Have both say that they are the cluster."""
        await self.bad.start()
        await self.good.start()
        for node in (self.bad, self.good):
            node.answers |= cluster_answers([self.bad.endpoint], [self.good.endpoint])

    async def on_stop(self) -> None:
        """Stop both."""
        await self.bad.stop()
        await self.good.stop()


@pytest.fixture
def nodes() -> Iterator[TwoNodes]:
    with TwoNodes() as nodes:
        yield nodes


@pytest.fixture
def proxy(nodes: TwoNodes) -> Iterator[Proxy]:
    seeds = f"{nodes.bad.endpoint},{nodes.good.endpoint}"
    settings, cluster = {"op_timeout": f"{OP_TIMEOUT}s"}, {"cluster_refresh_rate": "0.2s"}
    with Proxy(config=config_of(seeds, settings=settings, cluster=cluster)) as proxy:
        yield proxy


def is_error(reply: bytes) -> bool:
    return reply.startswith((b"-ERR upstream ", b"-CLUSTERDOWN "))


def use_both(client: RawClient, neighbour: RawClient) -> None:
    """One client uses both nodes in one pipeline, another the good one alone: for the bad one there are errors."""
    client.send(pack("GET", LOW) + pack("GET", HIGH) + pack("GET", LOW) + pack("PING"))
    assert neighbour.command("GET", HIGH) == b"$3\r\nfoo\r\n"
    first, second, third, last = [client.read_reply() for _ in range(4)]
    assert is_error(first)
    assert second == b"$3\r\nfoo\r\n"
    assert is_error(third)
    assert last == b"+PONG\r\n"


def test_whatever_a_node_says_clients_get_errors_and_go_on(nodes: TwoNodes, proxy: Proxy) -> None:
    """One kind after the other; what is right as far as it goes is cut there by the end of the connection."""
    cut: list[Answer] = [[said, CLOSE] for said in (*ENDLESS.values(), GARBAGE[NESTED])]
    nonsense: list[Answer] = [said for kind, said in GARBAGE.items() if kind != NESTED]
    with proxy.client() as client, proxy.client() as neighbour:
        for said in (*nonsense, *cut):
            nodes.bad.answers["GET"] = said
            use_both(client, neighbour)
            nodes.bad.answers["GET"] = echo
            await_true(lambda: client.command("GET", LOW) == b"$3\r\nbar\r\n")
        scrape = proxy.metrics()
    assert scrape.total("rproxy_upstream_failures_total", cluster="main", failure="garbage") > 0
    assert scrape.total("rproxy_upstream_failures_total", cluster="main", failure="connection_lost") > 0
    figures.note("a node talks nonsense", "kinds of nonsense", str(len(nonsense) + len(cut)))
    figures.note("a node talks nonsense", "replies of which any of it was relayed", "0")


@figures.whole_suite
@pytest.mark.parametrize("said", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_never_ends_is_given_up(nodes: TwoNodes, proxy: Proxy, said: Said) -> None:
    """Commands time out, and the connection is dialled anew."""
    answers: Iterator[Said] = iter([said])

    def used() -> int:
        return sum(any(command[0] == b"GET" for command in peer.commands) for peer in nodes.bad.peers)

    nodes.bad.answers["GET"] = lambda command: echo(command) if used() > 1 else next(answers, SILENCE)
    with proxy.client() as client, proxy.client() as neighbour:
        use_both(client, neighbour)
        await_true(lambda: client.command("GET", LOW) == b"$3\r\nbar\r\n")
    assert used() == 2


def asked(nodes: TwoNodes) -> int:
    return nodes.bad.count("GET") + nodes.good.count("GET")


@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
def test_redirections_in_a_circle_end(nodes: TwoNodes, proxy: Proxy, kind: str) -> None:
    """Each of two nodes sends to the other whatever it is asked, of many clients at once."""
    slots = {key: hash_slot(key.encode()) for key in (LOW, HIGH)}

    def circle(to: FakeNode) -> None:
        other = nodes.good if to is nodes.bad else nodes.bad
        to.answers["GET"] = lambda command: encode.error(f"{kind} {slots[command[1].decode()]} {other.endpoint}")

    circle(nodes.bad)
    circle(nodes.good)
    clients = [proxy.client() for _ in range(8)]
    try:
        for client in clients:
            client.send(pack("GET", LOW) * 10 + pack("GET", HIGH) * 10 + pack("PING"))
        for client in clients:
            replies = [client.read_reply() for _ in range(21)]
            assert {reply[: len(kind) + 1] for reply in replies[:-1]} == {b"-" + kind.encode()}
            assert replies[-1] == b"+PONG\r\n"
        commands = len(clients) * 20
        times = asked(nodes) / commands
        assert times <= HOP_LIMIT + 1
        nodes.bad.answers["GET"] = nodes.good.answers["GET"] = echo
        await_true(lambda: clients[0].command("GET", LOW) == b"$3\r\nbar\r\n")
        seen = asked(nodes)
        assert clients[0].command("GET", HIGH) == b"$3\r\nfoo\r\n"
        assert asked(nodes) == seen + 1  # nothing goes round any more
    finally:
        for client in clients:
            client.close()
    figures.note(f"{kind} in a circle", "times that a command is sent before its client gets the error", f"{times:.1f}")


NO_MAP = {
    "no slots": encode.array([]),
    "an error": b"-ERR no such thing\r\n",
    "no list": b"+OK\r\n",
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@figures.whole_suite
def test_a_map_that_is_none_leaves_the_old_one_in_force(nodes: TwoNodes, proxy: Proxy) -> None:
    def failures() -> float:
        return proxy.metrics().total("rproxy_topology_refreshes_total", cluster="main", result="failure")

    with proxy.client() as client:
        for said in NO_MAP.values():
            before = failures()
            nodes.bad.answers["CLUSTER SLOTS"] = nodes.good.answers["CLUSTER SLOTS"] = said
            await_true(lambda before=before: failures() > before + 1)  # type: ignore[misc]
            for key in (LOW, HIGH):
                assert client.command("GET", key) == b"$3\r\n%s\r\n" % key.encode()
    figures.note("a node gives no map", "kinds of answers, the old map in force", str(len(NO_MAP)))


@pytest.mark.parametrize("said", NO_MAP.values(), ids=NO_MAP.keys())
def test_without_any_map_commands_get_a_clear_error(nodes: TwoNodes, said: bytes) -> None:
    nodes.bad.answers["CLUSTER SLOTS"] = nodes.good.answers["CLUSTER SLOTS"] = said
    proxy = Proxy(config=config_of(f"{nodes.bad.endpoint},{nodes.good.endpoint}"))
    try:
        proxy.launch()
        await_true(lambda: "no usable topology" in proxy.output)
        with RawClient(proxy.port) as client:
            assert client.command("GET", LOW).startswith(b"-CLUSTERDOWN the topology of cluster 'main' is not known")
            for node in (nodes.bad, nodes.good):
                node.answers |= cluster_answers([nodes.bad.endpoint], [nodes.good.endpoint])
            await_true(lambda: client.command("GET", LOW) == b"$3\r\nbar\r\n")
    finally:
        proxy.stop()
