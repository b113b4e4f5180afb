"""Which commands a selector allows: rules in the order in which they were given, of which the last that matches counts.

They are kept as rules, so commands that are learned from a server later are judged as those of the table are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from rproxy.commands.categories import CATEGORIES, categories_of
from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import CommandSpec
from rproxy.commands.table import GROUPS

ALL = "all"
"""The category of every command, known or not."""

_GROUP_OF = {row.name: group for group, rows in GROUPS.items() for row in rows}
_BY_NAME = {spec.name: spec for spec in SPECS}


@dataclass(frozen=True, slots=True)
class CommandRule:
    """``+get``, ``-config|set``, ``+@read``, ``+select|0``: what ``name`` or ``category`` says is allowed or denied.

    ``first_argument`` narrows the rule to commands that begin with it; only what allows can be narrowed.
    """

    allows: bool
    name: bytes = b""
    category: str = ""
    first_argument: bytes = b""

    def matches(self, spec: CommandSpec) -> bool:
        """Whether the rule speaks of the command; of a container it speaks of all subcommands."""
        if self.category:
            return self.category == ALL or self.category in effective_categories(spec.name, spec.flags)
        return spec.name == self.name or spec.name.startswith(self.name + b"|")

    def __str__(self) -> str:
        what = f"@{self.category}" if self.category else self.name.decode(errors="replace").lower()
        argument = f"|{self.first_argument.decode(errors='replace').lower()}" if self.first_argument else ""
        return f"{'+' if self.allows else '-'}{what}{argument}"

    def replaces(self, other: CommandRule) -> bool:
        """Whether nothing of ``other``, given before, is left to say."""
        if self.category == ALL:
            return True
        if self.category or other.category:
            return self.category == other.category
        if self.first_argument:
            return self == other
        return other.name == self.name or other.name.startswith(self.name + b"|")


@cache
def own_categories(name: bytes, flags: frozenset[str]) -> frozenset[str]:
    """The categories of one row; a command that is not of the table has those of its flags."""
    text = name.decode(errors="replace")
    spec = _BY_NAME.get(name)
    is_container = spec is not None and spec.subcommands is not None
    return frozenset(categories_of(text, _GROUP_OF.get(text, ""), flags, is_container=is_container))


def effective_categories(name: bytes, flags: frozenset[str]) -> frozenset[str]:
    """The categories by which rules find a command: its own, and its container's (``ACLChangeSelectorPerm``)."""
    container = _BY_NAME.get(name.partition(b"|")[0]) if b"|" in name else None
    found = own_categories(name, flags)
    return found | own_categories(container.name, container.flags) if container is not None else found


def commands_in(category: str) -> list[bytes]:
    """The commands and subcommands of a category, by the names that ACL CAT shows."""
    return [spec.name.lower() for spec in SPECS if category in own_categories(spec.name, spec.flags)]


def is_category(name: str) -> bool:
    """Whether there is a category ``name``."""
    return name == ALL or name in CATEGORIES


@dataclass(slots=True)
class CommandRules:
    """The rules of a selector, and the verdicts found so far: for each command whether it is allowed, and else the
    first arguments with which it is."""

    rules: list[CommandRule] = field(default_factory=list)
    _verdicts: dict[bytes, tuple[bool, frozenset[bytes]]] = field(default_factory=dict)

    def add(self, rule: CommandRule) -> None:
        """Let ``rule`` be the last."""
        self.rules = [other for other in self.rules if not rule.replaces(other)]
        self.rules.append(rule)
        self._verdicts.clear()

    @property
    def allows_all(self) -> bool:
        """Whether every command is allowed."""
        return self.allows_unknown and len(self.rules) == 1

    @property
    def allows_unknown(self) -> bool:
        """Whether commands are allowed unless a rule denies them."""
        return bool(self.rules) and self.rules[0] == CommandRule(allows=True, category=ALL)

    def allow(self, spec: CommandSpec, args: Sequence[bytes]) -> bool:
        """Whether the command may be executed, as far as its keys and channels do not matter."""
        verdict = self._verdicts.get(spec.name)
        if verdict is None:
            verdict = self._verdicts[spec.name] = self._judge(spec)
        is_allowed, first_arguments = verdict
        if is_allowed or not first_arguments:
            return is_allowed
        return len(args) > 1 and args[1].upper() in first_arguments

    def _judge(self, spec: CommandSpec) -> tuple[bool, frozenset[bytes]]:
        is_allowed, first_arguments = False, set[bytes]()
        for rule in self.rules:
            if not rule.matches(spec):
                continue
            if rule.first_argument:
                first_arguments.add(rule.first_argument)
            else:
                is_allowed = rule.allows
                first_arguments.clear()
        return is_allowed, frozenset(first_arguments)

    def __str__(self) -> str:
        """The rules as ACL LIST shows them, beginning with ``+@all`` or ``-@all``."""
        texts = [str(rule) for rule in self.rules]
        start = [] if self.rules and self.rules[0].category == ALL else ["-@all"]
        return " ".join([*start, *texts])
