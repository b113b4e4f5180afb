"""Commands that two servers answer alike only if they execute them at the same time are found."""

import pytest

from tests.conformance.clock import depends_on_clock

DEPENDS = (
    *(
        "PSETEX k 1 v",
        "setex k 9 v",
        "SET k v EX 5",
        "SET k v px 300 NX",
        "GETEX k EX 1",
        "EXPIRE k 3",
        "RESTORE k 7 x",
    ),
    *("XCLAIM s g c 10 1-1", "XAUTOCLAIM s g c 10 0", "XPENDING s g IDLE 5 - + 1"),
    *("BLPOP k 0", "BLPOP k -0", "BZPOPMIN k k 0x10", "BLMPOP 1.5 1 k LEFT", "BLMOVE a b LEFT LEFT inf"),
    *("XREAD BLOCK 0 STREAMS k $", "XREADGROUP GROUP g c BLOCK 1000 STREAMS k >"),
)
DOES_NOT = (
    *("PSETEX k 0 v", "SETEX k -1 v", "SETEX k 20000 v", "SET k EX", "SET EX 1.5", "EXPIRE k", "GET k", "LPUSH k 1"),
    *("BLPOP k 0.001", "BLPOP k x", "BLPOP k -1", "BLPOP k nan", "BLMPOP", "XREAD BLOCK 1 STREAMS k $"),
)


@pytest.mark.parametrize("command", DEPENDS)
def test_what_depends_on_the_clock(command: str) -> None:
    assert depends_on_clock(command.encode().split())


@pytest.mark.parametrize("command", DOES_NOT)
def test_what_does_not(command: str) -> None:
    assert not depends_on_clock(command.encode().split())
