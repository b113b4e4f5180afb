"""Commands beside data, and what clients get wrong about them: the replies of one Redis, byte for byte."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.client import RawClient
from tests.support.installed import needs_7

_LINES = (Path(__file__).parent / "conversations.txt").read_text().splitlines()


def conversations() -> dict[str, list[str]]:
    """The commands by the title of their conversation."""
    found: dict[str, list[str]] = {}
    for line in _LINES:
        if line.startswith("= "):
            found[line[2:]] = []
        elif line and not line.startswith("#"):
            found[list(found)[-1]].append(line)
    return found


CONVERSATIONS = conversations()


def words(line: str) -> list[str]:
    """The words of a command as typed, with escapes like ``\\n`` in them."""
    return [word.encode("latin-1").decode("unicode_escape") for word in shlex.split(line)]


@needs_7("Redis 6.2 words these errors otherwise")
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("title", CONVERSATIONS)
def test_it_is_that_with_one_redis(title: str, protocol: int, direct: RawClient, client: RawClient) -> None:
    for each in (direct, client):
        each.command("HELLO", protocol)
    for line in CONVERSATIONS[title]:
        expected, reply = (each.command(*words(line)) for each in (direct, client))
        assert reply == expected, line
