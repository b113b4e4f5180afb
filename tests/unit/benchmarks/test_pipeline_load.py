"""The harness's own load: what it sends, and against a server that answers, refuses or hangs up."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import hiredis
import pytest

from benchmarks.cases import ONE_SLOT, SMALL, Case, get, mget, put
from benchmarks.load import LoadError
from benchmarks.pipeline_load import PipelineLoad, batches_of

MIX = (get(SMALL, weight=80), put(SMALL, weight=15), mget(ONE_SLOT, 10, weight=5))
CASE = Case("a-mix", "a mix", MIX, clients=3, pipeline=4)


def commands_in(batch: bytes) -> list[list[bytes]]:
    reader = hiredis.Reader()
    reader.feed(batch)
    commands = []
    while (command := reader.gets()) is not False:
        commands.append(command)
    return commands


def test_batches_hold_as_many_commands_as_the_pipeline_is_deep() -> None:
    assert all(len(commands_in(batch)) == 4 for batch in batches_of(CASE, 50))


def test_the_mix_follows_the_weights() -> None:
    names = [command[0] for batch in batches_of(CASE, 1000) for command in commands_in(batch)]
    shares = {name: names.count(name) / len(names) for name in (b"GET", b"SET", b"MGET")}
    assert shares == pytest.approx({b"GET": 0.80, b"SET": 0.15, b"MGET": 0.05}, abs=0.03)


def test_keys_are_random_and_exist() -> None:
    keys = [key for batch in batches_of(CASE, 100) for command in commands_in(batch) for key in command[1:2]]
    assert len(set(keys)) > 350
    small = [int(key.removeprefix(b"small:")) for key in keys if key.startswith(b"small:")]
    assert all(0 <= number < SMALL.keys for number in small)


def test_batches_are_the_same_in_every_run() -> None:
    assert batches_of(CASE, 20) == batches_of(CASE, 20)


@contextmanager
def server(reply: bytes) -> Iterator[int]:
    """Answers each command with ``reply``, or hangs up if that is empty."""

    class Handler(socketserver.BaseRequestHandler):
        answer: ClassVar[bytes] = reply

        def handle(self) -> None:
            reader = hiredis.Reader()
            while data := self.request.recv(65536):
                reader.feed(data)
                if not self.answer:
                    return
                self.request.sendall(self.answer * sum(1 for _ in iter(reader.gets, False)))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


def test_every_command_is_answered_and_counted() -> None:
    with server(b"$1\r\nx\r\n") as port:
        report = PipelineLoad().run(CASE, port, 1001)
    assert report.commands == 1004, "whole batches"
    assert report.throughput > 0
    assert 0 < report.p50_ms <= report.p99_ms


def test_an_error_reply_ends_the_load() -> None:
    with (
        server(b"-CLUSTERDOWN no\r\n") as port,
        pytest.raises(LoadError, match="proxy answered: CLUSTERDOWN no"),
    ):
        PipelineLoad().run(CASE, port, 100)


def test_a_lost_connection_ends_the_load() -> None:
    with server(b"") as port, pytest.raises(LoadError, match=r"^the proxy closed a connection$"):
        PipelineLoad().run(CASE, port, 100)
