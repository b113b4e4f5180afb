"""Starting proxies that do not start."""

import sys

import pytest

from benchmarks.peer_process import PeerProcess
from benchmarks.peers import Peer
from rproxy.errors import StartError


def test_a_proxy_that_ends_at_once_is_quoted() -> None:
    peer = Peer(
        name="broken",
        title="Broken",
        locate=lambda: (sys.executable, "-c", "print('first'); print('no such luck')"),
        how_to_get="",
        arguments=("$config", "$spare_port"),
        config="twemproxy.yml",
        endpoint="$listen",
    )
    process = PeerProcess(peer, [])
    with pytest.raises(StartError, match=r"^Broken has ended: no such luck$"), process:
        pass
    with pytest.raises(StartError, match="Broken has ended"):
        process.processor_time()


def test_a_proxy_that_is_not_installed() -> None:
    peer = Peer("absent", "Absent", lambda: None, "build it", (), "twemproxy.yml", "")
    with pytest.raises(StartError, match=r"^Absent is not here: build it$"), PeerProcess(peer, []):
        pass
