"""TLS on every side, with real Redis servers, redis-py and a real rproxy."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from rproxy.demo.embedded import EmbeddedRedis
from rproxy.demo.ports import free_port
from tests.support.certificates import Authority, Pair
from tests.support.proxy import Metrics, Proxy
from tests.support.tls import TlsCluster, listener, server_arguments, speak, start_or_skip
from tests.support.waiting import await_true

PING = b"PING\r\n"
PONG = b"+PONG\r\n"
REFUSED = (ssl.SSLError, ConnectionError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def shown(authority: Authority) -> Pair:
    """The certificate of clients, and of rproxy at the nodes."""
    return authority.sign("client")


def upstream(authority: Authority, shown: Pair | None, endpoints: str, **keys: Any) -> dict[str, Any]:
    tls = {"ca_cert_file": authority.cert_file, **(shown.section if shown else {})}
    return {"name": "main", "endpoints": endpoints.split(","), "connect_timeout": "5s", "tls": tls, **keys}


@pytest.fixture(scope="module")
def cluster(authority: Authority, server: Pair) -> Iterator[TlsCluster]:
    made = TlsCluster(authority, server)
    start_or_skip(made)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def proxy(authority: Authority, server: Pair, shown: Pair, cluster: TlsCluster) -> Iterator[Proxy]:
    """TLS without certificates of clients, two workers, before a cluster that speaks TLS."""
    config = {
        "workers": 2,
        "listeners": [listener(server)],
        "clusters": [upstream(authority, shown, cluster.tls_seeds)],
    }
    with Proxy(config=config) as started:
        yield started


def client(proxy: Proxy, authority: Authority, **keys: Any) -> redis.Redis:
    return redis.Redis(port=proxy.port, ssl=True, ssl_ca_certs=authority.cert_file, socket_timeout=10, **keys)


def test_a_cluster_is_used_over_tls_from_end_to_end(proxy: Proxy, authority: Authority, cluster: TlsCluster) -> None:
    with client(proxy, authority) as user:
        values = {f"key:{number}": str(number).encode() for number in range(300)}
        user.mset(values)
        assert user.mget(list(values)) == list(values.values())
        assert user.set("large", b"x" * 3_000_000)
        assert user.get("large") == b"x" * 3_000_000
        with user.pipeline(transaction=False) as pipeline:
            for number in range(2000):
                pipeline.incr(f"count:{number}")
            assert pipeline.execute() == [1] * 2000
    endpoints = {pool["address"] for each in proxy.clusters() for pool in each["endpoints"]}
    assert endpoints == {f"127.0.0.1:{port}" for port in cluster.tls_ports}


@pytest.mark.parametrize("protocol", [2, 3])
def test_state_on_connections_works_over_tls(proxy: Proxy, authority: Authority, protocol: int) -> None:
    """Pinned connections, transactions and subscriptions are dialled as all others."""
    with client(proxy, authority, protocol=protocol) as user, client(proxy, authority, protocol=protocol) as other:
        with user.pipeline() as transaction:
            transaction.watch("watched")
            transaction.multi()
            transaction.set("watched", "1")
            assert transaction.execute() == [True]
        user.rpush("queue", "job")
        assert [bytes(part) for part in user.blpop(["queue"], timeout=5)] == [b"queue", b"job"]
        listening = other.pubsub()
        listening.subscribe("news")
        assert listening.get_message(timeout=5)["type"] == "subscribe"
        user.publish("news", "hello")
        assert listening.get_message(timeout=5)["data"] == b"hello"
        listening.close()


def failures(metrics: Metrics) -> float:
    return metrics.total("rproxy_downstream_tls_failures_total")


def test_who_speaks_plainly_to_tls_is_closed_and_counted(proxy: Proxy, authority: Authority) -> None:
    before = failures(proxy.metrics())
    logged = proxy.output
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as plain:
        plain.sendall(PING)
        assert PONG not in plain.recv(100)
    await_true(lambda: failures(proxy.metrics()) == before + 1)
    assert proxy.output == logged
    assert speak(proxy.port, authority.client_context(), PING, 7) == PONG


def test_a_client_that_does_not_trust_the_authority(proxy: Proxy, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        speak(proxy.port, Authority(tmp_path, "stranger").client_context(), PING, 7)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(proxy: Proxy, authority: Authority) -> None:
    context = authority.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(REFUSED):
        speak(proxy.port, context, PING, 7)


@pytest.fixture
def plain_upstream(authority: Authority, server: Pair) -> Iterator[tuple[EmbeddedRedis, int]]:
    """A standalone server that speaks plainly, and TLS at another port."""
    port = free_port()
    made = EmbeddedRedis(server_arguments(authority, server, port))
    start_or_skip(made)
    yield made, port
    made.stop()


def test_certificates_of_clients(authority: Authority, server: Pair, shown: Pair, tmp_path: Path) -> None:
    config = {
        "listeners": [listener(server, ca_cert_file=authority.cert_file, min_version="1.3")],
        "clusters": [{"name": "main", "type": "standalone", "endpoints": ["127.0.0.1:1"]}],
    }
    stranger = Authority(tmp_path, "stranger").sign("stranger")
    expired = authority.sign("expired", days=-1)
    with Proxy(config=config) as started:
        assert speak(started.port, authority.client_context(shown), PING, 7) == PONG
        for bad in (None, stranger, expired):
            with pytest.raises(REFUSED):
                speak(started.port, authority.client_context(bad), PING, 7)
        older = authority.client_context(shown)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(REFUSED):
            speak(started.port, older, PING, 7)
        await_true(lambda: failures(started.metrics()) == 4)


def test_a_node_wants_a_certificate_and_gets_none(
    authority: Authority, plain_upstream: tuple[EmbeddedRedis, int]
) -> None:
    _, port = plain_upstream
    config = {
        "listeners": [{key: value for key, value in listener(Pair("", "")).items() if key != "tls"}],
        "clusters": [upstream(authority, None, f"127.0.0.1:{port}", type="standalone")],
    }
    with Proxy(config=config) as started, started.client() as user:
        assert user.command("GET", "a").startswith(b"-")


def test_certificates_are_renewed_under_load(tmp_path: Path, authority: Authority) -> None:
    old = authority.sign("renewed")
    config = {
        "listeners": [listener(old)],
        "clusters": [{"name": "main", "type": "standalone", "endpoints": ["127.0.0.1:1"]}],
    }
    with Proxy(config=config) as started:
        troubles: list[Exception] = []
        stop = threading.Event()

        def use_one_connection() -> None:
            try:
                with client(started, authority) as user:
                    while not stop.is_set():
                        user.echo("x" * 1000)
            except Exception as error:
                troubles.append(error)

        threads = [threading.Thread(target=use_one_connection) for _ in range(4)]
        for thread in threads:
            thread.start()
        await_true(lambda: started.metrics().total("rproxy_local_commands_total", command="echo") > 100)
        successor = Authority(tmp_path, "successor")
        fresh = successor.sign("fresh")
        Path(old.cert_file).write_bytes(Path(fresh.cert_file).read_bytes())
        await_true(lambda: "the new TLS files are refused" in started.output)  # the key is the old one still
        assert speak(started.port, authority.client_context(), PING, 7) == PONG
        Path(old.key_file).write_bytes(Path(fresh.key_file).read_bytes())
        await_true(lambda: "are in force for new connections" in started.output)
        assert speak(started.port, successor.client_context(), PING, 7) == PONG
        stop.set()
        for thread in threads:
            thread.join()
        assert [str(trouble) for trouble in troubles] == []


def test_the_admin_server_speaks_tls(authority: Authority, server: Pair) -> None:
    port = free_port()
    config = {
        "listeners": [listener(server)],
        "clusters": [{"name": "main", "type": "standalone", "endpoints": ["127.0.0.1:1"]}],
    }
    with SecureAdmin(config, port, server, authority.client_context()) as started:
        status, text = started.admin("/metrics")
        assert status == 200
        assert text.endswith("\n")
        assert "rproxy_build_info" in text
        assert f"admin on https://127.0.0.1:{started.admin_port}" in started.output
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            urllib.request.urlopen(f"http://127.0.0.1:{started.admin_port}/healthz", timeout=5)
        assert started.admin("/healthz")[0] == 200


class SecureAdmin(Proxy):
    """rproxy with an admin server that speaks TLS."""

    def __init__(self, config: dict[str, Any], port: int, server: Pair, context: ssl.SSLContext) -> None:
        super().__init__(config=config, port=port)
        assert self._config is not None
        self._config = {**self._config, "admin": {**self._config["admin"], "tls": server.section}}
        self._context = context

    def admin(self, path: str) -> tuple[int, str]:
        url = f"https://127.0.0.1:{self.admin_port}{path}"
        with urllib.request.urlopen(url, timeout=10, context=self._context) as answer:
            return answer.status, answer.read().decode()

    def is_ready(self) -> bool:
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False


SECRETS = ("correct horse", "battery staple", "hunter2")


def test_no_secret_is_shown_anywhere(authority: Authority, server: Pair, cluster: TlsCluster, shown: Pair) -> None:
    """Passwords and keys, also where they are refused: in the log, on every admin page, in errors."""
    route = {"catch_all_route": {"cluster": "main"}}
    users = [{"name": "app", "rules": "on >hunter2 ~* +@all"}]
    passwords = {"downstream_auth_passwords": ["correct horse"], "users": users}
    first = {**listener(server), "redis_proxy": {"prefix_routes": route, **passwords}}
    keys = {"username": "nobody", "password": "battery staple"}
    config = {
        "log_level": "debug",
        "listeners": [first],
        "clusters": [upstream(authority, shown, cluster.tls_seeds, **keys)],
    }
    started = Proxy(config=config)
    started.launch()
    try:
        await_true(lambda: "no usable topology" in started.output)
        commands = b"AUTH app wrong\r\nAUTH app hunter2\r\nGET a\r\nCONFIG GET *\r\nACL LIST\r\nACL LOG\r\n"
        answers = speak(started.port, authority.client_context(), commands, 1)
        context = authority.client_context()
        with (
            socket.create_connection(("127.0.0.1", started.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(commands + b"QUIT\r\n")
            while piece := secure.recv(65536):
                answers += piece
        pages = [started.admin(path)[1] for path in ("/config_dump", "/metrics", "/clusters", "/readyz")]
        assert "********" in pages[0]
        shown_text = "\n".join([started.output, answers.decode(), *pages])
    finally:
        started.stop()
    body = Path(server.key_file).read_text().splitlines()[1]
    assert [secret for secret in (*SECRETS, body) if secret in shown_text] == []
