"""What rproxy reports about itself as the one server: ROLE, MODULE LIST and LATENCY HISTOGRAM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.own_metrics import OwnMetrics, ask_metrics
from rproxy.metrics.counters import BUCKETS
from rproxy.resp import encode

_SLOWER = 2 * BUCKETS[-1]
"""The bound that stands for what is slower than the last bucket."""
_MICROSECONDS = [round(bound * 1_000_000) for bound in (*BUCKETS, _SLOWER)]


def role(command: Command, context: Context) -> bytes:
    """ROLE: a primary without replicas, which is what clients of the whole cluster see."""
    return encode.reply([b"master", 0, []])


def modules(command: Command, context: Context) -> bytes:
    """MODULE LIST: what one of the nodes was last heard to have."""
    return encode.reply(context.server.modules, command.session.protocol)


def latency_histogram(command: Command, context: Context) -> None:
    """LATENCY HISTOGRAM [command ...]: of what was forwarded, from sending it to its reply."""
    ask_metrics(context, lambda metrics: command.reply(_histograms_shown(command, metrics)))


def _histograms_shown(command: Command, metrics: OwnMetrics) -> bytes:
    histograms = {name.encode(): histogram for name, histogram in metrics.histograms().items()}
    wanted = [name.lower() for name in command.args[2:]]
    if wanted:
        names = [name for word in wanted for name in histograms if name == word or name.startswith(word + b"|")]
        histograms = {name: histograms[name] for name in dict.fromkeys(names)}
    shown: dict[bytes, encode.Value] = {name: _shown(counts.counts) for name, counts in histograms.items()}
    return encode.reply(shown, command.session.protocol)


def _shown(counts: Sequence[int]) -> dict[bytes, encode.Value]:
    """Calls, and how many of them took no longer than so many microseconds."""
    buckets: dict[int, encode.Value] = dict(_filled(counts))
    return {b"calls": sum(counts), b"histogram_usec": buckets}


def _filled(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    for bound, count, below in zip(_MICROSECONDS, counts, accumulate(counts), strict=True):
        if count:
            yield bound, below


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    b"LATENCY|HISTOGRAM": latency_histogram,
    b"MODULE|LIST": modules,
    b"ROLE": role,
}
