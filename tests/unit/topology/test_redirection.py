import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.resp import encode
from rproxy.topology.redirection import Redirection, RedirectionKind, classify, first_key_of_script, runs_script
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint

ASKED = Endpoint("10.0.0.9", 7009)
MOVED, ASK = RedirectionKind.MOVED, RedirectionKind.ASK


@pytest.mark.parametrize(
    ("line", "redirection"),
    [
        (b"-MOVED 3999 127.0.0.1:6381\r\n", Redirection(MOVED, 3999, Endpoint("127.0.0.1", 6381))),
        (b"MOVED 3999 127.0.0.1:6381", Redirection(MOVED, 3999, Endpoint("127.0.0.1", 6381))),
        (b"-ASK 0 127.0.0.1:6381\r\n", Redirection(ASK, 0, Endpoint("127.0.0.1", 6381))),
        (b"-MOVED 16383 :6381\r\n", Redirection(MOVED, 16383, Endpoint("10.0.0.9", 6381))),
        (b"-MOVED 1 ?:6381\r\n", Redirection(MOVED, 1, Endpoint("10.0.0.9", 6381))),
        (b"-MOVED 1 2001:db8::1:6381\r\n", Redirection(MOVED, 1, Endpoint("2001:db8::1", 6381))),
        (b"-MOVED 1 [::1]:6381\r\n", Redirection(MOVED, 1, Endpoint("::1", 6381))),
        (b"-ASK 1 redis-2.redis.svc:6381\r\n", Redirection(ASK, 1, Endpoint("redis-2.redis.svc", 6381))),
    ],
)
def test_moved_and_ask_name_a_slot_and_an_endpoint(line: bytes, redirection: Redirection) -> None:
    assert classify(line, ASKED) == redirection


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", RedirectionKind.TRYAGAIN),
        (b"-CLUSTERDOWN The cluster is down\r\n", RedirectionKind.CLUSTERDOWN),
        (b"-CLUSTERDOWN Hash slot not served\r\n", RedirectionKind.CLUSTERDOWN),
        (b"-LOADING Redis is loading the dataset in memory\r\n", RedirectionKind.LOADING),
        (
            b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
            RedirectionKind.MASTERDOWN,
        ),
        (b"-READONLY You can't write against a read only replica.\r\n", RedirectionKind.READONLY),
    ],
)
def test_the_others_are_to_be_sent_again(line: bytes, kind: RedirectionKind) -> None:
    assert classify(line, ASKED) == Redirection(kind, -1, ASKED)
    assert not kind.has_target


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"-",
        b"\r\n",
        b"-ERR unknown command\r\n",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
        b"-ERR MOVED 1 127.0.0.1:6381\r\n",
        b"-moved 1 127.0.0.1:6381\r\n",
        b"-MOVED\r\n",
        b"-MOVED 1\r\n",
        b"-MOVED 1 127.0.0.1\r\n",
        b"-MOVED 1 127.0.0.1:\r\n",
        b"-MOVED 1 127.0.0.1:0\r\n",
        b"-MOVED 1 127.0.0.1:65536\r\n",
        b"-MOVED 1 127.0.0.1:+80\r\n",
        b"-MOVED 16384 127.0.0.1:6381\r\n",
        b"-MOVED -1 127.0.0.1:6381\r\n",
        b"-MOVED x 127.0.0.1:6381\r\n",
        b"-MOVED 1 a/b:6381\r\n",
        b"-MOVED 1 127.0.0.1:6381 script: 4a2, on @user_script:1.\r\n",
        b"-MOVED " + b"9" * 5000 + b" 127.0.0.1:6381\r\n",
        b"-MOVEDX 1 127.0.0.1:6381\r\n",
    ],
)
def test_every_other_line_is_an_ordinary_error(line: bytes) -> None:
    assert classify(line, ASKED) is None


@given(
    st.binary() | st.binary().map(b"-MOVED ".__add__) | st.from_regex(rb"-(MOVED|ASK) [0-9]{1,6} [^ ]*", fullmatch=True)
)
def test_it_never_raises(line: bytes) -> None:
    redirection = classify(line, ASKED)
    if redirection is not None and redirection.kind.has_target:
        assert 0 <= redirection.slot < SLOT_COUNT
        assert 0 < redirection.endpoint.port < 65536
        assert redirection.endpoint.host


@pytest.mark.parametrize("name", ["EVAL", "evalsha", "EVAL_RO", "EVALSHA_RO", "FCALL", "fcall_ro"])
def test_scripts_are_known_by_their_names(name: str) -> None:
    assert runs_script(b"*3\r\n$%d\r\n%s\r\n$1\r\na\r\n$1\r\n0\r\n" % (len(name), name.encode()))
    assert runs_script(f" {name} a 0\r\n".encode())


def test_what_only_mentions_a_script_runs_none() -> None:
    assert not runs_script(b"*2\r\n$3\r\nGET\r\n$4\r\nEVAL\r\n")
    assert not runs_script(b"GET EVAL\r\n")
    assert not runs_script(b"*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nEVAL\r\n")


def test_the_first_key_of_a_script() -> None:
    assert first_key_of_script(encode.command([b"EVAL", b"a\r\nb", b"2", b"k", b"l"])) == b"k"
    assert first_key_of_script(encode.command([b"FCALL", b"f", b"0", b"argument"])) is None
    assert first_key_of_script(encode.command([b"EVAL", b"f", b"x", b"k"])) is None
    assert first_key_of_script(encode.command([b"EVAL", b"f"])) is None
    assert first_key_of_script(b"EVAL f 1 k\r\n") is None
