"""Users: the same rules at a redis-server and at rproxy, the same answers byte for byte; real clients that log in."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest
import redis

from rproxy.acl.rules import split_rules, user_of
from rproxy.acl.selector import Denial, Reason
from rproxy.commands.categories import CATEGORIES
from rproxy.commands.lookup import COMMANDS as INDEX
from rproxy.commands.lookup import SPECS, resolve
from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.resp import encode
from tests.support.client import RawClient, pack
from tests.support.installed import needs_7
from tests.support.proxy import Proxy, config_of

only_on_7 = needs_7("Redis 6.2 has fewer rules and words its refusals otherwise")

USERS = {
    "default": "on >pw ~* &* +@all",
    "app": "on >pw >old ~app:* %R~shared:* %W~out:* &app.* +@all -@dangerous -@scripting -set",
    "reader": "on >pw ~* +@read +@connection",
    "few": "on >pw ~a* ~[bc]? &x +get +set +mget +config|get +select|0 +publish +subscribe +psubscribe +eval",
    "twofold": "on >pw ~a +get (~b* +set) (%R~c +@read +@write) (&news +publish)",
    "nobody": "on >pw",
    "off": "off >pw ~* &* +@all",
    "anypass": "on nopass ~* &* +@all -acl",
}
BLANK = ["off", "resetpass", "resetkeys", "resetchannels", "-@all"]
"""What makes any user a new one."""
CLIENT_ID = re.compile(rb"(\$2\r\nid\r\n):\d+")
ODD = {
    b"MIGRATE": "its keys stand elsewhere in a command that makes no sense",
    b"PFDEBUG": "refused anyway",
    b"PFMERGE": "Redis finds no keys where there is but one",
    b"XREADGROUP": "Redis finds no keys where its STREAMS are no pairs",
}
"""Commands whose generated arguments are judged otherwise, each with the reason; sensible ones are alike."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    """A standalone server with ``USERS``."""
    with EmbeddedRedis() as redis_server:
        for name in sorted(USERS, key="default".__eq__):
            redis_server.call("ACL", "SETUSER", name, *BLANK, *split_rules(USERS[name]))
        yield redis_server


@pytest.fixture(scope="module")
def guarded(shared_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    """rproxy with ``USERS`` before a cluster."""
    config = config_of(shared_cluster.seeds)
    config["listeners"][0]["redis_proxy"]["users"] = [{"name": name, "rules": rules} for name, rules in USERS.items()]
    with Proxy(config=config) as proxy:
        yield proxy


@pytest.fixture
def pair(server: EmbeddedRedis, guarded: Proxy, cluster: EmbeddedCluster) -> Iterator[tuple[RawClient, RawClient]]:
    """A stranger's connection to the server, and one to rproxy."""
    with RawClient(server.port) as direct, guarded.client() as client:
        assert direct.pipeline([("AUTH", "pw"), ("FLUSHALL",), ("RESET",)]) == [b"+OK\r\n", b"+OK\r\n", b"+RESET\r\n"]
        yield direct, client


def log_in(pair: tuple[RawClient, RawClient], user: str) -> None:
    assert [connection.command("AUTH", user, "pw") for connection in pair] == [b"+OK\r\n"] * 2


def same(pair: tuple[RawClient, RawClient], *command: str) -> bytes:
    """The reply of both, but for a client's number."""
    direct, client = (CLIENT_ID.sub(rb"\1", connection.command(*command)) for connection in pair)
    assert client == direct, command
    return client


# -- who a client is

CONVERSATIONS = {
    "a stranger": "GET a|NOPE|GET|PING|MULTI|EXEC|HELLO|HELLO 3|HELLO 3 SETNAME me|HELLO 5|HELLO x|CLIENT GETNAME|QUIT",
    "wrong passwords": "AUTH|AUTH a b c|AUTH wrong|AUTH app wrong|AUTH nosuch pw|AUTH off pw|PING",
    "a wrong one logs nobody out": "AUTH pw|AUTH wrong|HELLO 2 AUTH app wrong|ACL WHOAMI",
    "two passwords": "AUTH app old|AUTH app pw|CLIENT GETNAME",
    "no password needed": "AUTH anypass whatever|ACL WHOAMI|CLIENT GETNAME",
    "hello": "HELLO 2 AUTH reader pw SETNAME me|CLIENT GETNAME|HELLO 2 AUTH reader|HELLO 3 AUTH reader wrong|GET a",
    "reset": "AUTH app pw|RESET|PING|AUTH pw|PING",
    "multi": "AUTH app pw|MULTI|GET app:1|GET other|EXEC|GET app:1",
    "multi with a denied command": "AUTH app pw|MULTI|SET app:1 x|EXEC",
    "multi of the denied": "AUTH nobody pw|MULTI|EXEC|PING|AUTH pw|PING",
    "another user": "AUTH few pw|SET a 1|GET zz|AUTH reader pw|GET zz|SET a 1",
}


@only_on_7
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_goes_as_with_redis(name: str, pair: tuple[RawClient, RawClient]) -> None:
    for command in CONVERSATIONS[name].split("|"):
        same(pair, *command.split())


@only_on_7
@pytest.mark.parametrize("data", [b"*11\r\n", b"*2\r\n$4\r\nPING\r\n$16385\r\n"])
def test_a_stranger_may_not_send_much(data: bytes, pair: tuple[RawClient, RawClient]) -> None:
    for connection in pair:
        connection.send(pack("PING") + data)
    expected = pair[0].read_to_end()
    assert b"-ERR Protocol error: unauthenticated " in expected
    assert pair[1].read_to_end() == expected


@only_on_7
def test_who_has_logged_in_may(pair: tuple[RawClient, RawClient]) -> None:
    log_in(pair, "default")
    values = [item for number in range(20) for item in (f"{{t}}{number}", "x" * 20_000)]
    assert same(pair, "MSET", *values) == b"+OK\r\n"


# -- what it may do

COMMANDS = [
    "GET a",
    "GET app:1",
    "GET shared:1",
    "GET out:1",
    "SET a 1",
    "SET b1 1",
    "SET app:1 x GET",
    "APPEND out:1 x",
    "APPEND shared:1 x",
    "GETDEL out:1",
    "MGET a b1",
    "MGET a zz",
    "MGET app:{1}a shared:{1}b",
    "DEL app:1 app:2 other",
    "EXISTS out:1",
    "COPY shared:{x} out:{x}",
    "COPY out:{x} shared:{x}",
    "SUNIONSTORE out:{s} shared:{s}1 app:{s}2",
    "SUNIONSTORE shared:{s} app:{s}1",
    "BITFIELD shared:b GET u8 0",
    "BITFIELD shared:b SET u8 0 1",
    "SORT app:l BY nosort",
    "XREAD COUNT 1 STREAMS shared:1 shared:1 0 0",
    "XREADGROUP GROUP g c STREAMS nokey 0",
    "MIGRATE h 1 nokey 0 10",
    "PFMERGE out:{p} shared:{p}",
    "EVAL return{KEYS[1],ARGV[1]} 1 a x",
    "EVAL return{KEYS[1],ARGV[1]} 1 zz x",
    "EVAL return{KEYS[1],ARGV[1]} x zz",
    "PUBLISH x 1",
    "PUBLISH y 1",
    "PUBLISH news 1",
    "PUBLISH app.1 1",
    "SUBSCRIBE y",
    "SUBSCRIBE x y",
    "PSUBSCRIBE app*",
    "SELECT 0",
    "SELECT 1 2",
    "KEYS zz*",
    "FLUSHALL sync",
    "CONFIG SET maxmemory 0",
    "ACL WHOAMI",
    "ACL LIST",
    "ACL SETUSER x",
    "CLIENT GETNAME",
    "PING",
    "NOPE",
    "GET",
    "CONFIG NOPE",
]


@only_on_7
@pytest.mark.parametrize("user", sorted(USERS.keys() - {"off", "default", "anypass"}))
def test_a_user_gets_what_redis_would_give_it(user: str, pair: tuple[RawClient, RawClient]) -> None:
    log_in(pair, user)
    denied = [command for command in COMMANDS if same(pair, *command.split()).startswith(b"-NOPERM ")]
    assert len(denied) > 5


ODD_PATHS = """
gEt zz|OBJECT ENCODING zz|object help|MEMORY USAGE zz|XINFO STREAM zz|DUMP zz|RESTORE zz 0 x|LCS app:{1} zz{1}
SINTERCARD 1 zz|SINTERCARD 2 app:{1} zz{1}|LMPOP 1 zz LEFT|ZMPOP 1 zz MIN|ZDIFFSTORE app:{1} 1 zz{1}
GEORADIUS shared:{1} 0 0 1 m STORE app:{1}|BLPOP zz 0.01|BLMPOP 0.01 1 zz LEFT|WATCH zz|WATCH app:1 zz
MIGRATE h 1 zz 0 10|MSETNX app:{1} x zz{1} y|BITOP NOT zz{1} app:{1}|EVAL_RO return{} 1 zz|EVALSHA abc 1 zz
EVALSHA_RO abc 1 zz|FCALL f 1 zz|FCALL_RO f 1 zz|SCRIPT LOAD x|SCRIPT FLUSH|FUNCTION LIST|CLIENT KILL ID 99
CLIENT KILL 1.2.3.4:5|CLIENT KILL USER x|CLIENT PAUSE 0|CLIENT UNPAUSE|CLIENT NO-EVICT on|CLIENT UNBLOCK 99
CONFIG GET maxmemory|CONFIG RESETSTAT|SLOWLOG LEN|LATENCY RESET|COMMAND GETKEYS GET zz|ACL CAT nosuch
ACL DRYRUN x y|SORT app:{l} STORE zz{l}|SORT_RO zz|XREAD STREAMS zz 0|XREAD STREAMS app:{1} zz{1} 0 0
XREADGROUP GROUP g c STREAMS zz >|TOUCH zz|SPUBLISH zz 1|SSUBSCRIBE zz|ZUNION 2 app:{1} zz{1}
ZRANGESTORE zz{1} app:{1} 0 1|RENAME app:{1} zz{1}|SMOVE app:{1} zz{1} x
"""


@only_on_7
@pytest.mark.parametrize("user", sorted(USERS.keys() - {"off", "default", "anypass"}))
def test_no_odd_path_leads_past_its_rules(
    user: str, server: EmbeddedRedis, guarded: Proxy, cluster: EmbeddedCluster
) -> None:
    """The same commands are denied, as arrays, as inline commands, and when they are queued."""
    denied = 0
    for command in ODD_PATHS.replace("\n", "|").strip("|").split("|"):
        verdicts = []
        for port in (server.port, guarded.port):
            for before, send in (("PING", pack(*command.split())), ("PING", f"{command}\r\n".encode()), ("MULTI", b"")):
                with RawClient(port) as client:
                    assert client.command("AUTH", user, "pw") == b"+OK\r\n"
                    client.command(before)
                    client.send(send or pack(*command.split()))
                    verdicts.append(client.read_reply().startswith(b"-NOPERM "))
        assert verdicts[:3] == verdicts[3:], (command, verdicts)
        denied += verdicts[0]
    assert denied > 5


def arguments_of(name: bytes, count: int) -> list[str]:
    words = name.decode().split("|")
    return words + list(islice(cycle(["a1", "b1", "1", "c"]), count - len(words)))


def verdict(denial: Denial | None, name: bytes, args: list[bytes]) -> bytes:
    """What ACL DRYRUN answers."""
    if denial is None:
        return b"+OK\r\n"
    if denial.reason is Reason.COMMAND:
        return encode.bulk(b"This user has no permissions to run the '%b' command" % name.lower())
    kind = denial.reason.name.lower().encode()
    return encode.bulk(b"This user has no permissions to access the '%b' %b" % (args[denial.position], kind))


@pytest.fixture(scope="module")
def known(server: EmbeddedRedis) -> set[str]:
    """The commands and subcommands of the server."""
    with redis.Redis(port=server.port, username="default", password="pw", decode_responses=True) as client:
        return set(client.execute_command("COMMAND LIST"))


RULES = [
    *(f"~* &* +@{category}" for category in CATEGORIES),
    *(f"~* &* +@all -@{category}" for category in CATEGORIES),
    "~a* &a* +@all",
    "~b* &b1 +@all -@write",
    "%R~a* %W~b* +@all",
    "%R~* ~b* +@all -@slow +config|get",
    "%W~* ~c +@read +@write -get +select|0 +select|1",
    "~a1 +@all (~b1 +@all) (%R~1 &* +@read +@pubsub)",
    "+@keyspace -@dangerous +client|id -config|get",
    "~* +@all -eval -client|list -acl",
]


@only_on_7
@pytest.mark.parametrize("rules", RULES)
def test_every_command_is_judged_as_redis_does(rules: str, server: EmbeddedRedis, known: set[str]) -> None:
    with RawClient(server.port) as direct:
        direct.command("AUTH", "pw")
        assert direct.command("ACL", "SETUSER", "judged", "reset", "on", "nopass", *split_rules(rules)) == b"+OK\r\n"
        lines = [
            arguments_of(spec.name, count)
            for spec in SPECS
            if spec.name.decode().lower() in known and not spec.subcommands and spec.name not in ODD
            for count in range(spec.least, min(spec.most, spec.least + 3) + 1)
        ]
        theirs = direct.pipeline([("ACL", "DRYRUN", "judged", *line) for line in lines])
    user = user_of("judged", f"on nopass {rules}")
    wrong = []
    for line, expected in zip(lines, theirs, strict=True):
        args = [word.encode() for word in line]
        spec = resolve(INDEX, args)
        ours = verdict(user.check(spec, args), spec.name, args)
        if ours != expected and b"wrong number of arguments" not in expected:
            wrong.append((line, expected, ours))
    assert len(lines) > 800
    assert wrong == []


# -- ACL


@only_on_7
@pytest.mark.parametrize("protocol", ["2", "3"])
def test_acl_answers_in_the_form_of_redis(protocol: str, pair: tuple[RawClient, RawClient]) -> None:
    for connection in pair:
        assert connection.command("HELLO", protocol, "AUTH", "default", "pw")[:1] in b"*%"
        connection.command("ACL", "LOG", "RESET")
    for user in ("default", "off", "nobody", "nosuch"):
        same(pair, "ACL", "GETUSER", user)
    for command in ("WHOAMI", "CAT", "CAT nope", "CAT a b", "USERS x", "GENPASS x", "GENPASS 0", "LOG x", "LOG -1"):
        same(pair, "ACL", *command.split())
    for line in ("app GET app:1", "app GET x", "app PUBLISH x y", "app SET a b", "x GET a", "app NOPE", "app GET"):
        same(pair, "ACL", "DRYRUN", *line.split())


# -- real clients


def test_redis_py_logs_in(guarded: Proxy) -> None:
    def connect(**keys: Any) -> Any:
        return redis.Redis(port=guarded.port, decode_responses=True, **keys)

    for protocol in (2, 3):
        with connect(username="app", password="pw", protocol=protocol) as app:
            assert app.incr("app:count") == protocol - 1
            with pytest.raises(redis.exceptions.NoPermissionError):
                app.get("other")
    with connect(password="pw") as default:
        assert default.acl_whoami() == "default"
        assert default.acl_getuser("app")["passwords"] != []
        assert sorted(default.acl_users()) == sorted(USERS)
        assert {"object": "other", "username": "app"}.items() <= default.acl_log()[0].items()
    with connect(username="nosuch", password="pw") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with connect() as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


needs_cli = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")


def run_cli(proxy: Proxy, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["redis-cli", "-p", str(proxy.port), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@needs_cli
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--user", "reader", "-a", "pw", "GET", "missing"], ""),
        (["-a", "pw", "ACL", "WHOAMI"], "default"),
        (["-3", "--user", "anypass", "-a", "x", "CLIENT", "GETNAME"], ""),
        (["--user", "nobody", "-a", "pw", "GET", "a"], "NOPERM this user has no permissions to run the 'get' command"),
        (["GET", "a"], "NOAUTH Authentication required."),
    ],
)
def test_redis_cli_logs_in(options: list[str], said: str, guarded: Proxy) -> None:
    assert run_cli(guarded, *options).stdout.strip() == said


@needs_cli
def test_redis_cli_tells_of_a_wrong_password(guarded: Proxy) -> None:
    answer = run_cli(guarded, "-a", "wrong", "GET", "a")
    assert "WRONGPASS invalid username-password pair or user is disabled." in answer.stdout + answer.stderr


def test_denials_are_counted(guarded: Proxy) -> None:
    with guarded.client() as client:
        commands = [("AUTH", "x"), ("AUTH", "few", "pw"), ("GET", "zz"), ("LPUSH", "a", "1"), ("PUBLISH", "y", "1")]
        reasons = ["auth", "key", "command", "channel"]
        before = [guarded.metrics().total("rproxy_denied_total", reason=reason) for reason in reasons]
        assert [reply[:1] for reply in client.pipeline(commands)] == [b"-", b"+", b"-", b"-", b"-"]
        after = [guarded.metrics().total("rproxy_denied_total", reason=reason) for reason in reasons]
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 1, 1]


def test_passwords_are_not_shown(guarded: Proxy) -> None:
    status, dump = guarded.admin("/config_dump")
    assert status == 200
    assert "on >******** >******** ~app:*" in dump
    assert ">pw" not in dump
