import pytest

from rproxy.topology.read_policy import ReadPolicy, Tier, candidates
from rproxy.topology.snapshot import Endpoint, Shard

P, R1, R2 = (Endpoint("h", port) for port in (1, 2, 3))
SHARD = Shard(P, (R1, R2))
ALONE = Shard(P)


@pytest.mark.parametrize(
    ("policy", "tiers", "tiers_without_replicas"),
    [
        (ReadPolicy.PRIMARY, ((P,),), ((P,),)),
        (ReadPolicy.PREFER_PRIMARY, ((P,), (R1, R2)), ((P,),)),
        (ReadPolicy.REPLICA, ((R1, R2),), ()),
        (ReadPolicy.PREFER_REPLICA, ((R1, R2), (P,)), ((P,),)),
        (ReadPolicy.ANY, ((P, R1, R2),), ((P,),)),
    ],
)
def test_where_reads_go(policy: ReadPolicy, tiers: tuple[Tier, ...], tiers_without_replicas: tuple[Tier, ...]) -> None:
    assert candidates(policy, SHARD, is_read=True) == tiers
    assert candidates(policy, ALONE, is_read=True) == tiers_without_replicas


@pytest.mark.parametrize("policy", ReadPolicy)
def test_a_write_goes_to_the_primary_under_every_policy(policy: ReadPolicy) -> None:
    assert candidates(policy, SHARD, is_read=False) == ((P,),)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("primary", ReadPolicy.PRIMARY),
        ("MASTER", ReadPolicy.PRIMARY),
        ("Prefer_Master", ReadPolicy.PREFER_PRIMARY),
        ("PREFER_PRIMARY", ReadPolicy.PREFER_PRIMARY),
        ("REPLICA", ReadPolicy.REPLICA),
        (" prefer_replica ", ReadPolicy.PREFER_REPLICA),
        ("any", ReadPolicy.ANY),
    ],
)
def test_names(text: str, policy: ReadPolicy) -> None:
    assert ReadPolicy.parse(text) is policy


@pytest.mark.parametrize("text", ["", "slave", "prefer-replica"])
def test_an_unknown_name_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="must be one of primary, prefer_primary, replica, prefer_replica, any"):
        ReadPolicy.parse(text)
