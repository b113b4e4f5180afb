"""The values of the configuration that have a notation of their own, and that notation: text in, value out, and back.

Functions that read raise ``ValueError`` with a line for the user; those named ``*_text`` give what reads back alike.
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass

DURATION_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,12})?(ms|s|m|h)"
PERCENTAGE_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,12})?%"
SIZE_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,12})? ?([KkMmGg][Ii]?)?[Bb]"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"b": 1, "kb": 1024, "kib": 1024, "mb": 1024**2, "mib": 1024**2, "gb": 1024**3, "gib": 1024**3}
"""A kilobyte is 1024 bytes, as in redis.conf ("1kb => 1024 bytes")."""
_SIZE_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))

_UNIX = "unix:"
_UNIX_PATH_MOST = 107
"""Bytes of a socket's path: ``sun_path`` of unix(7), without its final zero."""
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: ``host`` and ``port``, or else the ``path`` of a Unix socket. ``str()`` gives its notation."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_unix(self) -> bool:
        """Whether it is a Unix socket."""
        return bool(self.path)

    def __str__(self) -> str:
        return f"{_UNIX}{self.path}" if self.path else host_port_text(self.host, self.port)


def duration(value: object) -> float:
    """Seconds of ``5s``, ``0.5s``, ``250ms``, ``1m``, ``1h`` or of a number (protobuf's notation, and more units)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError(f"{_shown(value)} is no duration; write it as 5s, 250ms or 1m")
    amount, unit = _amount_and_unit(value)
    return amount * _SECONDS[unit]


def duration_text(seconds: float) -> str:
    """``5s``, ``0.25s``: seconds as protobuf writes them."""
    return f"{_plain(seconds)}s"


def percentage(value: object) -> float:
    """The fraction, 0 to 1, of ``12.5%``. A bare number is refused: 0.5 could mean a half or half of a hundredth."""
    if not isinstance(value, str) or not re.fullmatch(PERCENTAGE_PATTERN, value) or float(value[:-1]) > 100:
        raise ValueError(f"{_shown(value)} is no percentage; write it as 0% to 100%, such as 12.5%")
    return float(value[:-1]) / 100


def percentage_text(fraction: float) -> str:
    """``12.5%`` of a fraction from 0 to 1."""
    return f"{_plain(fraction * 100)}%"


def size(value: object) -> int:
    """Bytes of ``64MiB``, ``512MB`` or of a whole number; K, M and G are powers of 1024."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not re.fullmatch(SIZE_PATTERN, value):
        raise ValueError(f"{_shown(value)} is no size; write it as 64KiB, 512MB or a number of bytes")
    amount, unit = _amount_and_unit(value)
    return int(amount * _BYTES[unit.strip().lower()])


def size_text(count: int) -> str | int:
    """``64MiB`` where a unit divides ``count`` bytes, else the number."""
    for unit, unit_bytes in _SIZE_UNITS:
        if count and count % unit_bytes == 0:
            return f"{count // unit_bytes}{unit}"
    return count


def listen_address(value: object) -> Address:
    """The address of ``host:port``, ``[::1]:port`` or ``unix:/path``. Port 0 lets the system choose one."""
    if isinstance(value, str) and value.startswith(_UNIX):
        return Address(path=_unix_path(value.removeprefix(_UNIX)))
    host, port = _host_and_port(value, "host:port, [::1]:port or unix:/path")
    return Address(host, port)


def tcp_address(value: object) -> Address:
    """The address of ``host:port`` or ``[::1]:port``. Port 0 lets the system choose one."""
    return Address(*_host_and_port(value, "host:port or [::1]:port"))


def endpoint(value: object) -> str:
    """``host:port`` of a Redis process, checked. The host may be a name; whether it resolves is found out later."""
    host, port = _host_and_port(value, "host:port or [::1]:port")
    if port == 0:
        raise ValueError(f"{_shown(value)}: a port is 1 to 65535")
    return host_port_text(host, port)


def host_port_text(host: str, port: int) -> str:
    """``host:port``, with brackets round an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host_and_port(value: object, notation: str) -> tuple[str, int]:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no address; write it as {notation}")
    if "://" in value or "@" in value:  # not shown: it may hold a password
        raise ValueError(f"write {notation} alone, without a scheme or a user")
    host, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch("[0-9]+", port):
        raise ValueError(f"{_shown(value)} is no address; write it as {notation}")
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"{_shown(value)}: a port is at most 65535")
    return _host(host, value), int(port)


def _host(host: str, value: str) -> str:
    """The bare host of ``host`` or ``[host]``."""
    if not host:
        raise ValueError(f"{_shown(value)} has no host; every address is 0.0.0.0 or [::]")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if is_bracketed or re.fullmatch(r"[0-9.]+", host):
        kind = ipaddress.IPv6Address if is_bracketed else ipaddress.IPv4Address
        try:
            kind(host.strip("[]"))
        except ValueError:
            raise ValueError(f"{_shown(value)}: {host} is no IP address") from None
        return host.strip("[]")
    if ":" in host:
        raise ValueError(f"{_shown(value)}: an IPv6 address needs brackets, as in [::1]:6379")
    if not _HOST.fullmatch(host):
        raise ValueError(f"{_shown(value)}: {_shown(host)} is no host name")
    return host


def _unix_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"'{_UNIX}{path}': the path of a socket begins with /")
    if "\0" in path:
        raise ValueError("the path of a socket has no zero bytes")
    if len(path.encode()) > _UNIX_PATH_MOST:
        raise ValueError(f"the path of a socket has at most {_UNIX_PATH_MOST} bytes, this one has {len(path.encode())}")
    return path


def _amount_and_unit(text: str) -> tuple[float, str]:
    amount = re.match(r"[0-9.]+", text)
    assert amount is not None  # noqa: S101 - the caller has matched the whole
    return float(amount[0]), text[amount.end() :]


def _plain(number: float) -> str:
    """A decimal number without an exponent or needless zeros, to a millionth."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _shown(value: object) -> str:
    """A value as an error shows it: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
