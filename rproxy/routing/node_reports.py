"""What several nodes report about themselves, as the report of one server.

A report is the decoded reply of one primary, in the order of the shards. Sizes and counts are summed, ratios are those
of the sums, events of one name become one, and texts for people follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rproxy.resp.decode import as_map
from rproxy.resp.encode import Text, Value

Number = int | float
Numbers = Mapping[bytes, Any]

HISTORY_LENGTH = 160
"""Samples that Redis keeps of one event (``latency.h``, ``LATENCY_TS_LEN``)."""


# -- MEMORY STATS


def memory_stats(reports: Sequence[Any]) -> Value:
    """MEMORY STATS of all shards."""
    return _summed([as_map(report) for report in reports])


def _summed(reports: Sequence[Mapping[bytes, Any]]) -> dict[bytes, Value]:
    total: dict[bytes, Any] = {}
    for name in dict.fromkeys(name for report in reports for name in report):
        values = [report[name] for report in reports if name in report]
        if all(isinstance(value, int) for value in values):
            total[name] = sum(values)
        elif all(isinstance(value, list | dict) for value in values):
            total[name] = _summed([as_map(value) for value in values])
        else:
            total[name] = sum(map(float, values)) / len(values)
    for name, ratio in _RATIOS.items():
        if name in total:
            total[name] = ratio(total)
    return total


def _ratio(part: bytes, whole: bytes, *, less: bytes = b"", factor: float = 1.0) -> Callable[[Numbers], Number]:
    """``factor`` times ``part`` by ``whole``, of which ``less`` is taken off first."""

    def ratio(total: Numbers) -> Number:
        divisor = total.get(whole, 0) - total.get(less, 0)
        return float(factor * total.get(part, 0) / divisor) if divisor else 0.0

    return ratio


def _grown(excess: bytes, whole: bytes) -> Callable[[Numbers], Number]:
    """How much larger than ``whole`` it is together with ``excess``."""

    def ratio(total: Numbers) -> Number:
        divisor = total.get(whole, 0)
        return float((divisor + total.get(excess, 0)) / divisor) if divisor else 0.0

    return ratio


def _bytes_per_key(total: Numbers) -> Number:
    keys: int = total.get(b"keys.count", 0)
    used: int = total.get(b"total.allocated", 0) - total.get(b"startup.allocated", 0)
    return used // keys if keys else 0


_RATIOS: dict[bytes, Callable[[Numbers], Number]] = {
    b"keys.bytes-per-key": _bytes_per_key,
    b"dataset.percentage": _ratio(b"dataset.bytes", b"total.allocated", less=b"startup.allocated", factor=100.0),
    b"peak.percentage": _ratio(b"total.allocated", b"peak.allocated", factor=100.0),
    b"allocator-fragmentation.ratio": _ratio(b"allocator.active", b"allocator.allocated"),
    b"allocator-rss.ratio": _ratio(b"allocator.resident", b"allocator.active"),
    b"rss-overhead.ratio": _grown(b"rss-overhead.bytes", b"allocator.resident"),
    b"fragmentation": _grown(b"fragmentation.bytes", b"total.allocated"),
}
"""How ``object.c`` (``getMemoryOverheadData``) computes what is no sum."""


# -- LATENCY


def latency_latest(reports: Sequence[Any]) -> Value:
    """LATENCY LATEST: of each event its latest time and latency, and its highest latency on any shard."""
    merged: dict[bytes, list[Any]] = {}
    for event, time, latest, highest, *rest in (row for report in reports for row in report):
        known = merged.get(event)
        if known is None:
            merged[event] = [event, time, latest, highest, *rest]
            continue
        if time > known[1]:
            known[1:3] = time, latest
        known[3] = max(known[3], highest)
    return list(merged.values())


def latency_history(reports: Sequence[Any]) -> Value:
    """LATENCY HISTORY: the newest samples of all shards in the order of time."""
    return sorted(sample for report in reports for sample in report)[-HISTORY_LENGTH:]


# -- texts, and what is asked of all but true of one


def texts(reports: Sequence[Any]) -> Value:
    """The texts that differ, each with the number of its node if there are several."""
    numbered = {report: number for number, report in reversed(list(enumerate(reports, 1)))}
    if len(numbered) == 1:
        return Text(reports[0])
    parts = [b"-- node %d of %d --\n%b" % (numbered[text], len(reports), text) for text in dict.fromkeys(reports)]
    return Text(b"\n".join(parts))


def function_stats(reports: Sequence[Any]) -> Value:
    """FUNCTION STATS of a shard on which a function runs, else of the first: the libraries are the same on all."""
    running = [report for report in reports if as_map(report).get(b"running_script") is not None]
    chosen: Value = (running or reports)[0]
    return chosen


REPORTS: dict[bytes, Callable[[Sequence[Any]], Value]] = {
    b"FUNCTION|STATS": function_stats,
    b"LATENCY|DOCTOR": texts,
    b"LATENCY|GRAPH": texts,
    b"LATENCY|HISTORY": latency_history,
    b"LATENCY|LATEST": latency_latest,
    b"MEMORY|DOCTOR": texts,
    b"MEMORY|MALLOC-STATS": texts,
    b"MEMORY|STATS": memory_stats,
}
"""How the reports of several primaries become one, by the command's name in the table."""
