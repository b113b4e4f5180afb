"""The wire: inline commands, fragments, pipelines, and what happens to bytes that are no RESP."""

import pytest

from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy

MALFORMED = {
    "a count that is no number": b"*abc\r\n",
    "a count that is too large": b"*2147483648\r\n",
    "an argument without a length": b"*1\r\n+PING\r\n",
    "a length that is no number": b"*1\r\n$abc\r\n",
    "a negative length": b"*1\r\n$-1\r\n",
    "a length that is too large": b"*1\r\n$536870913\r\n",
    "a length that is missing": b"*2\r\n$3\r\nGET\r\n\r\n",
    "an inline command that never ends": b"a" * 70_000,
    "a count that never ends": b"*" + b"1" * 70_000,
    "a length that never ends": b"*1\r\n$" + b"1" * 70_000,
    "quotes that stay open": b'SET a "b\r\n',
    "quotes with something after them": b'SET a "b"c\r\n',
}
INLINE = {
    "a plain one": b"PING\r\n",
    "with arguments": b"SET a hello\r\n",
    "ended by a line feed alone": b"PING\n",
    "with blanks around": b"  PING  \r\n",
    "quoted": b'SET a "with space"\r\nGET a\r\n',
    "with escapes": b'SET a "\\x41\\n\\"q\\""\r\nGET a\r\n',
    "in single quotes": b"SET a 'it\\'s \\n'\r\nGET a\r\n",
    "with an empty argument": b'SET a ""\r\nGET a\r\n',
}
EMPTY = {"an empty line": b"\r\n", "an empty array": b"*0\r\n", "a null array": b"*-1\r\n"}


@pytest.mark.parametrize("name", INLINE)
def test_inline_commands_are_understood_as_redis_does(name: str, direct: RawClient, client: RawClient) -> None:
    for connection in (direct, client):
        connection.send(INLINE[name] + b"QUIT\r\n")
    assert client.read_to_end() == direct.read_to_end()


@pytest.mark.parametrize("name", EMPTY)
def test_empty_commands_get_no_reply(name: str, client: RawClient) -> None:
    client.send(EMPTY[name] + pack("PING"))
    assert client.read_reply() == b"+PONG\r\n"


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_redis_words_after_the_good_replies(
    name: str, direct: RawClient, client: RawClient
) -> None:
    for connection in (direct, client):
        connection.send(pack("SET", "a", "1") + pack("GET", "a") + pack("MGET", "a", "a") + MALFORMED[name])
    expected = direct.read_to_end()
    assert b"-ERR Protocol error: " in expected
    assert client.read_to_end() == expected


def test_nothing_after_a_protocol_error_is_executed(proxy: Proxy, client: RawClient) -> None:
    client.send(b"*1\r\n+PING\r\n" + pack("SET", "later", "1"))
    assert client.read_to_end().count(b"\r\n") == 1
    with proxy.client() as another:
        assert another.command("EXISTS", "later") == b":0\r\n"


def test_one_byte_at_a_time(client: RawClient) -> None:
    stream = pack("SET", "a", "x\r\ny") + b"GET a\r\n" + pack("MSET", "b", "1", "c", "2") + pack("MGET", "b", "c", "a")
    for byte in stream:
        client.send(bytes([byte]))
    replies = [client.read_reply() for _ in range(4)]
    assert replies[:3] == [b"+OK\r\n", b"$4\r\nx\r\ny\r\n", b"+OK\r\n"]
    assert replies[3] == b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$4\r\nx\r\ny\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000, 16384])
def test_fragments_of_any_size(client: RawClient, size: int) -> None:
    stream = b"".join(pack("SET", f"key:{number}", "v" * number) for number in range(150))
    for at in range(0, len(stream), size):
        client.send(stream[at : at + size])
    assert [client.read_reply() for _ in range(150)] == [b"+OK\r\n"] * 150
    assert client.command("GET", "key:149") == b"$149\r\n" + b"v" * 149 + b"\r\n"


def test_a_pipeline_over_all_shards_is_answered_in_order(client: RawClient) -> None:
    keys = [f"key:{number}" for number in range(1000)]
    assert client.pipeline([("SET", key, key) for key in keys]) == [b"+OK\r\n"] * 1000
    expected = [b"$%d\r\n%s\r\n" % (len(key), key.encode()) for key in keys]
    assert client.pipeline([("GET", key) for key in keys]) == expected


def test_local_split_and_plain_commands_keep_their_order(client: RawClient) -> None:
    commands: list[tuple[str, ...]] = []
    expected: list[bytes] = []
    for number in range(200):
        text = str(number)
        bulk = b"$%d\r\n%s\r\n" % (len(text), text.encode())
        commands += [
            ("SET", f"k:{text}", text),
            ("ECHO", text),
            ("MGET", f"k:{text}", f"k:{text}", "none"),
            ("NOSUCH",),
        ]
        expected += [b"+OK\r\n", bulk, b"*3\r\n" + bulk * 2 + b"$-1\r\n"]
    replies = client.pipeline([*commands])
    assert [reply for reply in replies if not reply.startswith(b"-ERR unknown command 'NOSUCH'")] == expected


def test_one_clients_writes_and_reads_are_executed_in_order(client: RawClient) -> None:
    commands: list[tuple[str, ...]] = []
    for number in range(500):
        commands += [("INCR", "count"), ("GET", "count"), ("APPEND", f"log:{number % 7}", "x")]
    replies = client.pipeline([*commands])
    assert replies[::3] == [b":%d\r\n" % number for number in range(1, 501)]
    assert [reply.split(b"\r\n")[1] for reply in replies[1::3]] == [b"%d" % number for number in range(1, 501)]


def test_a_client_that_half_closes_gets_its_replies(client: RawClient) -> None:
    client.send(b"".join(pack("SET", f"k:{number}", "v") for number in range(100)))
    client.end_sending()
    assert client.read_to_end() == b"+OK\r\n" * 100


def test_a_slow_reader_gets_everything(client: RawClient) -> None:
    value = b"v" * 100_000
    client.command("SET", "large", value)
    client.send(pack("GET", "large") * 300)
    reply = b"$100000\r\n" + value + b"\r\n"
    assert all(client.read_reply() == reply for _ in range(300))
