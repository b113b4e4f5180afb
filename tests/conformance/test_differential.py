"""A generated corpus through rproxy over a cluster and directly to one Redis: the same replies.

``RPROXY_CONFORMANCE_ROUNDS`` says how many rounds of 500 commands each form has (``make conformance``: many).
"""

from __future__ import annotations

import os
from random import Random

import pytest

from rproxy.commands.keys import is_blocking
from rproxy.commands.lookup import COMMANDS, SPECS
from rproxy.demo.embedded import EmbeddedRedis
from tests.conformance.comparison import comparable, compare, in_pieces
from tests.conformance.corpus import Command, round_of
from tests.conformance.replies import parse
from tests.support.client import RawClient
from tests.support.installed import IS_7

ROUNDS = int(os.environ.get("RPROXY_CONFORMANCE_ROUNDS", "6"))
SIZE = 500


@pytest.fixture
def payloads(standalone: EmbeddedRedis) -> list[bytes]:
    """What DUMP gives for a few values."""
    standalone.call("SET", "dumped:string", "text")
    standalone.call("RPUSH", "dumped:list", "a", "b", "c")
    standalone.call("ZADD", "dumped:zset", "1", "a", "2.5", "b")
    dumped = [standalone.call("DUMP", key) for key in ("dumped:string", "dumped:list", "dumped:zset")]
    standalone.call("FLUSHALL")
    return dumped


def known(commands: list[Command], direct: RawClient) -> list[Command]:
    """Those that the server at hand knows, but for a 7.0, which names what is wrong as rproxy does."""
    if IS_7:
        return commands
    names = {name for _, entry in parse(direct.command("COMMAND"))[1] for _, name in entry[:1]}
    names -= {spec.name.lower() for spec in SPECS if spec.subcommands is not None}
    return [command for command in commands if command[0].lower() in names and not may_block(command)]


def may_block(command: Command) -> bool:
    """Whether a server may make its client wait: a 6.2 does with time-outs that a 7.0 refuses."""
    spec = COMMANDS.get(command[0])
    return spec is not None and is_blocking(spec, command)


def speak(protocol: int, *clients: RawClient) -> None:
    for client in clients:
        client.command("HELLO", str(protocol))
        client.command("SCRIPT", "LOAD", "return 1")


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_keys_of_one_slot(
    seed: int, protocol: int, direct: RawClient, client: RawClient, payloads: list[bytes]
) -> None:
    speak(protocol, direct, client)
    commands = known(round_of(seed, SIZE, tag=f"{{tag {seed}}}", payloads=payloads), direct)
    chosen = comparable(commands, direct)
    assert len(chosen) > 0.9 * len(commands)
    compare(chosen, direct, client, words_errors_alike=IS_7)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("seed", range(1000, 1000 + ROUNDS))
def test_keys_of_many_slots(
    seed: int, protocol: int, direct: RawClient, client: RawClient, payloads: list[bytes]
) -> None:
    speak(protocol, direct, client)
    commands = known(round_of(seed, SIZE, payloads=payloads, are_keys_apart=True), direct)
    compare(comparable(commands, direct), direct, client, words_errors_alike=IS_7)


@pytest.mark.parametrize("seed", range(2000, 2000 + ROUNDS))
def test_the_stream_may_be_cut_anywhere(seed: int, direct: RawClient, client: RawClient) -> None:
    speak(2, direct, client)
    commands = comparable(known(round_of(seed, SIZE, tag="{cut}"), direct), direct)
    compare(commands, direct, client, words_errors_alike=IS_7, send=in_pieces(Random(seed)))
