"""Opening a connection to Redis: connect, then the handshake, within one time limit.

This is a lifecycle, so it may await; the data path meets a connection only when it is ready.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hiredis

from rproxy.resp import encode
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.attach import Opened
from rproxy.transport.keepalive import keep_alive
from rproxy.transport.streams import reason_of
from rproxy.transport.tls_stream import TlsStream

if TYPE_CHECKING:
    from rproxy.config.certificates import Certificates
    from rproxy.config.models import ClusterConfig

KEEPALIVE = 10
"""Seconds of silence after which a node is probed: a client may block for ever, but not on a node that is gone."""
_READ_SIZE = 65536


class DialError(Exception):
    """The endpoint cannot be used; the text says why in a few words, without secrets."""


class RefusedError(DialError):
    """The endpoint is there, and refuses the handshake: an operator has to do something about it."""


def handshake(
    settings: ClusterConfig, endpoint: Endpoint, is_readonly: bool = False, is_resp3: bool = False
) -> list[list[bytes]]:
    """The commands that make a new connection to ``endpoint`` ready; all must be answered without an error."""
    commands: list[list[bytes]] = []
    auth = settings.auth_at(str(endpoint))
    if auth.password is not None:
        user = [auth.username.encode()] if auth.username else []
        commands.append([b"AUTH", *user, auth.password.get_secret_value().encode()])
    if is_resp3:
        commands.append([b"HELLO", b"3"])
    if is_readonly:
        commands.append([b"READONLY"])
    return commands


async def dial(
    endpoint: Endpoint, commands: Sequence[Sequence[bytes]], timeout: float, tls: Certificates | None = None
) -> Opened:
    """An open connection on which ``commands`` have been accepted. Raises ``DialError``."""
    try:
        async with asyncio.timeout(timeout):
            opened = await _open(endpoint, tls)
            try:
                await _shake_hands(opened, commands)
            except BaseException:
                opened.close()
                raise
            return opened
    except TimeoutError:
        raise DialError(f"no connection within {timeout:g} s") from None
    except UnicodeError:  # what the resolver says to an empty or overlong label
        raise DialError(f"{endpoint.host} is no host name") from None
    except OSError as error:
        raise DialError(reason_of(error)) from None


async def ask(
    endpoint: Endpoint,
    commands: Sequence[Sequence[bytes]],
    questions: Sequence[Sequence[bytes]],
    connect_timeout: float,
    timeout: float,
    tls: Certificates | None = None,
) -> list[Any]:
    """The answers to ``questions`` over a connection of their own, errors as exceptions. Raises ``DialError``."""
    opened = await dial(endpoint, commands, connect_timeout, tls)
    try:
        async with asyncio.timeout(timeout):
            return await exchange(opened, questions)
    except TimeoutError:
        raise DialError(f"no answer within {timeout:g} s") from None
    except OSError as error:
        raise DialError(reason_of(error)) from None
    finally:
        opened.close()


async def _open(endpoint: Endpoint, tls: Certificates | None) -> Opened:
    sock = await _connect(endpoint)
    return sock if tls is None else await TlsStream.open(sock, tls.context, tls.server_name(endpoint.host))


async def _connect(endpoint: Endpoint) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{endpoint.host} has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(sock, KEEPALIVE, may_stall=False)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _shake_hands(opened: Opened, commands: Sequence[Sequence[bytes]]) -> None:
    for command, answer in zip(commands, await exchange(opened, commands), strict=True):
        if isinstance(answer, Exception):
            raise RefusedError(f"{command[0].decode()} was refused: {answer}")


async def exchange(opened: Opened, commands: Sequence[Sequence[bytes]]) -> list[Any]:
    """Send ``commands`` at once and read as many answers, errors as exceptions. Raises ``DialError``, ``OSError``."""
    if not commands:
        return []
    reader = hiredis.Reader()
    await _send(opened, b"".join(encode.command(command) for command in commands))
    answers: list[Any] = []
    while len(answers) < len(commands):
        answer = _next_answer(reader)
        if answer is not False:
            answers.append(answer)
            continue
        data = await _receive(opened)
        if not data:
            raise DialError("closed by the node")
        reader.feed(data)
    return answers


async def _send(opened: Opened, data: bytes) -> None:
    if isinstance(opened, TlsStream):
        opened.send(data)
    else:
        await asyncio.get_running_loop().sock_sendall(opened, data)


async def _receive(opened: Opened) -> bytes:
    if isinstance(opened, TlsStream):
        return await opened.receive()
    return await asyncio.get_running_loop().sock_recv(opened, _READ_SIZE)


def _next_answer(reader: hiredis.Reader) -> Any:
    try:
        return reader.gets()
    except hiredis.ProtocolError as error:
        raise DialError(f"not a Redis server: {error}") from None
