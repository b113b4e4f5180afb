"""The learner before scripted nodes: whom it asks, when, and what becomes of the answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.commands.catalog import Catalog
from rproxy.resp import encode
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.snapshot import Topology
from rproxy.upstream import learner as module
from rproxy.upstream.learner import Learner
from rproxy.upstream.refresher import Refresher
from tests.support.described import entry
from tests.support.fake_node import CLOSE, PATIENCE, Answer, FakeNode, cluster_answers
from tests.support.upstream import topology_of

NO_LIST = b"-ERR Unknown subcommand or wrong number of arguments for 'list'. Try COMMAND HELP.\r\n"


def telling(*entries: list[Any]) -> dict[str, Answer]:
    """The answers of a node that has GET, CONFIG GET and these commands."""
    names = [b"get", b"config|get", *(described[0] for described in entries)]
    return {"COMMAND LIST": encode.reply(names), "COMMAND INFO": encode.reply(list(entries))}


async def learn(upstream: Any, catalog: Catalog, *nodes: FakeNode) -> bool:
    upstream.cluster.swap(topology_of(*((node.endpoint,) for node in nodes)))
    return await Learner(upstream.cluster, catalog).learn()


async def test_it_asks_for_what_the_table_does_not_have(start_node: Any, make_upstream: Any) -> None:
    node = await start_node(telling(entry(b"json.set"), entry(b"json.get", "readonly")))
    catalog = Catalog()
    assert await learn(make_upstream(password="secret"), catalog, node)
    assert [spec.name for spec in catalog.learned] == [b"JSON.SET", b"JSON.GET"]
    questions = [command for command in node.received if command[0] == b"COMMAND"]
    assert questions == [(b"COMMAND", b"LIST"), (b"COMMAND", b"INFO", b"json.set", b"json.get")]
    assert node.received[0] == (b"AUTH", b"secret")


async def test_a_node_that_has_nothing_new_is_asked_once(start_node: Any, make_upstream: Any) -> None:
    node = await start_node(telling())
    assert await learn(make_upstream(), Catalog(), node)
    assert node.received == [(b"COMMAND", b"LIST")]


async def test_an_older_server_tells_everything(start_node: Any, make_upstream: Any) -> None:
    everything = [entry(b"get", "readonly")[:7], entry(b"bf.add")[:7]]
    node = await start_node({"COMMAND LIST": NO_LIST, "COMMAND": encode.reply(everything)})
    catalog = Catalog()
    assert await learn(make_upstream(), catalog, node)
    assert [spec.name for spec in catalog.learned] == [b"BF.ADD"]


@pytest.mark.parametrize(
    "answers",
    [
        {"COMMAND": CLOSE},
        {"COMMAND": b"+OK\r\n"},
        {"COMMAND": b"-NOPERM no\r\n"},
        {"COMMAND LIST": b"*1\r\n$1\r\nx\r\n", "COMMAND INFO": b"-NOPERM no\r\n"},
    ],
)
async def test_a_node_that_does_not_tell(
    start_node: Any, make_upstream: Any, answers: dict[str, Answer], caplog: pytest.LogCaptureFixture
) -> None:
    node, catalog = await start_node(answers), Catalog()
    assert not await learn(make_upstream(), catalog, node)
    assert list(catalog.learned) == []
    assert f"cluster main: {node.endpoint} does not tell its commands: " in caplog.text


async def test_every_node_is_asked_in_turn(start_node: Any, make_upstream: Any) -> None:
    nodes = [await start_node(telling(entry(b"x.%d" % number))) for number in range(3)]
    upstream, catalog = make_upstream(), Catalog()
    upstream.cluster.swap(topology_of(*((node.endpoint,) for node in nodes)))
    learner = Learner(upstream.cluster, catalog)
    for _ in range(4):
        assert await learner.learn()
    assert {spec.name for spec in catalog.learned} == {b"X.0", b"X.1", b"X.2"}
    assert sorted(node.count("COMMAND") for node in nodes) == [2, 2, 4]


async def known(catalog: Catalog, name: bytes) -> None:
    """Wait until the catalog has a command."""
    async with asyncio.timeout(PATIENCE):
        while catalog.names.get(name) is None:
            await asyncio.sleep(0)


async def test_it_begins_with_the_topology_and_follows_it(start_node: Any, make_upstream: Any) -> None:
    old, new = await start_node(telling(entry(b"x.old"))), await start_node(telling(entry(b"x.new")))
    upstream, catalog = make_upstream(), Catalog()
    refresher = Refresher(upstream.cluster, [old.endpoint], RefreshSchedule(RefreshPolicy()))
    upstream.cluster.refresher = refresher
    learner = Learner(upstream.cluster, catalog)
    learner.start()
    for node, name in ((old, b"X.OLD"), (new, b"X.NEW")):
        old.answers |= cluster_answers([node.endpoint])
        new.answers |= cluster_answers([node.endpoint])
        await refresher.refresh()
        await known(catalog, name)
    await learner.stop()
    assert (old.count("COMMAND"), new.count("COMMAND")) == (2, 2)


@pytest.mark.parametrize("changed", ["PERIOD", "MISSED_AFTER"])
async def test_an_upgrade_is_noticed_by_the_period_or_by_a_command_that_is_unknown(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    monkeypatch.setattr(module, changed, 0.0)
    node = await start_node(telling(entry(b"x.old")))
    upstream, catalog = make_upstream(), Catalog()
    upstream.cluster.swap(Topology.standalone(node.endpoint))
    learner = Learner(upstream.cluster, catalog)
    learner.start()
    await known(catalog, b"X.OLD")
    node.answers |= telling(entry(b"x.old"), entry(b"x.new"))
    catalog.miss()
    await known(catalog, b"X.NEW")
    await learner.stop()


async def test_unknown_commands_are_no_reason_to_ask_all_the_time(start_node: Any, make_upstream: Any) -> None:
    node = await start_node(telling(entry(b"x.old")))
    upstream, catalog = make_upstream(), Catalog()
    upstream.cluster.swap(Topology.standalone(node.endpoint))
    learner = Learner(upstream.cluster, catalog)
    learner.start()
    await known(catalog, b"X.OLD")
    for _ in range(100):
        catalog.miss()
        await asyncio.sleep(0)
    await learner.stop()
    assert node.count("COMMAND") == 2


async def test_a_node_that_did_not_tell_is_asked_again_soon(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.0)
    node = await start_node({"COMMAND": CLOSE})
    upstream, catalog = make_upstream(), Catalog()
    upstream.cluster.swap(Topology.standalone(node.endpoint))
    learner = Learner(upstream.cluster, catalog)
    learner.start()
    await node.heard("COMMAND", 3)
    node.answers = telling(entry(b"x.new"))
    await known(catalog, b"X.NEW")
    await learner.stop()
