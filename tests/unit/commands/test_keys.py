"""Key finders on the argument vectors that are easy to get wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.commands.keys import is_blocking, key_positions
from rproxy.commands.lookup import COMMANDS, SPECS, resolve


def keys_of(line: str) -> list[int]:
    """Key positions of a command written with blanks; ``''`` is an empty argument."""
    args = words(line)
    return list(key_positions(resolve(COMMANDS, args), args))


def words(line: str) -> list[bytes]:
    return [b"" if word == "''" else word.encode() for word in line.split()]


@pytest.mark.parametrize(
    ("line", "positions"),
    [
        ("GET k", [1]),
        ("get k", [1]),
        ("MGET a b c", [1, 2, 3]),
        ("MSET a 1 b 2", [1, 3]),
        ("MSETNX a 1", [1]),
        ("LCS a b LEN", [1, 2]),
        ("RENAME a b", [1, 2]),
        ("BLPOP a b 0", [1, 2]),
        ("BITOP AND dest a b", [2, 3, 4]),
        ("BITOP NOT dest a", [2, 3]),
        ("OBJECT ENCODING k", [2]),
        ("MEMORY USAGE k SAMPLES 5", [2]),
        ("XINFO STREAM k FULL", [2]),
        ("XGROUP CREATE k g $ MKSTREAM", [2]),
        ("XGROUP HELP", []),
        ("PING", []),
        ("PUBLISH channel message", []),
        ("SPUBLISH channel message", [1]),
        ("SORT_RO k BY w* GET g*", [1]),
    ],
)
def test_fixed_positions(line: str, positions: list[int]) -> None:
    assert keys_of(line) == positions


@pytest.mark.parametrize(
    ("line", "positions"),
    [
        ("ZUNION 2 a b WITHSCORES", [2, 3]),
        ("ZINTER 1 a WEIGHTS 2", [2]),
        ("ZDIFF 2 a b", [2, 3]),
        ("SINTERCARD 2 a b LIMIT 1", [2, 3]),
        ("ZINTERCARD 2 a b", [2, 3]),
        ("MSETEX 2 a 1 b 2 EX 10", [2, 4]),
        ("LMPOP 2 a b LEFT COUNT 2", [2, 3]),
        ("ZMPOP 1 a MIN", [2]),
        ("BLMPOP 0 2 a b LEFT", [3, 4]),
        ("BZMPOP 1.5 1 a MAX", [3]),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", [1, 3, 4]),
        ("ZINTERSTORE d 1 a", [1, 3]),
        ("ZDIFFSTORE d 2 a b", [1, 3, 4]),
        ("EVAL script 2 a b argument", [3, 4]),
        ("EVAL script 0", []),
        ("EVAL script 0 argument", []),
        ("EVALSHA_RO sha 1 a", [3]),
        ("FCALL f 1 a 2 b", [3]),
        ("FCALL_RO f 0 a", []),
    ],
)
def test_keys_behind_their_number(line: str, positions: list[int]) -> None:
    assert keys_of(line) == positions


@pytest.mark.parametrize(
    "line",
    [
        "ZUNION 0 a",
        "ZUNION -1 a",
        "ZUNION 3 a b",
        "ZUNION x a",
        "ZUNION '' a",
        "ZUNION 99999999999999999999999 a",
        "ZUNIONSTORE d 2 a",
        "EVAL script -1 a",
        "EVAL script 2 a",
        "BLMPOP 0 3 a LEFT",
    ],
)
def test_a_number_of_keys_that_makes_no_sense(line: str) -> None:
    with pytest.raises(ValueError, match="numkeys"):
        keys_of(line)


@pytest.mark.parametrize("number", ["+1", "01", " 1", "1 ", "1.0", "1x", "1_0"])
def test_a_number_of_keys_is_read_as_a_node_reads_it(number: str) -> None:
    args = [b"ZUNION", number.encode(), b"a"]
    assert list(key_positions(resolve(COMMANDS, args), args)) == [2]


def test_a_number_of_keys_of_more_digits_than_a_number_may_have() -> None:
    args = [b"ZUNION", b"9" * 100_000, b"a"]
    with pytest.raises(ValueError, match="numkeys"):
        key_positions(resolve(COMMANDS, args), args)


@pytest.mark.parametrize(
    ("line", "positions"),
    [
        ("XREAD STREAMS a 0", [2]),
        ("XREAD COUNT 2 STREAMS a b 0 0", [4, 5]),
        ("xread count 2 block 5 streams a b c 0 0 $", [6, 7, 8]),
        ("XREAD STREAMS a b c 0 0", [2, 3]),
        ("XREAD STREAMS STREAMS 0", [2]),
        ("XREAD COUNT STREAMS STREAMS a 0", [4]),
        ("XREADGROUP GROUP g c STREAMS a >", [5]),
        ("XREADGROUP GROUP STREAMS STREAMS NOACK COUNT 1 STREAMS a b > >", [8, 9]),
    ],
)
def test_streams(line: str, positions: list[int]) -> None:
    assert keys_of(line) == positions


@pytest.mark.parametrize(
    "line",
    [
        "XREAD COUNT 1 STREAMS",
        "XREAD COUNT 1 STREAMS a",
        "XREAD COUNT 1 BLOCK 1",
        "XREAD NONSENSE 1 STREAMS a 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS a",
    ],
)
def test_streams_that_make_no_sense(line: str) -> None:
    with pytest.raises(ValueError, match="streams"):
        keys_of(line)


@pytest.mark.parametrize(
    ("line", "positions"),
    [
        ("SORT k", [1]),
        ("SORT k LIMIT 0 10 ALPHA DESC", [1]),
        ("SORT k BY w* GET g* GET # STORE d", [1, 9]),
        ("SORT k store d", [1, 3]),
        ("SORT k BY STORE GET STORE", [1]),
        ("SORT k LIMIT STORE STORE STORE d", [1, 6]),
        ("SORT k STORE a STORE b", [1, 5]),
        ("SORT k STORE", [1]),
        ("GEORADIUS k 1 2 3 m", [1]),
        ("GEORADIUS k 1 2 3 m WITHDIST COUNT 5 ANY STORE d", [1, 11]),
        ("GEORADIUS k 1 2 3 m STORE a STOREDIST b", [1, 9]),
        ("GEORADIUS k 1 2 3 m STORE STORE", [1, 7]),
        ("GEORADIUSBYMEMBER k STORE 3 m storedist d", [1, 6]),
        ("GEORADIUSBYMEMBER k member 3 m", [1]),
        ("GEORADIUS_RO k 1 2 3 m", [1]),
    ],
)
def test_destinations(line: str, positions: list[int]) -> None:
    assert keys_of(line) == positions


@pytest.mark.parametrize(
    ("line", "positions"),
    [
        ("MIGRATE host 6379 k 0 1000", [3]),
        ("MIGRATE host 6379 k 0 1000 COPY REPLACE AUTH KEYS", [3]),
        ("MIGRATE host 6379 '' 0 1000 KEYS a b", [7, 8]),
        ("MIGRATE host 6379 '' 0 1000 COPY AUTH2 KEYS KEYS keys a", [11]),
    ],
)
def test_migrate(line: str, positions: list[int]) -> None:
    assert keys_of(line) == positions


def test_migrate_with_a_key_and_keys() -> None:
    with pytest.raises(ValueError, match="KEYS"):
        keys_of("MIGRATE host 6379 k 0 1000 KEYS a")


@pytest.mark.parametrize(
    ("line", "blocks"),
    [
        ("XREAD STREAMS a 0", False),
        ("XREAD BLOCK 0 STREAMS a $", True),
        ("XREAD COUNT 1 block 5 STREAMS a $", True),
        ("XREAD STREAMS BLOCK 0", False),
        ("XREAD COUNT BLOCK STREAMS a 0", False),
        ("XREADGROUP GROUP BLOCK BLOCK STREAMS a >", False),
        ("XREADGROUP GROUP g c NOACK BLOCK 1 STREAMS a >", True),
        ("BLPOP a 0", True),
        ("BZMPOP 0 1 a MIN", True),
        ("LPOP a", False),
        ("GET BLOCK", False),
    ],
)
def test_is_blocking(line: str, blocks: bool) -> None:
    args = words(line)
    assert is_blocking(resolve(COMMANDS, args), args) is blocks


# fmt: off
_WORDS = (
    b"STREAMS", b"COUNT", b"BLOCK", b"GROUP", b"NOACK", b"STORE", b"STOREDIST", b"BY", b"GET", b"LIMIT", b"KEYS",
    b"AUTH", b"AUTH2", b"0", b"1", b"2", b"3", b"-1", b"a", b"b", b"", b"\xff",
)
# fmt: on


@given(spec=st.sampled_from(SPECS), rest=st.lists(st.sampled_from(_WORDS), max_size=12))
def test_positions_are_always_of_arguments_behind_the_name(spec, rest: list[bytes]) -> None:  # type: ignore[no-untyped-def]
    args = [*spec.name.split(b"|"), *rest]
    if not spec.accepts(len(args)):
        return
    try:
        positions = list(key_positions(spec, args))
    except ValueError:
        assert spec.find_keys is not None
        return
    assert all(0 < position < len(args) for position in positions)
    assert len(set(positions)) == len(positions)
