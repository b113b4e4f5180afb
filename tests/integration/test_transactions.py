"""MULTI to EXEC through rproxy over a real cluster, beside a single Redis where that gives the answer."""

from __future__ import annotations

import hashlib
import re
import threading

import pytest

from rproxy.demo.embedded import EmbeddedCluster, RedisProcess
from tests.support.client import RawClient, pack
from tests.support.installed import needs_7
from tests.support.proxy import Proxy

SHA = hashlib.sha1(b"return{7}").hexdigest()
NONE = "0" * 40
OK, QUEUED, NULL = b"+OK\r\n", b"+QUEUED\r\n", b"*-1\r\n"

CONVERSATIONS = {
    "plain": ["MULTI", "SET a{t} 1", "INCR a{t}", "GET a{t}", "EXEC"],
    "empty": ["MULTI", "EXEC"],
    "nested": ["MULTI", "MULTI", "SET a{t} 1", "EXEC"],
    "exec alone": ["EXEC"],
    "discard": ["SET a{t} 1", "MULTI", "SET a{t} 2", "DISCARD", "GET a{t}"],
    "discard alone": ["DISCARD"],
    "unknown command": ["MULTI", "SET a{t} 1", "NOSUCH x", "EXEC", "EXISTS a{t}"],
    "wrong arity": ["MULTI", "GET", "SET a{t} 1", "EXEC", "EXISTS a{t}"],
    "wrong arity of the end": [
        "MULTI",
        "SET a{t} 1",
        "EXEC now",
        "EXEC",
        "GET a{t}",
        "WATCH a{t}",
        "EXEC now",
        "DISCARD",
    ],
    "wrong arity of a subcommand": ["MULTI", "OBJECT ENCODING", "EXEC"],
    "error while executing": ["MULTI", "SET a{t} x", "INCR a{t}", "SET b{t} 2", "EXEC", "GET b{t}"],
    "several keys": ["MULTI", "MSET a{t} 1 b{t} 2", "MGET a{t} b{t} c{t}", "DEL a{t} b{t}", "EXISTS a{t}", "EXEC"],
    "local commands inside": [
        "MULTI",
        "PING",
        "SET a{t} 1",
        "ECHO hello",
        "CLIENT GETNAME",
        "GET a{t}",
        "SELECT 0",
        "EXEC",
    ],
    "only local commands": ["MULTI", "PING", "ECHO x", "EXEC"],
    "scripts": [
        "MULTI",
        "EVAL 'return_redis' 0",
        "EVAL return{1,KEYS[1]} 1 a{t}",
        "PUBLISH c m",
        "EXISTS a{t}",
        "EXEC",
    ],
    "blocking commands do not block": ["MULTI", "BLPOP a{t} 0", "LPUSH a{t} x", "BRPOP a{t} 0", "EXEC"],
    "watch inside": ["MULTI", "WATCH a{t}", "SET a{t} 1", "EXEC"],
    "watch, unchanged": ["SET a{t} 1", "WATCH a{t}", "GET a{t}", "MULTI", "INCR a{t}", "EXEC", "GET a{t}"],
    "watch, changed by the client itself": ["WATCH a{t}", "SET a{t} 1", "MULTI", "INCR a{t}", "EXEC", "GET a{t}"],
    "watch, changed, then again": ["WATCH a{t}", "SET a{t} 1", "MULTI", "EXEC", "MULTI", "INCR a{t}", "EXEC"],
    "unwatch": ["WATCH a{t}", "SET a{t} 1", "UNWATCH", "MULTI", "INCR a{t}", "EXEC"],
    "unwatch of nothing": ["UNWATCH"],
    "unwatch inside": ["WATCH a{t}", "SET a{t} 1", "MULTI", "UNWATCH", "INCR a{t}", "EXEC"],
    "discard ends the watch": ["WATCH a{t}", "SET a{t} 1", "MULTI", "DISCARD", "MULTI", "INCR a{t}", "EXEC"],
    "reset": ["WATCH a{t}", "SET a{t} 1", "MULTI", "RESET", "MULTI", "INCR a{t}", "EXEC"],
    "a watch of more": ["WATCH a{t}", "WATCH b{t}", "SET b{t} 1", "MULTI", "INCR a{t}", "EXEC"],
    "an expired watch": ["SET a{t} 1 PX 1", "BLPOP none{t} 0.02", "WATCH a{t}", "MULTI", "EXEC"],
    "scripts that another shard has": [
        "EVAL return{7} 1 {b}",
        "MULTI",
        f"EVALSHA {SHA} 1 {{a}}",
        f"EVALSHA_RO {SHA.upper()} 1 {{a}}",
        "EXEC",
        f"EVALSHA {SHA} 1 {{c}}",
    ],
    "scripts loaded inside": [
        "MULTI",
        "SCRIPT LOAD return{7}",
        f"EVALSHA {SHA} 1 {{a}}",
        "EXEC",
        f"EVALSHA {SHA} 1 {{b}}",
    ],
    "a script that nobody has": ["SET {a} 1", "MULTI", f"EVALSHA {NONE} 1 {{a}}", "GET {a}", "EXEC"],
    "not allowed inside": ["MULTI", "SYNC", "EXEC"],
}


def info(node: RedisProcess, field: str) -> int:
    """A number that a node's INFO tells."""
    return int(re.search(rf"{field}:(\d+)", node.call("INFO").decode())[1])  # type: ignore[index]


only_on_7 = needs_7("Redis 6.2 words these errors otherwise, or has other rules")
IN_7 = {
    "an expired watch",
    "unknown command",
    "wrong arity of a subcommand",
    "not allowed inside",
    "scripts that another shard has",
}
EACH = [
    pytest.param(lines, id=name, marks=[only_on_7] if name in IN_7 else []) for name, lines in CONVERSATIONS.items()
]


def words(line: str) -> tuple[str, ...]:
    return tuple(line.replace("'", "").split())


@pytest.mark.parametrize("lines", EACH)
def test_a_conversation_is_that_with_one_redis(lines: list[str], client: RawClient, direct: RawClient) -> None:
    expected = [direct.command(*words(line)) for line in lines]
    assert [client.command(*words(line)) for line in lines] == expected


@pytest.mark.parametrize("lines", EACH)
def test_a_pipelined_conversation_is_that_with_one_redis(
    lines: list[str], client: RawClient, direct: RawClient
) -> None:
    expected = direct.pipeline([words(line) for line in lines])
    assert client.pipeline([words(line) for line in lines]) == expected


def test_keys_of_two_slots_are_refused_when_they_are_queued(client: RawClient) -> None:
    assert client.command("MULTI") == OK
    assert client.command("SET", "a", "1") == QUEUED
    assert client.command("SET", "b", "1") == b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"
    assert client.command("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"
    assert client.command("EXISTS", "a", "b") == b":0\r\n"


def test_keys_outside_of_the_watched_slot_are_refused(client: RawClient) -> None:
    assert client.command("WATCH", "a") == OK
    assert client.command("WATCH", "b").startswith(b"-CROSSSLOT ")
    assert client.pipeline([("MULTI",), ("SET", "b", "1")])[1].startswith(b"-CROSSSLOT ")
    assert client.command("EXEC").startswith(b"-EXECABORT ")


@pytest.mark.parametrize("command", ["DBSIZE", "FLUSHALL", "KEYS *", "SHUTDOWN"])
def test_what_no_transaction_can_do_is_refused_when_it_is_queued(command: str, client: RawClient) -> None:
    assert client.command("MULTI") == OK
    assert client.command(*command.split()).startswith(b"-ERR ")
    assert client.command("EXEC").startswith(b"-EXECABORT ")


def test_a_key_that_another_client_changed_loses_the_transaction(client: RawClient, proxy: Proxy) -> None:
    with proxy.client() as other:
        assert client.pipeline([("SET", "a", "1"), ("WATCH", "a"), ("GET", "a")])[2] == b"$1\r\n1\r\n"
        assert other.command("SET", "a", "2") == OK
        assert client.pipeline([("MULTI",), ("SET", "a", "3"), ("EXEC",)]) == [OK, QUEUED, NULL]
        assert client.command("GET", "a") == b"$1\r\n2\r\n"


def test_in_resp3_a_lost_transaction_is_its_null(client: RawClient) -> None:
    client.send(pack("HELLO", "3"))
    client.read_reply()
    replies = client.pipeline([("WATCH", "a"), ("SET", "a", "1"), ("MULTI",), ("GET", "a"), ("EXEC",)])
    assert replies == [OK, OK, OK, QUEUED, b"_\r\n"]
    assert client.pipeline([("MULTI",), ("GET", "a"), ("PING",), ("EXEC",)])[3] == b"*2\r\n$1\r\n1\r\n+PONG\r\n"


def test_connections_that_watched_are_used_again(client: RawClient, proxy: Proxy, cluster: EmbeddedCluster) -> None:
    def connected() -> int:
        return sum(info(node, "total_connections_received") for node in cluster.nodes)

    cycle: list[tuple[str | bytes | int, ...]] = [("WATCH", "a"), ("MULTI",), ("SET", "a", "1"), ("EXEC",)]
    assert client.pipeline(cycle)[3] == b"*1\r\n+OK\r\n"
    before = connected()
    for _ in range(200):
        assert client.pipeline(cycle)[3] == b"*1\r\n+OK\r\n"
    assert connected() - before < 50  # discovery and this test's own


def test_money_is_neither_made_nor_lost(proxy: Proxy) -> None:
    """Clients move money between accounts with WATCH, and none of their transactions sees half of another's."""
    accounts = [f"account:{{bank}}:{index}" for index in range(4)]
    lost = []

    def move(seed: int) -> None:
        with proxy.client() as client:
            done = attempt = 0
            while done < 30:
                attempt += 1
                source, target = accounts[(seed + attempt) % 4], accounts[(seed + attempt * 3 + 1) % 4]
                client.command("WATCH", source, target)
                balance = int(client.command("GET", source).split(b"\r\n")[1])
                commands = [("MULTI",), ("SET", source, balance - 1), ("INCR", target), ("MGET", *accounts), ("EXEC",)]
                reply = client.pipeline(commands)[-1]  # type: ignore[arg-type]
                if reply == NULL:
                    lost.append(seed)
                elif source == target:
                    client.command("SET", source, balance)
                done += reply != NULL

    with proxy.client() as client:
        client.command("MSET", *[part for account in accounts for part in (account, 100)])
        movers = [threading.Thread(target=move, args=(seed,)) for seed in range(4)]
        for mover in movers:
            mover.start()
        for mover in movers:
            mover.join()
        balances = [int(client.command("GET", account).split(b"\r\n")[1]) for account in accounts]
    assert sum(balances) == 400
    assert lost, "no transaction ever met another: the test shows nothing"
