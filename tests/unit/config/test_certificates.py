"""Certificates that are renewed while they are in use."""

import logging
import os
from pathlib import Path

import pytest

from rproxy.config.certificates import CHECK_EVERY, Certificates
from rproxy.config.tls import TlsError
from rproxy.config.tls_sections import ClientTlsConfig, ServerTlsConfig
from tests.support.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.sign("server")


def certificates(pair: Pair) -> Certificates:
    return Certificates(ServerTlsConfig.model_validate(pair.section), "listener redis")


def test_files_that_stay_are_not_loaded_again(pair: Pair) -> None:
    tls = certificates(pair)
    context = tls.context
    tls.check()
    assert tls.context is context


def test_changed_files_are_for_the_next_connection(
    authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    tls = certificates(pair)
    context = tls.context
    authority.sign("server")
    with caplog.at_level(logging.INFO, "rproxy.tls"):
        tls.check()
    assert tls.context is not context
    assert caplog.messages == ["listener redis: the TLS files have changed and are in force for new connections"]


def test_bad_new_files_leave_the_old_ones_in_force_and_are_told_of_once(
    authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    tls = certificates(pair)
    context = tls.context
    Path(pair.key_file).write_text("half a ke")
    for _ in range(2):
        tls.check()
    assert tls.context is context
    (message,) = caplog.messages
    assert message.startswith("listener redis: the new TLS files are refused, the old ones stay in force: ")
    authority.sign("server")
    tls.check()
    assert tls.context is not context


def test_a_name_that_leads_elsewhere_has_changed(authority: Authority, tmp_path: Path) -> None:
    for name in ("old", "new"):
        authority.sign(name)
    for end in ("crt", "key"):
        (tmp_path / f"server.{end}").symlink_to(f"old.{end}")
    tls = certificates(Pair(str(tmp_path / "server.crt"), str(tmp_path / "server.key")))
    context = tls.context
    for end in ("crt", "key"):
        (tmp_path / "next").symlink_to(f"new.{end}")
        os.replace(tmp_path / "next", tmp_path / f"server.{end}")
    tls.check()
    assert tls.context is not context


def test_the_janitor_looks_every_few_seconds(authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rproxy.config.certificates.time.monotonic", lambda: 100.0)
    tls = certificates(pair)
    context = tls.context
    authority.sign("server")
    tls.tick(100.0 + CHECK_EVERY / 2)
    assert tls.context is context
    tls.tick(100.0 + CHECK_EVERY)
    assert tls.context is not context


def test_who_does_not_verify_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    Certificates(ClientTlsConfig(verify=False), "cluster main")
    assert "cluster main: verify is false" in caplog.text


def test_the_name_of_a_server_is_its_host_unless_told() -> None:
    assert Certificates(ClientTlsConfig(), "").server_name("redis-0.redis.svc.") == "redis-0.redis.svc"
    named = ClientTlsConfig(server_name="redis.example.com")
    assert Certificates(named, "").server_name("10.0.0.1") == "redis.example.com"


def test_files_that_are_gone_at_the_start(pair: Pair) -> None:
    Path(pair.cert_file).unlink()
    with pytest.raises(TlsError, match="No such file"):
        certificates(pair)
