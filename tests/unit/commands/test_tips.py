"""The command tips: in the words of Redis, of the table's commands, and each command once."""

from __future__ import annotations

import pytest

from rproxy.commands import tips
from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan
from rproxy.commands.tips import TIPS

REQUEST_POLICIES = {"all_nodes", "all_shards", "multi_shard", "special"}
RESPONSE_POLICIES = {
    *("one_succeeded", "all_succeeded", "agg_logical_and", "agg_logical_or", "agg_min", "agg_max", "agg_sum"),
    "special",
}
WORDS = {
    *("nondeterministic_output", "nondeterministic_output_order"),
    *(f"request_policy:{policy}" for policy in REQUEST_POLICIES),
    *(f"response_policy:{policy}" for policy in RESPONSE_POLICIES),
}
"""All that https://redis.io/docs/latest/develop/reference/command-tips/ has."""


def test_every_tip_is_of_a_row() -> None:
    assert TIPS.keys() <= {spec.name for spec in SPECS}


def test_no_command_stands_in_two_places() -> None:
    names = " ".join(tips._COMMANDS.values()).split()
    assert sorted(names) == sorted(set(names))


def test_tips_are_words_of_redis_one_of_a_kind() -> None:
    for name, words in TIPS.items():
        assert set(words) <= WORDS, name
        kinds = [word.partition(":")[0].removesuffix("_order") for word in words]
        assert len(kinds) == len(set(kinds)) > 0, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"DEL", ("request_policy:multi_shard", "response_policy:agg_sum")),
        (b"SCAN", ("nondeterministic_output", "request_policy:special")),
        (b"SLOWLOG|GET", ("request_policy:all_nodes", "nondeterministic_output")),
        (b"HGETALL", ("nondeterministic_output_order",)),
    ],
)
def test_tips_have_the_order_in_which_a_server_shows_them(name: bytes, expected: tuple[str, ...]) -> None:
    assert TIPS[name] == expected


def test_a_command_without_a_tip_has_no_entry() -> None:
    assert b"GET" not in TIPS


def test_what_is_split_is_merged_as_its_tip_says() -> None:
    split = [spec for spec in SPECS if spec.plan == Plan.SPLIT and spec.name != b"MGET"]
    assert TIPS[b"MGET"] == ("request_policy:multi_shard",)
    for spec in split:
        assert TIPS[spec.name] == ("request_policy:multi_shard", f"response_policy:{spec.response_policy.value}"), spec
