"""INFO of several nodes as that of one."""

from __future__ import annotations

import pytest

from rproxy.routing.info import ALL, DEFAULT, human, merge, parse, text_of, wanted_sections


@pytest.mark.parametrize(
    ("arguments", "sections"),
    [
        ([], list(DEFAULT)),
        ([b"default"], list(DEFAULT)),
        ([b"ALL"], list(ALL)),
        ([b"everything"], list(ALL)),
        ([b"keyspace", b"Server"], ["server", "keyspace"]),
        ([b"default", b"commandstats"], [name for name in ALL if name in DEFAULT or name == "commandstats"]),
        ([b"nope", b"\xff"], []),
        ([b"module_list"], ["modules"]),
    ],
)
def test_sections_are_those_of_the_arguments_in_redis_order(arguments: list[bytes], sections: list[str]) -> None:
    assert wanted_sections(arguments) == sections


def test_a_text_is_parsed_and_written_alike() -> None:
    text = "# Server\r\nredis_version:7.0.15\r\nos:Linux: x\r\n\r\n# CPU\r\nused_cpu_sys:0.5\r\n\r\n# Keyspace\r\n"
    sections = parse(text)
    assert sections["server"] == {"redis_version": "7.0.15", "os": "Linux: x"}
    assert text_of(sections) == text
    assert text_of({}) == ""


def test_memory_is_summed_and_its_ratios_are_those_of_the_sums() -> None:
    one = {
        "used_memory": "1048576",
        "used_memory_human": "1.00M",
        "used_memory_rss": "2097152",
        "used_memory_peak": "2097152",
        "used_memory_peak_perc": "50.00%",
        "used_memory_startup": "48576",
        "used_memory_dataset": "500000",
        "used_memory_dataset_perc": "50.00%",
        "maxmemory_policy": "noeviction",
        "mem_fragmentation_ratio": "2.00",
        "number_of_functions": "3",
        "mem_allocator": "jemalloc-5.3.0",
    }
    merged = merge("memory", [one, one | {"used_memory_dataset": "1000000"}])
    assert merged == one | {
        "used_memory": "2097152",
        "used_memory_human": "2.00M",
        "used_memory_rss": "4194304",
        "used_memory_peak": "4194304",
        "used_memory_startup": "97152",
        "used_memory_dataset": "1500000",
        "used_memory_dataset_perc": "75.00%",
    }


def test_states_are_those_of_the_node_that_is_worst() -> None:
    good = {
        "loading": "0",
        "rdb_last_bgsave_status": "ok",
        "rdb_last_save_time": "50",
        "rdb_changes_since_last_save": "1",
    }
    bad = {
        "loading": "1",
        "rdb_last_bgsave_status": "err",
        "rdb_last_save_time": "40",
        "rdb_changes_since_last_save": "2",
    }
    assert merge("persistence", [good, bad]) == bad | {"rdb_changes_since_last_save": "3"}
    assert merge("persistence", [good, good])["rdb_last_bgsave_status"] == "ok"


def test_rates_are_summed_with_their_places() -> None:
    assert merge("stats", [{"instantaneous_input_kbps": "0.25"}, {"instantaneous_input_kbps": "1.50"}]) == {
        "instantaneous_input_kbps": "1.75"
    }


def test_a_field_that_some_nodes_lack_or_write_otherwise_is_kept() -> None:
    assert merge("stats", [{"a": "1"}, {"b": "x"}, {"a": "2", "loading": "?"}, {"loading": "!"}]) == {
        "a": "3",
        "b": "x",
        "loading": "?",
    }


def test_nothing_is_divided_by_nothing() -> None:
    zero = {"used_memory": "0", "used_memory_rss": "0", "mem_fragmentation_ratio": "0.00"}
    assert merge("memory", [zero]) == zero


def test_keys_are_summed_and_times_to_live_weighed() -> None:
    sections = [{"db0": "keys=10,expires=1,avg_ttl=900"}, {}, {"db0": "keys=5,expires=3,avg_ttl=100", "db1": "keys=1"}]
    assert merge("keyspace", sections) == {"db0": "keys=15,expires=4,avg_ttl=300"}
    assert merge("keyspace", [{"db0": "keys=1,expires=0,avg_ttl=0"}]) == {"db0": "keys=1,expires=0,avg_ttl=0"}
    assert merge("keyspace", [{}, {}]) == {}


def test_errors_are_counted_by_code() -> None:
    assert merge(
        "errorstats", [{"errorstat_ERR": "count=2"}, {"errorstat_ERR": "count=3", "errorstat_OOM": "count=1"}]
    ) == {
        "errorstat_ERR": "count=5",
        "errorstat_OOM": "count=1",
    }


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (916320, "894.84K"), (25276510208, "23.54G"), (1 << 62, "4096.00P")],
)
def test_sizes_are_written_as_redis_does(size: int, text: str) -> None:
    assert human(size) == text
