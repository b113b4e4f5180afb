import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rproxy import __version__
from rproxy.config.converters import Address
from rproxy.errors import StartError
from rproxy.server.run import announcement, raise_descriptor_limit, run
from rproxy.server.sockets import address_of, listen
from tests.support.waiting import await_true

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from rproxy.config.models import Config
from rproxy.errors import StartError
from rproxy.server.run import run
try:
    sys.exit(run(Config.model_validate_json(sys.argv[1])))
except StartError as error:
    sys.exit(f"rproxy: {error}")
"""
SIGNAL_WHEN_OPEN = """
import os
import rproxy.server.run
open_sockets = rproxy.server.run.ListeningSockets
def open_and_signal(*arguments):
    sockets = open_sockets(*arguments)
    os.kill(os.getpid(), {:d})
    return sockets
rproxy.server.run.ListeningSockets = open_and_signal
"""


class Served:
    """``run`` in a process of its own, before a cluster that does not answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.line = process.stdout.readline()
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", self.line)[1])
        self.admin = re.search(r"http://\S+", self.line)[0]

    def ping(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 60) as client:
            client.sendall(b"PING\r\n")
            return client.recv(100)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.admin + path, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def settings(**keys: Any) -> str:
    listener = {
        "name": "redis",
        "address": "127.0.0.1:0",
        "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": "main"}}},
    }
    clusters = [{"name": "main", "endpoints": ["127.0.0.1:1"]}]
    return json.dumps({"listeners": [listener], "clusters": clusters, "admin": {"address": "127.0.0.1:0"}, **keys})


def listen_anywhere() -> socket.socket:
    return listen(Address("127.0.0.1", 0))


def spawn(config: str, script: str = SCRIPT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, config],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with spawn(settings(workers=request.param)) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


def test_it_serves_until_sigterm_and_exits_0(served: Served) -> None:
    assert served.ping() == b"+PONG\r\n"
    served.process.terminate()
    out, err = served.process.communicate(timeout=60)
    assert served.process.returncode == 0
    assert out == ""
    assert "Traceback" not in err
    with pytest.raises(ConnectionRefusedError):
        served.ping()


def test_ctrl_c_is_a_sigterm(served: Served) -> None:
    served.process.send_signal(signal.SIGINT)
    _, err = served.process.communicate(timeout=60)
    assert served.process.returncode == 0
    assert "KeyboardInterrupt" not in err


def test_the_admin_server_answers(served: Served) -> None:
    assert served.ping() == b"+PONG\r\n"
    assert served.get("/healthz") == (200, "ok\n")
    assert served.get("/readyz") == (503, "no topology yet: main\n")
    # A worker that has no time to answer at once is left out.
    await_true(lambda: 'rproxy_local_commands_total{command="ping"} 1.0' in served.get("/metrics")[1].lower())
    await_true(lambda: {cluster["name"] for cluster in json.loads(served.get("/clusters")[1])} == {"main"})
    assert json.loads(served.get("/config_dump")[1])["clusters"][0]["endpoints"] == ["127.0.0.1:1"]


def test_workers_end_when_their_supervisor_is_killed() -> None:
    with spawn(settings(workers=2)) as process:
        served = Served(process)
        assert served.ping() == b"+PONG\r\n"
        process.kill()
        process.communicate(timeout=60)  # returns when the last process that holds standard error has ended
    with pytest.raises(ConnectionRefusedError):
        served.ping()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_as_soon_as_the_port_is_open_is_heeded(workers: int, number: int) -> None:
    with spawn(settings(workers=workers), SIGNAL_WHEN_OPEN.format(number) + SCRIPT) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("Traceback")) == (0, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_it_at_once(workers: int) -> None:
    with listen_anywhere() as silent:
        clusters = [{"name": "main", "type": "standalone", "endpoints": [address_of(silent)], "connect_timeout": "1h"}]
        config = settings(workers=workers, clusters=clusters, drain_timeout="1h")
        with spawn(config.replace('"prefix_routes"', '"settings": {"op_timeout": "1h"}, "prefix_routes"')) as process:
            served = Served(process)
            with socket.create_connection(("127.0.0.1", served.port), 60) as client:
                client.sendall(b"PING\r\nGET a\r\n")
                assert client.recv(100) == b"+PONG\r\n"
                process.terminate()
                while served.get("/readyz") != (503, "draining\n"):
                    pass
                process.terminate()
                process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def test_an_address_in_use_is_one_line() -> None:
    with listen_anywhere() as taken:
        address = address_of(taken)
        with spawn(settings(admin={"address": address})) as process:
            out, err = process.communicate(timeout=60)
    assert (out, err) == ("", f"rproxy: cannot listen on {address}: address already in use\n")
    assert process.returncode == 1


def test_a_start_error_is_raised_in_this_process_too(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rproxy.server.run.set_up_logs", lambda *_: None)
    monkeypatch.setattr("rproxy.server.run.raise_descriptor_limit", lambda: None)
    with listen_anywhere() as taken, pytest.raises(StartError, match="address already in use"):
        run(make_config(address=address_of(taken)))


def test_the_announcement_says_where_it_listens() -> None:
    line = announcement(["127.0.0.1:6380", "unix:/run/redis.sock"], "http://127.0.0.1:9900")
    assert re.fullmatch(
        rf"rproxy {re.escape(__version__)} \((compiled|pure)\) listening on 127\.0\.0\.1:6380, unix:/run/redis\.sock,"
        r" admin on http://127\.0\.0\.1:9900",
        line,
    )


def test_the_announcement_without_an_admin_server() -> None:
    assert announcement(["[::1]:6380"], None).endswith(" listening on [::1]:6380")


def test_the_descriptor_limit_is_raised_to_the_most() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, before[0]), before[1]))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
