import gzip
import json
import logging
from typing import Any

import pytest

from rproxy.admin.pages import PAGES, Request, Response, answer, refusal
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


class BrokenSource(FakeSource):
    async def clusters(self) -> list[dict[str, Any]]:
        raise ConnectionError("worker 1\nis lost")

    def config_dump(self) -> dict[str, Any]:
        raise ZeroDivisionError("secret of the program")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


async def get(source: FakeSource, path: str, **headers: str) -> Response:
    return await answer(source, Request("GET", path, **headers))


async def test_metrics_are_prometheus_text(source: FakeSource) -> None:
    response = await get(source, "/metrics", accept="text/plain")
    assert (response.status, response.headers) == (200, ())
    assert response.content_type.startswith("text/plain; version=0.0.4")
    assert b'rproxy_mirror_sent_total{cluster="m"} 3.0' in response.body


async def test_metrics_are_openmetrics_for_who_prefers_them(source: FakeSource) -> None:
    response = await get(source, "/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert response.content_type.startswith("application/openmetrics-text")
    assert response.body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept_encoding", ["gzip", "br, GZIP;q=0.5", "deflate,gzip; q=1"])
async def test_metrics_are_compressed_for_who_takes_it(source: FakeSource, accept_encoding: str) -> None:
    response = await get(source, "/metrics", accept_encoding=accept_encoding)
    assert response.headers == (("Content-Encoding", "gzip"),)
    assert gzip.decompress(response.body) == (await get(source, "/metrics")).body


@pytest.mark.parametrize("accept_encoding", ["", "identity", "br, deflate", "gzip;q=0", "gzip; q=0.000", "xgzip"])
async def test_metrics_are_plain_for_who_does_not(source: FakeSource, accept_encoding: str) -> None:
    response = await get(source, "/metrics", accept_encoding=accept_encoding)
    assert response == await get(source, "/metrics")
    assert response.headers == ()


async def test_healthz_is_200_even_when_not_ready(source: FakeSource) -> None:
    source.answer = (False, "draining")
    assert await get(source, "/healthz") == Response(200, b"ok\n")


@pytest.mark.parametrize(("said", "status"), [((True, "ready"), 200), ((False, "no topology yet: main"), 503)])
async def test_readyz_says_whether_and_why(source: FakeSource, said: tuple[bool, str], status: int) -> None:
    source.answer = said
    assert await get(source, "/readyz") == Response(status, f"{said[1]}\n".encode())


async def test_clusters_and_configuration_are_json(source: FakeSource) -> None:
    clusters, config = await get(source, "/clusters"), await get(source, "/config_dump")
    assert json.loads(clusters.body) == [{"name": "main", "covered_slots": 16384}]
    assert json.loads(config.body) == {"workers": 1}
    assert clusters.content_type == config.content_type == "application/json"


async def test_the_index_links_every_page(source: FakeSource) -> None:
    index = await get(source, "/")
    assert index.content_type.startswith("text/html")
    for path, page in PAGES.items():
        assert f'href="{path}"'.encode() in index.body
        assert page.about.encode() in index.body
        assert (await get(source, path)).status == 200


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_answers_head_as_get(source: FakeSource, path: str) -> None:
    assert await answer(source, Request("HEAD", path)) == await get(source, path)


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/METRICS", "*", "", "//healthz"])
async def test_no_other_path_is_found(source: FakeSource, path: str) -> None:
    assert await get(source, path) == Response(404, b"404 Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
async def test_no_other_method_is_allowed(source: FakeSource, method: str) -> None:
    response = await answer(source, Request(method, "/metrics"))
    assert response == refusal(405, ("Allow", "GET, HEAD"))
    assert response.body == b"405 Method Not Allowed\n"


@pytest.mark.parametrize(("path", "kind"), [("/clusters", "ConnectionError"), ("/config_dump", "ZeroDivisionError")])
async def test_a_failure_is_a_line_for_the_client_and_a_line_in_the_log(
    path: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert await get(BrokenSource(), path) == Response(500, b"500 Internal Server Error\n")
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", f"admin page {path} failed")
    assert record.exc_info is not None
    assert record.exc_info[0] is not None
    assert record.exc_info[0].__name__ == kind
