import re
from pathlib import Path

import pytest

from rproxy.metrics.table import METRIC_BY_NAME, METRICS, Kind, Merge, Metric, document

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_no_name_appears_twice() -> None:
    assert len(METRIC_BY_NAME) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_row_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"rproxy_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.help[0].isupper()
    assert metric.help.endswith(".")
    assert len(set(metric.labels)) == len(metric.labels)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.kind is not Kind.GAUGE], ids=lambda metric: metric.name)
def test_what_is_counted_is_summed(metric: Metric) -> None:
    assert metric.merge is Merge.SUM


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m rproxy.metrics.table > docs/metrics.md"
