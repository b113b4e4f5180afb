"""The parameters of CONFIG: those that are rproxy's own, and those of the nodes that are no business of clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rproxy.resp.integer import integer_of

_INT_MOST = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of rproxy's own. ``write`` raises ``ValueError`` in Redis's words; without it CONFIG SET is refused."""

    read: Callable[[], str]
    write: Callable[[str], None] | None = None


def fixed(value: str) -> Parameter:
    """A parameter that stays as it is."""
    return Parameter(lambda: value)


def integer(text: str, least: int = 0, most: int = _INT_MOST) -> int:
    """The whole number from ``least`` to ``most`` that ``text`` says. Raises ``ValueError`` in Redis's words."""
    try:
        number = integer_of(text.encode())
    except ValueError:
        raise ValueError("argument couldn't be parsed into an integer") from None
    if not least <= number <= most:
        raise ValueError(f"argument must be between {least} and {most} inclusive")
    return number


COMMON: dict[bytes, Parameter] = {
    b"cluster-enabled": fixed("no"),
    b"databases": fixed("1"),
    b"masterauth": fixed(""),
    b"masteruser": fixed(""),
    b"requirepass": fixed(""),
    b"tls-client-key-file-pass": fixed(""),
    b"tls-key-file-pass": fixed(""),
}
"""What is the same for every rproxy: it looks like one server with one database, and tells nobody's passwords."""
