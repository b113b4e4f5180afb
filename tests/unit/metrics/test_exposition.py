import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.exposition import exposition
from rproxy.metrics.samples import Histogram, Sample

NAME = "rproxy_command_duration_seconds"
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def text_of(*samples: Sample) -> str:
    return exposition(samples)[0].decode()


def test_a_counter_has_its_name_help_type_and_labels() -> None:
    assert text_of(("rproxy_redirections_total", ("main", "moved"), 3)).splitlines() == [
        "# HELP rproxy_redirections_total Replies that redirected a request (moved, ask, tryagain …).",
        "# TYPE rproxy_redirections_total counter",
        'rproxy_redirections_total{cluster="main",kind="moved"} 3.0',
    ]


def test_a_gauge_without_labels() -> None:
    assert "# TYPE rproxy_workers_alive gauge\nrproxy_workers_alive 2.0\n" in text_of(("rproxy_workers_alive", (), 2))


def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    counts = [0] * (len(BUCKETS) + 1)
    counts[0], counts[3], counts[-1] = 5, 2, 1
    text = text_of((NAME, ("main", "get"), Histogram(counts, 7.25)))
    [family] = text_string_to_metric_families(text)
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name == f"{NAME}_bucket"}
    assert list(map(float, buckets)) == [*BUCKETS, float("inf")]
    assert (buckets["5e-05"], buckets["0.00025"], buckets["0.0005"], buckets["5.0"]) == (5, 5, 7, 7)
    assert buckets["+Inf"] == 8
    assert {s.name: s.value for s in family.samples if "le" not in s.labels} == {
        f"{NAME}_count": 8,
        f"{NAME}_sum": 7.25,
    }


@pytest.mark.parametrize("label", ['quo"te', "back\\slash", "new\nline", "ünïcode"])
def test_labels_are_escaped(label: str) -> None:
    [family] = text_string_to_metric_families(text_of(("rproxy_mirror_sent_total", (label,), 1)))
    assert family.samples[0].labels == {"cluster": label}


def test_metrics_without_samples_are_left_out() -> None:
    assert text_of() == ""


def test_prometheus_text_is_the_default() -> None:
    assert exposition([])[1].startswith("text/plain; version=0.0.4")


def test_who_prefers_openmetrics_gets_it() -> None:
    body, content_type = exposition([("rproxy_mirror_sent_total", ("m",), 1)], OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    [family] = parse_openmetrics(body.decode())
    assert family.samples[0].value == 1
