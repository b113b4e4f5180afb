import logging
import socket
from typing import Any

import aiohttp
import pytest

from rproxy.admin.server import admin_server


class Source:
    async def samples(self) -> list[Any]:
        return []

    async def clusters(self) -> list[Any]:
        return []

    async def readiness(self) -> tuple[bool, str]:
        return True, "ready"

    def config_dump(self) -> dict[str, Any]:
        return {}


async def test_it_answers_on_its_socket_and_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    async with admin_server(Source(), listening), aiohttp.ClientSession() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/healthz")
        assert await answer.text() == "ok\n"
    assert "/healthz" not in caplog.text
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
