"""Sections about who may come in, and as whom rproxy goes to a node."""

from __future__ import annotations

from typing import Annotated, Protocol, Self

from pydantic import Field, SecretStr, model_validator

from rproxy.config.fields import EndpointText, Secret, UserName, UserRules
from rproxy.config.section import Section


class Login(Protocol):
    """A section with a user and a password, both optional."""

    @property
    def username(self) -> str | None:
        """The user."""

    @property
    def password(self) -> SecretStr | None:
        """The password, given or read."""

    @property
    def password_file(self) -> str | None:
        """Where the password is."""


def check_password(section: Login) -> None:
    """Raise ``ValueError`` unless there is at most one password, and one if there is a user."""
    if section.password is not None and section.password_file is not None:
        raise ValueError("has both password and password_file; one of them is enough")
    if section.username is not None and section.password is None and section.password_file is None:
        raise ValueError("has a username but neither password nor password_file")


class UserConfig(Section):
    """Someone who may come in, and what they may do."""

    name: UserName
    """The user's name; ``default`` is who a client is before it authenticates."""

    rules: UserRules
    """What ACL SETUSER takes, in one text: on >password ~app:* &news.* +@read -@dangerous."""

    passwords: tuple[Secret, ...] = ()
    """Passwords beside those of the rules, for instance with blanks in them. They are never shown."""

    password_files: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Files with further passwords, one in each, relative to the configuration file."""


class EndpointAuthConfig(Section):
    """What to authenticate with at one endpoint, in place of the cluster's username and password."""

    endpoint: EndpointText
    """host:port as the cluster's nodes announce it, and as it stands in endpoints if it is a seed."""

    username: Annotated[str, Field(min_length=1)] | None = None
    """The user to authenticate as; Redis's default user if there is only a password."""

    password: Secret | None = None
    """The password to authenticate with; without any there is no authentication. It is never shown."""

    password_file: Annotated[str, Field(min_length=1)] | None = None
    """A file with the password instead, relative to the configuration file."""

    @model_validator(mode="after")
    def _has_a_password_at_most_once(self) -> Self:
        check_password(self)
        return self
