"""TLS contexts of the sections, and what is wrong with the files that those name."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from rproxy.config.loader import parse
from rproxy.config.tls import context_of
from rproxy.config.tls_sections import ClientTlsConfig, ServerTlsConfig
from rproxy.errors import ConfigError
from tests.support.certificates import Authority

FILES = {"cert_file": "server.crt", "key_file": "server.key"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.sign("server")
    return made


def text_of(listener: object = None, cluster: object = None) -> str:
    route = {"catch_all_route": {"cluster": "main"}}
    first: dict[str, object] = {"name": "redis", "address": "127.0.0.1:0", "redis_proxy": {"prefix_routes": route}}
    main: dict[str, object] = {"name": "main", "endpoints": ["redis:6379"]}
    if listener is not None:
        first["tls"] = listener
    if cluster is not None:
        main["tls"] = cluster
    return yaml.safe_dump({"listeners": [first], "clusters": [main]}, sort_keys=False)


def trouble(directory: Path, text: str) -> str:
    """What is wrong, without the line number and the directory."""
    with pytest.raises(ConfigError) as error:
        parse(text, str(directory / "f.yaml"))
    return str(error.value).replace(f"{directory}/", "").partition(": ")[2]


def test_names_of_files_are_relative_to_the_configuration(tmp_path: Path, authority: Authority) -> None:
    config = parse(text_of(FILES, {"ca_cert_file": "authority.crt"}), str(tmp_path / "f.yaml"))
    assert config.listeners[0].tls is not None
    assert config.listeners[0].tls.key_file == str(tmp_path / "server.key")
    assert config.clusters[0].tls is not None
    assert config.clusters[0].tls.ca_cert_file == authority.cert_file


def test_an_empty_section_of_a_cluster_is_tls_and_not_nothing(tmp_path: Path) -> None:
    text = text_of(cluster={}).replace("tls: {}", "tls:")
    assert parse(text, str(tmp_path / "f.yaml")).clusters[0].tls == ClientTlsConfig()


def test_an_empty_section_of_a_listener_lacks_its_certificate(tmp_path: Path) -> None:
    text = text_of(FILES).replace("cert_file: server.crt", "").replace("key_file: server.key", "")
    assert "listeners[0].tls.cert_file: is required" in trouble(tmp_path, text)


def no_key(directory: Path) -> None:
    (directory / "server.key").unlink()


def other_key(directory: Path) -> None:
    Authority(directory, "other").sign("second")
    (directory / "second.key").rename(directory / "server.key")


def no_certificate(directory: Path) -> None:
    (directory / "server.crt").write_text("nothing of the kind\n")


def bad_key(directory: Path) -> None:
    (directory / "server.key").write_text("nothing of the kind\n")


def encrypted_key(directory: Path) -> None:
    path = directory / "server.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"hunter2")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_key, "key_file: server.key: No such file or directory"),
        (other_key, "key_file: server.key: is not the key of the certificate in server.crt"),
        (no_certificate, "cert_file: server.crt: has no certificate in PEM form"),
        (bad_key, "key_file: server.key: has no private key in PEM form that can be used"),
        (encrypted_key, "key_file: the key is encrypted; rproxy reads keys without a passphrase"),
    ],
)
@pytest.mark.usefixtures("authority")
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(tmp_path)
    assert trouble(tmp_path, text_of(FILES)) == f"listeners[0].tls.{message}"
    assert trouble(tmp_path, text_of(cluster=FILES)) == f"clusters[0].tls.{message}"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"ca_cert_file": "absent.crt"}, ".ca_cert_file: absent.crt: No such file or directory"),
        ({"ca_cert_file": "server.key"}, ".ca_cert_file: server.key: has no certificate in PEM form"),
        ({"ciphers": "MOONSHINE"}, ".ciphers: names no cipher that OpenSSL has"),
        ({"min_version": 1.1}, ".min_version: must be '1.2' or '1.3'"),
    ],
)
@pytest.mark.usefixtures("authority")
def test_what_is_wrong_with_a_section_is_said(tmp_path: Path, section: dict[str, object], message: str) -> None:
    assert f"clusters[0].tls{message}" in trouble(tmp_path, text_of(cluster=section))


def test_a_client_checks_names_and_authorities_unless_told_otherwise(authority: Authority) -> None:
    context = context_of(ClientTlsConfig(ca_cert_file=authority.cert_file))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    unchecked = context_of(ClientTlsConfig(verify=False))
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("keys", "mode"),
    [
        ({}, ssl.CERT_NONE),
        ({"ca_cert_file": "authority.crt"}, ssl.CERT_REQUIRED),
        ({"ca_cert_file": "authority.crt", "auth_clients": "optional"}, ssl.CERT_OPTIONAL),
    ],
)
@pytest.mark.usefixtures("authority")
def test_a_server_asks_for_what_the_section_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], mode: ssl.VerifyMode
) -> None:
    monkeypatch.chdir(tmp_path)
    assert context_of(ServerTlsConfig.model_validate({**FILES, **keys})).verify_mode == mode
