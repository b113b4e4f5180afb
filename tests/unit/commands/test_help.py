"""HELP: Redis's text, of what is supported."""

from __future__ import annotations

import pytest

from rproxy.commands.help import help_of
from rproxy.commands.help_texts import HELP_TEXTS
from rproxy.commands.info import is_supported
from rproxy.commands.lookup import COMMANDS, SPECS
from rproxy.commands.spec import Access, CommandSpec, Plan


def container(*subcommands: str) -> CommandSpec:
    """OBJECT with these subcommands, and FREQ, which is refused."""

    def spec(name: str, plan: Plan) -> CommandSpec:
        return CommandSpec(f"OBJECT|{name}".encode(), 3, Access.READ, plan=plan)

    known = {name.encode(): spec(name, Plan.PLAIN) for name in subcommands}
    known[b"FREQ"] = spec("FREQ", Plan.UNSUPPORTED)
    return CommandSpec(b"OBJECT", -2, Access.ADMIN, plan=Plan.UNSUPPORTED, subcommands=known)


def test_what_is_refused_is_left_out() -> None:
    assert help_of(container("ENCODING", "IDLETIME")) == [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    ]


@pytest.mark.parametrize("name", HELP_TEXTS)
def test_every_text_is_of_a_container_and_its_subcommands(name: str) -> None:
    spec = COMMANDS.get(name.encode())
    assert is_supported(spec.subcommands[b"HELP"])
    words = {line.split()[0].encode() for line in HELP_TEXTS[name].splitlines() if not line.startswith(" ")}
    assert words - {b"(no"} <= set(spec.subcommands)


def test_every_help_has_a_text() -> None:
    helped = {spec.name.decode().partition("|")[0] for spec in SPECS if spec.name.endswith(b"|HELP")}
    assert helped - {"COMMANDLOG"} == set(HELP_TEXTS)
