"""HELP: Redis's text, of what is supported."""

from __future__ import annotations

from rproxy.commands.help import help_of
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
