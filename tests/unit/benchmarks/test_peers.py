"""The rows of peers, and their configuration files as they are filled in."""

import os
import stat
from pathlib import Path
from string import Template

import pytest
import yaml

from benchmarks.peers import CONFIGS, PEERS, Peer
from rproxy.config.loader import parse

PLACES = {"host": "127.0.0.1", "port": "7000", "listen": "127.0.0.1:7000", "spare_port": "7001"}


def filled(peer: Peer) -> str:
    endpoints = "\n".join(Template(peer.endpoint).substitute(PLACES) for _ in range(3))
    return Template((CONFIGS / peer.config).read_text()).substitute(PLACES, endpoints=endpoints, **peer.settings)


def peer_called(name: str) -> Peer:
    return next(peer for peer in PEERS if peer.name == name)


def program(folder: Path, output: str) -> Path:
    path = folder / "proxy"
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def stub(folder: Path, output: str, version_says: str = "") -> Peer:
    path = str(program(folder, output))
    return Peer("stub", "Stub", lambda: (path,), "find it", (), "", "", version_says=version_says)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_its_configuration_names_every_node_and_leaves_no_gap(peer: Peer) -> None:
    text = filled(peer)
    assert "$" not in text
    assert text.count("7000") >= 4


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_its_arguments_use_places_that_exist(peer: Peer) -> None:
    for argument in peer.arguments:
        Template(argument).substitute(PLACES, config="file")


@pytest.mark.parametrize("name", ["envoy", "twemproxy"])
def test_it_is_yaml(name: str) -> None:
    assert yaml.safe_load(filled(peer_called(name)))


def test_rproxy_accepts_its_configuration() -> None:
    config = parse(filled(peer_called("rproxy")), "rproxy.yaml")
    settings = config.listeners[0].redis_proxy.settings
    assert config.workers == 1
    assert config.admin is not None
    assert settings.enable_command_stats
    assert settings.enable_redirection
    assert len(config.clusters[0].endpoints) == 3


def test_version_is_the_number_not_that_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "python3.11"
    folder.mkdir()
    peer = stub(folder, f"{folder / 'proxy'}  version: 9e5/1.40.0/Clean")
    assert peer.version() == "1.40.0"
    assert peer.why_missing() is None


def test_another_form_of_the_program_is_not_the_peer(tmp_path: Path) -> None:
    assert stub(tmp_path, "rproxy 0.1.0 (compiled)", "compiled").version() == "0.1.0 compiled"
    assert stub(tmp_path, "rproxy 0.1.0 (pure)", "compiled").why_missing() == "Stub is not here: find it"


def test_a_program_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert peer_called("predixy").why_missing() == "predixy is not here: build it from its source and put it on PATH"


def test_a_peer_may_run_some_cases_only() -> None:
    assert peer_called("rproxy-pure").runs("get-p16")
    assert not peer_called("rproxy-pure").runs("get-p1")
    assert peer_called("envoy").runs("get-p1")
