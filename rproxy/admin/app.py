"""The HTTP pages for operators: what each path answers."""

from __future__ import annotations

import html
import json
from typing import Any, Protocol

from aiohttp import web

from rproxy import __version__
from rproxy.metrics.exposition import exposition
from rproxy.metrics.samples import Sample

PAGES = {
    "/metrics": "metrics for Prometheus",
    "/healthz": "200 while the process lives",
    "/readyz": "200 when every routed cluster has a topology, else 503 with the reason",
    "/clusters": "clusters, their topology, endpoints and state, as JSON",
    "/config_dump": "the effective configuration, secrets masked, as JSON",
}
"""Every path but ``/``, which lists them, and what it answers."""


class AdminSource(Protocol):
    """Where the pages get what they show."""

    async def samples(self) -> list[Sample]:
        """The metrics, merged."""

    async def clusters(self) -> list[dict[str, Any]]:
        """The clusters of every worker: JSON-able."""

    async def readiness(self) -> tuple[bool, str]:
        """Whether clients can be served, and why not."""

    def config_dump(self) -> dict[str, Any]:
        """The effective configuration without secrets: JSON-able."""


def make_app(source: AdminSource) -> web.Application:
    """The pages over ``source``."""
    pages = _Pages(source)
    app = web.Application(client_max_size=1024)
    app.router.add_get("/", pages.index)
    for path in PAGES:
        app.router.add_get(path, getattr(pages, path.removeprefix("/")))
    return app


class _Pages:
    """One handler per path, named as the path."""

    def __init__(self, source: AdminSource) -> None:
        self._source = source

    async def index(self, _: web.Request) -> web.Response:
        rows = "".join(f'<li><a href="{path}">{path}</a> {html.escape(text)}</li>' for path, text in PAGES.items())
        page = f"<!doctype html><title>rproxy</title><h1>rproxy {__version__}</h1><ul>{rows}</ul>\n"
        return web.Response(text=page, content_type="text/html")

    async def metrics(self, request: web.Request) -> web.Response:
        body, content_type = exposition(await self._source.samples(), request.headers.get("Accept", ""))
        response = web.Response(body=body, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    async def healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(self, _: web.Request) -> web.Response:
        is_ready, reason = await self._source.readiness()
        return web.Response(text=f"{reason}\n", status=200 if is_ready else 503)

    async def clusters(self, _: web.Request) -> web.Response:
        return _json(await self._source.clusters())

    async def config_dump(self, _: web.Request) -> web.Response:
        return _json(self._source.config_dump())


def _json(data: Any) -> web.Response:
    """``data`` for machines, indented for people."""
    return web.Response(text=f"{json.dumps(data, indent=2)}\n", content_type="application/json")
