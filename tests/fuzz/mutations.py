"""Throwing bytes at the targets: mutations of the corpus, from one seed, for so many seconds.

``python -m tests.fuzz.mutations SECONDS SEED [CORPUS ...]``. An input is written to ``build/fuzz/last`` before it is
tried, so that one that ends the process (what a sanitizer does) is not lost.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.targets import TARGETS, WORDS, inputs_of

LONGEST = 2000
BATCH = 200
LAST = Path("build/fuzz/last")


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """``data``, changed in a few places."""
    mutated = bytearray(data)
    for _ in range(1 + chance.randrange(8)):
        position = chance.randrange(len(mutated) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            mutated[position:position] = chance.choice(WORDS)
        elif kind == 1:
            mutated[position : position + chance.randrange(8)] = chance.randbytes(chance.randrange(4))
        elif kind == 2:
            del mutated[position : position + chance.randrange(30)]
        elif kind == 3:
            start = chance.randrange(len(other) + 1)
            mutated[position:position] = other[start : start + chance.randrange(60)]
        elif kind == 4:
            mutated[position:position] = mutated[max(0, position - chance.randrange(40)) : position]
        else:
            mutated += chance.randbytes(chance.randrange(20))
    return bytes(mutated[:LONGEST])


def run(seconds: float, seed: int, corpora: list[Path], say: Callable[[str], None] = print) -> int:
    """Try what is kept, then mutations of it in turns; how many inputs that were. A finding is raised."""
    chance = random.Random(seed)
    pools = {name: [*inputs_of(name, *corpora), b""] for name in TARGETS}
    LAST.parent.mkdir(parents=True, exist_ok=True)
    with LAST.open("wb", buffering=0) as last:

        def attempt(name: str, data: bytes) -> None:
            last.seek(0)
            last.truncate()
            last.write(name.encode() + b"\n" + data)
            TARGETS[name](data)

        tried = 0
        for name, pool in pools.items():
            for data in pool:
                attempt(name, data)
                tried += 1
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for name, pool in pools.items():
                for _ in range(BATCH):
                    attempt(name, mutate(chance.choice(pool), chance.choice(pool), chance))
                tried += BATCH
    LAST.unlink()
    say(f"{tried} inputs, seed {seed}: nothing found")
    return tried


if __name__ == "__main__":
    run(float(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
