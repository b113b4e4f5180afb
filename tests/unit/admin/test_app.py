import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from rproxy.admin.app import PAGES, make_app
from rproxy.metrics.samples import Sample


class FakeSource:
    """Says what it was told to."""

    def __init__(self) -> None:
        self.answer = (True, "ready")

    async def samples(self) -> list[Sample]:
        return [("rproxy_mirror_sent_total", ("m",), 3)]

    async def clusters(self) -> list[dict[str, Any]]:
        return [{"name": "main", "covered_slots": 16384}]

    async def readiness(self) -> tuple[bool, str]:
        return self.answer

    def config_dump(self) -> dict[str, Any]:
        return {"workers": 1}


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
async def client(source: FakeSource) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make_app(source))) as client:
        yield client


async def test_metrics_are_prometheus_text(client: TestClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "text/plain"})
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'rproxy_mirror_sent_total{cluster="m"} 3.0' in await answer.text()


async def test_metrics_are_openmetrics_for_who_prefers_them(client: TestClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert (await answer.text()).endswith("# EOF\n")


async def test_metrics_are_compressed_for_who_takes_it(client: TestClient) -> None:
    answer = await client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "rproxy_mirror_sent_total" in await answer.text()


async def test_healthz_is_200_even_when_not_ready(client: TestClient, source: FakeSource) -> None:
    source.answer = (False, "draining")
    assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize(("answer", "status"), [((True, "ready"), 200), ((False, "no topology yet: main"), 503)])
async def test_readyz_says_whether_and_why(
    client: TestClient, source: FakeSource, answer: tuple[bool, str], status: int
) -> None:
    source.answer = answer
    response = await client.get("/readyz")
    assert (response.status, await response.text()) == (status, f"{answer[1]}\n")


async def test_clusters_and_configuration_are_json(client: TestClient) -> None:
    clusters, config = await client.get("/clusters"), await client.get("/config_dump")
    assert json.loads(await clusters.text()) == [{"name": "main", "covered_slots": 16384}]
    assert json.loads(await config.text()) == {"workers": 1}
    assert clusters.content_type == config.content_type == "application/json"


async def test_the_index_links_every_page(client: TestClient) -> None:
    index = await client.get("/")
    assert index.content_type == "text/html"
    text = await index.text()
    for path in PAGES:
        assert f'href="{path}"' in text
        assert (await client.get(path)).status == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/metrics", 405)])
async def test_what_is_not_offered(client: TestClient, method: str, path: str, status: int) -> None:
    assert (await client.request(method, path)).status == status


async def test_a_failure_shows_no_traceback(
    client: TestClient, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "config_dump", lambda: 1 // 0)
    answer = await client.get("/config_dump")
    assert answer.status == 500
    assert "Traceback" not in await answer.text()
    assert "ZeroDivisionError" not in await answer.text()
