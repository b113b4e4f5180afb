"""Which channels, and which patterns, are about keyspace notifications."""

import pytest

from rproxy.topology.notifications import is_notification, may_match_notifications


def test_the_channels_of_the_only_database_are_meant() -> None:
    assert is_notification(b"__keyspace@0__:key")
    assert is_notification(b"__keyevent@0__:del")
    assert not is_notification(b"__keyspace@1__:key")
    assert not is_notification(b"news")


@pytest.mark.parametrize(
    "pattern",
    ["*", "__key*", "__keyspace@0__:*", "__keyevent@?__:expired", "__key[es]*", "[_]*", "?*", "\\__keyspace@0__:a"],
)
def test_patterns_that_may_match(pattern: str) -> None:
    assert may_match_notifications(pattern.encode())


@pytest.mark.parametrize("pattern", ["", "news.*", "__keyspace", "__keyspace@1__:*", "_?x*", "\\*", "__keyspace@0__"])
def test_patterns_that_cannot(pattern: str) -> None:
    assert not may_match_notifications(pattern.encode())
