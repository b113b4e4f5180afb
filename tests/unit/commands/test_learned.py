"""Commands that nodes describe: what becomes of their flags, positions, key specifications and tips."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.commands import learned
from rproxy.commands.keys import key_positions
from rproxy.commands.spec import Access, CommandSpec, Plan, RequestPolicy, ResponsePolicy
from tests.support.described import INDEX_1, entry, key_range, key_spec, keynum, keyword


def specs_of(described: Any) -> list[CommandSpec]:
    return [each.spec for each in learned.learn(described, lambda name: 1000)]


def learn(described: Any) -> CommandSpec:
    return specs_of(described)[0]


def keys_of(spec: CommandSpec, line: str) -> list[int]:
    return list(key_positions(spec, [word.encode() for word in line.split()]))


def test_a_write_with_one_key() -> None:
    spec = learn(entry(b"json.set", "write denyoom module"))
    assert (spec.name, spec.index, spec.access, spec.plan) == (b"JSON.SET", 1000, Access.WRITE, Plan.PLAIN)
    assert (spec.first_key, spec.last_key, spec.key_step) == (1, 1, 1)
    assert spec.flags == {"write", "denyoom", "module"}
    assert spec.has_fixed_keys
    assert spec.is_plain


def test_what_an_older_server_says_is_enough() -> None:
    spec = learn(entry(b"json.get", "readonly module")[:7])
    assert (spec.access, spec.plan, spec.first_key) == (Access.READ, Plan.PLAIN, 1)


@pytest.mark.parametrize(
    ("flags", "keys", "access"),
    [
        ("readonly", (1, 1, 1), Access.READ),
        ("write", (0, 0, 0), Access.WRITE),
        ("fast", (1, 1, 1), Access.WRITE),
        ("fast", (0, 0, 0), Access.ADMIN),
    ],
)
def test_access_is_as_flagged(flags: str, keys: tuple[int, int, int], access: Access) -> None:
    assert learn(entry(b"x.y", flags, keys)).access is access


@pytest.mark.parametrize(
    ("arity", "keys", "expected"),
    [
        (-1, (1, 1, 1), -2),
        (-4, (1, 1, 1), -4),
        (3, (1, 1, 1), 3),
        (-1, (1, -1, 3), -2),
        (-1, (1, -2, 1), -3),
        (-1, (2, 3, 1), -4),
        (-1, (0, 0, 0), -1),
    ],
)
def test_a_command_has_room_for_its_keys(arity: int, keys: tuple[int, int, int], expected: int) -> None:
    assert learn(entry(b"x.y", keys=keys, arity=arity)).arity == expected


@pytest.mark.parametrize(
    ("specs", "line", "positions"),
    [
        ((key_spec(INDEX_1, keynum()),), "X.Y 2 a b c", [2, 3]),
        ((key_spec(INDEX_1, keynum(0, 1, 2)),), "X.Y 2 a 1 b 2 EX 5", [2, 4]),
        ((key_spec(INDEX_1, keynum()),), "X.Y 0 a", []),
        ((key_spec(keyword(b"KEYS", 2), key_range(-1)),), "X.Y a keys b c", [3, 4]),
        ((key_spec(keyword(b"KEYS", 2), key_range(-1)),), "X.Y a b", []),
        ((key_spec(keyword(b"KEYS", -2), key_range(0)),), "X.Y KEYS a KEYS", [2]),
        ((key_spec(keyword(b"KEYS", -2), key_range(0)),), "X.Y KEYS a KEYS b", [4]),
        ((key_spec(keyword(b"STREAMS", 1), key_range(-1, 1, 2)),), "X.Y STREAMS a b 0 0", [2, 3]),
        ((key_spec(), key_spec(keyword(b"STORE", 2), key_range(0))), "X.Y a STORE d", [1, 3]),
        ((key_spec(), key_spec()), "X.Y a", [1]),
    ],
)
def test_moving_keys(specs: tuple[list[Any], ...], line: str, positions: list[int]) -> None:
    spec = learn(entry(b"x.y", "write movablekeys", (0, 0, 0), specs=specs))
    assert spec.plan == Plan.KEYED
    assert keys_of(spec, line) == positions


@pytest.mark.parametrize("line", ["X.Y", "X.Y x a", "X.Y 3 a b", "X.Y -1 a", "X.Y 99999999999999999999 a"])
def test_moving_keys_that_make_no_sense(line: str) -> None:
    spec = learn(entry(b"x.y", "write movablekeys", (0, 0, 0), specs=(key_spec(INDEX_1, keynum()),)))
    with pytest.raises(ValueError, match=r"key|not an integer"):
        keys_of(spec, line)


@pytest.mark.parametrize(
    "specs",
    [
        (),
        (key_spec([b"type", b"unknown", b"spec", []], [b"type", b"unknown", b"spec", []]),),
        (key_spec(), key_spec(keyword(b"STORE", 2), key_range(0), b"RW", b"incomplete")),
    ],
)
def test_keys_that_cannot_be_told(specs: tuple[list[Any], ...]) -> None:
    spec = learn(entry(b"x.y", "write movablekeys", specs=specs))
    assert spec.plan == Plan.UNSUPPORTED
    assert spec.refusal == "ERR X.Y is not available through rproxy: where its keys stand cannot be told"


def test_what_administers_a_node_is_refused() -> None:
    spec = learn(entry(b"x.config", "admin module", (0, 0, 0)))
    assert (spec.plan, spec.access) == (Plan.UNSUPPORTED, Access.ADMIN)
    assert spec.refusal == "ERR X.CONFIG is not available through rproxy: it acts on one node"
    assert learn(entry(b"x.stats", "admin readonly", (1, 1, 1))).plan == Plan.PLAIN


def test_a_command_for_every_shard() -> None:
    tips = (b"nondeterministic_output", b"request_policy:all_shards", b"response_policy:agg_sum")
    spec = learn(entry(b"x.size", "readonly", (0, 0, 0), tips=tips))
    assert (spec.plan, spec.request_policy, spec.response_policy) == (
        Plan.FAN_OUT,
        RequestPolicy.ALL_SHARDS,
        ResponsePolicy.AGG_SUM,
    )


@pytest.mark.parametrize("response", [b"response_policy:special", b"response_policy:nope", b"nothing"])
def test_without_a_way_to_merge_one_shard_answers(response: bytes) -> None:
    spec = learn(entry(b"x.size", "readonly", (0, 0, 0), tips=(b"request_policy:all_shards", response)))
    assert (spec.plan, spec.request_policy) == (Plan.KEYED, RequestPolicy.ONE)


def test_a_container() -> None:
    described = entry(
        b"x.config",
        "module",
        (0, 0, 0),
        arity=-2,
        subcommands=(entry(b"x.config|get", "readonly", (2, 2, 1)), entry(b"x.config|set", "admin", (0, 0, 0))),
    )
    container, get, refused = specs_of(described)
    assert container.subcommands == {b"GET": get, b"SET": refused}
    assert (get.name, get.plan, get.arity) == (b"X.CONFIG|GET", Plan.PLAIN, -3)
    assert refused.refusal == "ERR X.CONFIG SET is not available through rproxy: it acts on one node"


NONSENSE: list[Any] = [
    [],
    [b"x.y"],
    [b"x y", -1, [], 0, 0, 0, []],
    [b"x" * 33, -1, [], 0, 0, 0, []],
    [b"x\r\ny", -1, [], 0, 0, 0, []],
    entry(b"x.y", keys=(1, 1, 0)),
    entry(b"x.y", keys=(2, 1, 1)),
    entry(b"x.y", keys=(-1, 1, 1)),
    entry(b"x.y", arity=1),
    [b"x.y", b"many", [], 0, 0, 0, []],
    [b"x.y", -1, [7], 1, 1, 1, []],
    entry(b"x.y", "movablekeys", specs=([b"flags"],)),
    entry(b"x.y", "movablekeys", specs=(key_spec(INDEX_1, key_range(0, 0)),)),
    entry(b"x.y", subcommands=([b"x.y|z"],)),
]


@pytest.mark.parametrize("described", NONSENSE, ids=lambda described: repr(described)[:40])
def test_nonsense_is_no_command(described: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        specs_of(described)


ANYTHING = st.recursive(st.binary(max_size=8) | st.integers() | st.none(), lambda each: st.lists(each, max_size=6))


@given(st.lists(ANYTHING, min_size=7, max_size=10), st.booleans())
def test_whatever_a_node_says_is_read_or_refused(described: list[Any], has_name: bool) -> None:
    if has_name:
        described[:2] = [b"x.y", -1]
    try:
        found = specs_of(described)
    except ValueError:
        return
    assert all(spec.index == 1000 for spec in found)
