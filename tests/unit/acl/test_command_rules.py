"""Rules on commands: which one counts, and how they are shown."""

import pytest

from rproxy.acl.command_rules import commands_in, effective_categories
from rproxy.acl.rules import user_of
from rproxy.commands.lookup import COMMANDS, resolve
from rproxy.commands.spec import Access, CommandSpec, Plan

LEARNED = CommandSpec(b"JSON.GET", -2, Access.READ, plan=Plan.PLAIN, flags=frozenset({"readonly", "module"}))


def allowed(rules: str, commands: str) -> list[str]:
    """Which of the commands, separated by commas, the rules allow."""
    root = user_of("someone", rules).root
    found = []
    for command in commands.split(","):
        args = [word.encode() for word in command.split()]
        if root.commands.allow(resolve(COMMANDS, args), args):
            found.append(command)
    return found


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", []),
        ("+@all", ["GET a", "SET a 1", "CONFIG GET x", "CONFIG SET x y", "SELECT 0", "SELECT 1"]),
        ("+@all -@all", []),
        ("allcommands -@write", ["GET a", "CONFIG GET x", "CONFIG SET x y", "SELECT 0", "SELECT 1"]),
        ("+@all nocommands +get", ["GET a"]),
        ("+@READ +SET", ["GET a", "SET a 1"]),
        ("+get -@read", []),
        ("+@read -get", []),
        ("+config", ["CONFIG GET x", "CONFIG SET x y"]),
        ("+config -config|set", ["CONFIG GET x"]),
        ("+config|get", ["CONFIG GET x"]),
        ("+config|get -config", []),
        ("+@slow", ["CONFIG GET x", "CONFIG SET x y", "SET a 1"]),
        ("+select|0", ["SELECT 0"]),
        ("+select|0 +select|1", ["SELECT 0", "SELECT 1"]),
        ("+select|0 -select", []),
    ],
)
def test_the_last_rule_that_speaks_of_a_command_counts(rules: str, expected: list[str]) -> None:
    commands = "GET a,SET a 1,CONFIG GET x,CONFIG SET x y,SELECT 0,SELECT 1"
    assert sorted(allowed(rules, commands)) == sorted(expected)


@pytest.mark.parametrize(
    ("rules", "is_allowed"),
    [("+@all", True), ("+json.get", True), ("+@all -json.get", False), ("+@read", True), ("+@all -@read", False)],
)
def test_a_command_that_was_learned_later_is_judged_too(rules: str, is_allowed: bool) -> None:
    commands = user_of("someone", rules).root.commands
    assert commands.allow(LEARNED, [b"JSON.GET", b"doc"]) is is_allowed


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ("", "-@all"),
        ("+@all", "+@all"),
        ("+get -@all", "-@all"),
        ("+GET +@Read -get", "-@all +@read -get"),
        ("+@all -get -GET +get", "+@all +get"),
        ("+config|get +select|0 -config", "-@all +select|0 -config"),
        ("-@read +@read", "-@all +@read"),
        ("+json.get", "-@all +json.get"),
    ],
)
def test_rules_are_shown_without_those_that_say_nothing_any_more(rules: str, shown: str) -> None:
    assert str(user_of("someone", rules).root.commands) == shown


def test_a_category_has_its_commands() -> None:
    scripting = commands_in("scripting")
    assert {b"eval", b"fcall_ro", b"script|load"} <= set(scripting)
    assert b"get" not in scripting


def test_a_subcommand_is_found_by_the_categories_of_its_container() -> None:
    spec = resolve(COMMANDS, [b"CLIENT", b"ID"])
    assert effective_categories(spec.name, spec.flags) >= {"slow", "connection"}
