"""The users of a listener."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rproxy.acl.rules import user_of
from rproxy.acl.user import DEFAULT, User

EVERYTHING = "on nopass ~* &* +@all"
"""The rules of Redis's default user: without others, nobody has to authenticate."""


class Users:
    """Users by name. There is always a default user; ``default`` is who a client is before it authenticates."""

    __slots__ = ("_by_name", "default")

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._by_name = {user.name: user for user in users}
        self.default = self._by_name.setdefault(DEFAULT, user_of(DEFAULT.decode(), EVERYTHING))

    def find(self, name: bytes) -> User | None:
        """The user of this name."""
        return self._by_name.get(name)

    def authenticate(self, name: bytes, password: bytes) -> User | None:
        """The user if it may come in with this password. An unknown name takes as long as a wrong password."""
        user = self._by_name.get(name)
        is_accepted = (user or User(name)).accepts(password)
        return user if is_accepted else None

    def __iter__(self) -> Iterator[User]:
        """The users in the order of their names, as Redis lists them."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def __len__(self) -> int:
        return len(self._by_name)
