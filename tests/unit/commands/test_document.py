"""docs/commands.md is the table's."""

from __future__ import annotations

from pathlib import Path

from rproxy.commands.document import document
from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan

DOCUMENT = Path(__file__).parents[3] / "docs" / "commands.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m rproxy.commands.document > docs/commands.md"


def test_every_command_has_a_line_but_containers() -> None:
    lines = document().splitlines()
    for spec in SPECS:
        named = [line for line in lines if line.startswith(f"| `{spec.name.decode().replace('|', ' ')}` |")]
        is_container = spec.subcommands is not None and spec.plan == Plan.UNSUPPORTED
        assert len(named) == (0 if is_container else 1), spec


def test_lines_say_how_a_command_is_routed_and_why_it_is_refused() -> None:
    text = document()
    assert "| `GET` | 1.0.0 | one key | read |  |" in text
    assert "| `MGET` | 1.0.0 | split | read |  |" in text
    assert "| `PUBLISH` | 2.0.0 | any shard | write |" in text
    assert "| `SCRIPT LOAD` | 2.6.0 | all nodes | write |  |" in text
    assert "| `CLUSTER MEET` | 3.0.0 | refused | admin | it acts on one node. |" in text
