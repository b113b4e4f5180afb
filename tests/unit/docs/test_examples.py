"""What the documents show can be done: configurations are accepted, commands and flags exist."""

import re
import shlex

import click
import pytest

from rproxy.cli.main import main
from rproxy.config.loader import parse
from tests.support.markdown import ROOT, examples

README = (ROOT / "README.md").read_text()
MIGRATION = (ROOT / "docs/migration.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()


def commands_shown() -> list[list[str]]:
    """The ``rproxy …`` command lines of the README, in fenced blocks and in the text."""
    blocks = "\n".join(examples(README, "sh")).replace("\\\n", " ")
    lines = [line.partition("#")[0] for line in blocks.splitlines()] + re.findall(r"`(rproxy [^`]+)`", README)
    return [words for words in map(shlex.split, lines) if words[:1] == ["rproxy"]]


def option_names(command: click.Command) -> set[str]:
    return {name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts}


@pytest.mark.parametrize("words", commands_shown(), ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_flags(words: list[str]) -> None:
    assert isinstance(main, click.Group)
    command: click.Command = main
    for word in words[1:]:
        if word.startswith("-"):
            assert word in option_names(command), word
        elif isinstance(command, click.Group):
            assert word in command.commands, word
            command = command.commands[word]


def test_the_readme_has_every_flag_of_serve_in_its_table() -> None:
    assert isinstance(main, click.Group)
    shown = set(re.findall(r"^\| `(--[\w-]+)` \|", README, re.MULTILINE))
    assert shown == option_names(main.commands["serve"]) - {"-c", "--config"}


@pytest.mark.parametrize("text", examples(README, "yaml") + examples(CONFIGURATION, "yaml"))
def test_a_configuration_shown_is_accepted(text: str) -> None:
    assert parse(text, "example").listeners


def test_configurations_of_the_migration_guide_are_accepted() -> None:
    marked = re.findall(r"<!-- rproxy config -->\n```yaml\n(.*?)^```$", MIGRATION, re.MULTILINE | re.DOTALL)
    assert len(marked) == 2
    for text in marked:
        assert parse(text, "example").clusters[0].name == "main"


def test_the_benchmark_has_its_place_in_the_readme() -> None:
    assert 0 < README.index("<!-- begin benchmarks:summary -->") < README.index("<!-- end benchmarks:summary -->")


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake (\w[\w-]*)", "\n".join(examples(README, "sh")))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
