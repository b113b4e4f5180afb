"""The embedded cluster itself: that it is what the other tests take it for, and that it leaves nothing behind."""

import os
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.redis_process import RedisProcess
from rproxy.errors import StartError
from tests.support.waiting import await_true


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cluster_has_the_shards_asked_for(cluster: EmbeddedCluster) -> None:
    assert [node.role for node in cluster.nodes] == ["primary"] * 3 + ["replica"] * 3
    assert len(cluster.primaries) == 3
    assert cluster.seeds.split(",") == [node.address for node in cluster.nodes]
    for key in "abc":
        primary, replica = cluster.shard_of(key)
        assert (primary.role, replica.role) == ("primary", "replica")
        assert replica.call("ROLE")[2] == primary.port
        primary.call("SET", key, "1")
        await_true(lambda: replica.call("DBSIZE"))  # noqa: B023 - awaited within the turn of the loop


def test_a_killed_primary_is_replaced_and_comes_back_as_a_replica(own_cluster: EmbeddedCluster) -> None:
    primary, replica = own_cluster.shard_of("b")
    primary.kill()
    assert not exists(primary.pid)
    await_true(lambda: replica.role == "primary")
    primary.restart()
    own_cluster.await_healthy()
    assert own_cluster.shard_of("b") == [replica, primary]


def test_a_stopped_process_answers_nothing_until_continued(own_cluster: EmbeddedCluster) -> None:
    node = own_cluster.replica_of("b")
    node.stop_process()
    with node.connect(timeout=0.1) as client, pytest.raises(TimeoutError):
        client.call("PING")
    node.cont()
    assert node.call("PING") == b"PONG"


def test_nothing_is_left_behind() -> None:
    with EmbeddedRedis() as redis:
        directory = Path(redis.call("CONFIG", "GET", "dir")[1].decode()).parent
        assert directory.exists()
        pid = redis.node.pid
    assert not exists(pid)
    assert not directory.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    process = RedisProcess(tmp_path, ["--maxmemory-policy", "none-such"])
    with pytest.raises(StartError, match=r"did not start") as error:
        process.start()
    assert "\n" not in str(error.value)
