"""Bytes to and from a connection over a loopback socket."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rproxy.admin import connection as connection_module
from rproxy.admin.connection import HEAD_LIMIT, Connection

TIME_OUT = 20
"""Seconds after which a test has failed."""


class Source:
    """``config`` is the one page of any size."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}

    async def samples(self) -> list[Any]:
        return []

    async def clusters(self) -> list[Any]:
        return []

    async def readiness(self) -> tuple[bool, str]:
        return True, "ready"

    def config_dump(self) -> dict[str, Any]:
        return self.config


class Client:
    """A client that sends and reads bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *lines: str) -> None:
        """A request of these lines."""
        self.writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        async with asyncio.timeout(TIME_OUT):
            text = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = text.decode().split("\r\n")[:-2]
        version, status, reason = first.split(" ", 2)
        assert version == "HTTP/1.1"
        assert reason
        return int(status), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, whole."""
        status, headers = await self.head()
        async with asyncio.timeout(TIME_OUT):
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def rest(self) -> bytes:
        """What comes before the other side's end."""
        async with asyncio.timeout(TIME_OUT):
            return await self.reader.read()


class Served:
    """A listener whose connections serve ``source``."""

    def __init__(self) -> None:
        self.source = Source()
        self.done: asyncio.Queue[Connection] = asyncio.Queue()
        self.connections: list[Connection] = []
        self.clients: list[Client] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.source, reader, writer)
        self.connections.append(connection)
        await connection.serve()
        self.done.put_nowait(connection)

    async def connect(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def ended(self) -> None:
        """Until a connection has ended."""
        async with asyncio.timeout(TIME_OUT):
            await self.done.get()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(connection_module, "_LINGER", 0.2)
    served = Served()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for client in served.clients:
            client.writer.close()


@pytest.fixture
async def client(served: Served) -> Client:
    return await served.connect()


async def test_an_answer_is_whole_http(client: Client) -> None:
    client.send("GET /readyz?verbose=1 HTTP/1.1", "Host: x")
    status, headers, body = await client.answer()
    assert (status, body) == (200, b"ready\n")
    assert headers.keys() == {"date", "server", "content-type", "content-length"}
    assert headers["date"].endswith(" GMT")
    assert headers["content-type"] == "text/plain; charset=utf-8"


async def test_requests_follow_each_other_on_one_connection(served: Served, client: Client) -> None:
    for _ in range(3):
        client.send("GET /healthz HTTP/1.1", "Host: x")
        assert (await client.answer())[::2] == (200, b"ok\n")
    assert len(served.connections) == 1


async def test_requests_sent_ahead_are_answered_in_order(client: Client) -> None:
    for path in ("/healthz", "/nothing", "/readyz"):
        client.send(f"GET {path} HTTP/1.1", "Host: x")
    assert [(await client.answer())[::2] for _ in range(3)] == [
        (200, b"ok\n"),
        (404, b"404 Not Found\n"),
        (200, b"ready\n"),
    ]


async def test_a_request_may_come_byte_by_byte(client: Client) -> None:
    for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
        client.writer.write(bytes([byte]))
        await client.writer.drain()
        await asyncio.sleep(0)
    assert (await client.answer())[::2] == (200, b"ok\n")


async def test_head_has_the_length_and_no_body(client: Client) -> None:
    client.send("HEAD /healthz HTTP/1.1", "Host: x")
    client.send("GET /readyz HTTP/1.1", "Host: x")
    status, headers = await client.head()
    assert (status, headers["content-length"]) == (200, "3")
    assert (await client.answer())[2] == b"ready\n"


async def test_headers_reach_the_page_in_one_line_or_several(client: Client) -> None:
    client.send("GET /metrics HTTP/1.1", "Host: x", "accept: application/openmetrics-text; version=1.0.0")
    assert (await client.answer())[1]["content-type"].startswith("application/openmetrics-text")
    client.send("GET /metrics HTTP/1.1", "Host: x", "Accept-Encoding: br", "Accept-Encoding: gzip")
    _, headers, body = await client.answer()
    assert headers["content-encoding"] == "gzip"
    gzip.decompress(body)


@pytest.mark.parametrize(
    "lines", [("GET /healthz HTTP/1.1", "Host: x", "Connection: close"), ("GET /healthz HTTP/1.0",)]
)
async def test_it_ends_when_the_client_wants_one_answer(served: Served, client: Client, lines: tuple[str, ...]) -> None:
    client.send(*lines)
    status, headers, body = await client.answer()
    assert (status, headers["connection"], body) == (200, "close", b"ok\n")
    assert await client.rest() == b""
    client.writer.close()
    await served.ended()


async def test_it_ends_without_a_word_when_the_client_does(served: Served, client: Client) -> None:
    client.writer.write_eof()
    assert await client.rest() == b""
    await served.ended()


async def test_another_method_is_answered_and_its_connection_kept(client: Client) -> None:
    client.send("OPTIONS /metrics HTTP/1.1", "Host: x")
    status, headers, _ = await client.answer()
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    client.send("GET /healthz HTTP/1.1", "Host: x")
    assert (await client.answer())[0] == 200


@pytest.mark.parametrize(
    "header", ["Content-Length: 100000000", "Transfer-Encoding: chunked", "Content-Length: 9\r\nExpect: 100-continue"]
)
async def test_a_body_is_not_waited_for(served: Served, client: Client, header: str) -> None:
    client.send("POST /healthz HTTP/1.1", "Host: x", header)
    status, headers, body = await client.answer()
    assert (status, headers["connection"], body) == (405, "close", b"405 Method Not Allowed\n")
    assert await client.rest() == b""
    await served.ended()


async def test_the_answer_survives_a_body_that_nobody_reads(client: Client) -> None:
    client.send("POST /healthz HTTP/1.1", "Host: x", "Content-Length: 1000000")
    client.writer.write(b"x" * 1_000_000)
    assert (await client.answer())[0] == 405


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\xff\x16\x03\x01\x02\r\n\r\n", 400),
        (b"*1\r\n$4\r\nPING\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),  # without a Host
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", 400),  # and then the end
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zebra\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * HEAD_LIMIT, 431),
        (b"GET /" + b"x" * HEAD_LIMIT * 8, 431),
    ],
)
async def test_what_is_no_request_is_refused_in_one_line(
    served: Served, client: Client, sent: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client.writer.write(sent)
    client.writer.write_eof()
    got, headers, body = await client.answer()
    assert (got, headers["connection"]) == (status, "close")
    assert body.startswith(f"{status} ".encode())
    assert body.count(b"\n") == 1
    assert await client.rest() == b""
    await served.ended()
    assert not caplog.records


async def test_garbage_after_a_request_spoils_only_itself(client: Client) -> None:
    client.send("GET /healthz HTTP/1.1", "Host: x")
    client.writer.write(b"\x00\x01\r\n\r\n")
    assert (await client.answer())[::2] == (200, b"ok\n")
    assert (await client.answer())[0] == 400
    assert await client.rest() == b""


async def test_a_request_that_does_not_come_to_its_end_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "READ_WITHIN", 0.05)
    client = await served.connect()
    client.writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
    status, headers, body = await client.answer()
    assert (status, headers["connection"], body) == (408, "close", b"408 Request Timeout\n")
    assert await client.rest() == b""
    await served.ended()


async def test_a_silent_client_is_left_without_a_word(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "READ_WITHIN", 0.05)
    client = await served.connect()
    assert await client.rest() == b""
    await served.ended()


async def test_a_client_that_does_not_read_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_WRITE_WITHIN", 0.05)
    served.source.config = {"large": "x" * 20_000_000}  # more than the system keeps for a socket
    client = await served.connect()
    client.writer.transport.pause_reading()
    client.send("GET /config_dump HTTP/1.1", "Host: x")
    await served.ended()


async def test_a_client_that_vanishes_is_forgotten(
    served: Served, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served.source.config = {"large": "x" * 20_000_000}
    client.send("GET /config_dump HTTP/1.1", "Host: x")
    await client.head()
    client.writer.transport.abort()
    await served.ended()
    assert not caplog.records
