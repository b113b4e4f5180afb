"""Scripts that a shard lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from rproxy.dispatch.scripts import NO_SCRIPT
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import Answer, Command, FakeNode
from tests.support.upstream import topology_of

BODY = b"return 1"
SHA = hashlib.sha1(BODY).hexdigest().encode()
MISSING = b"-NOSCRIPT No matching script. Please use EVAL.\r\n"


@pytest.fixture
def nodes_with_scripts(nodes: list[FakeNode]) -> list[FakeNode]:
    """Nodes that know a script once they have had it."""
    for node in nodes:
        node.answers |= having(set())
    return nodes


def having(known: set[bytes]) -> dict[str, Answer]:
    def run(command: Command) -> bytes:
        if command[0].startswith(b"EVALSHA"):
            return b":1\r\n" if command[1].lower() in known else MISSING
        known.add(hashlib.sha1(command[1]).hexdigest().encode())
        return b":1\r\n"

    def load(command: Command) -> bytes:
        known.add(hashlib.sha1(command[2]).hexdigest().encode())
        return b"$40\r\n%b\r\n" % SHA

    def flush(_: Command) -> bytes:
        known.clear()
        return b"+OK\r\n"

    both: dict[str, Answer] = dict.fromkeys(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"), run)
    return {**both, "SCRIPT LOAD": load, "SCRIPT FLUSH": flush}


def names(node: FakeNode) -> list[bytes]:
    return [command[0] for command in node.received]


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_a_script_that_was_evaluated_is_found_on_every_shard(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == MISSING
    assert await dispatch.call("EVAL", BODY, "1", "b") == b":1\r\n"
    for _ in range(3):
        assert await dispatch.call("EVALSHA", SHA.upper(), "1", "c", "x") == b":1\r\n"
    # Once in full, then by its digest.
    assert nodes[1].received == [
        (b"EVAL", BODY, b"1", b"c", b"x"),
        *[(b"EVALSHA", SHA.upper(), b"1", b"c", b"x")] * 2,
    ]


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_one_that_was_loaded_is_not_sent_again(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("SCRIPT", "LOAD", BODY)
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == b":1\r\n"
    assert names(nodes[0]) == [b"SCRIPT", b"EVALSHA"]


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_a_node_that_lost_it_gets_it_again(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("SCRIPT", "LOAD", BODY)
    nodes[0].answers |= having(set())
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == b":1\r\n"
    assert names(nodes[0]) == [b"SCRIPT", b"EVALSHA", b"EVAL"]
    assert await dispatch.call("EVALSHA", SHA, "0") == b":1\r\n"


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_a_replica_gets_it_when_it_says_so(make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]) -> None:
    shards = topology_of((nodes[0].endpoint, nodes[1].endpoint))
    dispatch = make_dispatch({"main": shards}, read_policy=ReadPolicy.REPLICA)
    await dispatch.call("EVAL", BODY, "1", "b")
    assert await dispatch.call("EVALSHA_RO", SHA, "1", "b") == b":1\r\n"
    assert names(nodes[1])[1:] == [b"EVALSHA_RO", b"EVAL_RO"]


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_a_flush_is_a_flush(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("SCRIPT", "LOAD", BODY)
    assert await dispatch.call("SCRIPT", "FLUSH") == b"+OK\r\n"
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == MISSING


async def test_a_script_that_cannot_be_compiled_is_none(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    broken = b"-ERR Error compiling script (new function): x\r\n"
    for node in nodes:
        node.answers |= {"EVAL": broken, "EVALSHA": MISSING}
    assert await dispatch.call("EVAL", BODY, "1", "b") == broken
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == NO_SCRIPT == MISSING
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == MISSING
    assert names(nodes[0]) == [b"EVAL", b"EVAL", b"EVALSHA"]


async def test_an_error_of_a_script_is_the_clients(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers |= {"EVAL": b"-MINE own\r\n", "EVALSHA": b"-MINE own\r\n"}
    assert await dispatch.call("EVAL", BODY, "1", "b") == b"-MINE own\r\n"
    assert await dispatch.call("EVALSHA", SHA, "1", "b") == b"-MINE own\r\n"


async def test_what_is_remembered_exists(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers |= {"SCRIPT EXISTS": b"*3\r\n:0\r\n:1\r\n:0\r\n", "EVAL": b":1\r\n"}
    await dispatch.call("EVAL", BODY, "0")
    assert await dispatch.call("SCRIPT", "EXISTS", SHA, "a" * 40, "b" * 40) == b"*3\r\n:1\r\n:1\r\n:0\r\n"
    nodes[1].answers["SCRIPT EXISTS"] = b"-NOPERM no\r\n"
    assert await dispatch.call("SCRIPT", "EXISTS", SHA) == b"-NOPERM no\r\n"


async def test_functions_are_not_healed(make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]) -> None:
    dispatch = make_dispatch({"main": Topology.standalone(nodes[0].endpoint)})
    nodes[0].answers["FCALL"] = b"-ERR Function not found\r\n"
    assert await dispatch.call("FCALL", "f", "0") == b"-ERR Function not found\r\n"
    assert names(nodes[0]) == [b"FCALL"]


@pytest.mark.usefixtures("nodes_with_scripts")
async def test_a_transaction_sends_its_scripts_in_full(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"EXEC": b"*1\r\n:1\r\n", **dict.fromkeys(("EVAL", "EVALSHA", "EVALSHA_RO"), b"+QUEUED\r\n")}
    await dispatch.call("EVAL", BODY, "1", "b")
    for name in ("EVALSHA", "EVALSHA_RO"):
        for words in (["MULTI"], [name, SHA.upper(), "1", "b", "x"], ["EVALSHA", b"0" * 40, "0"], ["EXEC"]):
            await dispatch.call(*words)
    rest = [(b"EVALSHA", b"0" * 40, b"0"), (b"EXEC",)]
    assert nodes[0].received[1:] == [
        *((b"MULTI",), (b"EVAL", BODY, b"1", b"b", b"x"), *rest),
        *((b"MULTI",), (b"EVAL_RO", BODY, b"1", b"b", b"x"), *rest),
    ]


@pytest.mark.usefixtures("nodes_with_scripts")
@pytest.mark.parametrize("loading", [("SCRIPT", "LOAD", BODY), ("EVAL", BODY, "1", "b")])
async def test_what_a_transaction_runs_or_loads_is_remembered(
    dispatch: Dispatch, nodes: list[FakeNode], loading: tuple[str | bytes, ...]
) -> None:
    for words in (("MULTI",), loading, ("EXEC",)):
        await dispatch.call(*words)
    assert await dispatch.call("EVALSHA", SHA, "1", "c") == b":1\r\n"
    assert names(nodes[1]) == [b"EVAL"]
