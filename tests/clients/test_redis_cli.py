"""redis-cli as people and scripts use it: the same output through rproxy as directly."""

import shutil
import subprocess

import pytest

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.client import pack
from tests.support.proxy import Proxy

REDIS_CLI = shutil.which("redis-cli")
pytestmark = pytest.mark.skipif(REDIS_CLI is None, reason="redis-cli is NOT tested: it is not on PATH")

SCRIPT = """\
PING
SET greeting "hello world"
GET greeting
GET missing
MSET a 1 b 2 c 3
MGET a missing c b
INCR a
HSET user:1 name Ada born 1815
HGETALL user:1
ZADD scores 1 a 2.5 b
ZRANGE scores 0 -1 WITHSCORES
LPUSH greeting x
EVAL "return {KEYS[1], ARGV[1]}" 1 k v
XADD events 1-1 kind start
XRANGE events - +
MULTI
SET {t}a 1
INCR {t}a
EXEC
MULTI
NOSUCH
EXEC
BLPOP empty 0.05
DBSIZE
NOSUCH
OBJECT HELP
"""


def redis_cli(port: int, *options: str, typed: str | bytes = "") -> str:
    """What it prints."""
    data = typed.encode() if isinstance(typed, str) else typed
    run = [str(REDIS_CLI), "-p", str(port), *options]
    ended = subprocess.run(run, input=data, capture_output=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout.decode()


@pytest.mark.parametrize("options", [(), ("-3",), ("--csv",), ("--no-raw",), ("-c",)], ids=" ".join)
def test_commands_as_they_are_typed(proxy: Proxy, standalone: EmbeddedRedis, options: tuple[str, ...]) -> None:
    directly = redis_cli(standalone.port, *options, typed=SCRIPT)
    assert "hello world" in directly
    assert redis_cli(proxy.port, *options, typed=SCRIPT) == directly


def test_mass_insertion_and_a_scan(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    commands = b"".join(pack("SET", f"key:{number}", number) for number in range(5_000))
    for port in (standalone.port, proxy.port):
        assert "errors: 0, replies: 5000" in redis_cli(port, "--pipe", typed=commands)
    scans = [redis_cli(port, "--scan", "--pattern", "key:1*").split() for port in (standalone.port, proxy.port)]
    assert sorted(scans[0]) == sorted(scans[1])
    assert len(set(scans[0])) == 1111


def test_a_script_of_a_file(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("lua") / "twice.lua"
    script.write_text("redis.call('APPEND', KEYS[1], ARGV[1]) return redis.call('APPEND', KEYS[1], ARGV[1])")
    assert redis_cli(proxy.port, "--eval", str(script), "text", ",", "ab") == "4\n"


def test_the_largest_keys_are_found(proxy: Proxy) -> None:
    redis_cli(proxy.port, typed="SET small x\nSET large xxxxxxxxxx\nRPUSH list 1 2 3\n")
    found = redis_cli(proxy.port, "--bigkeys")
    assert "Biggest string found '\"large\"' has 10 bytes" in found
    assert "Sampled 3 keys" in found


def heard(port: int) -> list[str]:
    """What a subscribed redis-cli prints, up to a message."""
    command = [str(REDIS_CLI), "-p", str(port), "SUBSCRIBE", "news"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscribed:
        assert subscribed.stdout is not None
        try:
            confirmed = [subscribed.stdout.readline().strip() for _ in range(3)]
            subprocess.run([str(REDIS_CLI), "-p", str(port), "PUBLISH", "news", "first"], check=True, timeout=10)
            return confirmed + [subscribed.stdout.readline().strip() for _ in range(3)]
        finally:
            subscribed.kill()


def test_messages_are_printed_as_directly(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    through, directly = heard(proxy.port), heard(standalone.port)
    assert directly == ["subscribe", "news", "1", "message", "news", "first"]
    assert through == directly
