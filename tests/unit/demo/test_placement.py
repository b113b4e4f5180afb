"""Comparing what nodes hold with what their slots say."""

from rproxy.demo.placement import ShardKeys, listed, misplaced


def shard(owned: str, primary: str, replica: str) -> ShardKeys:
    return ShardKeys("0-5460", frozenset(owned), {"7000": frozenset(primary), "7001": frozenset(replica)})


def test_keys_where_they_belong_are_not_misplaced() -> None:
    assert misplaced([shard("ab", "ab", "ab"), shard("c", "c", "c"), shard("", "", "")]) is None


def test_a_replica_that_lacks_a_key_is_named() -> None:
    fault = misplaced([shard("c", "c", "c"), shard("ab", "ab", "a")])
    assert fault == "7001 of slots 0-5460 holds a and should hold a b"


def test_a_primary_with_a_key_of_another_shard_is_named() -> None:
    fault = misplaced([shard("", "z", "z")])
    assert fault == "7000 of slots 0-5460 holds z and should hold nothing"


def test_keys_are_listed_in_order() -> None:
    assert listed(frozenset("cab")) == "a b c"
