"""ACL categories by flag, group and command."""

from __future__ import annotations

import pytest

from rproxy.commands.categories import CATEGORIES, categories_of
from rproxy.commands.lookup import SPECS


@pytest.mark.parametrize(
    ("name", "group", "flags", "expected"),
    [
        ("GET", "string", {"readonly", "fast"}, ["read", "string", "fast"]),
        ("LPUSH", "list", {"write", "denyoom", "fast"}, ["write", "list", "fast"]),
        ("BLPOP", "list", {"write", "blocking"}, ["write", "list", "slow", "blocking"]),
        ("KEYS", "generic", {"readonly"}, ["keyspace", "read", "slow", "dangerous"]),
        ("SORT", "generic", {"write"}, ["write", "set", "sortedset", "list", "slow", "dangerous"]),
        ("EVAL_RO", "scripting", {"readonly"}, ["slow", "scripting"]),
        ("CONFIG|GET", "server", {"admin"}, ["admin", "slow", "dangerous"]),
        ("COMMAND|COUNT", "server", set(), ["slow", "connection"]),
        ("SUBSCRIBE", "pubsub", {"pubsub"}, ["pubsub", "slow"]),
    ],
)
def test_categories(name: str, group: str, flags: set[str], expected: list[str]) -> None:
    assert categories_of(name, group, flags, is_container=False) == expected


def test_a_container_has_no_category_of_its_group() -> None:
    assert categories_of("OBJECT", "generic", set(), is_container=True) == ["slow"]


def test_categories_have_one_order_and_no_double() -> None:
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 21
    for spec in SPECS:
        found = categories_of(spec.name.decode(), "generic", spec.flags, is_container=False)
        assert found == sorted(found, key=CATEGORIES.index)
