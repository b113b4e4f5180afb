"""Real Redis servers that speak TLS, and a real rproxy that speaks it on every side."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.ports import free_port
from rproxy.demo.redis_process import RedisProcess
from rproxy.errors import StartError
from tests.support.certificates import Authority, Pair


def server_arguments(authority: Authority, shown: Pair, port: int) -> list[str]:
    """What makes a redis-server listen with TLS at ``port`` too, and want certificates of ``authority``."""
    files = ["--tls-cert-file", shown.cert_file, "--tls-key-file", shown.key_file]
    return ["--tls-port", str(port), *files, "--tls-ca-cert-file", authority.cert_file, "--tls-auth-clients", "yes"]


def start_or_skip(server: EmbeddedRedis | EmbeddedCluster) -> None:
    """Start a server, where redis-server was built with TLS."""
    try:
        server.start()
    except StartError as error:
        if not any(sign in str(error) for sign in ("tls", "TLS", "FATAL", "it wrote no log")):
            raise
        pytest.skip("this redis-server was built without TLS")


class TlsCluster(EmbeddedCluster):
    """Primaries without replicas that speak TLS to each other (``tls-cluster``); plainly to the tests."""

    def __init__(self, authority: Authority, shown: Pair, primaries: int = 3) -> None:
        super().__init__(primaries, replicas=0)
        self._authority = authority
        self._shown = shown
        self.tls_ports: list[int] = []

    @property
    def tls_seeds(self) -> str:
        """Where its nodes speak TLS."""
        return ",".join(f"127.0.0.1:{port}" for port in self.tls_ports)

    def _launch(self, directory: Path) -> list[RedisProcess]:
        for number in range(self._primaries):
            port = free_port(with_bus=True)
            self.tls_ports.append(port)
            more = ("--tls-cluster", "yes", *server_arguments(self._authority, self._shown, port))
            node = RedisProcess(directory / f"node-{number}", (*self._arguments, *more), is_cluster=True)
            self.nodes.append(node)
            node.start()
        self._form()
        return self.nodes

    def _meet(self, node: RedisProcess, other: RedisProcess) -> None:
        node.call("CLUSTER", "MEET", "127.0.0.1", self.tls_ports[self.nodes.index(other)])


def listener(server: Pair, **tls: Any) -> dict[str, Any]:
    """A listener with TLS before the cluster ``main``."""
    route = {"catch_all_route": {"cluster": "main"}}
    return {"name": "redis", "tls": {**server.section, **tls}, "redis_proxy": {"prefix_routes": route}}


def speak(port: int, context: ssl.SSLContext, data: bytes, size: int) -> bytes:
    """What a TLS server answers to ``data``, up to ``size`` bytes. Raises ``OSError``."""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(data)
        answer = secure.recv(size)
        if not answer:
            raise ConnectionError("closed without an answer")
        return answer
