"""The table of cases holds together."""

import pytest

from benchmarks.cases import CASES, DATASETS, IDLE_MEMORY, NOISE_CASES, SMALL, Case
from benchmarks.peers import PEERS
from rproxy.resp.hash_slot import hash_slot


def test_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert IDLE_MEMORY not in names


def test_goals_are_of_peers_that_run_the_case() -> None:
    peers = {peer.name: peer for peer in PEERS}
    assert all(peers[name].runs(case.name) for case in CASES for name in case.goals)


def test_the_noise_floor_is_taken_at_both_ends() -> None:
    assert {case.pipeline for case in NOISE_CASES} == {1, 16}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_keys_belong_to_the_datasets_that_are_loaded(case: Case) -> None:
    for command in case.mix:
        assert command.dataset in DATASETS
        assert command.words[1] == command.dataset.any_key


def test_keys_cover_all_slots_or_one() -> None:
    def slots(prefix: str) -> int:
        dataset = next(dataset for dataset in DATASETS if dataset.prefix == prefix)
        return len({hash_slot(dataset.key(number).encode()) for number in range(dataset.keys)})

    assert slots(SMALL.prefix) > 16000
    assert slots("{one-slot}:") == 1
