"""What the HELP subcommand of a container answers: the text of Redis, without what rproxy does not support."""

from __future__ import annotations

from collections.abc import Iterator

from rproxy.commands.help_texts import HELP_TEXTS
from rproxy.commands.info import is_supported
from rproxy.commands.spec import CommandSpec

_HEAD = "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
_TAIL = ("HELP", "    Prints this help.")


def help_of(container: CommandSpec) -> list[str]:
    """The lines of a container's HELP."""
    name = container.name.decode()
    subcommands = container.subcommands or {}
    lines = [_HEAD.format(name)]
    for syntax, text in _entries(HELP_TEXTS.get(name, "")):
        spec = subcommands.get(syntax.split()[0].encode())
        if spec is None or is_supported(spec):  # none: what stands for the container without a subcommand
            lines += [syntax, *text]
    return [*lines, *_TAIL]


def _entries(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each syntax with the lines set in below it."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if lines and not line.startswith(" "):
            yield lines[0], lines[1:]
            lines = []
        lines.append(line)
