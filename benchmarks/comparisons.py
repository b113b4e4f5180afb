"""rproxy against itself: what does the cost of a command do as the work around it grows?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.cases import SMALL, Case, get, mget
from benchmarks.peers import RPROXY, Backend, Peer

CHANGED = "changed"
PLAIN = "plain"
"""The two sides of a comparison, as they are called in the results."""


@dataclass(frozen=True)
class Side:
    """A proxy under a case."""

    title: str
    peer: Peer
    case: Case


@dataclass(frozen=True)
class Comparison:
    """A row of the table of comparisons: two sides, ``under`` a load that both have in common.

    ``goal`` is the processor time per key of ``changed``, divided by that of ``plain``, to stay under.
    """

    name: str
    under: str
    changed: Side
    plain: Side
    goal: float

    @property
    def title(self) -> str:
        """What is divided by what."""
        return f"{self.changed.title} ÷ {self.plain.title}, {self.under}"

    @property
    def sides(self) -> dict[str, Side]:
        """The two, by what they are called in the results."""
        return {CHANGED: self.changed, PLAIN: self.plain}

    @property
    def per_key(self) -> float:
        """What turns a ratio of costs per command into one of costs per key."""
        return self.plain.case.keys / self.changed.case.keys


def _pipelined(depth: int, clients: int = 50) -> Case:
    return Case(f"get-p{depth}", f"GET 32 B, pipeline {depth}", (get(SMALL),), clients=clients, pipeline=depth)


def _mget(keys: int) -> Case:
    return Case(f"mget-{keys}", f"MGET {keys:,} keys", (mget(SMALL, keys),), clients=10)


TWO_WORKERS = replace(RPROXY, name="rproxy-two-workers", settings={**RPROXY.settings, "workers": "2"})
_WITHOUT_STATS = replace(RPROXY, name="rproxy-without-stats", settings={**RPROXY.settings, "command_stats": "false"})
_THREE_SHARDS = replace(RPROXY, name="rproxy-3-shards", backend=Backend.THREE_SHARDS)
_HUNDRED_SHARDS = replace(RPROXY, name="rproxy-100-shards", backend=Backend.HUNDRED_SHARDS)
_P16 = _pipelined(16)
_P64 = _pipelined(64)

_GET_P16 = "GET, pipeline 16"
_GET_P64 = "GET, pipeline 64"

COMPARISONS = (
    Comparison(
        "100-shards",
        _GET_P16,
        Side("100 shards, 97 of them of one slot", _HUNDRED_SHARDS, _P16),
        Side("3 shards", _THREE_SHARDS, _P16),
        goal=1.05,
    ),
    Comparison(
        "1000-clients",
        _GET_P16,
        Side("1,000 clients", RPROXY, _pipelined(16, clients=1000)),
        Side("50 clients", RPROXY, _P16),
        goal=1.25,
    ),
    Comparison(
        "mget-10000",
        "for each key",
        Side("MGET 10,000 keys", RPROXY, _mget(10_000)),
        Side("MGET 100 keys", RPROXY, _mget(100)),
        goal=1.25,
    ),
    Comparison(
        "two-workers",
        _GET_P16,
        Side("two workers together", TWO_WORKERS, _P16),
        Side("one worker", RPROXY, _P16),
        goal=1.05,
    ),
    Comparison(
        "stats-p16",
        _GET_P16,
        Side("with statistics and histograms", RPROXY, _P16),
        Side("without", _WITHOUT_STATS, _P16),
        goal=1.05,
    ),
    Comparison(
        "stats-p64",
        _GET_P64,
        Side("with statistics and histograms", RPROXY, _P64),
        Side("without", _WITHOUT_STATS, _P64),
        goal=1.05,
    ),
)
