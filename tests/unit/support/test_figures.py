"""Figures of the fault suite: kept where the environment says, shown in a table."""

import json
from pathlib import Path

import pytest

from tests.support import figures


def test_figures_are_kept_in_the_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    monkeypatch.setenv(figures.VARIABLE, str(file))
    figures.note("a node dies", "errors", "1")
    figures.note("a node dies", "errors", "0")
    figures.note("a node dies", "seconds", "2")
    assert file.read_text() == '{\n  "a node dies": {\n    "errors": "0",\n    "seconds": "2"\n  }\n}\n'


def test_without_a_file_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(figures.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    figures.note("a node dies", "errors", "1")
    assert list(tmp_path.iterdir()) == []


def test_the_table_replaces_the_block() -> None:
    text = "before\n<!-- begin figures -->\nold\n<!-- end figures -->\nafter\n"
    filled = figures.filled(text, {"a node dies": {"errors": "0"}})
    assert "old" not in filled
    assert "| a node dies | errors | 0 |" in filled
    assert figures.filled(filled, {"a node dies": {"errors": "0"}}) == filled


def test_the_document_shows_the_figures_that_are_kept() -> None:
    text = figures.DOCUMENT.read_text()
    assert figures.filled(text, json.loads(figures.KEPT.read_text())) == text
