"""Command names are found whatever their case."""

from __future__ import annotations

from types import ModuleType

import pytest

from rproxy.resp.name_index import NameIndex
from rproxy.resp.wire import COMMAND, RequestScanner
from tests.support.forms import forms

each_form = pytest.mark.parametrize("module", forms("resp.name_index"), ids=lambda form: form.__name__)


@each_form
def test_names_are_found_whatever_their_case(module: ModuleType) -> None:
    index = module.NameIndex()
    index.put(b"GET", 1)
    index.put(b"getset", 2)
    assert [index.get(name) for name in (b"get", b"GeT", b"GETSET")] == [1, 1, 2]
    assert [index.get(name) for name in (b"", b"GE", b"\0", b"x" * 40)] == [None] * 4


@each_form
def test_a_name_is_put_again(module: ModuleType) -> None:
    index = module.NameIndex()
    index.put(b"GET", 1)
    index.put(b"get", 2)
    assert index.get(b"GET") == 2


@each_form
def test_many_names(module: ModuleType) -> None:
    index = module.NameIndex()
    names = [b"COMMAND-%d" % number for number in range(1000)]
    for number, name in enumerate(names):
        index.put(name, number)
    assert [index.get(name.lower()) for name in names] == list(range(1000))


@pytest.mark.parametrize("name", [b"", b"x" * 33])
@each_form
def test_names_of_no_or_too_many_bytes_are_refused(module: ModuleType, name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 32"):
        module.NameIndex().put(name, 1)


@each_form
def test_a_nul_byte_ends_no_name(module: ModuleType) -> None:
    index = module.NameIndex()
    index.put(b"GET", 1)
    assert [index.get(name) for name in (b"GET\0", b"GET\0\0", b"\0GET")] == [None] * 3
    with pytest.raises(ValueError, match="NUL"):
        index.put(b"GET\0", 2)


def test_a_scanner_finds_its_command() -> None:
    index = NameIndex()
    index.put(b"GETSET", "spec")
    scanner = RequestScanner()
    assert scanner.next(b"getset a b\r\n", 0, 12) == COMMAND
    assert scanner.find(index) == "spec"
