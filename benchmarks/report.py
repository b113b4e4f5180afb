"""The documents' generated blocks and charts, made from the latest full run.

A block stands in a document between ``<!-- begin benchmarks:NAME -->`` and ``<!-- end benchmarks:NAME -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import tables
from benchmarks.results import Results, ResultsError

ROOT = Path(__file__).parent.parent
CHARTS = ROOT / "docs"
DOCUMENTS = (ROOT / "docs" / "performance.md", ROOT / "README.md")

CAPTIONS = {
    "performance-ratio.png": "Processor time per command of each proxy, divided by Envoy's",
    "performance-processor.png": "Processor time per command of each proxy, in user code and in the kernel",
}
"""The charts, beside the document that shows them."""


def _chart_links(_: Results) -> str:
    return "\n\n".join(f"![{caption}]({name})" for name, caption in CAPTIONS.items())


BLOCKS: Mapping[str, Callable[[Results], str]] = {
    "conditions": tables.conditions,
    "noise": tables.noise_line,
    "summary": tables.summary_table,
    "charts": _chart_links,
    "processor": tables.processor_table,
    "ratio": tables.ratio_table,
    "clients": tables.clients_table,
    "memory": tables.memory_table,
    "bars": tables.bars_table,
    "comparisons": tables.comparisons_table,
    "micro": lambda results: tables.micro_table(results.micro),
}
_BLOCK = re.compile(r"(<!-- begin benchmarks:([\w-]+) -->\n).*?(<!-- end benchmarks:\2 -->)", re.DOTALL)


def filled(text: str, results: Results) -> str:
    """A document's text with every block made anew. Raises ``ResultsError`` for a block of an unknown name."""

    def block(found: re.Match[str]) -> str:
        name = found[2]
        if name not in BLOCKS:
            raise ResultsError(f"no block is called {name}: there are {', '.join(BLOCKS)}")
        return f"{found[1]}\n{BLOCKS[name](results)}\n\n{found[3]}"

    return _BLOCK.sub(block, text)


def write(results: Results) -> list[Path]:
    """Fill the documents and draw the charts; the files written. Raises ``ImportError`` without matplotlib."""
    from benchmarks.charts import draw

    written = draw(results, CHARTS)
    for document in DOCUMENTS:
        before = document.read_text()
        after = filled(before, results)
        if after != before:
            document.write_text(after)
            written.append(document)
    return written
