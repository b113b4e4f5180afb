from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.parameters import Parameter
from rproxy.server.parameters import parameters_of
from tests.support.downstream import Downstream
from tests.support.upstream import topology_of

THRESHOLD = b"slowlog-log-slower-than"


@pytest.fixture
async def downstream(make_downstream: Callable[..., Downstream], start_node: Any) -> Downstream:
    node = await start_node()
    return make_downstream({"main": topology_of((node.endpoint,))}, limits={"max_clients": 50})


@pytest.fixture
def parameters(downstream: Downstream) -> dict[bytes, Parameter]:
    return parameters_of(downstream.listener, 3)


def write(parameter: Parameter, text: str) -> str:
    assert parameter.write is not None
    parameter.write(text)
    return parameter.read()


async def test_limits_are_those_of_all_workers(parameters: dict[bytes, Parameter]) -> None:
    assert parameters[b"maxclients"].read() == "150"
    assert parameters[b"maxclients"].write is None


async def test_the_idle_timeout_is_changed(downstream: Downstream, parameters: dict[bytes, Parameter]) -> None:
    assert write(parameters[b"timeout"], "30") == "30"
    assert downstream.listener.idle_timeout == 30.0
    assert write(parameters[b"timeout"], "0") == "0"


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("10000", 0.01), ("-1", math.inf), (str(2**62), 2**62 / 1e6)]
)
async def test_the_threshold_of_the_slow_log_is_changed(
    downstream: Downstream, parameters: dict[bytes, Parameter], text: str, seconds: float
) -> None:
    assert write(parameters[THRESHOLD], text) == text
    assert downstream.clusters["main"].slow_log.slower_than == seconds


@pytest.mark.parametrize("text", ["-2", "-x", "x", "", str(2**63)])
async def test_no_other_threshold_is_taken(
    downstream: Downstream, parameters: dict[bytes, Parameter], text: str
) -> None:
    before = downstream.clusters["main"].slow_log.slower_than
    with pytest.raises(ValueError, match=r"^argument (must be between -1 and|couldn't be parsed)"):
        write(parameters[THRESHOLD], text)
    assert downstream.clusters["main"].slow_log.slower_than == before


async def test_the_slow_log_is_made_shorter(downstream: Downstream, parameters: dict[bytes, Parameter]) -> None:
    assert write(parameters[b"slowlog-max-len"], "5") == "5"
    assert downstream.clusters["main"].slow_log.entries.maxlen == 5
