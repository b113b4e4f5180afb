"""What a node says of itself."""

from __future__ import annotations

import hiredis
import pytest

from rproxy.topology.server_facts import ServerFacts, facts_of


def test_a_redis_is_called_by_its_version() -> None:
    facts = facts_of(b"# Server\r\nredis_version:7.2.4\r\nredis_mode:cluster\r\n", [])
    assert (facts.name, facts.version) == ("redis", "7.2.4")
    assert facts.versions == {"redis_version": "7.2.4"}


def test_a_valkey_by_its_own() -> None:
    facts = facts_of(b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n", [])
    assert (facts.name, facts.version) == ("valkey", "8.0.1")
    assert facts.versions["redis_version"] == "7.2.4"


def test_modules_are_maps_in_either_protocol() -> None:
    module = {b"name": b"ReJSON", b"ver": 20609}
    flat = [b"name", b"ReJSON", b"ver", 20609]
    assert facts_of(b"", [flat]).modules == facts_of(b"", [module]).modules == [module]


@pytest.mark.parametrize("refusal", [hiredis.ReplyError("NOPERM"), b"OK", None, 7])
def test_what_a_node_does_not_say_has_a_fallback(refusal: object) -> None:
    facts = facts_of(refusal, refusal)
    assert facts == ServerFacts(modules=[])
    assert (facts.name, facts.version) == ("redis", "7.0.15")
