"""The HTTP pages for operators: what each path answers."""

from __future__ import annotations

import gzip
import html
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from rproxy import __version__
from rproxy.metrics.samples import Sample

_log = logging.getLogger("rproxy.admin")


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


class Request(NamedTuple):
    """What a page may depend on."""

    method: str
    path: str
    accept: str = ""
    accept_encoding: str = ""


class Response(NamedTuple):
    """What a page answers."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    """Those beside the content's type and length."""


class Page(NamedTuple):
    """A row of the table of pages."""

    about: str
    answer: Callable[[AdminSource, Request], Awaitable[Response]]


async def answer(source: AdminSource, request: Request) -> Response:
    """The answer to ``request`` over ``source``; it raises nothing."""
    page = PAGES.get(request.path)
    if page is None:
        return refusal(HTTPStatus.NOT_FOUND)
    if request.method not in {"GET", "HEAD"}:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
    try:
        return await page.answer(source, request)
    except Exception:
        _log.exception("admin page %s failed", request.path)
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def refusal(status: int, *headers: tuple[str, str]) -> Response:
    """An answer that says no more than its status: ``404 Not Found``."""
    return Response(status, f"{status:d} {HTTPStatus(status).phrase}\n".encode(), headers=headers)


async def _index(_: AdminSource, __: Request) -> Response:
    rows = "".join(f'<li><a href="{path}">{path}</a> {html.escape(page.about)}</li>' for path, page in PAGES.items())
    text = f"<!doctype html><title>rproxy</title><h1>rproxy {__version__}</h1><ul>{rows}</ul>\n"
    return Response(HTTPStatus.OK, text.encode(), "text/html; charset=utf-8")


async def _metrics(source: AdminSource, request: Request) -> Response:
    # Here, since it brings prometheus_client: several MiB that a process which nobody scrapes need not carry.
    from rproxy.metrics.exposition import exposition

    body, content_type = exposition(await source.samples(), request.accept)
    if not _takes_gzip(request.accept_encoding):
        return Response(HTTPStatus.OK, body, content_type)
    # Level 1: the loop that compresses may be the one that serves the clients.
    return Response(HTTPStatus.OK, gzip.compress(body, 1), content_type, (("Content-Encoding", "gzip"),))


async def _healthz(_: AdminSource, __: Request) -> Response:
    return Response(HTTPStatus.OK, b"ok\n")


async def _readyz(source: AdminSource, _: Request) -> Response:
    is_ready, reason = await source.readiness()
    return Response(HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}\n".encode())


async def _clusters(source: AdminSource, _: Request) -> Response:
    return _json(await source.clusters())


async def _config_dump(source: AdminSource, _: Request) -> Response:
    return _json(source.config_dump())


def _json(data: Any) -> Response:
    """``data`` for machines, indented for people."""
    return Response(HTTPStatus.OK, f"{json.dumps(data, indent=2)}\n".encode(), "application/json")


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is named, and not with a weight of nought."""
    for part in accept_encoding.lower().replace(" ", "").split(","):
        name, _, weight = part.partition(";q=")
        if name == "gzip":
            return not weight or weight.strip("0.") != ""
    return False


PAGES = {
    "/": Page("this list", _index),
    "/metrics": Page("metrics for Prometheus", _metrics),
    "/healthz": Page("200 while the process lives", _healthz),
    "/readyz": Page("200 when every routed cluster has a topology, else 503 with the reason", _readyz),
    "/clusters": Page("clusters, their topology, endpoints and state, as JSON", _clusters),
    "/config_dump": Page("the effective configuration, secrets masked, as JSON", _config_dump),
}
"""Every path and what it answers."""
