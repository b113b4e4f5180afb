from __future__ import annotations

import pytest

from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram, Sample
from rproxy.resp import encode
from tests.support.dispatch import Dispatch


def durations(command: str, *counts: int) -> Sample:
    filled = [*counts, *[0] * (len(BUCKETS) + 1 - len(counts))]
    return "rproxy_command_duration_seconds", ("main", command), Histogram(filled, 1.0)


GET = [b"calls", 6, b"histogram_usec", [50, 1, 250, 6]]
CONFIG_SET = [b"calls", 2, b"histogram_usec", [50, 2]]


@pytest.fixture
def used(dispatch: Dispatch) -> Dispatch:
    samples = [durations("get", 1, 0, 5), durations("config|set", 2), durations("config", 0), durations("getex", 3)]
    dispatch.context.samples = lambda: samples
    return dispatch


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["GET"], [b"get", GET]),
        (["CONFIG"], [b"config|set", CONFIG_SET]),
        (["config|set", "Get", "CONFIG", "get"], [b"config|set", CONFIG_SET, b"get", GET]),
        (["nothing"], []),
    ],
)
async def test_a_histogram_counts_what_took_no_longer(used: Dispatch, names: list[str], expected: encode.Value) -> None:
    assert await used.call("LATENCY", "HISTOGRAM", *names) == encode.reply(expected)


async def test_what_is_slower_than_the_last_bucket_is_in_one_more(dispatch: Dispatch) -> None:
    samples = [durations("get", *[0] * len(BUCKETS), 4)]
    dispatch.context.samples = lambda: samples
    shown = [b"get", [b"calls", 4, b"histogram_usec", [10_000_000, 4]]]
    assert await dispatch.call("LATENCY", "HISTOGRAM") == encode.reply(shown)
