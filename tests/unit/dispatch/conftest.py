"""Three shards that tell what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import Answer, Command, FakeNode, echo
from tests.support.upstream import topology_of


def values(command: Command) -> bytes:
    """The keys themselves as an array."""
    return encode.array(map(encode.bulk, command[1:]))


def count(command: Command) -> bytes:
    """How many keys there were."""
    return encode.integer(len(command) - 1)


ANSWERS: dict[str, Answer] = {"GET": echo, "MGET": values, "DEL": count, "EXISTS": count}


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    """The primaries of three shards: ``b`` belongs to the first, ``c`` to the second, ``a`` and ``d`` to the third."""
    return [await start_node(ANSWERS) for _ in range(3)]


@pytest.fixture
def topology(nodes: list[FakeNode]) -> Topology:
    return topology_of(*((node.endpoint,) for node in nodes))


@pytest.fixture
async def dispatch(make_dispatch: Callable[..., Dispatch], topology: Topology) -> Dispatch:
    """A dispatcher whose only route leads to ``nodes``."""
    return make_dispatch({"main": topology})
