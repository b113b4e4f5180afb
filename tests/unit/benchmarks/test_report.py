"""The generated blocks of the documents."""

import re
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import BLOCKS, CAPTIONS, DOCUMENTS, filled
from benchmarks.results import ResultsError
from tests.unit.benchmarks.samples import results

MARKERS = re.compile(r"<!-- (?:begin|end) benchmarks:([\w-]+) -->")


def test_a_block_is_replaced_and_nothing_else() -> None:
    text = "before\n<!-- begin benchmarks:noise -->\nold\n<!-- end benchmarks:noise -->\nafter\n"
    once = filled(text, results())
    assert once.startswith("before\n<!-- begin")
    assert once.endswith("<!-- end benchmarks:noise -->\nafter\n")
    assert "old" not in once
    assert "Noise floor" in once
    assert filled(once, results()) == once


def test_an_unknown_block() -> None:
    with pytest.raises(ResultsError, match=r"^no block is called nosie"):
        filled("<!-- begin benchmarks:nosie -->\n<!-- end benchmarks:nosie -->", results())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_have_known_blocks_in_pairs(document: Path) -> None:
    names = MARKERS.findall(document.read_text())
    assert set(names) <= set(BLOCKS)
    assert names[::2] == names[1::2]


def test_writing_fills_documents_and_draws_the_charts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    document = tmp_path / "performance.md"
    document.write_text("<!-- begin benchmarks:charts -->\n<!-- end benchmarks:charts -->\n")
    monkeypatch.setattr(report, "DOCUMENTS", (document,))
    monkeypatch.setattr(report, "CHARTS", tmp_path)
    written = report.write(results())
    assert {path.name for path in written} == {*CAPTIONS, "performance.md"}
    assert all(path.stat().st_size > 100 for path in written)
    assert "](performance-ratio.png)" in document.read_text()
