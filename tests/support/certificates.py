"""Certificates for tests, made on the spot: an authority and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    cert_file: str
    key_file: str

    @property
    def section(self) -> dict[str, str]:
        """As a TLS section has them."""
        return {"cert_file": self.cert_file, "key_file": self.key_file}


class Authority:
    """Signs certificates whose files it puts into ``directory``; ``cert_file`` is its own."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        usage = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(self._name, self._name, self._key, 10).add_extension(usage, critical=True)
        path = directory / f"{name}.crt"
        path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        self.cert_file = str(path)

    def sign(self, name: str, hosts: Sequence[str] = ("127.0.0.1", "localhost"), *, days: int = 5) -> Pair:
        """A new certificate for ``hosts``, in files named ``name``; with negative ``days`` it ended so long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = _builder(_common_name(name), self._name, key, days).add_extension(names, critical=False)
        pair = Pair(str(self._directory / f"{name}.crt"), str(self._directory / f"{name}.key"))
        Path(pair.cert_file).write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        Path(pair.key_file).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair

    def client_context(self, shown: Pair | None = None) -> ssl.SSLContext:
        """For a client that trusts this authority alone, and shows a certificate if it has one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.cert_file)
        if shown is not None:
            context.load_cert_chain(shown.cert_file, shown.key_file)
        return context

    def server_context(self, shown: Pair) -> ssl.SSLContext:
        """For a server that asks nobody for a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert_file, shown.key_file)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    until = datetime.datetime.now(datetime.UTC) + days * _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - 30 * _DAY)
        .not_valid_after(until)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
