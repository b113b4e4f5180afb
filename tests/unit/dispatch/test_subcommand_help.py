"""HELP of every container, as a client hears it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.commands.help_texts import HELP_TEXTS
from rproxy.commands.info import is_supported
from rproxy.commands.lookup import SPECS
from rproxy.dispatch.subcommand_help import HANDLERS
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch

CONTAINERS = sorted(HELP_TEXTS)


@pytest.fixture
async def local(make_dispatch: Callable[..., Dispatch]) -> Dispatch:
    """A dispatcher without a node: whatever is not local fails."""
    return make_dispatch({"main": Topology.empty()})


async def test_help_is_told_in_simple_strings(local: Dispatch) -> None:
    reply = await local.call("object", "help")
    head = b"*15\r\n+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+ENCODING <key>\r\n"
    assert reply.startswith(head)
    assert reply.endswith(b"+HELP\r\n+    Prints this help.\r\n")


def test_every_help_that_is_supported_has_its_handler() -> None:
    assert set(HANDLERS) == {spec.name for spec in SPECS if spec.name.endswith(b"|HELP") and is_supported(spec)}


@pytest.mark.parametrize("container", CONTAINERS)
async def test_each_container_tells_of_itself(local: Dispatch, container: str) -> None:
    lines = (await local.call(container, "HELP")).split(b"\r\n")[:-1]
    assert lines[1].startswith(b"+%s <subcommand>" % container.encode())
    assert lines[0] == b"*%d" % (len(lines) - 1)
    assert all(line.startswith(b"+") for line in lines[1:])


async def test_subcommands_that_are_not_supported_are_left_out(local: Dispatch) -> None:
    reply = await local.call("CONFIG", "HELP")
    assert b"+GET <pattern>\r\n" in reply
    assert b"+REWRITE\r\n" not in reply
    assert (await local.call("CONFIG", "REWRITE")).startswith(b"-ERR")


async def test_it_is_the_same_in_resp3(local: Dispatch) -> None:
    before = await local.call("OBJECT", "HELP")
    local.session.speak(3)
    assert await local.call("OBJECT", "HELP") == before


async def test_an_argument_is_one_too_many(local: Dispatch) -> None:
    assert (await local.call("OBJECT", "HELP", "x")).startswith(b"-ERR wrong number of arguments")
