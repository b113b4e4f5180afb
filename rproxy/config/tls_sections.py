"""Sections about TLS: towards who connects here, and towards the nodes of a cluster."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rproxy.config.fields import Flag
from rproxy.config.section import Section


def _server_name(value: str) -> str:
    if not value or value.startswith(".") or re.search(r"[\s\0]", value):
        raise ValueError("is no name of a server")
    return value.rstrip(".")


def _number_text(value: object) -> object:
    return str(value) if isinstance(value, float) else value


Text = Annotated[str, Field(min_length=1)]
FileName = Text
"""The name of a file, relative to the configuration file."""
ServerName = Annotated[str, AfterValidator(_server_name)]
"""What a certificate is for: a name or an address."""
TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_number_text)]
"""A version of TLS; YAML takes 1.2 for a number."""
EmptySection = BeforeValidator(lambda value: {} if value is None else value)
"""Lets a section be there with nothing in it, which YAML reads as nothing at all."""


class ServerTlsConfig(Section):
    """How who connects here is spoken to in TLS."""

    cert_file: FileName
    """The certificate, and after it those between it and the authority's, in PEM form."""

    key_file: FileName
    """The certificate's private key, in PEM form and without a passphrase."""

    ca_cert_file: FileName | None = None
    """Authorities in PEM form whose certificates clients show; without it, none is asked for."""

    auth_clients: Literal["required", "optional"] = "required"
    """With a ca_cert_file, whether a client must show a certificate, or only one that it shows must be good."""

    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken: 1.2 or 1.3."""

    ciphers: Text | None = None
    """What TLS 1.2 may encrypt with, as OpenSSL writes it; without it, what Python takes for strong."""


class ClientTlsConfig(Section):
    """How the nodes of a cluster are spoken to in TLS. An empty section is TLS with the defaults."""

    ca_cert_file: FileName | None = None
    """Authorities in PEM form that sign the nodes' certificates; without it, those that the system trusts."""

    server_name: ServerName | None = None
    """The name that the nodes' certificates must have, sent as SNI too; without it, the host of each endpoint."""

    verify: Flag = True
    """Check the nodes' certificates. Without it whoever is in between can read and change everything."""

    cert_file: FileName | None = None
    """The certificate that is shown to the nodes, in PEM form."""

    key_file: FileName | None = None
    """The certificate's private key, in PEM form and without a passphrase."""

    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken: 1.2 or 1.3."""

    ciphers: Text | None = None
    """What TLS 1.2 may encrypt with, as OpenSSL writes it; without it, what Python takes for strong."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("needs cert_file and key_file both, or neither")
        if not self.verify and self.ca_cert_file is not None:
            raise ValueError("has a ca_cert_file, which nothing is checked against with verify: false")
        return self
