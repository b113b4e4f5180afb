"""What commands need of their keys; ``tests/integration/test_acl.py`` compares all of them with a server."""

import pytest

from rproxy.acl.key_access import BOTH, NONE, READ, WRITE, Permission, key_needs, unnamed_read
from rproxy.commands.lookup import COMMANDS, resolve
from rproxy.commands.spec import Access, CommandSpec, Plan


def needs(text: str) -> list[tuple[bytes, Permission]]:
    args = [word.encode() for word in text.split()]
    return [(args[position], need) for position, need in key_needs(resolve(COMMANDS, args), args)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("PING", []),
        ("GET a", [(b"a", READ)]),
        ("EXISTS a b", [(b"a", NONE), (b"b", NONE)]),
        ("OBJECT ENCODING a", [(b"a", NONE)]),
        ("DEL a", [(b"a", WRITE)]),
        ("GETDEL a", [(b"a", BOTH)]),
        ("SET a 1", [(b"a", WRITE)]),
        ("SET a 1 EX 10 get", [(b"a", BOTH)]),
        ("BITFIELD a GET u8 0", [(b"a", READ)]),
        ("BITFIELD a OVERFLOW FAIL GET u8 0", [(b"a", READ)]),
        ("BITFIELD a GET u8 0 INCRBY u8 0 1", [(b"a", BOTH)]),
        ("BITFIELD a GET", [(b"a", BOTH)]),
        ("RENAME a b", [(b"a", BOTH), (b"b", WRITE)]),
        ("COPY a b", [(b"a", READ), (b"b", WRITE)]),
        ("SORT a BY x* STORE b", [(b"a", READ), (b"b", WRITE)]),
        ("ZUNIONSTORE a 2 b c", [(b"a", WRITE), (b"b", READ), (b"c", READ)]),
        ("PFMERGE a b", [(b"a", BOTH), (b"b", READ)]),
        ("EVAL script 2 a b c", [(b"a", BOTH), (b"b", BOTH)]),
        ("EVAL_RO script 1 a", [(b"a", READ)]),
        ("EVAL script x a", []),
        ("XREADGROUP GROUP g c STREAMS a b 0 0", [(b"a", READ), (b"b", READ)]),
        ("XREAD NEWER 1 STREAMS a b 0 0", [(b"a", READ), (b"b", READ)]),
        ("XREAD COUNT 1 x", []),
        ("SPUBLISH a b", []),
    ],
)
def test_a_command_needs_what_it_does_with_each_key(command: str, expected: list[tuple[bytes, Permission]]) -> None:
    assert needs(command) == expected


@pytest.mark.parametrize(("access", "need"), [(Access.READ, READ), (Access.WRITE, BOTH)])
def test_a_command_that_was_learned_needs_no_less_than_it_may_do(access: Access, need: Permission) -> None:
    spec = CommandSpec(b"JSON.SET", 3, access, plan=Plan.PLAIN, first_key=1, last_key=1, key_step=1)
    assert list(key_needs(spec, [b"JSON.SET", b"doc", b"x"])) == [(1, need)]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("SORT a", ""),
        ("SORT a BY nosort", ""),
        ("SORT a BY w_*", "BY"),
        ("SORT a STORE GET", ""),
        ("SORT_RO a LIMIT 0 1 get #", "GET"),
        ("GET by", ""),
    ],
)
def test_sort_may_read_keys_that_it_does_not_name(command: str, option: str) -> None:
    args = [word.encode() for word in command.split()]
    assert unnamed_read(resolve(COMMANDS, args), args) == option
