"""The table's rows agree with themselves; that they agree with Redis is an integration test."""

from __future__ import annotations

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Access, CommandSpec, Plan, RequestPolicy, ResponsePolicy, Transaction
from rproxy.commands.table import GROUPS

# fmt: off
WRITES_THAT_LOOK_LIKE_READS = (
    "GETSET", "GETEX", "GETDEL", "XADD", "XREADGROUP", "SORT", "GEORADIUS", "GEORADIUSBYMEMBER", "EVAL", "EVALSHA",
    "FCALL", "PFADD", "BITFIELD", "SPOP", "EXPIRE", "RESTORE", "MIGRATE", "COPY", "LMPOP", "ZMPOP", "PUBLISH",
    "SPUBLISH", "XAUTOCLAIM", "HGETEX", "HGETDEL", "XGROUP|CREATE", "FUNCTION|LOAD",
)
READS_THAT_LOOK_LIKE_WRITES = (
    "GEORADIUS_RO", "GEORADIUSBYMEMBER_RO", "EVAL_RO", "EVALSHA_RO", "FCALL_RO", "SORT_RO", "BITFIELD_RO", "TOUCH",
    "PFCOUNT", "XREAD", "OBJECT|FREQ", "MEMORY|USAGE", "XINFO|STREAM", "SRANDMEMBER", "ZRANDMEMBER",
)
# fmt: on


def has_keys(spec: CommandSpec) -> bool:
    return spec.first_key > 0 or spec.find_keys is not None


def with_plan(*plans: Plan) -> list[CommandSpec]:
    return [spec for spec in SPECS if spec.plan in plans]


def test_names_are_unique_and_upper_case() -> None:
    names = [row.name for rows in GROUPS.values() for row in rows]
    assert len(set(names)) == len(names)
    assert all(name == name.upper() for name in names)


@pytest.mark.parametrize("rows", GROUPS.values(), ids=GROUPS)
def test_rows_of_a_group_stand_in_order(rows) -> None:  # type: ignore[no-untyped-def]
    names = [row.name.replace("_", " ") for row in rows]
    assert names == sorted(names)


def test_plain_is_one_key_at_a_fixed_position() -> None:
    for spec in SPECS:
        is_one_key = spec.find_keys is None and spec.first_key > 0 and spec.last_key == spec.first_key
        if spec.plan in (Plan.PLAIN, Plan.KEYED):
            assert spec.is_plain == is_one_key, spec


def test_split_commands_have_their_keys_to_the_end() -> None:
    for spec in with_plan(Plan.SPLIT):
        assert (spec.first_key, spec.last_key) == (1, -1), spec
        assert spec.request_policy is RequestPolicy.MULTI_SHARD, spec
        assert spec.response_policy is not ResponsePolicy.FIRST, spec


def test_commands_for_every_shard_have_no_keys_and_a_way_to_merge() -> None:
    for spec in with_plan(Plan.FAN_OUT):
        assert not has_keys(spec), spec
        assert spec.request_policy is not RequestPolicy.ONE, spec
        assert spec.response_policy is not ResponsePolicy.FIRST, spec


def test_whole_commands_have_no_policies() -> None:
    for spec in with_plan(Plan.PLAIN, Plan.KEYED, Plan.UNSUPPORTED):
        assert spec.request_policy is RequestPolicy.ONE, spec
        assert spec.response_policy is ResponsePolicy.FIRST, spec


def test_local_plan_and_access_agree() -> None:
    assert all(spec.access in (Access.ADMIN, Access.LOCAL) for spec in with_plan(Plan.LOCAL))
    for spec in with_plan(Plan.PLAIN, Plan.KEYED, Plan.SPLIT, Plan.FAN_OUT):
        assert spec.access is not Access.LOCAL, spec


def test_a_refusal_is_one_line_that_names_the_command() -> None:
    for spec in with_plan(Plan.UNSUPPORTED):
        if spec.subcommands is not None:
            assert spec.refusal is None, spec
            continue
        assert spec.refusal is not None, spec
        assert spec.refusal.startswith(f"ERR {spec.name.decode().replace('|', ' ')} is not "), spec
        assert "rproxy" in spec.refusal
        assert "\n" not in spec.refusal


def test_only_refused_commands_have_a_refusal() -> None:
    assert all(spec.refusal is None for spec in SPECS if spec.plan != Plan.UNSUPPORTED)


def test_what_is_split_and_what_ends_transactions() -> None:
    split = {spec.name for spec in SPECS if spec.plan == Plan.SPLIT}
    immediate = {spec.name for spec in SPECS if spec.transaction is Transaction.IMMEDIATE}
    assert split == {b"MGET", b"MSET", b"DEL", b"UNLINK", b"EXISTS", b"TOUCH"}
    assert immediate == {b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"QUIT", b"RESET"}


@pytest.mark.parametrize("name", WRITES_THAT_LOOK_LIKE_READS)
def test_writes_that_look_like_reads(name: str) -> None:
    assert by_name(name).access is Access.WRITE


@pytest.mark.parametrize("name", READS_THAT_LOOK_LIKE_WRITES)
def test_reads_that_look_like_writes(name: str) -> None:
    assert by_name(name).access is Access.READ


def by_name(name: str) -> CommandSpec:
    return next(spec for spec in SPECS if spec.name == name.encode())
