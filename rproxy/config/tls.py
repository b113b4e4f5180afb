"""TLS contexts from the sections of the configuration, and what is wrong with the files that they name."""

from __future__ import annotations

import ssl
from functools import singledispatch
from pathlib import Path
from typing import Any, NoReturn

from rproxy.config.models import Config
from rproxy.config.problems import InvalidConfigError, Loc, Problem
from rproxy.config.tls_sections import ClientTlsConfig, ServerTlsConfig
from rproxy.errors import ConfigError

TlsConfig = ServerTlsConfig | ClientTlsConfig

_FILES = ("cert_file", "key_file", "ca_cert_file")
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsError(ConfigError):
    """No context can be made of a section: ``key`` is the key that is to blame, ``str()`` says why."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def files_of(settings: TlsConfig) -> list[Path]:
    """The files that the section names."""
    return [Path(name) for key in _FILES if (name := getattr(settings, key)) is not None]


@singledispatch
def context_of(settings: TlsConfig) -> ssl.SSLContext:
    """A new context that does what the section says, of the files as they are now. Raises ``TlsError``."""
    raise TypeError(type(settings))


@context_of.register
def _server_context(settings: ServerTlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _configure(context, settings)
    if settings.ca_cert_file is not None:
        _load_authorities(context, settings.ca_cert_file, "ca_cert_file")
        context.verify_mode = ssl.CERT_REQUIRED if settings.auth_clients == "required" else ssl.CERT_OPTIONAL
    return context


@context_of.register
def _client_context(settings: ClientTlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _configure(context, settings)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_cert_file is not None:
        _load_authorities(context, settings.ca_cert_file, "ca_cert_file")
    else:
        context.load_default_certs()
    return context


def _configure(context: ssl.SSLContext, settings: TlsConfig) -> None:
    """What both sides have in common."""
    context.minimum_version = _VERSIONS[settings.min_version]
    if settings.ciphers is not None:
        try:
            context.set_ciphers(settings.ciphers)
        except ssl.SSLError:
            raise TlsError("ciphers", "names no cipher that OpenSSL has") from None
    if settings.cert_file is not None and settings.key_file is not None:
        _load_certificate(context, settings.cert_file, settings.key_file)


def _load_certificate(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert_file, "cert_file")  # to know whose fault it is
    _expect_readable(key_file, "key_file")
    try:
        context.load_cert_chain(cert_file, key_file, password=_refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError("key_file", f"{key_file}: is not the key of the certificate in {cert_file}") from None
        raise TlsError("key_file", f"{key_file}: has no private key in PEM form that can be used") from None


def _refuse_passphrase() -> NoReturn:
    raise TlsError("key_file", "the key is encrypted; rproxy reads keys without a passphrase")


def _load_authorities(context: ssl.SSLContext, name: str, key: str) -> None:
    _expect_readable(name, key)
    try:
        context.load_verify_locations(name)
    except ssl.SSLError:
        raise TlsError(key, f"{name}: has no certificate in PEM form") from None


def _expect_readable(name: str, key: str) -> None:
    try:
        Path(name).read_bytes()
    except OSError as error:
        raise TlsError(key, f"{name}: {error.strerror}") from None


def with_tls_files(config: Config, directory: Path) -> Config:
    """``config`` with the full names of the files of its TLS sections; relative ones are below ``directory``.

    Raises ``InvalidConfigError`` that names every section of which no context can be made.
    """
    problems: list[Problem] = []

    def resolved(section: Any, loc: Loc) -> Any:
        """The section that has the TLS section at ``loc``, with the full names in it."""
        if section is None or section.tls is None:
            return section
        names = {key: name for key in _FILES if (name := getattr(section.tls, key)) is not None}
        full = {key: str((directory / name).absolute()) for key, name in names.items()}
        settings = section.tls.model_copy(update=full)
        try:
            context_of(settings)
        except TlsError as error:
            problems.append(Problem((*loc, "tls", error.key), str(error)))
        return section.model_copy(update={"tls": settings})

    update = {
        "admin": resolved(config.admin, ("admin",)),
        "listeners": tuple(resolved(each, ("listeners", index)) for index, each in enumerate(config.listeners)),
        "clusters": tuple(resolved(each, ("clusters", index)) for index, each in enumerate(config.clusters)),
    }
    if problems:
        raise InvalidConfigError(problems)
    return config.model_copy(update=update)
