"""Listeners before three shards, and their clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.topology.snapshot import Topology
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import FakeNode, echo
from tests.support.upstream import topology_of


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    """The primaries of three shards: ``b`` belongs to the first, ``c`` to the second, ``a`` to the third."""
    return [await start_node({"GET": echo}) for _ in range(3)]


@pytest.fixture
def topology(nodes: list[FakeNode]) -> Topology:
    return topology_of(*((node.endpoint,) for node in nodes))


@pytest.fixture
async def client(make: Callable[..., Downstream]) -> Client:
    """A client of a listener with the default limits."""
    return await make().client()
