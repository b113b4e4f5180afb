"""Lookups, and the error lines of Redis 7.0.15 to the byte."""

from __future__ import annotations

import pytest

from rproxy.commands import lookup
from rproxy.commands.lookup import COMMANDS, SPECS, CommandError, check_arity, compile_rows, resolve
from rproxy.commands.spec import Plan
from rproxy.commands.table import CONTAINER, FIRST, NONE, ONE_NODE, READ, Row


def refusal(*args: bytes) -> bytes:
    """The error line of a command that is unknown or has a wrong arity."""
    with pytest.raises(CommandError) as caught:
        check_arity(resolve(COMMANDS, args), len(args))
    return caught.value.line


@pytest.mark.parametrize("name", [b"GET", b"get", b"gEt"])
def test_names_in_any_case(name: bytes) -> None:
    assert resolve(COMMANDS, [name, b"k"]).name == b"GET"


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ([b"object", b"freq", b"k"], b"OBJECT|FREQ"),
        ([b"OBJECT", b"FREQ"], b"OBJECT|FREQ"),
        ([b"OBJECT"], b"OBJECT"),
        ([b"COMMAND"], b"COMMAND"),
        ([b"COMMAND", b"count"], b"COMMAND|COUNT"),
        ([b"client", b"No-Evict", b"on"], b"CLIENT|NO-EVICT"),
        ([b"GET", b"FREQ"], b"GET"),
    ],
)
def test_subcommands(args: list[bytes], name: bytes) -> None:
    assert resolve(COMMANDS, args).name == name


def test_index_is_the_position() -> None:
    assert [spec.index for spec in SPECS] == list(range(len(SPECS)))


def test_subcommands_are_not_commands() -> None:
    assert COMMANDS.get(b"OBJECT|FREQ") is None
    assert refusal(b"object|freq", b"k").startswith(b"-ERR unknown command 'object|freq', with args")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ([b"foo"], b"-ERR unknown command 'foo', with args beginning with: \r\n"),
        ([b"FOO", b"a", b"b"], b"-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"),
        ([b""], b"-ERR unknown command '', with args beginning with: \r\n"),
        ([b"a\r\nb", b"c\nd"], b"-ERR unknown command 'a  b', with args beginning with: 'c d' \r\n"),
        ([b"a\0b", b"c\0d"], b"-ERR unknown command 'a', with args beginning with: 'c' \r\n"),
        ([b"\xff\xfe"], b"-ERR unknown command '\xff\xfe', with args beginning with: \r\n"),
        ([b"x" * 200], b"-ERR unknown command '%b', with args beginning with: \r\n" % (b"x" * 128)),
        (
            [b"x", b"y" * 100, b"z" * 100, b"never"],
            b"-ERR unknown command 'x', with args beginning with: '%b' '%b' \r\n" % (b"y" * 100, b"z" * 25),
        ),
        ([b"object", b"nope", b"k"], b"-ERR unknown subcommand 'nope'. Try OBJECT HELP.\r\n"),
        ([b"Config", b"a\nb"], b"-ERR unknown subcommand 'a b'. Try CONFIG HELP.\r\n"),
        ([b"command", b"n" * 200], b"-ERR unknown subcommand '%b'. Try COMMAND HELP.\r\n" % (b"n" * 128)),
        ([b"GET"], b"-ERR wrong number of arguments for 'get' command\r\n"),
        ([b"get", b"a", b"b"], b"-ERR wrong number of arguments for 'get' command\r\n"),
        ([b"Object"], b"-ERR wrong number of arguments for 'object' command\r\n"),
        ([b"OBJECT", b"Freq"], b"-ERR wrong number of arguments for 'object|freq' command\r\n"),
        ([b"mset", b"a"], b"-ERR wrong number of arguments for 'mset' command\r\n"),
    ],
)
def test_error_lines(args: list[bytes], line: bytes) -> None:
    assert refusal(*args) == line


def test_the_exception_reads_like_its_line() -> None:
    with pytest.raises(CommandError, match=r"^ERR unknown command 'foo', with args beginning with: $"):
        resolve(COMMANDS, [b"foo"])


@pytest.mark.parametrize(("arity", "taken"), [(2, {2}), (-2, {2, 3, 4}), (1, {1}), (-1, {1, 2, 3, 4})])
def test_arity(arity: int, taken: set[int]) -> None:
    (spec,) = compile_rows([Row("X", "1.0.0", arity, READ, Plan.KEYED, NONE)])
    for count in range(1, 5):
        if count in taken:
            check_arity(spec, count)
        else:
            with pytest.raises(CommandError):
                check_arity(spec, count)


def test_rows_compile() -> None:
    box, gone, kept = compile_rows(
        [
            Row("BOX", "1.0.0", -2, READ, CONTAINER, NONE, "-readonly"),
            Row("BOX|GONE", "1.0.0", 2, READ, ONE_NODE, NONE, "-readonly stale"),
            Row("BOX|KEPT", "1.0.0", 3, READ, Plan.PLAIN, FIRST, "fast"),
        ]
    )
    assert box.subcommands == {b"GONE": gone, b"KEPT": kept}
    assert gone.refusal == "ERR BOX GONE is not available through rproxy: it acts on one node"
    assert (gone.plan, set(gone.flags)) == (int(Plan.UNSUPPORTED), {"stale"})
    assert (kept.refusal, set(kept.flags), kept.is_plain) == (None, {"fast", "readonly"}, True)


def test_a_subcommand_needs_its_container_before_it() -> None:
    with pytest.raises(ValueError, match=r"BOX\|SUB comes before BOX"):
        compile_rows([Row("BOX|SUB", "1.0.0", 2, READ, ONE_NODE, NONE), Row("BOX", "1.0.0", -2, READ, CONTAINER, NONE)])


def test_equal_flags_are_held_once() -> None:
    assert lookup.resolve(COMMANDS, [b"GET"]).flags is lookup.resolve(COMMANDS, [b"STRLEN"]).flags
