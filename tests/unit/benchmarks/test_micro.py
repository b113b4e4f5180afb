"""The micro benchmarks do what they say; how fast is no test."""

import pytest

from benchmarks.micro import MICROS, Micro


@pytest.mark.parametrize("micro", MICROS, ids=lambda micro: micro.name)
def test_it_can_be_repeated(micro: Micro) -> None:
    call = micro.prepare()
    call()
    call()
    assert micro.count > 0
