"""The corpus itself: it is the same each time, knows every command of the table, and a difference is not overlooked."""

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import CommandSpec
from rproxy.commands.table import GROUPS
from tests.conformance.corpus import round_of
from tests.conformance.replies import RULES, is_same
from tests.conformance.templates import LEFT_OUT, TEMPLATES

NAMED = {" ".join(template.split()[:2]) for templates in TEMPLATES.values() for template in templates}
NAMES = NAMED | {name.split()[0] for name in NAMED}
LATER = ("7.2", "7.4", "8.", "9.")
"""Of commands that Redis 7.0 does not know there is nothing to compare."""


def has_data(spec: CommandSpec, since: dict[bytes, str]) -> bool:
    has_keys = spec.first_key > 0 or spec.find_keys is not None
    is_blocking = "blocking" in spec.flags and not spec.name.startswith(b"XREAD")
    return has_keys and (spec.is_read or spec.is_write) and not is_blocking and not since[spec.name].startswith(LATER)


def test_every_data_command_of_the_table_is_drawn() -> None:
    since = {row.name.encode(): row.since for rows in GROUPS.values() for row in rows}
    missing = {spec.name.decode().replace("|", " ") for spec in SPECS if has_data(spec, since)} - NAMES
    assert missing == LEFT_OUT.keys()


def test_every_rule_is_of_a_command() -> None:
    known = {spec.name.decode().replace("|", " ") for spec in SPECS}
    assert RULES.keys() <= known
    assert all(rule.reason for rule in RULES.values())


def test_a_seed_gives_one_corpus() -> None:
    assert round_of(7, 300, tag="{a}") == round_of(7, 300, tag="{a}")
    assert round_of(7, 300, tag="{a}") != round_of(8, 300, tag="{a}")


SAME = [
    (["GET"], b"$1\r\na\r\n", b"$1\r\na\r\n"),
    (["SMEMBERS"], b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (["hgetall"], b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"%2\r\n+b\r\n:2\r\n+a\r\n:1\r\n"),
    (["TTL"], b":100\r\n", b":99\r\n"),
    (["OBJECT", "IDLETIME"], b":0\r\n", b":1\r\n"),
    (["SRANDMEMBER"], b"$1\r\na\r\n", b"$2\r\nbc\r\n"),
    (["SSCAN", "k", "0"], b"*2\r\n$1\r\n0\r\n*2\r\n+a\r\n+b\r\n", b"*2\r\n$1\r\n0\r\n*2\r\n+b\r\n+a\r\n"),
    (["RENAME"], b"-ERR no such key\r\n", b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"),
]
DIFFERENT = [
    (["GET"], b"$1\r\na\r\n", b"+a\r\n"),
    (["LRANGE"], b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (["SMEMBERS"], b"*2\r\n$1\r\na\r\n$1\r\na\r\n", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (["SMEMBERS"], b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (["HGETALL"], b"*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"*4\r\n+a\r\n:2\r\n+b\r\n:1\r\n"),
    (["TTL"], b":100\r\n", b":-1000000\r\n"),
    (["SRANDMEMBER"], b"*1\r\n$1\r\na\r\n", b"*0\r\n"),
    (["SSCAN", "k", "0"], b"*2\r\n$1\r\n0\r\n*1\r\n+a\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n+b\r\n"),
    (["SPOP"], b"-ERR a\r\n", b"-ERR b\r\n"),
    (["RENAME"], b"+OK\r\n", b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"),
]


@pytest.mark.parametrize(("command", "one", "other"), SAME)
def test_the_same(command: list[str], one: bytes, other: bytes) -> None:
    assert is_same([word.encode() for word in command], one, other)


@pytest.mark.parametrize(("command", "one", "other"), DIFFERENT)
def test_not_the_same(command: list[str], one: bytes, other: bytes) -> None:
    assert not is_same([word.encode() for word in command], one, other)
