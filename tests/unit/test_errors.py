"""rproxy's exceptions: one root, so that a program can tell its own troubles from bugs."""

from __future__ import annotations

import inspect

import pytest

from rproxy import errors
from rproxy.errors import RproxyError

OWN = [error for _, error in inspect.getmembers(errors, inspect.isclass)]


def test_there_are_some() -> None:
    assert len(OWN) > 1


@pytest.mark.parametrize("error", OWN)
def test_each_has_the_one_root_and_shows_its_line_as_it_is(error: type[RproxyError]) -> None:
    with pytest.raises(RproxyError) as caught:
        raise error("redis:6379 does not answer")
    assert str(caught.value) == "redis:6379 does not answer"
    assert error.__doc__
