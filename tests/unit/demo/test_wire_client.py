"""The blocking client, against a server of canned answers."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import hiredis
import pytest

from rproxy.demo.wire_client import WireClient

Canned = Callable[[bytes], AbstractContextManager[WireClient]]


@pytest.fixture
def canned() -> Canned:
    @contextmanager
    def serve(answer: bytes) -> Iterator[WireClient]:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer_once() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    for byte in answer:
                        connection.sendall(bytes([byte]))

            thread = threading.Thread(target=answer_once)
            thread.start()
            with WireClient(listener.getsockname()[1]) as client:
                yield client
            thread.join()

    return serve


def test_a_reply_in_pieces_is_one_reply(canned: Canned) -> None:
    with canned(b"*3\r\n$1\r\na\r\n:7\r\n$-1\r\n") as client:
        assert client.call("ANY", b"argument", 1) == [b"a", 7, None]


def test_an_error_reply_is_raised(canned: Canned) -> None:
    with canned(b"-WRONGTYPE no\r\n") as client, pytest.raises(hiredis.ReplyError, match=r"^WRONGTYPE no$"):
        client.call("ANY")


def test_errors_in_a_pipeline_are_values(canned: Canned) -> None:
    with canned(b"+OK\r\n-ERR no\r\n:1\r\n") as client:
        ok, error, one = client.call_all([("A",), ("B",), ("C",)])
    assert ok == b"OK"
    assert isinstance(error, hiredis.ReplyError)
    assert one == 1


def test_a_server_that_closes_is_a_connection_error(canned: Canned) -> None:
    with canned(b"$5\r\nhal") as client, pytest.raises(ConnectionError, match="closed the connection"):
        client.call("ANY")


def test_a_silent_server_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, WireClient(listener.getsockname()[1]) as client:
        client.send("ANY")
        with pytest.raises(TimeoutError):
            client.read(timeout=0.05)
