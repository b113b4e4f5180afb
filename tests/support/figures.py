"""The figures that the fault suite measures: noted by its tests, kept in a file, shown as a table in a document.

A test notes what it measured; where the environment names a file, the notes go there. ``python -m
tests.support.figures`` writes the table of ``docs/reliability.md`` from it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

VARIABLE = "RPROXY_FIGURES"
"""Names the file in which figures are kept; without it nothing is."""
ROOT = Path(__file__).parent.parent.parent
KEPT = ROOT / "docs" / "reliability.json"
DOCUMENT = ROOT / "docs" / "reliability.md"
_BLOCK = re.compile(r"(<!-- begin figures -->\n).*?(<!-- end figures -->)", re.DOTALL)

whole_suite = pytest.mark.skipif(VARIABLE not in os.environ, reason="takes long: a part of make faults")
"""A test that ``make test`` leaves to ``make faults``."""

Figures = dict[str, dict[str, str]]
"""By promise, then by what was measured."""


def note(promise: str, what: str, value: str) -> None:
    """Keep a figure."""
    if VARIABLE not in os.environ:
        return
    file = Path(os.environ[VARIABLE])
    figures: Figures = json.loads(file.read_text()) if file.exists() else {}
    figures.setdefault(promise, {})[what] = value
    file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def table(figures: Figures) -> str:
    """The figures in rows, in alphabetical order."""
    rows = [
        f"| {promise} | {what} | {value} |"
        for promise, found in sorted(figures.items())
        for what, value in sorted(found.items())
    ]
    return "\n".join(["| what happens | what is measured | |", "|---|---|---|", *rows])


def filled(text: str, figures: Figures) -> str:
    """A document with its block of figures made anew."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{table(figures)}\n\n{block[2]}", text)


def main() -> int:
    """Write the document's table from the figures that are kept."""
    DOCUMENT.write_text(filled(DOCUMENT.read_text(), json.loads(KEPT.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
