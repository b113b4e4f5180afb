"""The TLS sections by themselves: their defaults, and what they refuse before any file is read."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
import pytest

from rproxy.config.section import Section
from rproxy.config.tls_sections import ClientTlsConfig, EmptySection, ServerTlsConfig

FILES = {"cert_file": "server.crt", "key_file": "server.key"}


def test_towards_nodes_everything_is_checked_unless_told_otherwise() -> None:
    plain = ClientTlsConfig()
    assert plain.verify is True
    assert (plain.ca_cert_file, plain.server_name, plain.cert_file, plain.key_file) == (None, None, None, None)
    assert (plain.min_version, plain.ciphers) == ("1.2", None)


def test_a_listener_needs_no_more_than_its_certificate_and_key() -> None:
    plain = ServerTlsConfig.model_validate(FILES)
    assert (plain.ca_cert_file, plain.auth_clients) == (None, "required")
    assert (plain.min_version, plain.ciphers) == ("1.2", None)


@pytest.mark.parametrize("missing", FILES)
def test_a_listener_needs_both_its_certificate_and_key(missing: str) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        ServerTlsConfig.model_validate({key: file for key, file in FILES.items() if key != missing})
    assert [(found["loc"], found["type"]) for found in error.value.errors()] == [((missing,), "missing")]


@pytest.mark.parametrize("missing", FILES)
def test_a_certificate_and_its_key_are_shown_to_nodes_together(missing: str) -> None:
    assert ClientTlsConfig.model_validate(FILES).key_file == "server.key"
    with pytest.raises(pydantic.ValidationError, match="needs cert_file and key_file both, or neither"):
        ClientTlsConfig.model_validate({key: file for key, file in FILES.items() if key != missing})


def test_authorities_are_not_named_where_nothing_is_checked() -> None:
    assert ClientTlsConfig.model_validate({"ca_cert_file": "authority.crt"}).verify is True
    assert ClientTlsConfig.model_validate({"verify": False}).ca_cert_file is None
    with pytest.raises(pydantic.ValidationError, match="has a ca_cert_file, which nothing is checked against"):
        ClientTlsConfig.model_validate({"verify": False, "ca_cert_file": "authority.crt"})


@pytest.mark.parametrize("section", [ClientTlsConfig, ServerTlsConfig])
@pytest.mark.parametrize(("written", "version"), [("1.2", "1.2"), (1.2, "1.2"), ("1.3", "1.3"), (1.3, "1.3")])
def test_yaml_may_write_a_version_as_a_number(section: type[Section], written: object, version: str) -> None:
    assert section.model_validate({**FILES, "min_version": written}).model_dump()["min_version"] == version


@pytest.mark.parametrize("name", ["redis.example.com", "redis.example.com.", "redis", "127.0.0.1", "::1"])
def test_a_server_name_is_a_name_or_an_address_without_the_dot_of_the_root(name: str) -> None:
    assert ClientTlsConfig.model_validate({"server_name": name}).server_name == name.removesuffix(".")


@pytest.mark.parametrize("name", ["", ".", ".example.com", "two words", "redis\n", "redis\0.example.com"])
def test_what_is_no_name_of_a_server(name: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="is no name of a server"):
        ClientTlsConfig.model_validate({"server_name": name})


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (ClientTlsConfig, "verify", "no"),
        (ClientTlsConfig, "ca_cert_file", ""),
        (ClientTlsConfig, "min_version", 1.1),
        (ServerTlsConfig, "min_version", "1.1"),
        (ServerTlsConfig, "min_version", 1),
        (ServerTlsConfig, "cert_file", ""),
        (ServerTlsConfig, "key_file", None),
        (ServerTlsConfig, "ciphers", ""),
        (ServerTlsConfig, "auth_clients", "never"),
        (ServerTlsConfig, "verify", True),
    ],
)
def test_what_is_refused(section: type[Section], key: str, value: Any) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        section.model_validate({**FILES, key: value})
    assert [found["loc"] for found in error.value.errors()] == [(key,)]


def test_a_section_with_nothing_in_it_is_there_and_not_nothing() -> None:
    section = pydantic.TypeAdapter(Annotated[ClientTlsConfig | None, EmptySection])
    assert section.validate_python(None) == ClientTlsConfig()
    with pytest.raises(pydantic.ValidationError):
        section.validate_python(False)
