"""The cases: one row each. What is sent, by how many clients, how deep they pipeline, and what is to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RANDOM = "__rand_int__"
"""Stands for a random key number of twelve digits in a command, as in ``redis-benchmark -r``."""


@dataclass(frozen=True)
class Dataset:
    """Keys that exist on the nodes before any case runs: ``prefix`` and a number below ``keys``, in twelve digits."""

    prefix: str
    value_size: int
    keys: int

    @property
    def any_key(self) -> str:
        """A random key of the set, to be filled in by the load."""
        return self.prefix + RANDOM

    def key(self, number: int) -> str:
        """The key of one number."""
        return f"{self.prefix}{number:012d}"

    @property
    def value(self) -> str:
        """The value of each key."""
        return "x" * self.value_size


SMALL = Dataset("small:", value_size=32, keys=100_000)
KILOBYTE = Dataset("kilobyte:", value_size=1024, keys=20_000)
TEN_KILOBYTES = Dataset("ten-kilobytes:", value_size=10_240, keys=5_000)
ONE_SLOT = Dataset("{one-slot}:", value_size=32, keys=10_000)
DATASETS = (SMALL, KILOBYTE, TEN_KILOBYTES, ONE_SLOT)


@dataclass(frozen=True)
class Command:
    """The words of a command, with ``RANDOM`` in its keys, and how often it comes compared with others of its case."""

    dataset: Dataset
    words: tuple[str, ...]
    weight: int = 1

    @property
    def keys(self) -> int:
        """How many keys it names."""
        return sum(RANDOM in word for word in self.words)


def get(dataset: Dataset, weight: int = 1) -> Command:
    """GET of a random key."""
    return Command(dataset, ("GET", dataset.any_key), weight)


def put(dataset: Dataset, weight: int = 1) -> Command:
    """SET of a random key."""
    return Command(dataset, ("SET", dataset.any_key, dataset.value), weight)


def mget(dataset: Dataset, keys: int, weight: int = 1) -> Command:
    """MGET of ``keys`` random keys."""
    return Command(dataset, ("MGET", *[dataset.any_key] * keys), weight)


@dataclass(frozen=True)
class Case:
    """A row of the table of cases.

    ``goals`` is the processor time per command, divided by the reference's, that a peer is to stay under.
    """

    name: str
    title: str
    mix: tuple[Command, ...]
    clients: int = 50
    pipeline: int = 1
    goals: Mapping[str, float] = field(default_factory=dict)
    is_quick: bool = False
    """Whether ``--quick`` runs it."""

    @property
    def keys(self) -> int:
        """How many keys a command names, the largest of the mix."""
        return max(command.keys for command in self.mix)


CASES = (
    Case("get-p1", "GET 32 B, pipeline 1", (get(SMALL),), goals={"rproxy": 0.72}, is_quick=True),
    Case("set-p1", "SET 32 B, pipeline 1", (put(SMALL),), goals={"rproxy": 0.72}, is_quick=True),
    Case(
        "get-p16",
        "GET 32 B, pipeline 16",
        (get(SMALL),),
        pipeline=16,
        goals={"rproxy": 0.38, "rproxy-pure": 2.0},
        is_quick=True,
    ),
    Case(
        "set-p16",
        "SET 32 B, pipeline 16",
        (put(SMALL),),
        pipeline=16,
        goals={"rproxy": 0.38, "rproxy-pure": 2.0},
        is_quick=True,
    ),
    Case("get-p64", "GET 32 B, pipeline 64", (get(SMALL),), pipeline=64, goals={"rproxy": 0.20}, is_quick=True),
    Case("set-p64", "SET 32 B, pipeline 64", (put(SMALL),), pipeline=64, goals={"rproxy": 0.20}, is_quick=True),
    Case("get-1k-p16", "GET 1 KiB, pipeline 16", (get(KILOBYTE),), pipeline=16, goals={"rproxy": 0.45}),
    Case("get-10k-p1", "GET 10 KiB, pipeline 1", (get(TEN_KILOBYTES),), goals={"rproxy": 0.75}),
    Case("set-10k-p1", "SET 10 KiB, pipeline 1", (put(TEN_KILOBYTES),), goals={"rproxy": 0.75}),
    Case("mget-100-slots", "MGET 100 keys over all slots", (mget(SMALL, 100),), goals={"rproxy": 0.28}),
    Case("mget-100-one-slot", "MGET 100 keys in one slot", (mget(ONE_SLOT, 100),), goals={"rproxy": 0.14}),
    Case("one-client", "GET 32 B, one client", (get(SMALL),), clients=1),
    Case("2000-clients", "GET 32 B, 2,000 clients", (get(SMALL),), clients=2000, goals={"rproxy": 0.66}),
    Case(
        "mixed-p4",
        "GET, SET and MGET, pipeline 4, 200 clients",
        (get(SMALL, weight=80), put(SMALL, weight=15), mget(SMALL, 10, weight=5)),
        clients=200,
        pipeline=4,
        goals={"rproxy": 0.50},
    ),
)

NOISE_CASES = tuple(case for case in CASES if case.name in ("get-p1", "get-p16"))
"""Measured with two processes of one proxy: what they differ by is no difference."""

IDLE_MEMORY = "idle-memory"
"""The name, among the cases, of the measurement of resident memory per idle client."""
WORKER_SPREAD = "worker-spread"
"""The name, among the cases, of the measurement of how evenly two workers share the clients."""
