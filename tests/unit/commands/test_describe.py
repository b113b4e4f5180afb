"""COMMAND's answers: shape, completeness, and that nothing refused is described."""

from __future__ import annotations

from typing import Any

import pytest

from rproxy.commands import describe
from rproxy.commands.catalog import Catalog
from rproxy.commands.lookup import COMMANDS, CommandError, resolve
from rproxy.commands.spec import Plan
from rproxy.commands.table import GROUPS
from rproxy.resp import encode
from tests.support.described import INDEX_1, entry, key_spec, keynum

CATALOG = Catalog()


def ask(*words: bytes) -> Any:
    """The reply to COMMAND with ``words``."""
    return describe.answer([b"COMMAND", *words], CATALOG)


def refused(*words: bytes) -> bytes:
    with pytest.raises(CommandError) as caught:
        ask(*words)
    return caught.value.line


def test_every_local_subcommand_is_answered() -> None:
    container = resolve(COMMANDS, [b"COMMAND"])
    assert container.subcommands is not None
    local = {name for name, spec in container.subcommands.items() if spec.plan == Plan.LOCAL}
    assert local - {b"DOCS", b"HELP"} == set(describe.ANSWERS) - {b""}


def test_info_of_a_command() -> None:
    read_at_1: dict[bytes, Any] = {
        b"flags": ("RO", "access"),
        b"begin_search": {b"type": b"index", b"spec": {b"index": 1}},
        b"find_keys": {b"type": b"range", b"spec": {b"lastkey": 0, b"keystep": 1, b"limit": 0}},
    }
    categories = ("@read", "@string", "@fast")
    assert ask(b"INFO", b"get") == [
        [b"get", 2, ("readonly", "fast"), 1, 1, 1, categories, (), (read_at_1,), ()],
    ]


def test_info_of_unknown_and_refused_commands_is_null() -> None:
    assert ask(b"INFO", b"nope", b"SHUTDOWN", b"config|rewrite", b"object|nope", b"") == [None] * 5


def test_info_of_a_container_and_its_subcommand() -> None:
    container, subcommand = ask(b"INFO", b"client", b"CLIENT|ID")
    assert subcommand[0] == b"client|id"
    names = [each[0] for each in container[9]]
    assert names == sorted(names)
    assert {b"client|getname", b"client|help", b"client|id", b"client|list"} <= set(names)


def test_command_alone_is_info_of_everything() -> None:
    everything = ask()
    assert everything == ask(b"INFO")
    assert ask(b"COUNT") == len(everything) > 200
    names = {entry[0] for entry in everything}
    assert {b"get", b"mget", b"eval", b"object", b"ping"} <= names
    assert not names & {b"save", b"shutdown", b"debug"}


def test_list() -> None:
    names = ask(b"LIST")
    assert set(names) >= {entry[0] for entry in ask()} | {b"object|freq"}
    assert b"config|rewrite" not in names


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((b"PATTERN", b"MGE?"), {b"mget"}),
        ((b"pattern", b"xinfo|*"), {b"xinfo|consumers", b"xinfo|groups", b"xinfo|help", b"xinfo|stream"}),
        ((b"PATTERN", b"[^m-z]get"), {b"hget"}),
        ((b"ACLCAT", b"geo"), {row.name.lower().encode() for row in GROUPS["geo"]}),
        ((b"ACLCAT", b"nope"), set()),
        ((b"MODULE", b"json"), set()),
    ],
)
def test_filtered_list(filters: tuple[bytes, ...], expected: set[bytes]) -> None:
    assert set(ask(b"LIST", b"filterby", *filters)) == expected


@pytest.mark.parametrize("words", [(b"NOPE",), (b"FILTERBY", b"MODULE"), (b"FILTERBY", b"NOPE", b"x"), (b"x",) * 4])
def test_list_with_wrong_options(words: tuple[bytes, ...]) -> None:
    assert refused(b"LIST", *words) == b"-ERR syntax error\r\n"


def docs(*names: bytes) -> Any:
    """What rproxy itself says of these commands."""
    return describe.docs(describe.documented(names, CATALOG), CATALOG)


def test_docs() -> None:
    assert len(docs()) == ask(b"COUNT")
    for fields in docs().values():
        assert fields.keys() >= {b"summary", b"since", b"group"}
        assert fields[b"group"].decode() in GROUPS
    get = docs(b"GET")[b"get"]
    assert get == {b"summary": b"Forwarded to the shard of its key.", b"since": b"1.0.0", b"group": b"string"}


def test_docs_of_names() -> None:
    found = docs(b"OBJECT", b"nope", b"xinfo|stream", b"SHUTDOWN")
    assert list(found) == [b"object", b"xinfo|stream"]
    assert b"object|freq" in found[b"object"][b"subcommands"]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        (b"MSET a 1 b 2", [b"a", b"b"]),
        (b"ZUNIONSTORE d 2 a b", [b"d", b"a", b"b"]),
        (b"EVAL s 0", []),
        (b"EVAL s x", []),
        (b"object freq k", [b"k"]),
    ],
)
def test_get_keys(line: bytes, keys: list[bytes]) -> None:
    assert ask(b"GETKEYS", *line.split()) == keys


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"nope a", b"-ERR Invalid command specified\r\n"),
        (b"object nope", b"-ERR Invalid command specified\r\n"),
        (b"PING", b"-ERR The command has no key arguments\r\n"),
        (b"GET a b", b"-ERR Invalid number of arguments specified for command\r\n"),
        (b"ZUNION 5 a", b"-ERR Invalid arguments specified for command\r\n"),
    ],
)
def test_get_keys_of_what_has_none(line: bytes, error: bytes) -> None:
    assert refused(b"GETKEYS", *line.split()) == error


@pytest.mark.parametrize(
    ("line", "uses"),
    [
        (b"GET a", [(b"a", "RO access")]),
        (b"MSET a 1 b 2", [(b"a", "OW update"), (b"b", "OW update")]),
        (b"SET a 1", [(b"a", "OW update")]),
        (b"SET a 1 EX 5 get", [(b"a", "RW access update")]),
        (b"BITFIELD k GET u8 0 get u8 1", [(b"k", "RO access")]),
        (b"BITFIELD k GET u8 0 SET u8 0 1", [(b"k", "RW access update")]),
        (b"BITFIELD k GET u8", [(b"k", "RW access update")]),
        (b"SORT a BY x STORE b", [(b"a", "RO access"), (b"b", "OW update")]),
        (b"SORT_RO a BY x", [(b"a", "RO access")]),
        (b"GEORADIUS k 1 2 3 m STORE x", [(b"k", "RO access"), (b"x", "OW update")]),
        (b"XREADGROUP GROUP g c STREAMS a b > >", [(b"a", "RO access"), (b"b", "RO access")]),
        (b"MSETEX 2 a 1 b 2 NX", [(b"a", "OW update"), (b"b", "OW update")]),
        (b"EVAL s 0", []),
    ],
)
def test_get_keys_and_flags(line: bytes, uses: list[tuple[bytes, str]]) -> None:
    assert ask(b"GETKEYSANDFLAGS", *line.split()) == [[key, tuple(flags.split())] for key, flags in uses]


def test_channels_are_no_keys() -> None:
    assert refused(b"GETKEYS", b"SPUBLISH", b"a", b"b") == b"-ERR The command has no key arguments\r\n"


def test_learned_commands_are_described_too() -> None:
    catalog = Catalog()
    moving = entry(b"json.mget", "readonly movablekeys", (0, 0, 0), specs=(key_spec(INDEX_1, keynum(), b"RO"),))
    catalog.learn([entry(b"json.set", "write module"), moving, entry(b"x.config", "admin", (0, 0, 0))])

    def told(*words: bytes) -> Any:
        return describe.answer([b"COMMAND", *words], catalog)

    assert told(b"COUNT") == ask(b"COUNT") + 2
    ((name, arity, flags, *_),) = told(b"INFO", b"json.set")
    assert (name, arity, flags) == (b"json.set", -2, ("write", "module"))
    assert told(b"INFO", b"x.config") == [None]
    assert told(b"LIST", b"FILTERBY", b"MODULE", b"JSON") == [b"json.set", b"json.mget"]
    described: Any = describe.docs([b"json.set"], catalog)
    assert described[b"json.set"][b"group"] == b"module"
    assert told(b"GETKEYSANDFLAGS", b"json.mget", b"1", b"a", b"b") == [[b"a", ("RO",)]]


def test_the_whole_reply_can_be_encoded() -> None:
    assert encode.reply(ask()).startswith(b"*%d\r\n" % ask(b"COUNT"))
    assert encode.reply(docs()).startswith(b"*%d\r\n" % (2 * ask(b"COUNT")))
