"""COMMAND's answers: shape, completeness, and that nothing refused is described."""

from __future__ import annotations

from typing import Any

import pytest

from rproxy.commands import describe
from rproxy.commands.lookup import COMMANDS, SPECS, CommandError, resolve
from rproxy.commands.spec import Access, Plan
from rproxy.commands.table import GROUPS
from rproxy.resp import encode


def ask(*words: bytes) -> Any:
    """The reply to COMMAND with ``words``."""
    return describe.answer([b"COMMAND", *words])


def refused(*words: bytes) -> bytes:
    with pytest.raises(CommandError) as caught:
        ask(*words)
    return caught.value.line


def test_every_local_subcommand_is_answered() -> None:
    container = resolve(COMMANDS, [b"COMMAND"])
    assert container.subcommands is not None
    local = {name for name, spec in container.subcommands.items() if spec.plan == Plan.LOCAL}
    assert local == set(describe.ANSWERS) - {b""}


def test_info_of_a_command() -> None:
    assert ask(b"INFO", b"get") == [
        [b"get", 2, ["readonly", "fast"], 1, 1, 1, ["@read", "@string", "@fast"], [], [], []]
    ]


def test_info_shows_policies_as_tips() -> None:
    ((*_, tips, _specs, _subcommands),) = ask(b"INFO", b"DEL")
    assert tips == [b"request_policy:multi_shard", b"response_policy:agg_sum"]


def test_info_of_unknown_and_refused_commands_is_null() -> None:
    assert ask(b"INFO", b"nope", b"SHUTDOWN", b"config|get", b"object|nope", b"") == [None] * 5


def test_info_of_a_container_and_its_subcommand() -> None:
    container, subcommand = ask(b"INFO", b"client", b"CLIENT|ID")
    assert subcommand[0] == b"client|id"
    assert [each[0] for each in container[9]] == [
        b"client|getname",
        b"client|help",
        b"client|id",
        b"client|setinfo",
        b"client|setname",
    ]


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
    assert b"config|get" not in names


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


def test_docs() -> None:
    docs = ask(b"DOCS")
    assert len(docs) == ask(b"COUNT")
    for document in docs.values():
        fields = document
        assert fields.keys() >= {b"summary", b"since", b"group"}
        assert fields[b"group"].decode() in GROUPS
    get = docs[b"get"]
    assert get == {b"summary": b"Forwarded to the shard of its key.", b"since": b"1.0.0", b"group": b"string"}


def test_docs_of_names() -> None:
    docs = ask(b"DOCS", b"OBJECT", b"nope", b"xinfo|stream", b"SHUTDOWN")
    assert list(docs) == [b"object", b"xinfo|stream"]
    assert b"object|freq" in docs[b"object"][b"subcommands"]


def test_every_spec_has_a_summary() -> None:
    for spec in SPECS:
        summary = describe.summary_of(spec)
        assert summary
        assert not summary.startswith("ERR")


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


def test_the_whole_reply_can_be_encoded() -> None:
    assert encode.reply(ask()).startswith(b"*%d\r\n" % ask(b"COUNT"))
    assert encode.reply(ask(b"DOCS")).startswith(b"*%d\r\n" % (2 * ask(b"COUNT")))


def test_what_clients_may_ask_is_supported() -> None:
    for spec in SPECS:
        if spec.access is Access.READ:
            assert describe.is_supported(spec), spec
