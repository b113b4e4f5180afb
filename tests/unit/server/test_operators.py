"""Where operators are answered, while the configuration moves the admin server."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from rproxy.config.models import AdminConfig
from rproxy.demo.ports import free_port
from rproxy.errors import StartError
from rproxy.server.operators import ADMIN, Operators
from rproxy.server.sockets import address_of, listen
from tests.support.certificates import Authority
from tests.support.fake_node import PATIENCE


class Source:
    """Is ready."""

    async def readiness(self) -> tuple[bool, str]:
        return True, "ready"


def admin(port: int = 0, **keys: Any) -> AdminConfig:
    return AdminConfig.model_validate({"address": f"127.0.0.1:{port}", **keys})


def operators(settings: AdminConfig | None) -> Operators:
    """With a socket as the settings say."""
    source: Any = Source()
    return Operators(settings, source, listen(settings.address) if settings is not None else None)


async def ask(port: int, tls: ssl.SSLContext | None = None) -> bytes:
    """The first line of the answer at ``port``. Raises ``OSError``."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        line = await reader.readline()
        writer.close()
        return line


def port_of(asked: Operators) -> int:
    assert asked.url is not None
    return int(asked.url.rpartition(":")[2])


OK = b"HTTP/1.1 200 OK\r\n"


async def test_they_are_answered_where_it_says_it_listens_until_it_ends() -> None:
    served = operators(admin())
    port = port_of(served)
    async with served:
        assert served.url == f"http://127.0.0.1:{port}"
        assert await ask(port) == OK
    with pytest.raises(ConnectionRefusedError):
        await ask(port)


async def test_without_an_admin_server_there_is_nothing() -> None:
    async with operators(None) as served:
        assert (served.url, served.to_hand_over()) == (None, {})


async def test_another_rproxy_gets_the_socket_by_its_address_if_that_was_chosen() -> None:
    async with operators(admin()) as served:
        ((purpose, sock),) = served.to_hand_over().items()
        assert (purpose, f"http://{address_of(sock)}") == (f"{ADMIN}#0", served.url)
    settings = admin(free_port())
    async with operators(settings) as served:
        assert list(served.to_hand_over()) == [f"{settings.address}#0"]


async def test_settings_that_are_the_same_or_none_need_no_socket() -> None:
    settings = admin()
    async with operators(settings) as served:
        assert served.open_new(settings) is None
        assert served.open_new(None) is None


async def test_an_address_that_is_taken_is_an_error_and_nothing_changes() -> None:
    with listen(admin().address) as taken:
        async with operators(admin()) as served:
            with pytest.raises(StartError, match="address already in use"):
                served.open_new(admin(taken.getsockname()[1]))
            assert await ask(port_of(served)) == OK


async def test_it_moves_to_another_address() -> None:
    async with operators(admin()) as served:
        before = port_of(served)
        settings = admin(free_port())
        await served.adopt(settings, served.open_new(settings))
        assert port_of(served) == settings.address.port
        assert await ask(settings.address.port) == OK
        with pytest.raises(ConnectionRefusedError):
            await ask(before)


async def test_settings_that_are_the_same_leave_it_alone() -> None:
    settings = admin()
    async with operators(settings) as served:
        await served.adopt(settings, None)
        assert await ask(port_of(served)) == OK


async def test_it_ends_and_begins_with_its_section() -> None:
    async with operators(admin()) as served:
        before = port_of(served)
        await served.adopt(None, served.open_new(None))
        assert (served.url, served.to_hand_over()) == (None, {})
        with pytest.raises(ConnectionRefusedError):
            await ask(before)
        settings = admin()
        await served.adopt(settings, served.open_new(settings))
        assert await ask(port_of(served)) == OK


async def test_tls_begins_at_the_same_address_which_stays_taken_meanwhile(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with operators(admin()) as served:
        port = port_of(served)
        settings = admin(tls=authority.sign("server").section)
        sock = served.open_new(settings)
        assert sock is not None
        assert sock.getsockname() == ("127.0.0.1", port)
        await served.adopt(settings, sock)
        assert served.url == f"https://127.0.0.1:{port}"
        assert await ask(port, authority.client_context()) == OK
