"""CLIENT, MONITOR and SLOWLOG: one server's clients, whichever worker they are at."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from tests.support.client import RawClient, pack
from tests.support.installed import needs_7
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

OK = b"+OK\r\n"
only_on_7 = needs_7("Redis 6.2 words it otherwise, and has fewer options and fields")
CALLS = [
    "CLIENT LIST TYPE nope",
    "CLIENT LIST ID",
    "CLIENT LIST ID x",
    "CLIENT LIST NOPE 1",
    "CLIENT LIST TYPE master",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID x",
    "CLIENT KILL ID 999999",
    "CLIENT KILL TYPE nope",
    "CLIENT KILL USER nobody",
    "CLIENT KILL ADDR",
    "CLIENT KILL NOPE x",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL ADDR 1.2.3.4:5 LADDR 1.2.3.4:6",
    "CLIENT UNBLOCK x",
    "CLIENT UNBLOCK 999999",
    "CLIENT UNBLOCK 999999 NOPE",
    "CLIENT UNBLOCK 999999 ERROR more",
    "CLIENT PAUSE x",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 0 NOPE",
    "CLIENT UNPAUSE",
    "CLIENT REPLY nope",
    "CLIENT REPLY ON",
    "CLIENT NO-EVICT ON",
    "CLIENT NO-EVICT maybe",
    "CLIENT TRACKING OFF",
    "CLIENT TRACKING maybe",
    "CLIENT TRACKINGINFO",
    "CLIENT GETREDIR",
    "CLIENT CACHING YES",
    "SLOWLOG GET -2",
    "SLOWLOG GET x",
    "SLOWLOG RESET",
    "SLOWLOG LEN",
    "SLOWLOG GET",
]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def own_proxy(request: pytest.FixtureRequest, shared_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    config = config_of(shared_cluster.seeds) | {"workers": request.param}
    with Proxy(config=config) as proxy:
        yield proxy


@pytest.fixture
def two(own_proxy: Proxy) -> Iterator[tuple[RawClient, RawClient]]:
    """Two clients, each at a worker of its own if there are two: who has fewer clients gets the next."""
    with own_proxy.client() as one, own_proxy.client() as other:
        for client in (one, other):
            client.command("PING")  # rproxy knows of it from now on
        yield one, other


def number(client: RawClient) -> int:
    return int(client.command("CLIENT", "ID")[1:])


def lines(reply: bytes) -> list[dict[str, str]]:
    """The clients of CLIENT LIST, their fields by name."""
    text = reply.partition(b"\r\n")[2].decode().rstrip()
    return [dict(field.split("=", 1) for field in line.split(" ")) for line in text.splitlines() if line]


@only_on_7
@pytest.mark.parametrize("line", CALLS)
def test_it_is_answered_as_by_one_redis(line: str, client: RawClient, direct: RawClient) -> None:
    assert client.command(*line.split()) == direct.command(*line.split())


@only_on_7
def test_the_fields_of_a_client_are_those_of_redis(client: RawClient, direct: RawClient) -> None:
    fields = [list(lines(each.command("CLIENT", "INFO"))[0]) for each in (client, direct)]
    assert [field for field in fields[0] if not field.startswith("lib-")] == [
        field for field in fields[1] if not field.startswith("lib-")
    ]


def test_the_clients_of_all_workers_are_listed(two: tuple[RawClient, RawClient]) -> None:
    one, other = two
    ids = {number(one), number(other)}
    other.command("CLIENT", "SETNAME", "the-other")
    other.pipeline([("MULTI",), ("SET", "a", "1")])
    shown = {int(line["id"]): line for line in lines(one.command("CLIENT", "LIST"))}
    assert ids <= set(shown)
    mine, theirs = shown[number(one)], shown[(ids - {number(one)}).pop()]
    assert (mine["cmd"], mine["flags"], mine["multi"], mine["user"]) == ("client|list", "N", "-1", "default")
    assert (theirs["name"], theirs["flags"], theirs["multi"]) == ("the-other", "x", "1")
    only = lines(one.command("CLIENT", "LIST", "ID", theirs["id"]))
    assert [line["id"] for line in only] == [theirs["id"]]
    other.command("DISCARD")


def test_a_client_is_killed_wherever_it_is(two: tuple[RawClient, RawClient]) -> None:
    one, other = two
    assert one.command("CLIENT", "KILL", "ID", number(other)) == b":1\r\n"
    assert other.read_to_end() == b""
    assert one.command("PING") == b"+PONG\r\n"


def test_one_that_kills_itself_is_told_so(two: tuple[RawClient, RawClient]) -> None:
    one, _ = two
    address = lines(one.command("CLIENT", "INFO"))[0]["addr"]
    assert one.command("CLIENT", "KILL", address) == OK
    assert one.read_to_end() == b""


def test_all_others_are_killed(two: tuple[RawClient, RawClient]) -> None:
    one, other = two
    assert int(one.command("CLIENT", "KILL", "TYPE", "normal")[1:]) >= 1
    assert other.read_to_end() == b""
    assert one.command("PING") == b"+PONG\r\n"


@pytest.mark.parametrize("how", ["TIMEOUT", "ERROR"])
@pytest.mark.parametrize(
    "blocking",
    [
        *(
            "BLPOP nothing 0",
            "BLMOVE {a}1 {a}2 LEFT LEFT 0",
            pytest.param("BZMPOP 0 1 nothing MIN", marks=needs_7("BZMPOP came with Redis 7.0")),
            "XREAD BLOCK 0 STREAMS nothing $",
        ),
        *("XREADGROUP GROUP g me BLOCK 0 STREAMS stream >", "WAIT 9 0"),
    ],
)
def test_a_blocked_client_is_let_go(
    two: tuple[RawClient, RawClient], standalone: EmbeddedRedis, blocking: str, how: str
) -> None:
    replies = []
    with RawClient(standalone.port) as direct, RawClient(standalone.port) as blocker:
        for one, other in ((direct, blocker), two):
            one.command("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
            blocked = number(other)
            other.send(pack(*blocking.split()))
            await_true(lambda one=one, blocked=blocked: one.command("CLIENT", "UNBLOCK", blocked, how) == b":1\r\n")
            replies.append(other.read_reply())
            assert one.command("CLIENT", "UNBLOCK", blocked) == b":0\r\n"
            assert other.command("ECHO", "next") == b"$4\r\nnext\r\n"
    if replies[0] == b":0\r\n":  # WAIT: the replica of each shard may have acknowledged by then; a server has none
        assert replies[1] in (b":0\r\n", b":1\r\n")
    else:
        assert replies[0] == replies[1]


@pytest.mark.parametrize("mode", ["WRITE", "ALL"])
def test_a_pause_holds_commands_back_in_order(two: tuple[RawClient, RawClient], mode: str) -> None:
    one, other = two
    other.command("SET", "counter", "0")
    began = time.monotonic()
    assert one.command("CLIENT", "PAUSE", "400", mode) == OK
    if mode == "ALL":
        other.command("GET", "counter")
        assert time.monotonic() - began >= 0.35
    replies = other.pipeline([("INCR", "counter"), ("INCR", "counter"), ("GET", "counter")])
    assert replies == [b":1\r\n", b":2\r\n", b"$1\r\n2\r\n"]
    assert time.monotonic() - began >= 0.35


def test_a_pause_of_writes_holds_back_no_reads_and_is_ended(two: tuple[RawClient, RawClient]) -> None:
    one, other = two
    one.command("CLIENT", "PAUSE", "60000", "WRITE")
    assert other.command("GET", "nothing") == b"$-1\r\n"
    other.send(pack("SET", "a", "1"))
    assert one.command("CLIENT", "UNPAUSE") == OK
    assert other.read_reply() == OK


def test_a_client_that_wants_no_replies_gets_none(client: RawClient, direct: RawClient) -> None:
    conversation = b"".join(
        pack(*line.split())
        for line in [
            "SET a{t} 1",
            "CLIENT REPLY SKIP",
            "GET a{t}",
            "GET a{t}",
            "CLIENT REPLY OFF",
            "GET a{t}",
            "NOSUCH",
            "MGET a{t} b{t}",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY ON",
            "ECHO end",
        ]
    )
    expected = OK + b"$1\r\n1\r\n" + OK + b"$3\r\nend\r\n"
    for each in (direct, client):
        each.send(conversation)
        assert b"".join(each.read_reply() for _ in range(4)) == expected


def test_a_monitor_sees_the_commands_of_all_workers_without_secrets(
    two: tuple[RawClient, RawClient], own_proxy: Proxy
) -> None:
    one, other = two
    assert one.command("MONITOR") == OK
    with own_proxy.client() as late:
        for each in (other, late):
            each.command("SET", "a", 'say "hi"\n')
            each.command("AUTH", "user", "secret")
        seen = [one.read_reply() for _ in range(4)]
    pattern = (
        rb'\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "(SET" "a" "say \\"hi\\"\\n"|AUTH" "\(redacted\)" "\(redacted\)")\r\n'
    )
    assert all(re.fullmatch(pattern, line) for line in seen), seen
    assert sum(b'"SET"' in line for line in seen) == 2


@only_on_7
def test_a_monitor_sees_transactions_when_they_are_executed(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    conversation = [
        *("MULTI", "SET {a}1 x", "PING", "NOSUCH", "EXEC", "EXEC", "MULTI", "SET {a}1 x", "DISCARD"),
        *("MULTI", "SET {a}1 x", "PING", "CLIENT LIST", "INCR {a}2", "EXEC", "MULTI", "EXEC"),
        *(
            "WATCH {a}3",
            "MULTI",
            "GET {a}3",
            "ECHO hi",
            "EXEC",
            "WATCH {a}3",
            "SET {a}3 1",
            "MULTI",
            "GET {a}3",
            "EXEC",
        ),
        "ECHO end",
    ]
    shown = []
    for port in (standalone.port, proxy.port):
        with RawClient(port) as monitor, RawClient(port) as client:
            assert monitor.command("MONITOR") == OK
            for line in conversation:
                client.command(*line.split())
            shown.append(list(iter(lambda: monitor.read_reply().split(b"] ", 1)[1], b'"ECHO" "end"\r\n')))
    assert shown[0] == shown[1]


def test_slow_commands_are_kept(own_proxy: Proxy, two: tuple[RawClient, RawClient]) -> None:
    one, other = two
    assert one.command("SLOWLOG", "RESET") == OK
    other.command("CLIENT", "SETNAME", "slow")
    script = "local i = 0; while i < 3000000 do i = i + 1 end; return 1"
    assert other.command("EVAL", script, "1", "k") == b":1\r\n"
    assert int(one.command("SLOWLOG", "LEN")[1:]) >= 1
    entries = one.command("SLOWLOG", "GET")
    assert script.encode() in entries
    assert b"$4\r\nslow\r\n" in entries
    assert one.command("SLOWLOG", "RESET") == OK
    assert one.command("SLOWLOG", "LEN") == b":0\r\n"


def test_the_slow_logs_threshold_can_be_set(two: tuple[RawClient, RawClient]) -> None:
    one, _ = two
    shown = b"*2\r\n$23\r\nslowlog-log-slower-than\r\n$5\r\n10000\r\n"
    assert one.command("CONFIG", "GET", "slowlog-log-slower-than") == shown
