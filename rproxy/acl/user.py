"""A user: passwords, and selectors of which one has to allow a command."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from rproxy.acl.selector import Denial, Selector
from rproxy.commands.spec import CommandSpec

DEFAULT = b"default"
"""The user of a client that has not authenticated."""
_NO_HASH = "0" * 64


def password_hash(password: bytes) -> str:
    """The SHA-256 of a password in hexadecimal digits: all that is kept of it."""
    return hashlib.sha256(password).hexdigest()


@dataclass(slots=True)
class User:
    """A new user is off, has no password and may do nothing, as in Redis. ``sanitizing`` is a flag only shown."""

    name: bytes
    is_on: bool = False
    needs_no_password: bool = False
    sanitizing: str = ""
    hashes: list[str] = field(default_factory=list)
    root: Selector = field(default_factory=Selector)
    selectors: list[Selector] = field(default_factory=list)
    """Beside the root selector, those in parentheses."""

    @property
    def is_welcome_without_password(self) -> bool:
        """Whether, as the default user, it lets clients in that do not authenticate."""
        return self.is_on and self.needs_no_password

    @property
    def is_unrestricted(self) -> bool:
        """Whether it may do everything: then its commands need no check."""
        return self.root.is_unrestricted or any(selector.is_unrestricted for selector in self.selectors)

    def accepts(self, password: bytes) -> bool:
        """Whether the user is on and this is a password of its; takes the same time whichever it is."""
        given = password_hash(password)
        matches = [hmac.compare_digest(given, known) for known in self.hashes or [_NO_HASH]]
        return self.is_on and (self.needs_no_password or any(matches))

    def add_password(self, password: bytes) -> None:
        """Accept ``password`` from now on, beside others, and no client without one."""
        self.needs_no_password = False
        digest = password_hash(password)
        if digest not in self.hashes:
            self.hashes.append(digest)

    def check(self, spec: CommandSpec, args: Sequence[bytes]) -> Denial | None:
        """Why a command, whose arity was checked, is denied; ``None`` if a selector allows it.

        Of the denials of several selectors the one that came closest counts.
        """
        denials: list[Denial] = []
        for selector in (self.root, *self.selectors):
            denial = selector.check(spec, args)
            if denial is None:
                return None
            denials.append(denial)
        return max(denials)

    def may_read_every_key(self, spec: CommandSpec, args: Sequence[bytes]) -> bool:
        """Whether a selector that allows the command lets it read keys that its arguments do not name."""
        return any(
            selector.reads_every_key and selector.check(spec, args) is None for selector in (self.root, *self.selectors)
        )

    def flags(self) -> list[str]:
        """What ACL GETUSER shows as flags."""
        flags = ["on" if self.is_on else "off"]
        if self.needs_no_password:
            flags.append("nopass")
        return [*flags, self.sanitizing] if self.sanitizing else flags

    def __str__(self) -> str:
        """The user as ACL LIST shows it, and as a configuration file of Redis would define it."""
        hashes = [f"#{digest}" for digest in self.hashes]
        selectors = [f"({selector})" for selector in self.selectors]
        return " ".join(["user", self.name.decode(), *self.flags(), *hashes, str(self.root), *selectors])
