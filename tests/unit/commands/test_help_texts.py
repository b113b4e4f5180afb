"""The texts of HELP: of the table's containers, and of the form that is read."""

from __future__ import annotations

import pytest

from rproxy.commands.help_texts import HELP_TEXTS
from rproxy.commands.info import is_supported
from rproxy.commands.lookup import COMMANDS, SPECS

each_text = pytest.mark.parametrize("name", HELP_TEXTS)


@each_text
def test_every_text_is_of_a_container_and_its_subcommands(name: str) -> None:
    spec = COMMANDS.get(name.encode())
    assert is_supported(spec.subcommands[b"HELP"])
    words = {line.split()[0].encode() for line in HELP_TEXTS[name].splitlines() if not line.startswith(" ")}
    assert words - {b"(no"} <= set(spec.subcommands)


def test_every_help_has_a_text() -> None:
    helped = {spec.name.decode().partition("|")[0] for spec in SPECS if spec.name.endswith(b"|HELP")}
    assert helped - {"COMMANDLOG"} == set(HELP_TEXTS)


@each_text
def test_every_syntax_has_what_it_does_set_in_below_it(name: str) -> None:
    lines = HELP_TEXTS[name].splitlines()
    assert not lines[0].startswith(" ")
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        assert line.startswith("    ") or below.startswith("    "), line


@each_text
def test_help_itself_stands_in_no_text(name: str) -> None:
    assert not any(line.split()[0] == "HELP" for line in HELP_TEXTS[name].splitlines())


@each_text
def test_a_line_can_be_sent_as_a_simple_string(name: str) -> None:
    text = HELP_TEXTS[name]
    assert text.isascii()
    assert text.endswith("\n")
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    assert all(line and line == line.rstrip() for line in text.splitlines())
